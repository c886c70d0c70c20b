// All markets and accounts: the picker, the table, accounts added up, and what fails anywhere.

import { byId, element, known, number, percent, plain, say, setText, show, size, Table, tone } from "./dom.js";

const all = new Table("all", "All markets and accounts", [["market", "text"], ["account", "text"], ["total PnL", "number"], ["95 % over draws", "number"],
  ["bp of turnover", "number"], ["position", "number"], ["its value", "number"], ["fills", "number"], ["adverse", "number"], ["worst drawdown", "number"],
  ["state", "text"], ["checks", "text"]], { empty: "No market data yet: waiting for the feed's first round." });
const accounts = new Table("accounts", "Accounts, linear markets added up", [["account", "text"], ["total PnL", "number"], ["bp of turnover", "number"],
  ["fees", "number"], ["fills", "number"]]);
const buttons = new Map();
const nameOf = row => `${row.venue} ${row.asset} · ${row.account_name}`;
export const same = (row, chosen) => row.venue === chosen.venue && row.asset === chosen.asset && row.account_name === chosen.account_name;

export function showPortfolio(rows, chosen, choose) {
  showPicker(rows, chosen, choose);
  all.update(rows.map(row => ({
    cells: [opener(row, choose), row.account_name, number(row.total, 2, true),
      known(row.total_low) ? `${number(row.total_low, 2, true)} … ${number(row.total_high, 2, true)}` : "–",
      row.turnover ? number(row.total / row.turnover * 1e4, 2, true) : "–", size(row.position), number(row.notional), plain(row.fills), percent(row.adverse_rate),
      percent(row.worst_drawdown, 2), row.paused ? "paused" : "quoting", judged(row)],
    tones: ["", "", tone(row.total), "", row.turnover ? tone(row.total) : "", "", "", "", "", "", "", Object.keys(row.alerts).length ? "bad" : ""],
    className: chosen && same(row, chosen) ? "chosen" : "",
  })));
  const failing = rows.filter(row => Object.keys(row.alerts).length).length;
  say("portfolio-now", rows.length ? `${rows.length} accounts, ${failing} with failing checks` : "");
  showAccounts(rows);
  showAlerts(rows);
}

function judged({ states }) {
  const count = state => Object.values(states).filter(one => one === state).length;
  return [["fail", "fail"], ["waiting", "wait"], ["pass", "pass"]].filter(([state]) => count(state)).map(([state, word]) => `${count(state)} ${word}`).join(", ");
}

function opener(row, choose) {
  const key = nameOf(row);
  if (!buttons.has(key)) {
    const button = element("button", `${row.venue} ${row.asset}`, "link");
    button.type = "button";
    button.setAttribute("aria-label", `Show ${key}`);
    buttons.set(key, button);
  }
  buttons.get(key).onclick = () => choose(row);
  return buttons.get(key);
}

function showPicker(rows, chosen, choose) {
  const picker = byId("account"), names = rows.map(nameOf);
  if ([...picker.options].map(option => option.text).join("|") !== names.join("|")) {
    picker.replaceChildren(...names.map((name, index) => new Option(name, String(index))));
  }
  picker.onchange = () => choose(rows[picker.selectedIndex]);
  const index = chosen ? rows.findIndex(row => same(row, chosen)) : -1;
  if (index >= 0 && picker.selectedIndex !== index) picker.selectedIndex = index;
}

function showAccounts(rows) {
  const sums = new Map();
  rows.filter(row => known(row.total) && row.kind !== "inverse").forEach(row => {
    const sum = sums.get(row.account_name) ?? { total: 0, turnover: 0, fees: 0, fills: 0 };
    Object.keys(sum).forEach(name => { sum[name] += row[name]; });
    sums.set(row.account_name, sum);
  });
  accounts.update([...sums].map(([name, sum]) => ({
    cells: [name, number(sum.total, 2, true), sum.turnover ? number(sum.total / sum.turnover * 1e4, 2, true) : "–", number(sum.fees), plain(sum.fills)],
    tones: ["", tone(sum.total)],
  })));
}

function showAlerts(rows) {
  const alerts = rows.flatMap(row => Object.entries(row.alerts).map(([check, [cause, remedy]]) => ({ row, check, cause, remedy })));
  say("alerts-now", alerts.length ? `${alerts.length} failing` : "");
  const text = JSON.stringify(alerts.map(({ row, ...alert }) => [nameOf(row), alert.check, alert.cause]));
  if (byId("alerts").dataset.shown === text) return;
  byId("alerts").dataset.shown = text;
  if (!alerts.length) return show("alerts", element("p", rows.length ? "No check fails in any market." : "No market yet.", "empty"));
  const list = element("ul", "", "alerts");
  alerts.forEach(({ row, check, cause, remedy }) => {
    const item = element("li");
    item.append(element("b", `${nameOf(row)} · ${check}: `), document.createTextNode(cause), element("span", remedy ? ` → ${remedy}` : "", "soft"));
    list.append(item);
  });
  show("alerts", list);
}

// The accounts before and after the chosen one, for the keys.
export function neighbour(rows, chosen, by) {
  const index = rows.findIndex(row => chosen && same(row, chosen));
  return rows[(index + by + rows.length) % rows.length];
}

export function showTitle(row) { setText(document.querySelector("title"), row ? `${number(row.total, 2, true)} ${row.asset} · Paper trader` : "Paper trader"); }
