// The page of a signature tablet. The server says what it is to show, and renders it; this
// waits for that to change, and does what a page cannot do by itself: keep the tablet's key,
// turn pages, have a signature written and seal it.
import { Pen } from "./pen.js";
import * as stu from "./stu.js";
import * as seal from "./seal.js";

const Key = "tablet"; // name of the key of a registered tablet
const $ = (id) => document.getElementById(id);
const wait = (ms) => new Promise((r) => setTimeout(r, ms));
let root, driver, busy = false, ended = () => {};

const fill = (text, values) => Object.entries(values).reduce((s, [k, v]) => s.replace("{" + k + "}", v), text);

// say shows a sentence; tone is "", "warn" or "bad".
function say(text, tone) {
  const said = $("said");
  if (!said) return;
  said.textContent = text || "";
  said.className = "say" + (tone ? " " + tone : "");
}

// Refusal is what the server says instead of doing something.
class Refusal extends Error {}

// post says something to the server, and gives up where a network that went away without a
// word would have it wait for ever. A signature that is recognised has a whole dossier signed.
async function post(path, fields) {
  const body = new URLSearchParams(Object.assign({ token: root.dataset.token, session: root.dataset.session }, fields));
  const gone = new AbortController(), late = setTimeout(() => gone.abort(), path === "submit" ? 200000 : 30000);
  try {
    const r = await fetch("/tablet/" + path, { method: "POST", body, credentials: "same-origin", headers: { Accept: "application/json" }, signal: gone.signal });
    const said = await r.json().catch(() => ({}));
    if (r.ok) return said;
    const problem = new Refusal([said.title, said.detail].filter(Boolean).join(". "));
    problem.kind = said.kind;
    throw problem;
  } finally {
    clearTimeout(late);
  }
}

// renew lays the page out anew, as the server renders it now.
async function renew() {
  const r = await fetch("/tablet", { credentials: "same-origin", cache: "no-store" });
  if (!r.ok) throw new Error("no page");
  const page = new DOMParser().parseFromString(await r.text(), "text/html");
  await leave();
  document.title = page.title;
  document.documentElement.lang = page.documentElement.lang;
  $("tablet").replaceWith(document.adoptNode(page.getElementById("tablet")));
  window.scrollTo(0, 0);
  await boot();
}

async function leave() {
  ended();
  ended = () => {};
  const last = driver;
  driver = null;
  if (last) await last.close().catch(() => {}); // a pad may be gone
}

// take sees to what the server says that is to be shown. The version is that of what is
// shown: where the page cannot be had, it is asked for again.
async function take(view) {
  if (view.key !== root.dataset.key) return renew();
  root.dataset.version = view.version;
  if (reading && view.step === "read") reading(view);
}

// follow waits for what is to be shown to change, for ever. The server answers within 25
// seconds; a network that goes away without a word is noticed soon after.
async function follow() {
  let pause = 500;
  for (;;) {
    const seen = root.dataset.version, asked = performance.now(), gone = new AbortController(), late = setTimeout(() => gone.abort(), 35000);
    try {
      const r = await fetch("/tablet/state?seen=" + seen, { credentials: "same-origin", cache: "no-store", headers: { Accept: "application/json" }, signal: gone.signal });
      if (r.status === 401 || r.status === 403) {
        if (root.dataset.shape === "use") return location.reload();
        await wait(2000);
        continue;
      }
      if (!r.ok) throw new Error("status " + r.status);
      if (root.dataset.shape !== "use") return location.reload(); // it was confirmed
      const view = await r.json();
      $("offline").textContent = "";
      pause = 500;
      while (busy) await wait(100);
      // What was sent meanwhile may have been answered with something newer.
      if (view.version >= Number(root.dataset.version)) await take(view);
      // Where too many wait, the server answers at once.
      if (String(view.version) === seen && performance.now() - asked < 1000) await wait(1000);
    } catch (_) {
      $("offline").textContent = root.dataset.offline;
      await wait(pause);
      pause = Math.min(2 * pause, 8000);
    } finally {
      clearTimeout(late);
    }
  }
}

// trying shows what went wrong; working does so, too, and one thing at a time.
async function trying(what, failed) {
  try {
    await what();
  } catch (e) {
    say(e instanceof Refusal && e.message || failed || root.dataset.offline, "bad");
  }
}

async function working(what, failed) {
  if (busy) return;
  busy = true;
  await trying(what, failed);
  busy = false;
}

// Registration.

