// A chart on uPlot: crosshair, zoom and pan that all time charts share, by mouse, wheel and keys; a legend of buttons.

import { byId, clock, element, known, number, setText } from "./dom.js";

const uPlot = window.uPlot;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800];
const LEAST_SPAN_S = 2, WIDTH = 62;
const plots = [];
let shown = null; // { min, max } of all time charts, or null for everything

export const color = name => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function timeText(u, splits, _axis, _space, step) {
  return splits.map(value => {
    const text = new Date(value * 1000).toISOString();
    return step >= 86400 ? text.slice(5, 10) : step >= 60 ? text.slice(11, 16) : text.slice(11, 19);
  });
}

export class Plot {
  // series: { key, label, color, width, step, dash, digits, hidden, points }; bands: [high key, low key, colour].
  constructor(id, { label, series, bands = [], ordinal = null, zero = false, overlay = null, empty = "nothing yet", unit = "" }) {
    Object.assign(this, { id, label, series, bands, ordinal, zero, overlay, empty, unit });
    this.box = byId(id);
    this.box.classList.add("chart");
    this.stage = element("div", "", "stage");
    this.legend = element("p", "", "legend");
    this.spoken = element("p", "", "hidden");
    this.spoken.setAttribute("aria-live", "polite");
    this.note = element("p", empty, "empty");
    this.box.append(this.stage, this.note, this.legend, this.spoken);
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "group");
    this.stage.setAttribute("aria-roledescription", "chart");
    this.stage.setAttribute("aria-label", `${label}. Arrow keys move the crosshair, with Shift the time; plus and minus zoom, 0 shows all.`);
    this.stage.addEventListener("keydown", event => this.key(event));
    this.stage.addEventListener("wheel", event => this.wheel(event), { passive: false });
    this.hidden = new Set(series.filter(one => one.hidden).map(one => one.key));
    this.data = null;
    this.plot = null;
    this.dirty = false;
    this.visible = false;
    this.buttons();
    plots.push(this);
    watcher.observe(this.box);
    resizer.observe(this.stage);
  }

  // Columns by key, with x in seconds (or 0, 1, 2 … of `ordinal` labels); less than two x shows `empty`.
  set(columns) {
    const x = columns?.x ?? [];
    const any = x.length > 1 && this.series.some(one => columns[one.key]?.some(known));
    this.data = any ? [x, ...this.series.map(one => columns[one.key])] : null;
    this.dirty = true;
  }

  draw() {
    if (!this.visible || !this.dirty || document.hidden) return;
    this.dirty = false;
    this.note.hidden = Boolean(this.data);
    this.stage.hidden = this.legend.hidden = !this.data;
    if (!this.data) return;
    if (!this.plot) this.make();
    this.plot.batch(() => {
      this.plot.setData(this.data, false);
      this.plot.setScale("x", this.span());
    });
    this.values(this.plot.cursor.idx);
  }

  span() {
    const x = this.data[0];
    if (this.ordinal) return { min: -0.5, max: x.length - 0.5 };
    return shown ?? { min: x[0], max: x[x.length - 1] };
  }

  make() {
    const { width, height } = this.size();
    this.plot = new uPlot({
      width, height, padding: [8, 20, 0, 0], legend: { show: false },
      cursor: {
        points: { size: 6 }, drag: { x: !this.ordinal, y: false, setScale: false },
        sync: this.ordinal ? undefined : { key: "time", scales: ["x", null], filters: { pub: type => type === "mousemove" } },
        bind: { dblclick: () => () => { zoomTo(null); return null; } },
      },
      scales: { x: { time: false }, y: { range: (_u, low, high) => this.range(low, high) } },
      axes: [this.timeAxis(), this.valueAxis()],
      series: [{}, ...this.series.map(one => this.line(one))],
      bands: this.bands.map(([high, low, name]) => ({ series: [this.index(high), this.index(low)], fill: faded(name) })),
      hooks: {
        setSelect: [u => this.selected(u)],
        setCursor: [u => this.values(u.cursor.idx)],
        draw: [u => this.overlay?.(u, this)],
      },
    }, this.data, this.stage);
    this.plot.root.querySelectorAll("canvas").forEach(canvas => canvas.setAttribute("aria-hidden", "true"));
  }

  line(one) {
    const paths = one.points === "only" ? () => null : one.step ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear();
    return {
      label: one.label, stroke: color(one.color), width: one.width ?? 1.5, dash: one.dash, paths, show: !this.hidden.has(one.key),
      points: { show: one.points === "only", size: 7, fill: color(one.color) }, spanGaps: false,
    };
  }

  range(low, high) {
    if (!known(low) || !known(high)) return [0, 1];
    if (this.zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
    const air = (high - low) * 0.07 || Math.abs(high) * 0.0005 || 1;
    return [low - air, high + air];
  }

  timeAxis() {
    const shared = { stroke: color("soft"), grid: { show: false }, ticks: { stroke: color("rule"), size: 4 }, size: 26, font: font() };
    if (this.ordinal) return { ...shared, splits: () => this.ordinal.map((_, index) => index), values: () => this.ordinal };
    return { ...shared, incrs: STEPS, space: 82, values: timeText };
  }

  valueAxis() {
    return { stroke: color("soft"), grid: { stroke: color("rule"), width: 1 }, ticks: { show: false }, size: WIDTH, gap: 4, font: font(),
      values: (_u, splits) => splits.map(value => Number(value.toPrecision(8)).toLocaleString("en-US", { maximumFractionDigits: 8 })) };
  }

  index(key) { return this.series.findIndex(one => one.key === key) + 1; }
  size() { return { width: Math.max(this.stage.clientWidth, 120), height: Math.max(this.stage.clientHeight, 100) }; }

  selected(u) {
    if (u.select.width < 4) return;
    const min = u.posToVal(u.select.left, "x"), max = u.posToVal(u.select.left + u.select.width, "x");
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    zoomTo({ min, max });
  }

  buttons() {
    this.items = this.series.filter(one => one.label).map(one => {
      const button = element("button", "", `item ${one.color}`), name = element("span", one.label), value = element("b");
      button.type = "button";
      button.append(name, value);
      button.setAttribute("aria-pressed", String(!this.hidden.has(one.key)));
      button.title = `Show or hide ${one.label}`;
      button.onclick = () => this.toggle(one, button);
      this.legend.append(button);
      return [one, value];
    });
    this.at = element("span", "", "soft");
    this.legend.append(this.at);
  }

  toggle(one, button) {
    const hide = !this.hidden.has(one.key);
    this.hidden[hide ? "add" : "delete"](one.key);
    button.setAttribute("aria-pressed", String(!hide));
    this.plot?.setSeries(this.index(one.key), { show: !hide });
  }

  // The values at the crosshair, or the newest.
  values(index) {
    if (!this.data) return;
    const at = known(index) ? index : this.data[0].length - 1;
    this.items.forEach(([one, node]) => {
      const value = this.data[this.index(one.key)][at];
      setText(node, this.ordinal && !known(index) ? "" : ` ${number(value, one.digits ?? 2)}`);
    });
    const moment = this.ordinal ? this.ordinal[at] : clock(this.data[0][at] * 1e9);
    setText(this.at, known(index) ? `at ${moment}` : "");
  }

  key(event) {
    if (!this.plot || event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { ArrowLeft: -1, ArrowRight: 1 }, step = steps[event.key];
    if (step && !event.shiftKey) this.step(step);
    else if (step) pan(step * 0.25);
    else if (event.key === "+" || event.key === "=") zoom(0.5);
    else if (event.key === "-") zoom(2);
    else if (event.key === "0") zoomTo(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  step(by) {
    const { min, max } = this.span(), x = this.data[0];
    const from = this.plot.cursor.idx ?? x.length, index = Math.min(Math.max(from + by, 0), x.length - 1);
    if (x[index] < min || x[index] > max) return;
    this.plot.setCursor({ left: this.plot.valToPos(x[index], "x"), top: this.plot.over.clientHeight / 2 });
    setText(this.spoken, [this.at.textContent, ...this.items.map(([one, node]) => `${one.label}${node.textContent} ${this.unit}`)].join(", "));
  }

  wheel(event) {
    if (!this.plot || this.ordinal || !(event.ctrlKey || event.metaKey || event.shiftKey)) return;
    event.preventDefault();
    const turned = event.deltaY || event.deltaX;
    if (event.shiftKey) return pan(Math.sign(turned) * 0.1);
    const box = this.plot.over.getBoundingClientRect();
    zoom(turned > 0 ? 1.25 : 0.8, this.plot.posToVal(event.clientX - box.left, "x"));
  }

  resize() {
    if (!this.plot || this.stage.hidden) return;
    const { width, height } = this.size();
    if (width !== this.plot.width || height !== this.plot.height) this.plot.setSize({ width, height });
  }

  remake() {
    this.plot?.destroy();
    this.plot = null;
    this.dirty = true;
  }
}

const font = () => `11px ${getComputedStyle(document.body).fontFamily}`;
const faded = name => `${color(name)}2b`;

const watcher = new IntersectionObserver(entries => entries.forEach(({ target, isIntersecting }) => {
  const plot = plots.find(one => one.box === target);
  plot.visible = isIntersecting;
  if (isIntersecting) plot.draw();
}), { rootMargin: "120px" });

const resizer = new ResizeObserver(entries => entries.forEach(({ target }) => plots.find(one => one.stage === target)?.resize()));

export function drawAll() { plots.forEach(plot => plot.draw()); }
export function remakeAll() { plots.forEach(plot => plot.remake()); drawAll(); }

// --- the time that all charts show

function everything() {
  const ends = plots.filter(plot => plot.data && !plot.ordinal).map(plot => plot.data[0]);
  return ends.length ? { min: Math.min(...ends.map(x => x[0])), max: Math.max(...ends.map(x => x[x.length - 1])) } : null;
}

export function zoomTo(span) {
  const all = everything();
  if (!all) return;
  shown = span && { min: Math.max(span.min, all.min), max: Math.min(span.max, all.max) };
  if (shown && shown.max - shown.min < LEAST_SPAN_S) shown = null;
  if (shown && shown.min <= all.min && shown.max >= all.max) shown = null;
  document.dispatchEvent(new CustomEvent("zoomed", { detail: shown }));
  plots.forEach(plot => { if (!plot.ordinal) plot.dirty = true; });
  drawAll();
}

export function zoom(factor, around) {
  const now = shown ?? everything();
  if (!now) return;
  const centre = around ?? now.max - (now.max - now.min) / 2 * (shown ? 1 : 0), half = (now.max - now.min) * factor;
  const share = (centre - now.min) / (now.max - now.min);
  zoomTo({ min: centre - half * share, max: centre + half * (1 - share) });
}

export function pan(share) {
  const now = shown, all = everything();
  if (!now || !all) return;
  const span = now.max - now.min, min = Math.min(Math.max(now.min + span * share, all.min), all.max - span);
  zoomTo({ min, max: min + span });
}
