// The page: one fetch of the whole state of an account, then one event a second.

import { Chart } from "./charts.js";

const POINTS = 1440, FILLS = 300, SILENCE_MS = 6000;
const selected = Object.fromEntries(new URLSearchParams(location.search));
let state = null, stream = null, lastHeard = Date.now(), attempt = 0;

const byId = id => document.getElementById(id);
const known = value => value !== null && value !== undefined;

function number(value, digits = 2, signed = false) {
  if (!known(value)) return "–";
  const text = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const negative = value < 0 && Number(text.replace(/,/g, "")) !== 0;
  return (negative ? "−" : signed && value > 0 ? "+" : "") + text;
}
const percent = value => known(value) ? `${number(value * 100, 0)} %` : "–";
const clock = ns => new Date(ns / 1e6).toISOString().slice(11, 19);
const plain = value => known(value) ? Number(value.toPrecision(10)).toLocaleString("en-US", { maximumFractionDigits: 10 }) : "–";
const tone = value => !known(value) || value === 0 ? "" : value > 0 ? "good" : "bad";

function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function table(header, rows, className = "") {
  const made = element("table", "", className), head = element("tr");
  header.forEach(cell => head.append(element("th", cell)));
  if (header.length) { const part = element("thead"); part.append(head); made.append(part); }
  const body = element("tbody");
  rows.forEach(({ cells, className: style = "", tones = [] }) => {
    const row = element("tr", "", style);
    cells.forEach((cell, index) => row.append(element("td", cell, tones[index] || "")));
    body.append(row);
  });
  made.append(body);
  return made;
}

function show(id, ...parts) { byId(id).replaceChildren(...parts); }
function empty(id, text) { show(id, element("p", text, "empty")); }

// --- overview and checklist

function showMarkets(overview) {
  show("markets", ...overview.map(item => {
    const button = element("button", `${item.venue} ${item.asset} · ${item.account_name}`);
    const chosen = state && ["venue", "asset", "account_name"].every(name => state[name] === item[name]);
    button.setAttribute("aria-pressed", String(Boolean(chosen)));
    button.title = item.verdict;
    Object.values(item.states).forEach(judged => button.append(element("i", "", `mark ${judged}`)));
    button.onclick = () => choose(item);
    return button;
  }));
  if (!overview.length) show("verdict", "No market data yet: waiting for the feed's first round.");
}

function choose(item) {
  Object.assign(selected, { venue: item.venue, asset: item.asset, account: item.account_name });
  state = null;
  history.replaceState(null, "", `?${new URLSearchParams(selected)}`);
  connect();
}

function showChecks() {
  show("checks", ...Object.entries(state.checks).map(([name, check]) => {
    const box = element("div", "", `check ${check.state}`), title = element("h3", name);
    title.append(element("span", check.state));
    box.dataset.check = name;
    box.append(title);
    if (check.cause) box.append(element("p", check.cause));
    if (check.remedy) box.append(element("p", `→ ${check.remedy}`, "soft"));
    const numbers = Object.entries(check.numbers).map(([key, value]) => `${key} ${plain(Number(value.toPrecision(5)))}`);
    if (numbers.length) box.append(element("p", numbers.join(" · "), "numbers-said"));
    return box;
  }));
  const counts = Object.entries(state.counts).map(([name, count]) => `${name.replace(/_/g, " ")} ${count}`).join(" · ");
  byId("counts").textContent = state.counts_equal ? `counts agree: ${counts}` : `counts do not agree: ${counts}`;
  byId("counts").className = state.counts_equal ? "" : "bad";
  show("verdict", element("b", state.verdict), document.createTextNode(state.interpretation.join(" ")));
}

// --- numbers

function showNumbers() {
  const { account, market, estimate, calibration, outcomes, orders } = state;
  const items = [
    ["total PnL", number(account.total, 2, true), tone(account.total)],
    ["position", known(account.position) ? plain(Number(account.position.toPrecision(6))).replace("-", "−") : "–"],
    ["margin used", number(account.margin_used)],
    ["fills", plain(state.counts.fills)],
    ["fills per hour", orders.quoted_s ? number(orders.fills_per_hour, 1) : "–"],
    ["adverse rate", percent(outcomes.adverse_rate)],
    ["κ confidence", estimate ? number(estimate.kappa_confidence) : "–"],
    ["cal_gamma", calibration ? number(calibration.cal_gamma) : "–"],
    ["σ, bp/√s", estimate ? number(estimate.sigma_bps) : "–"],
    ["prints per minute", number(market.prints_per_minute, 0)],
  ];
  show("numbers", ...items.map(([name, value, style = ""]) => {
    const box = element("div");
    box.append(element("span", name), element("b", value, style));
    return box;
  }));
  byId("clock").textContent = state.ts ? `${new Date(state.ts / 1e6).toISOString().slice(0, 19).replace("T", " ")} UTC` : "";
}