function bootRegister() {
  const form = $("register");
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    working(async () => {
      say(form.dataset.doing);
      const key = await seal.make("pending");
      await post("register", { code: form.elements.code.value.trim(), class: form.elements.class.value, key: seal.text(key) });
      await seal.rename("pending", Key);
      location.reload();
    }, form.dataset.failed);
  });
}

function bootRevoked() {
  $("again").addEventListener("click", () => working(async () => {
    await seal.forget(Key);
    await post("forget", {});
    location.reload();
  }));
}

// What is asked before a session is broken off.

function bootLeave() {
  const box = $("leave");
  if (!box) return;
  document.querySelectorAll("[data-ask-leave]").forEach((b) => b.addEventListener("click", () => box.showModal()));
  box.querySelector("[data-stay]").addEventListener("click", () => box.close());
  box.querySelectorAll("[data-leave]").forEach((b) => b.addEventListener("click", () => {
    box.close();
    working(async () => take(await post("leave", { reason: b.dataset.leave })));
  }));
}

// Consent.

function bootConsent() {
  const agree = $("agree"), yes = $("agreed");
  agree.addEventListener("change", () => { yes.disabled = !agree.checked; });
  const answer = (agrees) => () => working(async () => take(await post("consent", { sha256: agree.dataset.sha256, agrees })));
  yes.addEventListener("click", answer("yes"));
  $("disagree").addEventListener("click", answer("no"));
}

// address is where a page of a document is.
const address = (id, page) => "/tablet/documents/" + encodeURIComponent(id) + "/pages/" + page + "?session=" + encodeURIComponent(root.dataset.session);

// Reading.

let reading = null; // takes how much was read, while there is something to read

