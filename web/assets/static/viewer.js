// The pages of a document: zoom, keys, and paging that loads one image and no
// page. Without this file the links do the paging.
"use strict";

(function () {
  const viewer = document.querySelector(".viewer");
  if (!viewer) return;
  const port = viewer.querySelector(".viewport");
  const zoom = viewer.querySelector(".zoom");
  const steps = [50, 75, 100, 125, 150, 200, 300, 400];
  const base = viewer.dataset.base, pages = Number(viewer.dataset.pages), all = "all" in viewer.dataset;
  let page = Number(viewer.dataset.page), percent = 100;

  function fill(template, name, value) { return template.replace("{" + name + "}", value); }

  // What is in the middle stays in the middle.
  function setZoom(to) {
    if (to === percent) return;
    const x = (port.scrollLeft + port.clientWidth / 2) / percent, y = (port.scrollTop + port.clientHeight / 2) / percent;
    percent = to;
    viewer.style.setProperty("--zoom", percent / 100);
    viewer.classList.toggle("zoomed", percent > 100);
    port.scrollTo(x * percent - port.clientWidth / 2, y * percent - port.clientHeight / 2);
    zoom.querySelector(".percent").textContent = percent + "%";
    zoom.querySelector("[role=status]").textContent = fill(viewer.dataset.zoomed, "percent", percent);
    mark("out", percent === steps[0]);
    mark("in", percent === steps[steps.length - 1]);
  }
  // Not disabled: that would take the focus away from who presses it.
  function mark(which, off) { zoom.querySelector("[data-zoom=" + which + "]").setAttribute("aria-disabled", off); }
  function step(by) { setZoom(steps[Math.min(steps.length - 1, Math.max(0, steps.indexOf(percent) + by))]); }

  zoom.hidden = false;
  viewer.querySelector(".keys").hidden = false;
  zoom.addEventListener("click", (e) => {
    const button = e.target.closest("[data-zoom]");
    if (!button) return;
    if (button.dataset.zoom === "fit") setZoom(100); else step(button.dataset.zoom === "in" ? 1 : -1);
  });

  function address(n) { return base + "?page=" + n + "#pages"; }

  function link(rel, n) {
    const a = viewer.querySelector(".pager [rel=" + rel + "]"), on = n >= 1 && n <= pages;
    a.classList.toggle("off", !on);
    if (on) {
      a.href = address(n);
      a.removeAttribute("aria-disabled");
    } else {
      a.removeAttribute("href");
      a.setAttribute("aria-disabled", "true");
    }
  }

  function show(n) {
    if (all || n < 1 || n > pages || n === page) return;
    page = n;
    const image = port.querySelector("img");
    port.setAttribute("aria-busy", "true");
    image.src = base + "/pages/" + n;
    image.alt = fill(viewer.dataset.alt, "page", n);
    port.scrollTo(port.scrollLeft, 0);
    viewer.querySelector(".where").textContent = fill(viewer.dataset.where, "page", n);
    viewer.querySelector(".words summary").textContent = fill(viewer.dataset.words, "page", n);
    link("prev", n - 1);
    link("next", n + 1);
    history.replaceState(null, "", address(n));
    const written = viewer.querySelector(".written");
    written.textContent = "";
    // Not on to the sign-in page, whose markup is not the words of this one.
    fetch(base + "/pages/" + n + "/text", { credentials: "same-origin", redirect: "error", headers: { Accept: "text/plain" } })
      .then((r) => r.ok ? r.text() : Promise.reject(r))
      .then((text) => { if (page === n) written.textContent = text || viewer.dataset.wordless; })
      .catch(() => { if (page === n) location.reload(); }); // tells what is the matter
  }

  if (!all) {
    const image = port.querySelector("img"), unseen = viewer.querySelector(".unseen");
    function arrived() {
      port.removeAttribute("aria-busy");
      unseen.textContent = image.naturalWidth ? "" : unseen.dataset.text;
    }
    ["load", "error"].forEach((kind) => image.addEventListener(kind, arrived));
    if (image.complete) arrived(); // or failed, before this file was there
    if (pages > 1) viewer.querySelector(".pager").addEventListener("click", (e) => {
      const a = e.target.closest("[rel]");
      if (!a || e.ctrlKey || e.metaKey || e.shiftKey || !a.href) return;
      e.preventDefault();
      show(a.rel === "next" ? page + 1 : page - 1);
    });
  }

  // Only while the pages have the focus: elsewhere the keys are the reader's.
  port.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const does = { "+": () => step(1), "-": () => step(-1), "0": () => setZoom(100) };
    if (!all) {
      Object.assign(does, { PageDown: () => show(page + 1), PageUp: () => show(page - 1), Home: () => show(1), End: () => show(pages) });
    }
    if (!all && percent <= 100) { // else they move the page about
      Object.assign(does, { ArrowRight: () => show(page + 1), ArrowLeft: () => show(page - 1) });
    }
    if (!does[e.key]) return;
    e.preventDefault();
    does[e.key]();
  });
})();
