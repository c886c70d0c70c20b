// Pause, resume, flatten and reset: each after a confirmation, with the token that was in the address.

import { byId, known, number, say, size } from "./dom.js";

const KEPT = "page-token";
const TEXTS = {
  pause: ({ name }) => `All quotes of ${name} are withdrawn and no new ones are placed until it is resumed. The position stays.`,
  resume: ({ name }) => `${name} quotes again. Its limits of loss and drawdown count from now.`,
  flatten: ({ name, account }) => `All quotes of ${name} are withdrawn and its position of ${size(account.position)} is closed at the market`
    + `${known(account.taker_fee_bps) ? `, for a taker fee of ${number(account.taker_fee_bps)} bp` : ""}. It stays paused until it is resumed.`,
  reset: ({ name }) => `The money of ${name} starts afresh: orders, position and PnL are gone from here on. The log, the fills and what was learned stay.`,
};
let token = "", current = () => null;

export function startControls(chosen) {
  current = chosen;
  takeToken();
  document.querySelectorAll("[data-action]").forEach(button => { button.onclick = () => ask(button.dataset.action); });
  byId("confirm-no").onclick = () => byId("confirm").close();
  byId("unlock").onclick = () => token ? lock() : byId("token-dialog").showModal();
  byId("token-no").onclick = () => byId("token-dialog").close();
  byId("token-yes").onclick = unlock;
  byId("token").onkeydown = event => { if (event.key === "Enter") { event.preventDefault(); unlock(); } };
  showLock();
}

// The token leaves the address at once: it is neither bookmarked nor photographed.
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) history.replaceState(null, "", location.pathname + location.search);
  try {
    if (given) sessionStorage.setItem(KEPT, given);
    token = given || sessionStorage.getItem(KEPT) || "";
  } catch { token = given || ""; }
}

function unlock() {
  keep(byId("token").value.trim());
  byId("token").value = "";
  byId("token-dialog").close();
}

function lock() { keep(""); }

function keep(value) {
  token = value;
  try { sessionStorage.setItem(KEPT, value); } catch { /* it lasts until the page is left */ }
  showLock();
}

function showLock() {
  byId("unlock").textContent = token ? "Lock" : "Unlock";
  say("obeyed", token ? "" : "Controls are locked: open the address that papertrader run prints, or unlock.");
}

export function ask(action) {
  const now = current();
  if (!now || document.querySelector("dialog[open]")) return;
  if (!token) return byId("token-dialog").showModal();
  const name = `${now.venue} ${now.asset} · ${now.account_name}`, verb = action[0].toUpperCase() + action.slice(1);
  byId("confirm-title").textContent = `${verb} ${name}?`;
  byId("confirm-text").textContent = TEXTS[action]({ name, account: now.account });
  byId("confirm-yes").textContent = verb;
  byId("confirm-yes").onclick = () => { byId("confirm").close(); send(action, now, name); };
  byId("confirm").showModal();
  byId("confirm-no").focus();
}

async function send(action, { venue, asset, account_name: account }, name) {
  say("obeyed", `${action} of ${name} is sent …`);
  try {
    const reply = await fetch("/api/control", {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
      body: JSON.stringify({ venue, asset, account, action }),
    });
    const answer = await reply.json();
    say("obeyed", `${action} of ${name}: ${reply.ok ? answer.text : `refused, ${answer.error}`}`);
  } catch (error) {
    say("obeyed", `${action} of ${name} was not sent: ${error.message}`);
  }
}
