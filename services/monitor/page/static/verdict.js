// The first thing on the page: what it earns, whether that can be believed, what to do, and under which assumptions.

import { byId, duration, element, known, number, say, setClass, show, tone } from "./dom.js";

const BELIEVED = { yes: ["can be believed", "pass"], "not yet": ["too early to believe", "wait"], no: ["not to be believed", "fail"] };
const STANDING = { good: "pass", weak: "wait", bad: "fail" };
let shown = "";

export function showVerdict(verdict) {
  const text = JSON.stringify(verdict);
  if (text === shown) return;
  shown = text;
  byId("synthetic").hidden = !verdict.banner;
  say("synthetic", verdict.banner);
  const [words, state] = BELIEVED[verdict.believed];
  say("believed", words);
  setClass(byId("believed"), `badge ${state}`);
  say("earns", verdict.headline);
  showEarned(verdict.earns);
  showEvidence(verdict.evidence);
  show("todo", ...verdict.next.slice(0, 3).map(step => element("li", step)));
  byId("todo-head").hidden = !verdict.next.length;
  strip(verdict.assumptions);
}

function showEarned({ total, currency, bps, per_hour, per_hour_low, per_hour_high, hours }) {
  const interval = known(per_hour_low) ? `95 %: ${number(per_hour_low, 2, true)} … ${number(per_hour_high, 2, true)}` : "too short for an interval";
  const parts = [[`${number(total, 2, true)} ${currency}`, tone(total)], [` in ${duration(hours * 3600)}`, ""],
    [` · ${known(bps) ? number(bps, 2, true) : "–"} bp of turnover`, ""], [` · ${number(per_hour, 2, true)} ${currency} per hour (${interval})`, ""]];
  show("earned", ...parts.map(([text, className]) => element("span", text, className)));
}

function showEvidence(evidence) {
  show("evidence", ...evidence.map(({ name, standing, text }) => {
    const item = element("li");
    item.append(element("b", standing, STANDING[standing]), element("span", ` ${name}: ${text}`));
    return item;
  }));
}

function strip(assumptions) {
  show("assumptions", ...Object.entries(assumptions).map(([name, value]) => {
    const pair = element("div");
    pair.append(element("dt", name), element("dd", value));
    return pair;
  }));
}