function showPnl() {
  const { account } = state;
  if (!known(account.equity)) return empty("pnl", "No account yet: waiting for fill-sim's first word.");
  const rows = [["spread captured", account.spread], ["inventory drift", account.inventory], ["fees", -account.fees],
    ["funding", account.funding], ["total", account.total], ["realised, before fees", account.realised],
    ["unrealised", account.unrealised], ["equity", account.equity], ["margin available", account.margin_available]];
  const { draws } = account;
  if (draws && known(draws.pnl_mean)) rows.push(["total over all draws of the queue", draws.pnl_mean],
    ["its 95 % from", draws.pnl_low], ["to", draws.pnl_high]);
  show("pnl", table([], rows.map(([name, value]) => ({
    cells: [name, number(value, 4, !["equity", "margin available"].includes(name))],
    className: name === "total" ? "total" : "",
    tones: ["", name === "total" ? tone(value) : ""],
  }))));
}

function showTrading() {
  const { trading, orders } = state, { data, markout, exposure, instrument } = trading;
  const rows = [["duration, s", number(trading.duration_s, 0)], ["turnover", number(trading.turnover)],
    ["exposure, mean / peak", `${number(exposure.mean)} / ${number(exposure.peak)}`],
    ["orders / of them filled", `${plain(orders.placed)} / ${plain(trading.filled_orders)}`],
    [`markout at ${markout.horizon_s} s, bp`, number(markout.mean_bps, 2, true)],
    ["95 % interval (block bootstrap)", `${number(markout.low_bps, 2, true)} … ${number(markout.high_bps, 2, true)}`],
    ["weighted by notional, bp", number(markout.notional_weighted_bps, 2, true)],
    ["PnL per turnover, bp", number(trading.pnl_per_turnover_bps, 2, true)],
    ["locked or crossed books", percent(data.locked_share + data.crossed_share)],
    ["data refused", [percent(data.refused_share), ...Object.entries(data.refused).map(([reason, count]) =>
      `${plain(count)} ${reason}`)].join(", ")],
    ["queues unknown", percent(data.unknown_queue_share)],
    ["tick / lot", instrument ? `${instrument.tick_size} / ${instrument.lot_size}` : "–"],
    ["instrument guessed", instrument && instrument.inferred.length ? instrument.inferred.join(", ") : "no"]];
  show("trading", table([], rows.map((cells) => ({ cells }))));
}

function showLadder() {
  const { ladder, market } = state, { bids, asks } = ladder;
  if (!bids.length && !asks.length) return show("ladder", element("caption", "No book yet.", "empty"));
  const digits = Math.max(0, Math.min(8, Math.ceil(-Math.log10(market.tick_size || 0.01) - 1e-9)));
  const largest = Math.max(...[...bids, ...asks].map(row => row[1]), 1e-12);
  const row = ([price, size, own], side) => {
    const made = element("tr", "", own ? `${side} own` : side), bar = element("td", "", "bar"), fill = element("i");
    fill.style.width = `${Math.round(size / largest * 100)}%`;
    bar.append(fill);
    made.append(element("td", number(price, digits)), element("td", plain(Number(size.toPrecision(5)))), bar,
      element("td", own ? `own ${plain(Number(own.toPrecision(5)))}` : ""));
    return made;
  };
  const middle = element("tr", "", "mid"), cell = element("td", market.mid ? `mid ${plain(market.mid)}` : "no two sides");
  cell.colSpan = 4;
  middle.append(cell);
  show("ladder", ...asks.slice().reverse().map(level => row(level, "ask")), middle, ...bids.map(level => row(level, "bid")));
  const spread = market.ask && market.bid ? (market.ask - market.bid) / market.mid * 1e4 : null;
  byId("spread").textContent = known(spread) ? `spread ${number(spread)} bp` : "";
}

