// Charts on a canvas: axes with round numbers, lines with gaps, bands, whiskers, triangles.

const LEFT = 58, RIGHT = 10, TOP = 8, BOTTOM = 20;

const color = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const known = value => value !== null && value !== undefined && Number.isFinite(value);

function extent(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) if (known(value)) { low = Math.min(low, value); high = Math.max(high, value); }
  return low <= high ? [low, high] : null;
}

function ticks(low, high, count) {
  const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map(factor => factor * power).find(size => size >= raw * 0.999);
  const found = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index++) found.push(index * step);
  return found;
}

const clock = ns => new Date(ns / 1e6).toISOString().slice(11, 19);
const round = value => Number(value.toPrecision(8)).toLocaleString("en-US", { maximumFractionDigits: 8 });

export class Chart {
  // Prepares the canvas for its size on screen. Without two x or any y it says `empty` and `ready` stays false.
  constructor(id, xs, ys, { empty = "nothing yet", xLabels = null, zero = false } = {}) {
    this.canvas = document.getElementById(id);
    const { width, height } = this.canvas.getBoundingClientRect(), scale = window.devicePixelRatio || 1;
    this.canvas.width = width * scale;
    this.canvas.height = height * scale;
    this.width = width;
    this.height = height;
    this.pen = this.canvas.getContext("2d");
    this.pen.scale(scale, scale);
    this.pen.font = `11px ${getComputedStyle(document.body).fontFamily}`;
    const x = extent(xs), y = extent(zero ? [0, ...ys] : ys);
    this.ready = Boolean(x && y && x[0] < x[1]);
    if (!this.ready) return this.say(empty);
    const air = (y[1] - y[0]) * 0.07 || Math.abs(y[1]) * 0.05 || 1;
    [this.x0, this.x1, this.y0, this.y1] = [...x, y[0] - air, y[1] + air];
    this.axes(xLabels);
  }

  say(text) {
    this.pen.fillStyle = color("soft");
    this.pen.textAlign = "center";
    this.pen.fillText(text, this.width / 2, this.height / 2);
  }

  x(value) { return LEFT + (value - this.x0) / (this.x1 - this.x0) * (this.width - LEFT - RIGHT); }
  y(value) { return this.height - BOTTOM - (value - this.y0) / (this.y1 - this.y0) * (this.height - TOP - BOTTOM); }

  axes(xLabels) {
    const { pen } = this;
    pen.fillStyle = color("soft");
    pen.strokeStyle = color("rule");
    pen.textAlign = "right";
    for (const tick of ticks(this.y0, this.y1, this.height > 200 ? 6 : 4)) {
      const y = Math.round(this.y(tick)) + 0.5;
      pen.beginPath();
      pen.moveTo(LEFT, y);
      pen.lineTo(this.width - RIGHT, y);
      pen.stroke();
      pen.fillText(round(tick), LEFT - 6, y + 4);
    }
    pen.textAlign = "center";
    const count = Math.max(2, Math.floor(this.width / 170));
    const labels = xLabels || Array.from({ length: count + 1 }, (_, index) => {
      const value = this.x0 + (this.x1 - this.x0) * index / count;
      return [value, clock(value)];
    });
    labels.forEach(([value, label]) => {
      const half = pen.measureText(label).width / 2;
      pen.fillText(label, Math.min(this.x(value), this.width - half - 1), this.height - 5);
    });
  }

  line(xs, ys, name, { dashed = false, width = 1.5, stepped = false } = {}) {
    const { pen } = this;
    pen.strokeStyle = color(name);
    pen.lineWidth = width;
    pen.setLineDash(dashed ? [4, 4] : []);
    pen.beginPath();
    let last = null;
    xs.forEach((x, index) => {
      if (!known(ys[index])) { last = null; return; }
      const px = this.x(x), py = this.y(ys[index]);
      if (last === null) pen.moveTo(px, py);
      else { if (stepped) pen.lineTo(px, last); pen.lineTo(px, py); }
      last = py;
    });
    pen.stroke();
    pen.setLineDash([]);
    pen.lineWidth = 1;
  }

  band(xs, lows, highs, name) {
    const { pen } = this;
    const rows = xs.map((x, index) => [x, lows[index], highs[index]]).filter(row => known(row[1]) && known(row[2]));
    pen.fillStyle = color(name);
    pen.globalAlpha = 0.16;
    pen.beginPath();
    rows.forEach(([x, low]) => pen.lineTo(this.x(x), this.y(low)));
    rows.reverse().forEach(([x, , high]) => pen.lineTo(this.x(x), this.y(high)));
    pen.fill();
    pen.globalAlpha = 1;
  }

  triangle(x, y, up, name) {
    const { pen } = this, px = this.x(x), py = this.y(y), size = up ? 8 : -8;
    pen.fillStyle = color(name);
    pen.beginPath();
    pen.moveTo(px, py);
    pen.lineTo(px - 4.5, py + size);
    pen.lineTo(px + 4.5, py + size);
    pen.fill();
  }

  dot(x, y, name, radius = 4) {
    this.pen.fillStyle = color(name);
    this.pen.beginPath();
    this.pen.arc(this.x(x), this.y(y), radius, 0, 2 * Math.PI);
    this.pen.fill();
  }

  whisker(x, low, high, name) {
    const { pen } = this;
    pen.strokeStyle = color(name);
    pen.lineWidth = 2;
    pen.beginPath();
    pen.moveTo(this.x(x), this.y(low));
    pen.lineTo(this.x(x), this.y(high));
    pen.stroke();
    pen.lineWidth = 1;
  }
}
