// Stamps a file that stays where it is: its digest is computed here, and only
// that is sent. Without this file the page stamps a digest computed elsewhere.
"use strict";

(function () {
  const form = document.getElementById("stamp");
  if (!form || !window.Worker || !window.fetch) return;
  const $ = (id) => document.getElementById(id);
  const input = $("stamp-file"), known = $("stamp-digest"), button = form.querySelector("button[type=submit]");
  const box = $("stamp-progress"), bar = $("stamp-bar"), status = $("stamp-status"), problem = $("stamp-error");
  const result = $("stamp-result"), drop = $("stamp-drop");
  let worker = null, asking = null, said = -1;
  const links = [];
  drop.hidden = false;

  function quiet() {
    if (worker) worker.terminate();
    worker = null;
    box.hidden = true;
    button.disabled = false;
  }

  function stop(title, detail) {
    quiet();
    problem.textContent = "";
    const h = document.createElement("h2"), p = document.createElement("p");
    h.textContent = title;
    p.textContent = detail || "";
    problem.append(...(detail ? [h, p] : [h]));
    problem.hidden = false;
    problem.focus();
  }

  function begin(text) {
    problem.hidden = true;
    result.hidden = true;
    box.hidden = false;
    button.disabled = true;
    bar.value = 0;
    said = -1;
    status.textContent = text;
  }

  function progress(done, size) {
    const percent = Math.floor(100 * done / size);
    bar.value = percent;
    // Every tenth is enough for who listens.
    const tenth = Math.floor(percent / 10);
    if (tenth === said) return;
    said = tenth;
    status.textContent = form.dataset.computing.replace("{percent}", percent);
  }

  // digest gives the digest of a file in hexadecimal to then.
  function digest(file, hash, then) {
    const w = worker = new Worker(form.dataset.worker, { type: "module" });
    w.addEventListener("error", () => stop(form.dataset.failed));
    w.addEventListener("message", (e) => {
      if (w !== worker) return; // cancelled
      if (e.data.ready) w.postMessage({ file, hash });
      else if (e.data.failed) stop(form.dataset.unreadable);
      else if (e.data.digest) then(e.data.digest);
      else progress(e.data.done, file.size);
    });
  }

  function bytes(base64) {
    return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  }

  function offer(link, base64, media, name) {
    const url = URL.createObjectURL(new Blob([bytes(base64)], { type: media }));
    links.push(url);
    link.href = url;
    link.download = name;
  }

  function show(answer, name, hash) {
    quiet();
    links.splice(0).forEach((url) => URL.revokeObjectURL(url));
    $("result-file").textContent = seen(name); // of sigillo.js
    $("result-time").textContent = answer.time;
    $("result-time").dateTime = answer.moment;
    $("result-serial").textContent = answer.serial;
    $("result-policy").textContent = answer.policy;
    $("result-hash").textContent = hash;
    $("result-digest").textContent = answer.digest.replace(/(.{8})(?=.)/g, "$1 ");
    offer($("result-tsr"), answer.response, "application/timestamp-reply", name + ".tsr");
    offer($("result-tst"), answer.token, "application/timestamp-token", name + ".tst");
    const left = $("stamp-left-count");
    if (left && answer.left !== null) left.textContent = answer.left;
    result.hidden = false;
    result.focus();
  }

  function ask(value, name, hash) {
    bar.removeAttribute("value");
    status.textContent = form.dataset.asking;
    const fields = new URLSearchParams({ token: form.elements.token.value, hash: hash.value, digest: value });
    asking = new AbortController();
    fetch(form.action, { method: "POST", body: fields, credentials: "same-origin", signal: asking.signal,
      headers: { Accept: "application/json" } }).then(async (r) => {
      if (r.status === 401) return location.assign("/signin?ended=1&next=%2Fstamp");
      const answer = await r.json();
      if (r.ok) show(answer, name, hash.label);
      else stop(answer.title || form.dataset.failed, answer.detail);
    }).catch((e) => { if (e.name !== "AbortError") stop(form.dataset.failed); });
  }

  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const chosen = form.querySelector("input[name=hash]:checked");
    const hash = { value: chosen.value, label: form.querySelector("label[for=" + chosen.id + "]").firstChild.textContent.trim() };
    const file = input.files[0], value = known.value.trim();
    if (!file) {
      if (!value) return stop(form.dataset.choose);
      begin(form.dataset.asking);
      return ask(value, hash.value + "-" + value.slice(0, 16), hash);
    }
    begin("");
    digest(file, hash.value, (d) => ask(d, file.name, hash));
  });

  // From here on the stamp may have been made: what is given up is the answer.
  $("stamp-cancel").addEventListener("click", () => {
    if (asking) asking.abort();
    quiet();
    button.focus();
  });

  ["dragover", "dragleave", "drop"].forEach((kind) => drop.addEventListener(kind, (e) => {
    if (!e.dataTransfer || !Array.from(e.dataTransfer.types).includes("Files")) return;
    e.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") input.files = e.dataTransfer.files;
  }));
})();
