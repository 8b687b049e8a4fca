// Draws what the pen writes: a line whose width follows the pressure. It takes no part in
// the capture; what is drawn is not what is compared.

export class Ink {
  constructor(canvas) {
    this.canvas = canvas;
    // The browser may put the ink on the screen without waiting for the page.
    this.context = canvas.getContext("2d", { desynchronized: true });
    this.fit();
  }

  // fit gives the canvas as many pixels as the screen has there.
  fit() {
    const box = this.canvas.getBoundingClientRect(), scale = window.devicePixelRatio || 1;
    this.width = box.width;
    this.height = box.height;
    this.canvas.width = Math.max(1, Math.round(box.width * scale));
    this.canvas.height = Math.max(1, Math.round(box.height * scale));
    this.context.setTransform(scale, 0, 0, scale, 0, 0);
    this.before = null;
  }

  clear() {
    this.context.clearRect(0, 0, this.width, this.height);
    this.before = null;
  }

  // point draws from the point before to this one, in CSS pixels of the canvas.
  point(x, y, pressure, down) {
    if (!down) {
      this.before = null;
      return;
    }
    const c = this.context, wide = 0.9 + 3.4 * Math.pow(pressure, 0.8), from = this.before;
    c.fillStyle = c.strokeStyle = "#0b1f4d";
    // Half of the way to the new width: the line does not jump.
    const width = from ? (from.width + wide) / 2 : wide;
    if (from) {
      c.lineWidth = width;
      c.lineCap = c.lineJoin = "round";
      c.beginPath();
      c.moveTo(from.x, from.y);
      c.lineTo(x, y);
      c.stroke();
    } else {
      c.beginPath();
      c.arc(x, y, width / 2, 0, 2 * Math.PI);
      c.fill();
    }
    this.before = { x, y, width };
  }
}