function bootRead() {
  const text = document.querySelector(".tablet-read").dataset, sheet = $("sheet"), next = $("next"), back = $("back"), port = $("port");
  const papers = Array.from(document.querySelectorAll("#papers > li"), (li) => ({ li, id: li.dataset.id, name: li.dataset.name, pages: Number(li.dataset.pages),
    shown: new Set(li.dataset.shown.split(" ").filter(Boolean).map(Number)), findings: "findings" in li.dataset, accepted: "accepted" in li.dataset }));
  let at = 0, page = 1;
  const open = (p) => p.findings && !p.accepted;
  // What is further down on a page has to be shown, too, before one goes on from it.
  const further = () => !papers[at].shown.has(page) && port.scrollTop + port.clientHeight < port.scrollHeight - 40;
  const first = () => {
    at = Math.max(0, papers.findIndex((p) => p.shown.size < p.pages || open(p)));
    page = 1;
    while (page < papers[at].pages && papers[at].shown.has(page)) page++;
  };

  function marks() {
    let seen = 0;
    papers.forEach((p, i) => {
      const done = p.shown.size >= p.pages && !open(p), mark = p.li.querySelector(".paper-mark");
      seen += p.shown.size;
      mark.textContent = done ? "✓" : i + 1;
      mark.classList.toggle("done", done);
      if (i === at) p.li.setAttribute("aria-current", "true");
      else p.li.removeAttribute("aria-current");
    });
    $("read-progress").value = seen;
    const p = papers[at], last = page === p.pages;
    next.textContent = further() ? text.further + " ↓" : last ? at === papers.length - 1 ? text.sign : text.nextPaper : text.next + " →";
    back.disabled = at === 0 && page === 1;
    $("findings").hidden = !(last && open(p));
    $("findings-list").replaceChildren(...(last && open(p) ? [p.li.querySelector(".paper-findings ul").cloneNode(true)] : []));
  }

  function show() {
    const p = papers[at];
    say("");
    $("paper-title").textContent = p.name;
    $("where").textContent = fill(text.pageOf, { page, pages: p.pages });
    port.setAttribute("aria-busy", "true");
    sheet.alt = fill(text.alt, { page, pages: p.pages, name: p.name });
    sheet.src = address(p.id, page);
    port.scrollTo(0, 0);
    if (page < p.pages) new Image().src = address(p.id, page + 1); // ahead
    marks();
  }

  sheet.addEventListener("load", () => {
    port.removeAttribute("aria-busy");
    marks();
  });
  port.addEventListener("scroll", marks, { passive: true });
  addEventListener("resize", marks);
  sheet.addEventListener("error", () => say(text.unseen, "bad"));

  // A page counts as shown when one goes on from it.
  function forward() {
    if (port.hasAttribute("aria-busy")) return;
    const p = papers[at];
    if (further()) return port.scrollBy({ top: port.clientHeight * 0.85, behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    if (page === p.pages && open(p)) {
      say(text.acceptFirst, "warn");
      $("accept").focus();
      return;
    }
    working(async () => {
      if (!p.shown.has(page)) await take(await post("read", { document: p.id, page }));
      if (!reading) return; // that was the last one
      if (page < p.pages) page++;
      else if (at < papers.length - 1) {
        at++;
        page = 1;
      } else if (papers.some((q) => q.shown.size < q.pages || open(q))) first();
      show();
    });
  }

  next.addEventListener("click", forward);
  back.addEventListener("click", () => {
    if (page > 1) page--;
    else if (at > 0) page = papers[--at].pages;
    show();
  });
  $("accept").addEventListener("click", () => working(async () => {
    const p = papers[at];
    const view = await post("accept", { document: p.id });
    p.accepted = true;
    marks();
    await take(view);
  }));
  const keys = (e) => {
    if (document.querySelector("dialog[open]")) return;
    if (e.key === "ArrowRight" || e.key === "PageDown") forward();
    else if ((e.key === "ArrowLeft" || e.key === "PageUp") && !back.disabled) back.click();
    else return;
    e.preventDefault();
  };
  document.addEventListener("keydown", keys);
  reading = (view) => {
    view.documents.forEach((d, i) => {
      papers[i].shown = new Set(d.shown);
      papers[i].accepted = !!d.accepted;
    });
    marks();
  };
  ended = () => {
    document.removeEventListener("keydown", keys);
    removeEventListener("resize", marks);
    reading = null;
  };
  bootLeave();
  first();
  show();
}

// What was read can be looked at once more beside the field for the signature.
function bootReread() {
  const box = $("reread"), sheet = $("reread-sheet");
  let of = null, page = 1;
  function show() {
    const { reread: id, pages, name } = of.dataset;
    $("reread-title").textContent = name;
    $("reread-where").textContent = fill(box.dataset.pageOf, { page, pages });
    sheet.alt = fill(box.dataset.alt, { page, pages, name });
    sheet.src = address(id, page);
    $("reread-port").scrollTo(0, 0);
    box.querySelectorAll("[data-turn]").forEach((b) => { b.disabled = page + Number(b.dataset.turn) < 1 || page + Number(b.dataset.turn) > Number(pages); });
  }
  document.querySelectorAll("[data-reread]").forEach((b) => b.addEventListener("click", () => {
    of = b;
    page = 1;
    show();
    box.showModal();
  }));
  box.querySelectorAll("[data-turn]").forEach((b) => b.addEventListener("click", () => {
    page += Number(b.dataset.turn);
    show();
  }));
  box.querySelector("[data-close]").addEventListener("click", () => box.close());
}

// Signing.

async function bootSign() {
  const text = document.querySelector(".tablet-sign").dataset, redo = $("redo"), confirm = $("confirm"), box = $("box"), session = root.dataset.session;
  let armed = null, began = 0, packet = null, told = 0, over = false;
  const age = () => performance.now() - armed.at;

  function quality() {
    const q = driver.quality();
    if (!q.hz) return;
    const words = [fill(text.quality, { hz: q.hz, levels: q.levels }), q.hover ? text.hover : text.noHover].concat(q.tilt ? [text.tilt] : []);
    $("quality").textContent = words.join(" · ");
    if (performance.now() - told < 2000) return;
    told = performance.now();
    tell(q);
  }
  const tell = (q) => post("device", { rate: q.hz, levels: q.levels, hover: q.hover ? "yes" : "no", tilt: q.tilt ? "yes" : "no" }).catch(() => {});

  // What the vault makes for one signature is good for two minutes. As long as nothing was
  // written it is asked for anew, so that there is always time enough.
  async function arm() {
    const a = await post("arm", {});
    armed = { nonce: seal.bytes(a.nonce), publicKey: seal.bytes(a.publicKey), context: seal.bytes(a.context), started: a.started, life: a.life, at: performance.now() };
  }

  // begin makes ready for a signature; what was said before stays if kept.
  async function begin(kept) {
    packet = null;
    redo.disabled = confirm.disabled = true;
    confirm.classList.remove("wanted");
    if (!armed || age() > armed.life / 2) await arm();
    await driver.start({ lines: [text.pad, document.querySelector(".sign-who").textContent, ...Array.from(document.querySelectorAll(".signed-papers .paper-name, .sign-side .tablet-code"), (e) => e.textContent)].filter(Boolean),
      redo: text.redo, confirm: text.confirm });
    box.classList.remove("inked");
    if (!kept) say(text.ready);
  }
  const anew = (words, tone) => begin(true).then(() => say(words, tone), () => say(root.dataset.offline, "bad"));

  const on = {
    began() {
      began = performance.now();
      box.classList.add("inked");
      redo.disabled = false;
      say(text.writing);
    },
    change() {
      const ready = driver.points().touched > 5;
      confirm.disabled = !ready;
      confirm.classList.toggle("wanted", ready);
      quality();
    },
    refused: (kind) => say(kind === "mouse" ? text.mouse : text.touch, "warn"),
    lost: () => anew(text.lost, "warn"),
    full: () => anew(text.full, "warn"),
    redo: () => { if (!redo.disabled) redo.click(); },
    confirm: () => { if (!confirm.disabled) confirm.click(); },
  };

  async function send() {
    driver.stop();
    redo.disabled = confirm.disabled = true;
    if (!packet) {
      const q = driver.quality();
      if (driver.points().flat) return anew(text.constant, "warn");
      if (age() > armed.life - 5000) return anew(text.late, "warn");
      say(text.checking, "busy");
      tell(q);
      const started = Math.round(armed.started + began - armed.at);
      const sealed = await seal.seal(Key, armed, driver.points().json(), started);
      driver.points().clear(); // only the ink is left
      armed = null; // it is good for one signature
      packet = { nonce: seal.text(sealed.nonce), ephemeral: seal.text(sealed.ephemeral), sealed: seal.text(sealed.sealed), signature: seal.text(sealed.signature), started: sealed.started };
    }
    say(text.checking, "busy");
    try {
      await post("submit", packet);
    } catch (e) {
      if (e instanceof Refusal) { // it has arrived: it cannot be sent again
        await anew(e.message || text.failed, "bad");
        return;
      }
      say(text.unsent, "bad"); // it may not have arrived
      confirm.disabled = false;
      return;
    }
    await renew();
  }

  confirm.addEventListener("click", () => working(send, text.failed));
  redo.addEventListener("click", () => working(() => begin(), text.failed));
  $("left").addEventListener("click", (e) => {
    const is = root.classList.toggle("left-handed");
    e.currentTarget.setAttribute("aria-pressed", is);
    sessionStorage.setItem("left-handed", is ? session : "");
    if (driver.resize && !driver.points().touched) driver.resize();
    else if (driver.points().touched) anew(text.ready);
  });
  if (sessionStorage.getItem("left-handed") === session) {
    root.classList.add("left-handed");
    $("left").setAttribute("aria-pressed", "true");
  }

  const timer = setInterval(() => {
    if (!over && armed && !busy && driver && !driver.points().touched && age() > armed.life / 2) arm().catch(() => {});
  }, 5000);
  ended = () => {
    over = true;
    clearInterval(timer);
  };
  bootLeave();
  bootReread();
  if (!await seal.has(Key)) return say(text.keyless, "bad");

  async function ready() {
    if (root.dataset.class === stu.Class) {
      const device = await stu.known();
      if (!device) return bootPad(ready);
      driver = new stu.Stu(device, $("field"), on);
    } else driver = new Pen($("field"), on);
    await driver.open();
    await begin($("said").textContent !== "");
  }
  const pause = $("pause");
  if (!pause) return trying(ready, text.failed);
  $("go-on").addEventListener("click", () => {
    pause.hidden = true;
    box.hidden = false;
    say("");
    trying(ready, text.failed);
  });
}

// bootPad offers to choose a signature pad, which browsers allow after a click only.
function bootPad(then) {
  const button = $("pad");
  if (!button || !stu.available()) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    if (!await stu.ask().catch(() => null)) return;
    button.hidden = true;
    trying(then);
  });
}

async function bootIdle() {
  sessionStorage.removeItem("left-handed");
  const full = $("full");
  full.hidden = !document.fullscreenEnabled || !!document.fullscreenElement;
  full.addEventListener("click", () => document.documentElement.requestFullscreen().then(() => { full.hidden = true; }, () => {}));
  if (root.dataset.class === stu.Class && !await stu.known()) bootPad(async () => {});
  if (!await seal.has(Key)) say($("said").dataset.keyless, "warn");
}

async function boot() {
  root = $("tablet");
  const { shape, step } = root.dataset;
  if (shape === "register") return bootRegister();
  if (shape === "revoked") return bootRevoked();
  if (shape !== "use") return;
  if (step === "idle") await bootIdle();
  else if (step === "consent") bootConsent();
  else if (step === "read") bootRead();
  else if (step === "sign") await bootSign();
}

// A tablet that waits stays lit.
function lit() {
  if (navigator.wakeLock && !document.hidden) navigator.wakeLock.request("screen").catch(() => {});
}
document.addEventListener("visibilitychange", lit);
lit();

await boot();
if (["use", "pending"].includes(root.dataset.shape)) follow();
