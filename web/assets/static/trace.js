// What a pen does while somebody signs, as numbers: one row a reading. Both drivers
// (pen.js, stu.js) write into it. It is bounded, and it can be wiped.

export const MaxPoints = 3000; // graphometric.MaxPoints
export const MaxMillis = 20000; // graphometric.MaxDuration
const Before = 500; // ms of hover kept before the first contact, and after the last one
const Columns = 7; // t, x, y, pressure, tiltX, tiltY, down
const FarTilt = 90;

export class Trace {
  // kind is the class of the device: "pointer" or "wacom-stu".
  constructor(kind) {
    this.kind = kind;
    this.rows = new Float64Array(MaxPoints * Columns);
    this.levels = new Set();
    this.hovered = false; // of the device, not of one signature: it stays
    this.tilted = false;
    this.clear();
  }

  // clear wipes what was written. What is known of the device stays.
  clear() {
    this.rows.fill(0);
    this.length = 0;
    this.touched = 0; // readings with the pen down
    this.full = false;
    this.first = NaN; // time of the first contact
    this.last = NaN; // of the last one
    this.least = 1; // pressure, of this signature
    this.most = 0;
  }

  // add takes a reading: t in ms, x and y in the device's units, pressure 0 to 1, tilt in
  // degrees. It answers whether the reading was kept.
  add(t, x, y, pressure, tiltX, tiltY, down) {
    if (this.full || ![t, x, y, pressure].every(Number.isFinite)) return false;
    if (!down) this.hovered = true;
    if (tiltX || tiltY) this.tilted = true;
    if (down && this.levels.size < 4096) this.levels.add(Math.round(pressure * 8191));
    if (!this.touched) this.forget(t - Before);
    if (this.length) {
      const before = this.at(this.length - 1);
      // A device that sees the pen touch between two ticks of its clock gives both the
      // same time; the order of the two is known, so the later one counts a µs later.
      if (t <= before[0]) {
        if (before[6] === (down ? 1 : 0)) return false;
        t = before[0] + 0.001;
      }
    }
    if (this.length === MaxPoints || this.touched && t - this.first > MaxMillis) {
      this.full = true;
      return false;
    }
    if (down) {
      if (!this.touched) this.first = t;
      this.touched++;
      this.least = Math.min(this.least, pressure);
      this.most = Math.max(this.most, pressure);
      this.last = t;
    }
    const tilt = (v) => Math.max(-FarTilt, Math.min(FarTilt, v || 0));
    this.rows.set([t, x, y, Math.max(0, Math.min(1, pressure)), tilt(tiltX), tilt(tiltY), down ? 1 : 0], this.length * Columns);
    this.length++;
    return true;
  }

  // flat says that the pressure of this signature was always the same: of no pen.
  get flat() { return this.touched > 20 && this.most - this.least < 0.001; }

  at(i) { return this.rows.subarray(i * Columns, (i + 1) * Columns); }

  // forget drops what lies before a moment: the pen may hover for long before it writes.
  forget(until) {
    let n = 0;
    while (n < this.length && this.at(n)[0] < until) n++;
    if (!n) return;
    this.rows.copyWithin(0, n * Columns, this.length * Columns);
    this.length -= n;
    this.rows.fill(0, this.length * Columns, (this.length + n) * Columns);
  }

  // quality is what can be said of the device so far. hz is 0 while there is too little.
  quality() {
    const gaps = [];
    for (let i = Math.max(1, this.length - 400); i < this.length; i++) {
      if (this.at(i)[6] && this.at(i - 1)[6]) gaps.push(this.at(i)[0] - this.at(i - 1)[0]);
    }
    gaps.sort((a, b) => a - b);
    const middle = gaps[gaps.length >> 1];
    return { hz: gaps.length > 8 && middle > 0 ? Math.round(1000 / middle) : 0, levels: this.levels.size,
      hover: this.hovered, tilt: this.tilted, points: this.length, touched: this.touched };
  }

  // json is the sample as graphometric.ParseCapture reads it, in bytes that can be wiped.
  // Times begin at the first reading; hover long after the last contact is left out.
  json() {
    const text = new TextEncoder();
    let n = this.length;
    while (n && this.at(n - 1)[0] > this.last + Before) n--;
    const out = new Uint8Array(200 + n * 80);
    let used = 0;
    const put = (s) => { used += text.encodeInto(s, out.subarray(used)).written; };
    put('{"device":{"class":' + JSON.stringify(this.kind) + ',"hover":' + this.hovered + ',"tilt":' + this.tilted + '},"points":[');
    const round = (v, digits) => String(Number(v.toFixed(digits)));
    for (let i = 0; i < n; i++) {
      const [t, x, y, p, tx, ty, down] = this.at(i);
      put((i ? ",[" : "[") + [round(t - this.at(0)[0], 3), round(x, 3), round(y, 3), round(p, 5), round(tx, 2), round(ty, 2), down].join() + "]");
    }
    put("]}");
    return out.subarray(0, used);
  }
}
