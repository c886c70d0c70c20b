// The page: one stream of what is new, given to the panels that show it.

import * as charts from "./charts.js";
import { ask, startControls } from "./controls.js";
import { byId } from "./dom.js";
import { startKeys } from "./keys.js";
import * as learning from "./learning.js";
import { neighbour, same, showPortfolio, showTitle } from "./portfolio.js";
import { follow } from "./stream.js";
import * as trading from "./trading.js";
import { showVerdict } from "./verdict.js";

const CHARTS_EVERY_MS = 3900;
let selected = Object.fromEntries([...new URLSearchParams(location.search)].filter(([name]) => ["venue", "asset", "account"].includes(name)));
let state = {}, rows = [], drawnAt = 0, waiting = null;

const PANELS = {
  verdict: showVerdict,
  now: value => { trading.showNow(value); trading.showQuoting(value); },
  checks: learning.showChecks,
  learned: learning.showLearned,
  worth: value => { learning.showWorth(value); charts.setMarkouts(value.markouts); },
  peers: charts.setPeers,
  services: learning.showServices,
  series: charts.setSeries,
  fills: value => { trading.showFills(value); charts.setFills(value); },
  events: learning.showEvents,
};

function choose(row) {
  if (state.now && same(row, state.now)) return;
  selected = { venue: row.venue, asset: row.asset, account: row.account_name };
  history.replaceState(null, "", `?${new URLSearchParams(selected)}`);
  begin();
}

function begin() {
  state = {};
  drawnAt = 0;
  learning.forget();
  trading.showFills(null);
  charts.setFills(null);
  follow(selected, hear);
}

function hear(news) {
  if ("lost" in news) { byId("lost").hidden = !news.lost; return; }
  if (news.portfolio) rows = news.portfolio;
  const first = news.now && !state.now;
  state = { ...state, ...news };
  Object.entries(PANELS).forEach(([name, draw]) => { if (name in news) draw(news[name]); });
  if (news.portfolio || first) showPortfolio(rows, state.now, choose);
  if (news.portfolio) showTitle(rows.find(row => state.now && same(row, state.now)));
  if (state.series) drawCharts();
}

// At once the first time, then seldom: also when nothing more is heard.
function drawCharts() {
  const wait = drawnAt ? drawnAt + CHARTS_EVERY_MS - performance.now() : 0;
  if (wait > 0) { waiting ??= setTimeout(() => { waiting = null; drawCharts(); }, wait); return; }
  clearTimeout(waiting);
  waiting = null;
  drawnAt = performance.now();
  charts.drawAll();
}

const step = by => () => { if (rows.length) choose(neighbour(rows, state.now, by)); };

charts.zoomBar();
startControls(() => state.now);
startKeys({
  p: ["pause", () => ask("pause")], r: ["resume", () => ask("resume")], f: ["flatten", () => ask("flatten")], x: ["reset", () => ask("reset")],
  "[": ["the account before", step(-1)], "]": ["the next account", step(1)],
});
begin();
