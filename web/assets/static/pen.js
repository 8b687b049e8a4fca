// The pen of the screen itself, through Pointer Events (W3C, level 2 and 3): every reading
// the device gave, also those that browsers put together in one event, and those of the pen
// in the air; never the predicted ones. Fingers and mice are told from pens and refused.
//
// A driver, as stu.js: open, start, points, quality, clear, close. What happens is told to
// `on`: change() after readings, began() at the first contact, refused("touch" or "mouse"),
// lost() when the pen was cut off in the middle, full() when there is no room for more.
import { Trace } from "./trace.js";
import { Ink } from "./ink.js";

export const Class = "pointer";

// tilt of the pen in degrees to the right and towards the person. Some browsers give only
// altitude and azimuth (Pointer Events 3 §4.1.4).
function tilt(e) {
  if (e.tiltX || e.tiltY || !(e.altitudeAngle > 0) || e.altitudeAngle >= Math.PI / 2) return [e.tiltX || 0, e.tiltY || 0];
  const flat = 1 / Math.tan(e.altitudeAngle), degrees = (v) => Math.atan(v) * 180 / Math.PI;
  return [degrees(Math.cos(e.azimuthAngle) * flat), degrees(Math.sin(e.azimuthAngle) * flat)];
}

export class Pen {
  constructor(canvas, on) {
    this.canvas = canvas;
    this.on = on;
    this.trace = new Trace(Class);
    this.kinds = ["pointerdown", "pointermove", "pointerup", "pointercancel", "pointerleave", "lostpointercapture"];
    this.hear = (e) => this.event(e);
    this.still = (e) => e.preventDefault();
    this.watch = new ResizeObserver(() => this.resize());
    this.hidden = () => { if (document.hidden && this.trace.touched) this.loss(); };
  }

  // open makes ready; it is there for drivers that have to ask for a device.
  async open() {
    this.ink = new Ink(this.canvas);
    this.canvas.style.touchAction = "none"; // or strokes would scroll the page
    for (const kind of this.kinds) this.canvas.addEventListener(kind, this.hear);
    for (const kind of ["contextmenu", "selectstart", "dragstart", "touchstart"]) this.canvas.addEventListener(kind, this.still, { passive: false });
    this.watch.observe(this.canvas);
    document.addEventListener("visibilitychange", this.hidden);
    this.measure();
  }

  // start begins a new signature.
  start() {
    this.clear();
    this.recording = true;
  }

  stop() { this.recording = false; }

  points() { return this.trace; }

  quality() { return this.trace.quality(); }

  clear() {
    this.trace.clear();
    this.writing = null;
    if (this.ink) this.ink.clear();
  }

  async close() {
    this.recording = false;
    for (const kind of this.kinds) this.canvas.removeEventListener(kind, this.hear);
    for (const kind of ["contextmenu", "selectstart", "dragstart", "touchstart"]) this.canvas.removeEventListener(kind, this.still);
    this.watch.disconnect();
    document.removeEventListener("visibilitychange", this.hidden);
    this.clear();
  }

  measure() { this.box = this.canvas.getBoundingClientRect(); }

  // Another size means another scale: what was written before does not go on.
  resize() {
    if (!this.ink) return;
    const begun = this.trace.touched;
    this.measure();
    if (Math.abs(this.box.width - this.ink.width) < 1 && Math.abs(this.box.height - this.ink.height) < 1) return;
    this.ink.fit();
    if (begun) this.loss();
  }

  loss() {
    this.clear();
    this.recording = false;
    this.on.lost();
  }

  event(e) {
    if (!this.recording) return;
    if (e.pointerType !== "pen") {
      // A palm rests on the screen while the pen writes, or just before.
      if (e.type === "pointerdown" && !this.writing && !(e.timeStamp - this.seen < 1500)) this.on.refused(e.pointerType);
      return;
    }
    this.seen = e.timeStamp;
    switch (e.type) {
    case "pointerdown":
      if (this.writing || e.button !== 0) return; // another pen, or its barrel button
      this.measure();
      this.writing = e.pointerId;
      try { this.canvas.setPointerCapture(e.pointerId); } catch (_) { /* it is gone already */ }
      if (!this.trace.touched) this.on.began();
      this.read(e, true);
      break;
    case "pointermove": {
      if (this.writing && e.pointerId !== this.writing) return;
      if (!this.trace.touched) this.measure();
      const all = e.getCoalescedEvents ? e.getCoalescedEvents() : [];
      for (const one of all.length ? all : [e]) this.read(one, !!(this.writing && one.buttons & 1));
      break;
    }
    case "pointerup":
      if (e.pointerId !== this.writing) return;
      this.writing = null;
      this.read(e, false);
      break;
    case "pointercancel":
    case "lostpointercapture":
      if (e.pointerId === this.writing) return this.loss();
      return;
    }
    if (this.trace.full) {
      this.recording = false;
      this.on.full();
    }
    this.on.change();
  }

  read(e, down) {
    const x = e.clientX - this.box.left, y = e.clientY - this.box.top, [tx, ty] = tilt(e);
    const pressure = down ? e.pressure : 0;
    if (this.trace.add(e.timeStamp, x, y, pressure, tx, ty, down)) this.ink.point(x, y, pressure, down);
  }
}