function showReasons() {
  const { unfilled, rejected, orders } = state;
  const rows = [["unfilled", unfilled], ["rejected", rejected]].flatMap(([outcome, reasons]) =>
    Object.entries(reasons).sort((a, b) => b[1] - a[1]).map(([reason, count]) => ({ cells: [`${outcome}: ${reason.replace(/_/g, " ")}`, plain(count)] })));
  byId("orders-now").textContent = `${plain(orders.placed)} placed, ${orders.live.length} live`;
  if (rows.length) return show("unfilled", table(["how it ended", "orders"], rows));
  empty("unfilled", orders.placed ? "No order has ended unfilled." : "No orders yet: waiting for the first quote.");
}

function showRegime() {
  const { estimate } = state;
  byId("regime-now").textContent = estimate ? `${estimate.regime}, ${estimate.regime_changes} changes` : "";
  if (!estimate) return empty("regime", "No estimate yet: waiting for the estimator's first word.");
  const total = estimate.regime_seconds.reduce((sum, value) => sum + value, 0);
  const made = table(["regime", "now", "time"], ["quiet", "normal", "volatile", "extreme"].map((name, index) => ({
    cells: [name, percent(estimate.regime_probabilities[index]),
      total ? `${number(estimate.regime_seconds[index] / 60, 1)} min` : "–"],
    className: name === estimate.regime ? "total" : "",
  })));
  show("regime", made);
}

function showFills() {
  const { fills } = state, count = fills.ts.length;
  if (!count) return empty("fills", state.orders.placed ? "No fills yet: the quotes wait for a print that reaches them." : "No fills yet: waiting for the first quote.");
  const rows = [];
  for (let index = count - 1; index >= Math.max(0, count - 50); index--) {
    const bought = fills.side[index] > 0;
    rows.push({
      cells: [clock(fills.ts[index]), bought ? "bought" : "sold", plain(fills.price[index]), plain(Number(fills.size[index].toPrecision(6))),
        number(fills.half_spread_bps[index]), number(fills.fee[index], 4), percent(fills.toxicity[index]), fills.through[index] ? "through" : "at the touch"],
      tones: ["", bought ? "good" : "bad"],
    });
  }
  show("fills", table(["time", "side", "price", "size", "half-spread, bp", "fee", "toxicity", "how"], rows));
}

function showServices() {
  const services = Object.entries(state.liveness);
  if (!services.length) return empty("services", "Nothing is known of the services yet.");
  show("services", table(["service", "heartbeat", "round", "checkpoint"], services.map(([name, health]) => ({
    cells: [name, known(health.heartbeat_age_s) ? `${number(health.heartbeat_age_s, 1)} s` : "never", plain(health.round),
      known(health.checkpoint_age_s) ? `${number(health.checkpoint_age_s, 0)} s` : "–"],
    tones: ["", !known(health.heartbeat_age_s) || health.heartbeat_age_s > 5 ? "bad" : ""],
  }))));
}

// --- charts

function drawPrice() {
  const { series, fills, market } = state;
  byId("mid").textContent = market.mid ? `mid ${plain(market.mid)}` : "";
  const first = series.ts[0], shown = fills.ts.map((ts, index) => index).filter(index => fills.ts[index] >= first);
  const chart = new Chart("price", series.ts, [...series.mid, ...series.bid, ...series.ask, ...shown.map(index => fills.price[index])],
    { empty: "no market data yet" });
  if (!chart.ready) return;
  chart.line(series.ts, series.bid, "good", { width: 1, stepped: true });
  chart.line(series.ts, series.ask, "bad", { width: 1, stepped: true });
  chart.line(series.ts, series.mid, "c3");
  shown.forEach(index => chart.triangle(fills.ts[index], fills.price[index], fills.side[index] > 0, fills.side[index] > 0 ? "good" : "bad"));
}

function drawLines(id, columns, options) {
  const { series } = state;
  const chart = new Chart(id, series.ts, columns.flatMap(([values]) => values), options);
  if (chart.ready) columns.forEach(([values, name]) => chart.line(series.ts, values, name));
}

