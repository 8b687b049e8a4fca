// Signature pads of the Wacom STU series through WebHID: STU-430, 430V, 530 and 540, which
// speak HID reports of one family. A driver as pen.js. The pad gives 200 readings a second
// with its own clock (1 ms), 1024 levels of pressure, in 0.01 mm; it sees the pen in the air
// and knows no tilt.
//
// The pad draws its own ink. What is written is also drawn on the canvas of the page, for
// who looks there. Encryption by the pad itself is not used: the cable is the operator's.
import { Trace } from "./trace.js";
import { Ink } from "./ink.js";

export const Class = "wacom-stu";
const Vendor = 0x056a;
const Products = [0x00a4, 0x00a5, 0x00a6, 0x00a8];

// Reports, by their number.
const Report = { pen: 0x01, status: 0x03, model: 0x08, capability: 0x09, clear: 0x20, ink: 0x21, image: 0x25, block: 0x26, imageEnd: 0x27,
  area: 0x2a, option: 0x32, timed: 0x34 };
const TimeAndSequence = 3; // of Report.option; the sequence is of no use here
const Monochrome = 0; // of Report.image: one bit a pixel, which every model takes
const Ready = 0; // of Report.status

// available says whether this browser can have such pads at all.
export const available = () => !!navigator.hid;

function features(collections) {
  return collections.flatMap((c) => [...(c.featureReports || []), ...features(c.children || [])]);
}

const size = (report) => Math.ceil(report.items.reduce((n, i) => n + i.reportSize * i.reportCount, 0) / 8);

function ours(device) {
  return device.vendorId === Vendor && Products.includes(device.productId) && features(device.collections).some((r) => r.reportId === Report.capability);
}

// known gives the pad that this page was allowed to use before, ask has the person choose
// one (after a click only). Both give null where there is none.
export async function known() { return available() ? (await navigator.hid.getDevices()).find(ours) || null : null; }

export async function ask() {
  const chosen = await navigator.hid.requestDevice({ filters: Products.map((productId) => ({ vendorId: Vendor, productId })) });
  return chosen.find(ours) || null;
}

export class Stu {
  // canvas shows what is written; it may be null. on is as in pen.js, and has redo() and
  // confirm(), for the buttons on the pad.
  constructor(device, canvas, on) {
    this.device = device;
    this.canvas = canvas;
    this.on = on;
    this.trace = new Trace(Class);
    this.hear = (e) => this.report(e.reportId, e.data, e.timeStamp);
    this.gone = (e) => { if (e.device === this.device) this.loss(); };
  }

  async open() {
    if (this.canvas) this.drawn = new Ink(this.canvas);
    if (!this.device.opened) await this.device.open();
    this.sizes = new Map(features(this.device.collections).map((r) => [r.reportId, size(r)]));
    const c = await this.get(Report.capability, 10), limit = (at) => c.getUint16(at);
    this.pad = { x: limit(0), y: limit(2), pressure: limit(4), width: limit(6), height: limit(8) };
    // Pads without a resolution of their own do not say it; all of those here do.
    const perInch = c.byteLength >= 13 && c.getUint16(11) || 2540;
    this.unit = 2540 / perInch;
    if (!this.pad.x || !this.pad.y || !this.pad.pressure || !this.pad.width || !this.pad.height) throw new Error("the pad does not say how large it is");
    const name = await this.get(Report.model, 9);
    this.model = Array.from({ length: 9 }, (_, i) => String.fromCharCode(name.getUint8(i))).join("").replace(/\0.*/, "");
    // With the pad's own clock, where it has one: that of the page is later by what lies between.
    if (this.sizes.has(Report.option)) await this.set(Report.option, [TimeAndSequence]);
    this.device.addEventListener("inputreport", this.hear);
    navigator.hid.addEventListener("disconnect", this.gone);
  }

  // get reads a report of at least that many bytes, without its number, which some systems
  // put before it.
  async get(id, least) {
    const raw = await this.device.receiveFeatureReport(id);
    const want = this.sizes.get(id) || least;
    const from = raw.byteLength > want && raw.getUint8(0) === id ? 1 : 0;
    if (raw.byteLength - from < least) throw new Error("the pad answers too little");
    return new DataView(raw.buffer, raw.byteOffset + from, raw.byteLength - from);
  }

  async set(id, data) {
    const whole = new Uint8Array(Math.max(this.sizes.get(id) || 0, data.length));
    whole.set(data);
    await this.device.sendFeatureReport(id, whole);
  }

  // ready waits until the pad takes the next command: clearing takes it up to 600 ms.
  async ready() {
    for (let i = 0; i < 60; i++) {
      if ((await this.get(Report.status, 4)).getUint8(0) === Ready) return;
      await new Promise((r) => setTimeout(r, 25));
    }
    throw new Error("the pad does not answer");
  }

  // start begins a new signature. words, where given, are put on the pad's screen: lines
  // above, and the texts of the two buttons below.
  async start(words) {
    this.clear();
    await this.ready();
    await this.set(Report.ink, [0]);
    this.strip = 0;
    if (words) await this.show(words);
    else await this.set(Report.clear, [0]);
    await this.ready();
    await this.set(Report.ink, [1]);
    this.recording = true;
  }

  stop() { this.recording = false; }

  points() { return this.trace; }

