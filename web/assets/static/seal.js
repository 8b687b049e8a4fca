// The tablet's own key, and the seal over a signature (web/counter, vault.Captured).
//
// The key signs (ECDSA, P-256). It is made in this browser when the tablet is registered,
// cannot be read out of it, and rests in its IndexedDB. What the pen wrote is encrypted
// here for the vault: ECDH with the key that the vault made for this one capture, HKDF,
// AES-GCM. Nobody between can read or change it, or use it again.

const Label = new TextEncoder().encode("sigillo capture v1");
const Curve = { name: "ECDH", namedCurve: "P-256" };
const Signing = { name: "ECDSA", namedCurve: "P-256" };

export function text(bytes) {
  let out = "";
  for (let i = 0; i < bytes.length; i += 8192) out += String.fromCharCode(...bytes.subarray(i, i + 8192)); // not all are taken at once
  return btoa(out).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
export const bytes = (base64) => Uint8Array.from(atob(base64.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));

function joined(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

function request(r) {
  return new Promise((done, failed) => {
    r.onsuccess = () => done(r.result);
    r.onerror = () => failed(r.error);
  });
}

// kept does something with the one store of this page.
async function kept(mode, what) {
  const opening = indexedDB.open("sigillo-tablet", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
  const db = await request(opening);
  try {
    const tx = db.transaction("keys", mode, { durability: "strict" });
    const whole = new Promise((done, failed) => {
      tx.oncomplete = done;
      tx.onerror = tx.onabort = () => failed(tx.error);
    });
    const out = await request(what(tx.objectStore("keys")));
    await whole;
    return out;
  } finally {
    db.close();
  }
}

// make makes a new key under a name ("pending" until the tablet is registered) and gives its
// public half as SubjectPublicKeyInfo.
export async function make(name) {
  const pair = await crypto.subtle.generateKey(Signing, false, ["sign", "verify"]);
  await kept("readwrite", (keys) => keys.put(pair, name));
  return new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
}

// has says whether there is a key of this name.
export async function has(name) { return !!await kept("readonly", (keys) => keys.get(name)); }

// rename makes the key of one name that of another, which is forgotten.
export async function rename(from, to) {
  const pair = await kept("readonly", (keys) => keys.get(from));
  if (!pair) throw new Error("no key");
  await kept("readwrite", (keys) => keys.put(pair, to));
  await kept("readwrite", (keys) => keys.delete(from));
}

export async function forget(name) { await kept("readwrite", (keys) => keys.delete(name)); }

// sign signs with the key of that name: r and s, 32 bytes each.
export async function sign(name, data) {
  const pair = await kept("readonly", (keys) => keys.get(name));
  if (!pair) throw new Error("no key");
  return new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, pair.privateKey, data));
}

// seal encrypts a sample for the capture that was armed (its nonce, publicKey and context,
// in bytes) and signs it with the tablet's key. started is in ms since 1970. The sample is
// wiped.
export async function seal(name, armed, sample, started) {
  const one = await crypto.subtle.generateKey(Curve, false, ["deriveBits"]);
  const ephemeral = new Uint8Array(await crypto.subtle.exportKey("raw", one.publicKey));
  const theirs = await crypto.subtle.importKey("raw", armed.publicKey, Curve, false, []);
  const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: theirs }, one.privateKey, 256));
  const secret = await crypto.subtle.importKey("raw", shared, "HKDF", false, ["deriveKey"]);
  shared.fill(0);
  const key = await crypto.subtle.deriveKey({ name: "HKDF", hash: "SHA-256", salt: armed.nonce, info: joined(Label, armed.context) },
    secret, { name: "AES-GCM", length: 256 }, false, ["encrypt"]);
  let sealed;
  try { // the key is used once, so its nonce may be zero
    sealed = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv: new Uint8Array(12), additionalData: armed.context }, key, sample));
  } finally {
    sample.fill(0);
  }
  const time = new DataView(new ArrayBuffer(8));
  time.setBigInt64(0, BigInt(started));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", joined(ephemeral, sealed)));
  const signature = await sign(name, joined(Label, armed.nonce, armed.context, new Uint8Array(time.buffer), digest));
  return { nonce: armed.nonce, ephemeral, sealed, signature, started };
}
