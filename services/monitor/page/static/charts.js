// What each chart shows: its series, units and marks.

import { byId, element, known, number, say } from "./dom.js";
import { color, drawAll, pan, Plot, zoom, zoomTo } from "./plot.js";

const seconds = ts => ts.map(ns => ns / 1e9);
const negative = values => values.map(value => known(value) ? -value : null);
let fills = null, markouts = [];

const price = new Plot("price", { label: "Mid, own quotes and fills, price", empty: "no market data yet", overlay: drawFills, series: [
  { key: "bid", label: "own bid", color: "good", step: true, width: 1 }, { key: "ask", label: "own ask", color: "bad", step: true, width: 1 },
  { key: "mid", label: "mid", color: "c3" }] });
const position = new Plot("position", { label: "Position, base units", zero: true, series: [
  { key: "position", label: "position", color: "c0", step: true, digits: 5 }], empty: "no account yet" });
const equity = new Plot("equity", { label: "Equity with its 95 % interval over all draws of the queue, settlement currency", empty: "no account yet",
  series: [{ key: "high", label: "95 % to", color: "c0", width: 0.5 }, { key: "low", label: "95 % from", color: "c0", width: 0.5 },
    { key: "equity", label: "equity", color: "c0" }], bands: [["high", "low", "c0"]] });
const money = new Plot("money", { label: "Parts of profit and loss, settlement currency", zero: true, series: [
  { key: "fees", label: "fees", color: "c3" }, { key: "funding", label: "funding", color: "wait" }, { key: "inventory", label: "inventory", color: "c2" },
  { key: "spread", label: "spread", color: "c1" }, { key: "total", label: "total", color: "c0" }] });
const markout = new Plot("markout", { label: "Markout by horizon, bp, with 95 % interval", zero: true, unit: "bp", overlay: drawWhiskers,
  ordinal: ["0.5 s", "1 s", "5 s", "10 s", "30 s", "60 s"], empty: "no fill is old enough for a markout yet", series: [
    { key: "low", color: "c0", points: "only", width: 0 }, { key: "high", color: "c0", points: "only", width: 0 },
    { key: "unfilled", label: "unfilled quotes", color: "c3", points: "only" }, { key: "mean", label: "fills", color: "c0", points: "only" }] });
const kappa = new Plot("kappa", { label: "κ with its standard deviation, per fraction of price", empty: "no estimate yet", series: [
  { key: "high", label: "+ sd", color: "c0", width: 0.5, digits: 0 }, { key: "low", label: "− sd", color: "c0", width: 0.5, digits: 0 },
  { key: "kappa", label: "κ", color: "c0", digits: 0 }], bands: [["high", "low", "c0"]] });
const toxicity = new Plot("toxicity", { label: "Toxicity of bid and ask, probability", empty: "no estimate yet", series: [
  { key: "toxicity_bid", label: "bid", color: "good" }, { key: "toxicity_ask", label: "ask", color: "bad" }] });
const calibration = new Plot("calibration", { label: "Calibration: cal_gamma and cal_progress, fraction", zero: true, empty: "no calibration yet", series: [
  { key: "cal_progress", label: "cal_progress", color: "c1" }, { key: "cal_gamma", label: "cal_gamma", color: "c0" }] });
let peers = null, peerNames = "";

export function setSeries(series) {
  const x = seconds(series.ts), columns = { x, ...series, fees: negative(series.fees) };
  [price, position, toxicity, calibration, money].forEach(plot => plot.set(columns));
  const bound = side => series.equity.map((value, index) =>
    known(value) && known(series[side][index]) ? value - series.total[index] + series[side][index] : null);
  equity.set({ x, equity: series.equity, low: bound("pnl_low"), high: bound("pnl_high") });
  const sd = sign => series.kappa.map((value, index) => known(value) ? value + sign * series.kappa_sd[index] : null);
  kappa.set({ x, kappa: series.kappa, low: sd(-1), high: sd(1) });
}

export function setFills(columns) {
  fills = columns;
  price.dirty = true;
}