function drawLearning() {
  const { series, estimate, calibration } = state;
  drawLines("money", [[series.fees.map(fee => -fee), "c3"], [series.inventory, "c2"], [series.spread, "c1"], [series.total, "c0"]], { zero: true });
  drawLines("toxicity", [[series.toxicity_bid, "good"], [series.toxicity_ask, "bad"]], { empty: "no estimate yet" });
  drawLines("calibration", [[series.cal_progress, "c1"], [series.cal_gamma, "c0"]], { empty: "no calibration yet", zero: true });
  const add = sign => series.kappa.map((kappa, index) => known(kappa) ? kappa + sign * series.kappa_sd[index] : null);
  const chart = new Chart("kappa", series.ts, [...add(-1), ...add(1)], { empty: "no estimate yet" });
  if (chart.ready) { chart.band(series.ts, add(-1), add(1), "c0"); chart.line(series.ts, series.kappa, "c0"); }
  byId("kappa-now").textContent = estimate ? `${number(estimate.kappa, 0)} ± ${number(estimate.kappa_sd, 0)}, ${plain(estimate.own_fills)} own fills` : "";
  byId("toxicity-now").textContent = estimate ? `bid ${percent(estimate.toxicity_bid)}, ask ${percent(estimate.toxicity_ask)}${estimate.classifier_ready ? "" : " (base rate)"}` : "";
  byId("calibration-now").textContent = calibration ? `gamma ${number(calibration.cal_gamma)}, progress ${percent(calibration.cal_progress)}` : "";
}

function drawMarkout() {
  const points = state.markouts, labels = points.map((point, index) => [index, `${point.horizon_s} s`]);
  const seen = points.some(point => known(point.mean_bps) || known(point.unfilled_mean_bps));
  const values = points.flatMap(point => [point.mean_bps, point.low_bps, point.high_bps, point.unfilled_mean_bps]);
  const chart = new Chart("markout", seen ? [-0.5, points.length - 0.5] : [], values,
    { empty: "no fill is old enough for a markout yet", xLabels: labels, zero: true });
  if (!chart.ready) return;
  chart.line([-0.5, points.length - 0.5], [0, 0], "soft", { dashed: true, width: 1 });
  points.forEach((point, index) => {
    if (known(point.low_bps)) chart.whisker(index, point.low_bps, point.high_bps, "c0");
    if (known(point.mean_bps)) chart.dot(index, point.mean_bps, "c0");
    if (known(point.unfilled_mean_bps)) chart.dot(index + 0.15, point.unfilled_mean_bps, "c3", 3);
  });
}

function draw() {
  if (!state) return;
  [showChecks, showNumbers, showPnl, showTrading, showLadder, showReasons, showRegime, showFills, showServices, drawPrice, drawLearning, drawMarkout].forEach(part => part());
}

// --- data

function append(columns, news, key, limit) {
  news[key].forEach((value, index) => {
    const length = columns[key].length;
    if (length && value <= columns[key][length - 1]) return;
    Object.keys(columns).forEach(name => columns[name].push(news[name][index]));
  });
  const excess = columns[key].length - limit;
  if (excess > 0) Object.values(columns).forEach(column => column.splice(0, excess));
}

function update(live) {
  if (!state) return;
  if (["venue", "asset", "account_name"].some(name => state[name] !== live[name])) return;
  const { series, fills } = state;
  append(series, live.sample, "ts", POINTS);
  append(fills, live.last_fills, "fill_id", FILLS);
  state = { ...live, series, fills };
  draw();
}

function connection(lost) { byId("lost").hidden = !lost; }

async function connect() {
  const mine = ++attempt, query = new URLSearchParams(selected);
  stream?.close();
  stream = null;
  try {
    const reply = await fetch(`/api/checks`);
    if (!reply.ok) throw new Error(reply.statusText);
    if ((await reply.json()).markets.length) {
      const answer = await fetch(`/api/state?${query}`);
      if (answer.ok && mine === attempt) state = await answer.json();
    }
  } catch { connection(true); }
  if (mine !== attempt) return;
  draw();
  stream = new EventSource(`/events?${query}`);
  stream.addEventListener("overview", event => heard(JSON.parse(event.data)));
  stream.addEventListener("live", event => update(JSON.parse(event.data)));
  stream.onerror = () => connection(true);
}

function heard(overview) {
  const missedSome = !byId("lost").hidden;
  lastHeard = Date.now();
  connection(false);
  showMarkets(overview);
  if (missedSome || !state && overview.length) connect();
}

setInterval(() => {
  if (Date.now() - lastHeard < SILENCE_MS) return;
  connection(true);
  lastHeard = Date.now();
  connect();
}, 1000);
window.addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
connect();
