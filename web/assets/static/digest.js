// The digest of a file, computed in a worker so that the page stays alive, piece
// by piece so that memory stays small whatever the size of the file.
import { sha256, sha384, sha512 } from "../dist/noble/sha2.js";

const algorithms = { sha256, sha384, sha512 };
const piece = 1 << 20;

self.addEventListener("message", async (e) => {
  const { file, hash } = e.data;
  try {
    const digest = algorithms[hash].create();
    let said = 0;
    for (let at = 0; at < file.size; at += piece) {
      digest.update(new Uint8Array(await file.slice(at, at + piece).arrayBuffer()));
      const now = Date.now();
      if (now - said > 100) {
        said = now;
        self.postMessage({ done: Math.min(at + piece, file.size) });
      }
    }
    const hex = Array.from(digest.digest(), (b) => b.toString(16).padStart(2, "0")).join("");
    self.postMessage({ digest: hex });
  } catch (_) { // the file was changed or taken away while it was read
    self.postMessage({ failed: true });
  }
});
self.postMessage({ ready: true });