export function setMarkouts(points) {
  markouts = points;
  const seen = points.some(point => known(point.mean_bps) || known(point.unfilled_mean_bps));
  markout.set(seen && { x: points.map((_, index) => index), low: points.map(point => point.low_bps), high: points.map(point => point.high_bps),
    mean: points.map(point => point.mean_bps), unfilled: points.map(point => point.unfilled_mean_bps) });
}

// The accounts of one market; with one alone there is nothing to compare.
export function setPeers(accounts) {
  const names = Object.keys(accounts);
  if (names.join(" ") !== peerNames) {
    peerNames = names.join(" ");
    byId("peers").replaceChildren();
    peers = names.length > 1 ? new Plot("peers", { label: "Total profit and loss of every account of this market, settlement currency", zero: true,
      series: names.slice(0, 8).map((name, index) => ({ key: name, label: name, color: `p${index}` })) }) : null;
    if (!peers) byId("peers").append(element("p", "One account trades here. Tables [accounts.NAME] in the settings add others, to be compared on the same market.", "empty"));
  }
  if (!peers) return;
  const ts = [...new Set(names.flatMap(name => accounts[name].ts))].sort((a, b) => a - b);
  const columns = { x: seconds(ts) };
  names.forEach(name => {
    const at = new Map(accounts[name].ts.map((value, index) => [value, accounts[name].total[index]]));
    let last = null;
    columns[name] = ts.map(value => last = at.get(value) ?? last);
  });
  peers.set(columns);
}

function drawFills(u) {
  if (!fills) return;
  const { ctx } = u, scale = devicePixelRatio || 1, tall = 8 * scale, wide = 4.5 * scale;
  const colors = [color("bad"), color("good")];
  fills.ts.forEach((ns, index) => {
    const at = ns / 1e9;
    if (at < u.scales.x.min || at > u.scales.x.max) return;
    const x = u.valToPos(at, "x", true), y = u.valToPos(fills.price[index], "y", true), bought = fills.side[index] > 0;
    ctx.fillStyle = colors[Number(bought)];
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x - wide, y + (bought ? tall : -tall));
    ctx.lineTo(x + wide, y + (bought ? tall : -tall));
    ctx.fill();
  });
}

function drawWhiskers(u) {
  const { ctx } = u, scale = devicePixelRatio || 1;
  ctx.strokeStyle = color("soft");
  ctx.setLineDash([4 * scale, 4 * scale]);
  ctx.beginPath();
  const zero = u.valToPos(0, "y", true);
  ctx.moveTo(u.bbox.left, zero);
  ctx.lineTo(u.bbox.left + u.bbox.width, zero);
  ctx.stroke();
  ctx.setLineDash([]);
  ctx.strokeStyle = color("c0");
  ctx.lineWidth = 2 * scale;
  markouts.forEach((point, index) => {
    if (!known(point.low_bps)) return;
    const x = u.valToPos(index, "x", true);
    ctx.beginPath();
    ctx.moveTo(x, u.valToPos(point.low_bps, "y", true));
    ctx.lineTo(x, u.valToPos(point.high_bps, "y", true));
    ctx.stroke();
  });
}

export function zoomBar() {
  const buttons = [["Earlier", "◀", () => pan(-0.5)], ["Zoom in", "+", () => zoom(0.5)], ["Zoom out", "−", () => zoom(2)], ["Later", "▶", () => pan(0.5)],
    ["Show all", "All", () => zoomTo(null)]];
  buttons.forEach(([name, text, act]) => {
    const button = element("button", text);
    button.type = "button";
    button.title = name;
    button.setAttribute("aria-label", name);
    button.onclick = act;
    byId("zoom").append(button);
  });
  const says = element("span", "all time; drag over a chart to zoom, Ctrl and wheel too, Shift and wheel to pan", "soft");
  says.id = "zoomed";
  byId("zoom").append(says);
  document.addEventListener("zoomed", ({ detail }) => say("zoomed", detail
    ? `${number(detail.max - detail.min, 0)} s until ${new Date(detail.max * 1000).toISOString().slice(11, 19)} UTC; double click or 0 for all` : "all time"));
}

export { drawAll };
