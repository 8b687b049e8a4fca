// A signature pad of the STU series as a browser shows it, and navigator.hid with it: it
// takes the commands that the driver sends and keeps what they say, wrongly sized ones are
// refused, and readings are made with write().
"use strict";

(function () {
  const feature = { 0x03: 4, 0x08: 16, 0x09: 16, 0x20: 1, 0x21: 1, 0x25: 1, 0x26: 255, 0x27: 1, 0x2a: 8, 0x32: 1 };
  const item = (bytes) => [{ reportSize: 8, reportCount: bytes }];

  class Pad extends EventTarget {
    constructor(model, prefixed) {
      super();
      this.vendorId = 0x056a;
      this.productId = { "STU-430": 0xa4, "STU-530": 0xa5, "STU-540": 0xa8 }[model];
      this.model = model;
      this.prefixed = prefixed; // some systems put the report's number before it
      this.opened = false;
      this.busy = 0;
      this.commands = [];
      this.width = model === "STU-430" ? 320 : 800;
      this.height = model === "STU-430" ? 200 : 480;
      this.x = model === "STU-430" ? 9600 : 10800;
      this.y = model === "STU-430" ? 6000 : 6480;
      this.ticks = 65400; // soon over its end
      this.collections = [{ children: [], featureReports: Object.entries(feature).map(([id, n]) => ({ reportId: Number(id), items: item(n) })),
        inputReports: [{ reportId: 0x01, items: item(6) }, { reportId: 0x34, items: item(10) }] }];
    }
    async open() { this.opened = true; }
    async close() { this.opened = false; }
    async receiveFeatureReport(id) {
      if (!this.opened) throw new Error("closed");
      const out = new DataView(new ArrayBuffer(feature[id]));
      if (id === 0x03 && this.busy-- > 0) out.setUint8(0, 1);
      if (id === 0x08) [...this.model].forEach((c, i) => out.setUint8(i, c.charCodeAt(0)));
      if (id === 0x09) {
        [this.x, this.y, 1023, this.width, this.height].forEach((v, i) => out.setUint16(2 * i, v));
        out.setUint8(10, 200);
        out.setUint16(11, 2540);
        out.setUint8(13, 2);
      }
      if (!this.prefixed) return out;
      const whole = new Uint8Array(out.byteLength + 1);
      whole[0] = id;
      whole.set(new Uint8Array(out.buffer), 1);
      return new DataView(whole.buffer);
    }
    async sendFeatureReport(id, data) {
      if (!this.opened || feature[id] !== data.length) throw new Error("report " + id + " of " + data.length + " bytes");
      if (this.busy > 0 && id !== 0x03) throw new Error("the pad was not ready for " + id);
      this.commands.push(id);
      const u16 = (at) => data[at] | data[at + 1] << 8;
      switch (id) {
      case 0x20: this.image = null; this.busy = 3; break;
      case 0x21: this.ink = data[0]; break;
      case 0x25: this.image = []; this.encoding = data[0]; break;
      case 0x26: this.image.push(...data.subarray(2, 2 + u16(0))); break;
      case 0x27: this.busy = 3; break;
      case 0x2a: this.area = [u16(0), u16(2), u16(4), u16(6)]; break;
      case 0x32: this.option = data[0]; break;
      }
    }
    // write moves the pen: x and y in the pad's units, pressure to 1023.
    write(x, y, pressure, touches, near) {
      const timed = this.option === 3, d = new DataView(new ArrayBuffer(timed ? 10 : 6));
      this.ticks = (this.ticks + 5) & 0xffff;
      d.setUint16(0, (near === false ? 0 : 0x8000) | (touches ? 0x1000 : 0) | pressure);
      d.setUint16(2, x);
      d.setUint16(4, y);
      if (timed) {
        d.setUint16(6, this.ticks);
        d.setUint16(8, 1);
      }
      const e = new Event("inputreport");
      e.reportId = timed ? 0x34 : 0x01;
      e.data = d;
      this.dispatchEvent(e);
    }
  }

  class Hid extends EventTarget {
    constructor() {
      super();
      this.pads = [];
    }
    async getDevices() { return this.pads; }
    async requestDevice() { return this.pads; }
    unplug(pad) {
      const e = new Event("disconnect");
      e.device = pad;
      pad.opened = false;
      this.dispatchEvent(e);
    }
  }
  Object.defineProperty(navigator, "hid", { value: new Hid(), configurable: true });
  window.Pad = Pad;
})();
