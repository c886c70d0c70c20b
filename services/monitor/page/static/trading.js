// What a trader works with: the numbers, the book, the orders, the fills, the money.

import { byId, clock, duration, element, facts, known, moment, number, percent, plain, say, setClass, setText, size, Table, tone } from "./dom.js";

const orders = new Table("orders", "Live orders", [["side", "text"], ["price", "number"], ["size", "number"], ["from mid, bp", "number"], ["age", "number"],
  ["queue ahead, at most", "number"], ["at join", "number"], ["fill in 10 s", "number"]]);
const fills = new Table("fills", "Last fills, newest first", [["time, UTC", "text"], ["side", "text"], ["price", "number"], ["size", "number"],
  ["half-spread, bp", "number"], ["fee", "number"], ["toxicity", "number"], ["how", "text"]]);
const pnl = new Table("pnl", "Profit and loss", [["", "text"], ["", "number"]], { empty: "No account yet: waiting for fill-sim's first word." });
const ladder = new Table("ladder", "Book with own orders", [["price", "number"], ["size", "number"], ["depth", "bar"], ["own", "number"]], { empty: "No book yet." });
const SHOWN_FILLS = 100;
let bars = new Map();

export function showNow(now) {
  showNumbers(now);
  showOrders(now);
  showPnl(now.account);
  showLadder(now);
  say("clock", now.ts ? moment(now.ts) + (now.final ? " · the source has ended" : "") : "no data yet");
  say("mid", now.market.mid ? `mid ${plain(now.market.mid)}` : "");
}

function showNumbers({ account, market, fills_per_hour, adverse_rate, ...now }) {
  facts("numbers", [
    ["total PnL", number(account.total, 2, true), tone(account.total)],
    ["bp of turnover", account.turnover ? number(account.total / account.turnover * 1e4, 2, true) : "–", account.turnover ? tone(account.total) : ""],
    ["position", size(account.position)],
    ["its value", number(account.notional)],
    ["equity", number(account.equity)],
    ["margin used", number(account.margin_used)],
    ["turnover", number(account.turnover, 0)],
    ["fills", plain(now.fills)],
    ["fills per hour", now.orders.quoted_s ? number(fills_per_hour, 1) : "–"],
    ["adverse rate", percent(adverse_rate)],
    ["prints/min", number(market.prints_per_minute, 0)],
    ["running", duration(market.elapsed_s)],
  ]);
}

function showOrders({ orders: state, market }) {
  const digits = decimals(market.tick_size);
  say("orders-now", `${plain(state.live_count)} live, ${plain(state.placed)} placed`);
  orders.update(state.live.map(order => ({
    cells: [order.side === "buy" ? "bid" : "ask", number(order.price, digits), size(order.size), number(order.distance_bps), duration(order.age_s),
      known(order.queue_at_most) ? size(order.queue_at_most) : "not known", known(order.queue_at_join) ? size(order.queue_at_join) : "not known", percent(order.p_fill)],
    tones: [order.side === "buy" ? "good" : "bad"],
  })), state.placed ? "No order is live." : "No orders yet: waiting for the first quote.");
}

export const decimals = tick => Math.max(0, Math.min(8, Math.ceil(-Math.log10(tick || 0.01) - 1e-9)));

function showPnl(account) {
  if (!known(account.equity)) return pnl.update([]);
  const rows = [["spread captured", account.spread], ["inventory drift", account.inventory], ["fees", -account.fees],
    ["funding", account.funding], ["total", account.total], ["realised, before fees", account.realised],
    ["unrealised", account.unrealised], ["margin available", account.margin_available], ["maintenance margin", account.maintenance_margin]];
  const { draws } = account;
  if (draws && known(draws.pnl_mean)) rows.push(["total over all draws of the queue", draws.pnl_mean],
    ["its 95 % from", draws.pnl_low], ["to", draws.pnl_high]);
  pnl.update(rows.map(([name, value]) => ({
    cells: [name, number(value, 4, !name.includes("margin"))],
    className: name === "total" ? "total" : "",
    tones: ["", name === "total" ? tone(value) : ""],
  })));
}

function showLadder({ ladder: { bids, asks }, market }) {
  const digits = decimals(market.tick_size), largest = Math.max(...[...bids, ...asks].map(row => row[1]), 1e-12);
  const row = ([price, shown, own], side, index) => ({
    cells: [number(price, digits), shown ? plain(Number(shown.toPrecision(5))) : "–", bar(`${side}${index}`, shown / largest), own ? size(own) : ""],
    className: own ? `${side} own` : side,
  });
  ladder.update([...asks.map((level, index) => row(level, "ask", index)).reverse(), ...bids.map((level, index) => row(level, "bid", index))]);
  const spread = market.ask && market.bid ? (market.ask - market.bid) / market.mid * 1e4 : null;
  say("spread", known(spread) ? `spread ${number(spread)} bp` : "");
}

function bar(key, share) {
  if (!bars.has(key)) bars.set(key, element("i"));
  const node = bars.get(key), width = `${Math.round(share * 100)}%`;
  if (node.style.width !== width) node.style.width = width;
  return node;
}

export function showFills(columns) {
  const count = columns?.ts.length ?? 0, from = Math.max(0, count - SHOWN_FILLS);
  say("fills-now", count ? `the last ${Math.min(count, SHOWN_FILLS)}` : "");
  const rows = [];
  for (let index = count - 1; index >= from; index--) {
    const bought = columns.side[index] > 0, how = columns.through[index] ? "through" : "at the touch";
    rows.push({
      cells: [clock(columns.ts[index]), bought ? "bought" : "sold", plain(columns.price[index]), size(columns.size[index]),
        number(columns.half_spread_bps[index]), number(columns.fee[index], 4), percent(columns.toxicity[index]), columns.maker[index] ? how : "taker"],
      tones: ["", bought ? "good" : "bad"],
    });
  }
  fills.update(rows, "No fills yet: the quotes wait for a print that reaches them.");
}

export function showQuoting({ paused, final, account }) {
  const state = final ? "the source has ended" : paused ? "paused by command" : known(account.equity) ? "quoting" : "no account yet";
  setText(byId("quoting"), state);
  setClass(byId("quoting"), `badge ${final || !known(account.equity) ? "" : paused ? "paused" : "runs"}`.trim());
}
