// ccxt for JavaScript. A ws:// address needs its HTTP agent loaded first, behind a proxy or not: node ccxt.mjs URL KEY
import ccxt from "ccxt";
import { privateKeyToAccount } from "viem/accounts";
import { gone, heard, said, until } from "./said.mjs";

const [url, key] = process.argv.slice(2);
const urls = { api: { public: url, private: url, ws: { public: `ws${url.slice(4)}/ws` } } };
const exchange = new ccxt.pro.hyperliquid({ privateKey: key, walletAddress: privateKeyToAccount(key).address, urls });
const symbol = "BTC/USDC:USDC";
await exchange.loadMarkets();
await exchange.loadHttpProxyAgent();
const follow = async (name, watch) => {
  for (;;) heard(name)(await watch());
};
for (const name of ["watchOrders", "watchMyTrades", "watchOrderBook", "watchTrades"]) {
  follow(name, () => exchange[name](symbol)).catch(() => {});
}

const away = async (bps) => Math.round((await exchange.fetchTicker(symbol)).last * (1 + bps / 1e4));
const limit = async (side, size, bps, params) => exchange.createOrder(symbol, "limit", side, size, await away(bps), params);
const market = async (side, size, params) => exchange.createOrder(symbol, "market", side, size, await away(0), params);
const placed = await limit("buy", 0.001, -20, { postOnly: true });
await exchange.editOrder(placed.id, symbol, "limit", "buy", 0.002, await away(-25));
const [changed] = await exchange.fetchOpenOrders(symbol);
said("modified", changed.amount === 0.002 && changed.id !== placed.id);
await exchange.cancelOrderWs(changed.id, symbol);
said("cancelled", (await exchange.fetchOpenOrders(symbol)).length === 0);
said("post_only", await gone(() => limit("buy", 0.001, 50, { postOnly: true })));
said("reduce_only", await gone(() => limit("sell", 0.001, 10, { reduceOnly: true })));
said("unknown", await gone(() => exchange.cancelOrder("1", symbol)));
said("filled", (await market("buy", 0.02)).filled === 0.02);
said("closed", (await market("sell", 0.02, { reduceOnly: true })).filled === 0.02);

const history = await exchange.fetchOrders(symbol);
const last = () => new Map(heard.of("watchOrders").flat().map(({ id, status }) => [id, status]));
said("updates", await until(() => history.every(({ id, status }) => last().get(id) === status)));
said("streams", await until(() => heard.kinds().length === 4));
const trades = await exchange.fetchMyTrades(symbol);
const sum = (of) => trades.reduce((total, trade) => total + Number(of(trade)), 0);
said("view", {
  position: (await exchange.fetchPositions()).length,
  fees: sum((trade) => trade.fee.cost),
  realised: sum((trade) => trade.info.closedPnl),
  value: (await exchange.fetchBalance()).USDC.total,
});
process.exit(0);
