// Keys that work everywhere but where text is written, the list of them, and the theme.

import { byId, element } from "./dom.js";
import { remakeAll } from "./plot.js";

const SECTIONS = [["1", "main", "Verdict"], ["2", "trading", "Trading"], ["3", "portfolio", "Portfolio"], ["4", "learning", "Learning"], ["5", "checks", "Checks"],
  ["6", "log", "Log"]];
const CHART_KEYS = [["← →", "in a chart: move the crosshair; with Shift: move the time"], ["+ −", "in a chart: zoom; 0 shows all"]];

export function startKeys(actions) {
  const keys = new Map(SECTIONS.map(([key, id]) => [key, () => go(id)]));
  const list = SECTIONS.map(([key, , name]) => [key, `go to ${name}`]);
  Object.entries(actions).forEach(([key, [text, act]]) => { keys.set(key, act); list.push([key, text]); });
  keys.set("d", switchTheme);
  keys.set("?", help);
  list.push(["d", "light or dark"], ["?", "this list"], ["Esc", "close a dialog"], ...CHART_KEYS);
  byId("key-list").replaceChildren(...list.map(([key, text]) => {
    const pair = element("div"), title = element("dt");
    title.append(element("kbd", key));
    pair.append(title, element("dd", text));
    return pair;
  }));
  document.addEventListener("keydown", event => {
    const writing = event.target.closest("input, select, textarea, dialog[open]");
    if (writing || event.ctrlKey || event.metaKey || event.altKey || !keys.has(event.key)) return;
    event.preventDefault();
    keys.get(event.key)();
  });
  byId("help").onclick = help;
  byId("keys-close").onclick = () => byId("keys").close();
  byId("theme").onclick = switchTheme;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", shownTheme);
  shownTheme();
}

function go(id) {
  byId(id).focus({ preventScroll: true });
  byId(id).scrollIntoView({ block: "start" });
}

function help() { if (!document.querySelector("dialog[open]")) byId("keys").showModal(); }

const dark = () => document.documentElement.dataset.theme
  ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;

function switchTheme() {
  const chosen = dark() ? "light" : "dark";
  document.documentElement.dataset.theme = chosen;
  try { localStorage.setItem("theme", chosen); } catch { /* it lasts until the page is left */ }
  shownTheme();
}

function shownTheme() {
  byId("theme").textContent = dark() ? "Light" : "Dark";
  remakeAll();
}
