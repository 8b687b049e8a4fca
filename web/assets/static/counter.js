// The operator's page of a session follows what happens at the tablet. Without this file
// there is a link that shows it anew.
"use strict";

(function () {
  const live = () => document.getElementById("live");
  if (!live()) return;
  const wait = (ms) => new Promise((r) => setTimeout(r, ms));
  document.documentElement.classList.add("scripted");

  // renew shows what the server renders now. A form that somebody fills in is left alone
  // as long as the session is where it was.
  async function renew() {
    const r = await fetch(live().dataset.address, { credentials: "same-origin", cache: "no-store" });
    if (!r.ok) throw new Error("status " + r.status);
    const page = new DOMParser().parseFromString(await r.text(), "text/html"), now = page.getElementById("live");
    if (!now) return location.reload();
    if (now.dataset.state !== live().dataset.state) {
      document.title = page.title;
      // With its forms: those have scripts of their own.
      if (now.querySelector("form.factors") || live().querySelector("form.factors")) return location.assign(now.dataset.address);
      live().replaceWith(document.adoptNode(now));
      return;
    }
    live().dataset.version = now.dataset.version;
    live().dataset.away = now.dataset.away;
    now.querySelectorAll("[data-part]").forEach((part) => {
      const old = live().querySelector('[data-part="' + part.dataset.part + '"]');
      if (old && old.outerHTML !== part.outerHTML) old.replaceWith(document.adoptNode(part));
    });
  }

  (async function () {
    let pause = 500;
    while (live().dataset.ended !== "true") {
      const gone = new AbortController(), late = setTimeout(() => gone.abort(), 35000), asked = performance.now();
      try {
        const at = live().dataset;
        const r = await fetch(at.address + "/state?seen=" + at.version, { credentials: "same-origin", cache: "no-store", headers: { Accept: "application/json" }, signal: gone.signal });
        if (r.status === 401) return location.reload();
        if (!r.ok) throw new Error("status " + r.status);
        const said = await r.json();
        pause = 500;
        if (String(said.version) !== at.version || said.state !== at.state || String(said.away) !== at.away) await renew();
        else if (performance.now() - asked < 1000) await wait(1000); // too many wait: the answer came at once
      } catch (_) {
        await wait(pause);
        pause = Math.min(2 * pause, 8000);
      } finally {
        clearTimeout(late);
      }
    }
  })();
})();
