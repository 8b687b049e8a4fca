// What a form can't do by itself. Without this file every page still works.
"use strict";

// seen makes the name of a file fit to be shown: it may hold characters that are not
// seen, or turn the direction of reading.
function seen(name) {
  return name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => "[U+" + c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0") + "]");
}

// The problem, when there is one, is the first thing to be read.
(function () {
  const summary = document.querySelector("main > .summary");
  if (summary) summary.focus();
})();

// Upload with a progress bar, several files at a time, by drop too.
(function () {
  const form = document.getElementById("upload");
  if (!form || !window.FormData) return;
  const input = form.querySelector("input[type=file]");
  const button = form.querySelector("button[type=submit]");
  const box = document.getElementById("upload-progress");
  const bar = document.getElementById("upload-bar");
  const status = document.getElementById("upload-status");
  const problem = document.getElementById("upload-error");
  const drop = form.querySelector(".drop");
  const cancel = document.getElementById("upload-cancel");
  let said = -1, request;

  function rest() {
    box.hidden = true;
    button.disabled = false;
  }

  function element(name, text) {
    const e = document.createElement(name);
    e.textContent = text;
    return e;
  }

  function stop(title, details, stored) {
    rest();
    problem.textContent = "";
    problem.append(element("h2", title), ...details.map((d) => element("p", d)));
    if (stored) {
      const link = element("a", stored), p = document.createElement("p");
      link.href = "/";
      p.append(link);
      problem.append(p);
    }
    problem.hidden = false;
    problem.focus();
  }

  ["dragover", "dragleave", "drop"].forEach((kind) => drop.addEventListener(kind, (e) => {
    if (!e.dataTransfer || !Array.from(e.dataTransfer.types).includes("Files")) return;
    e.preventDefault();
    drop.classList.toggle("over", kind === "dragover");
    if (kind === "drop") input.files = e.dataTransfer.files;
  }));

  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const limit = Number(form.dataset.limit);
    for (const file of input.files) {
      if (file.size > limit) return stop(form.dataset.large.replace("{name}", seen(file.name)), []);
    }
    problem.hidden = true;
    box.hidden = false;
    button.disabled = true;
    bar.value = 0;
    said = -1;
    request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json");
    cancel.hidden = false;
    request.upload.addEventListener("progress", (p) => {
      if (!p.lengthComputable) return;
      const percent = Math.floor(100 * p.loaded / p.total);
      bar.value = percent;
      // Every tenth is enough for who listens.
      const tenth = Math.floor(percent / 10);
      if (tenth !== said) {
        said = tenth;
        status.textContent = form.dataset.progress.replace("{percent}", percent);
      }
    });
    request.upload.addEventListener("load", () => {
      bar.removeAttribute("value");
      status.textContent = form.dataset.checking;
      cancel.hidden = true; // it is there
    });
    request.addEventListener("load", () => {
      let answer = {};
      try { answer = JSON.parse(request.responseText); } catch (_) { /* not ours */ }
      if (request.status === 401) return location.assign("/signin?ended=1");
      if (request.status === 201 && answer.location) return location.assign(answer.location);
      if (answer.files) return stop(form.dataset.some, answer.files.map(seen), answer.stored);
      stop(answer.title || form.dataset.failed, answer.detail ? [answer.detail] : []);
    });
    request.addEventListener("error", () => stop(form.dataset.failed, []));
    request.send(new FormData(form));
  });
  cancel.addEventListener("click", () => {
    request.abort();
    rest();
    button.focus();
  });
  window.addEventListener("pageshow", (e) => { if (e.persisted) rest(); });
})();

// A form that must not be sent twice. Not "data-once": the templates take what
// begins with "on" for script and would put the words in quotes.
document.querySelectorAll("form[data-doing]").forEach((form) => {
  form.addEventListener("submit", () => {
    const button = form.querySelector("button[type=submit]");
    const status = form.querySelector(".once-status");
    // After the form data was taken, or the button's state would change it.
    setTimeout(() => { button.disabled = true; }, 0);
    if (status) status.textContent = form.dataset.doing;
  });
});
// Who comes back finds the page as it was left: with what was under way then.
window.addEventListener("pageshow", (e) => {
  if (!e.persisted) return;
  document.querySelectorAll("form[data-doing] button[type=submit]").forEach((b) => { b.disabled = false; });
  document.querySelectorAll(".once-status").forEach((s) => { s.textContent = ""; });
});

// Two minutes before an idle session ends, offer to keep it.
(function () {
  const idle = Number(document.body.dataset.idle), box = document.getElementById("idle");
  if (!idle || !box) return;
  let warn, end;
  function begin() {
    clearTimeout(warn);
    clearTimeout(end);
    box.hidden = true;
    warn = setTimeout(() => { if (uploading()) stay(); else box.hidden = false; }, Math.max(1, idle - 120) * 1000);
    end = setTimeout(() => location.assign("/signin?ended=1&next=" + encodeURIComponent(location.pathname)), idle * 1000);
  }
  function uploading() {
    return ["upload-progress", "stamp-progress"].some((id) => {
      const box = document.getElementById(id);
      return box && !box.hidden;
    });
  }
  function stay() {
    fetch("/alive", { credentials: "same-origin" }).then((r) => r.ok ? begin() : location.reload());
  }
  document.getElementById("idle-stay").addEventListener("click", stay);
  begin();
})();