  quality() { return this.trace.quality(); }

  clear() {
    this.trace.clear();
    this.down = this.button = false;
    this.ticks = null;
    if (this.drawn) this.drawn.clear();
  }

  async close() {
    this.recording = false;
    this.device.removeEventListener("inputreport", this.hear);
    navigator.hid.removeEventListener("disconnect", this.gone);
    this.clear();
    if (!this.device.opened) return;
    try { // nothing of the person stays on the pad
      await this.set(Report.ink, [0]);
      await this.set(Report.clear, [0]);
    } finally {
      await this.device.close();
    }
  }

  loss() {
    if (!this.recording) return;
    this.clear();
    this.recording = false;
    this.on.lost();
  }

  report(id, d, heard) {
    const timed = id === Report.timed;
    if (!this.recording || !timed && id !== Report.pen || d.byteLength < (timed ? 10 : 6)) return;
    const flags = d.getUint16(0), near = flags & 0x8000, touches = !!(near && flags & 0x1000);
    const x = d.getUint16(2), y = d.getUint16(4), pressure = (flags & 0x0fff) / this.pad.pressure;
    if (!near) {
      if (this.down) this.lift();
      return;
    }
    const t = timed ? this.clock(d.getUint16(6)) : heard;
    if (this.press(x, y, touches)) return;
    if (touches && !this.trace.touched) this.on.began();
    this.down = touches;
    if (this.trace.add(t, x * this.unit, y * this.unit, touches ? pressure : 0, 0, 0, touches)) this.echo(x, y, pressure, touches);
    if (this.trace.full) {
      this.recording = false;
      this.on.full();
    }
    this.on.change();
  }

  // lift is for a pad that lost the pen between two readings.
  lift() {
    this.down = false;
    this.on.change();
  }

  // clock makes a time of the pad's 16-bit count of ms, which begins anew every 65.5 s.
  clock(ticks) {
    if (this.ticks === null) this.time = 0;
    else this.time += (ticks - this.ticks) & 0xffff;
    this.ticks = ticks;
    return this.time;
  }

  // press sees to the buttons: a stroke that begins on them is none of the signature.
  press(x, y, touches) {
    const at = y * this.pad.height / this.pad.y >= this.pad.height - this.strip ? x * 2 < this.pad.x ? "redo" : "confirm" : "";
    if (touches && !this.down && !this.button && this.strip && at) {
      this.button = at;
      return true;
    }
    if (!this.button) return false;
    if (!touches) {
      const pressed = this.button === at && at;
      this.button = false;
      if (pressed) this.on[pressed]();
    }
    return true;
  }

  echo(x, y, pressure, down) {
    if (!this.drawn) return;
    const scale = Math.min(this.drawn.width / this.pad.x, this.drawn.height / this.pad.y);
    this.drawn.point(x * scale, y * scale, pressure, down);
  }

  // show puts words on the pad's screen and keeps the ink above the buttons.
  async show(words) {
    const { width, height } = this.pad, small = height < 300;
    const sheet = new OffscreenCanvas(width, height), c = sheet.getContext("2d", { willReadFrequently: true });
    c.fillStyle = "#fff";
    c.fillRect(0, 0, width, height);
    c.fillStyle = c.strokeStyle = "#000";
    const letter = small ? 13 : 24, bar = this.strip = Math.round(height * 0.17);
    c.textBaseline = "middle";
    words.lines.slice(0, 4).forEach((line, i) => {
      c.font = (i ? "" : "bold ") + letter + "px sans-serif";
      c.fillText(line, letter / 2, letter * (0.9 + i * 1.25), width - letter);
    });
    c.fillRect(letter, height - bar - letter * 1.2, width - 2 * letter, 1); // where to write
    c.textAlign = "center";
    c.font = "bold " + letter + "px sans-serif";
    [words.redo, words.confirm].forEach((text, i) => {
      const left = i * width / 2;
      c.strokeRect(left + 1.5, height - bar + 0.5, width / 2 - 3, bar - 2);
      c.fillText(text, left + width / 4, height - bar / 2, width / 2 - letter);
    });
    await this.set(Report.area, [0, 0, 0, 0, ...le(width - 1), ...le(height - bar - 1)]);
    await this.ready();
    await this.picture(c.getImageData(0, 0, width, height));
  }

  // picture sends an image: a bit a pixel, the highest first, 1 for white, rows padded.
  async picture(image) {
    const row = Math.ceil(image.width / 8), bits = new Uint8Array(row * image.height);
    for (let y = 0; y < image.height; y++) {
      for (let x = 0; x < row * 8; x++) {
        const white = x >= image.width || image.data[(y * image.width + x) * 4] > 127;
        if (white) bits[y * row + (x >> 3)] |= 0x80 >> (x & 7);
      }
    }
    await this.set(Report.image, [Monochrome]);
    const most = Math.min((this.sizes.get(Report.block) || 255) - 2, 253);
    for (let at = 0; at < bits.length; at += most) {
      const part = bits.subarray(at, at + most);
      await this.set(Report.block, [...le(part.length), ...part]);
    }
    await this.set(Report.imageEnd, [0]);
  }
}

// le is a number of 16 bits, the lower byte first: what is written to the pad is so, what
// it says of the pen is not.
const le = (n) => [n & 0xff, n >> 8];
