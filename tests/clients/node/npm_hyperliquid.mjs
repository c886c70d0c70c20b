// hyperliquid of npm has no option for an address: its exported tables are changed first: node npm_hyperliquid.mjs URL KEY
// Before Node 22 only its CommonJS form finds the package ws.
import { createRequire } from "node:module";
import { privateKeyToAccount } from "viem/accounts";
import { heard, said, until, view } from "./said.mjs";

const { BASE_URLS, Hyperliquid, WSS_URLS } = createRequire(import.meta.url)("hyperliquid");

const [url, key] = process.argv.slice(2);
BASE_URLS.PRODUCTION = url;
WSS_URLS.PRODUCTION = `ws${url.slice(4)}/ws`;
const me = privateKeyToAccount(key).address;
const client = new Hyperliquid({ enableWs: true, privateKey: key, walletAddress: me });
await client.connect();
await client.subscriptions.subscribeToOrderUpdates(me, heard("orderUpdates"));
await client.subscriptions.subscribeToUserFills(me, heard("userFills"));
await client.subscriptions.subscribeToWebData2(me, heard("webData2"));
await client.subscriptions.subscribeToBbo("BTC-PERP", heard("bbo"));

const away = async (bps) => Number(((await client.info.getAllMids())["BTC-PERP"] * (1 + bps / 1e4)).toPrecision(5));
const order = async (buy, size, bps, tif, more = {}) => ({
  coin: "BTC-PERP", is_buy: buy, sz: size, limit_px: await away(bps), order_type: { limit: { tif } }, reduce_only: false,
  ...more,
});
const place = async (...words) => (await client.exchange.placeOrder(await order(...words))).response.data.statuses[0];

const { resting } = await place(true, 0.001, -20, "Alo");
await client.exchange.modifyOrder(resting.oid, await order(true, 0.002, -25, "Alo"));
const [changed] = await client.info.getUserOpenOrders(me);
said("modified", changed.sz === 0.002 && changed.oid !== resting.oid);
await client.custom.cancelAllOrders();
said("cancelled", (await client.info.getUserOpenOrders(me)).length === 0);
said("post_only", (await place(true, 0.001, 50, "Alo")).error);
said("reduce_only", (await place(false, 0.001, 10, "Gtc", { reduce_only: true })).error);
const unknown = await client.exchange.cancelOrder({ coin: "BTC-PERP", o: 1 });
said("unknown", unknown.response.data.statuses[0].error);
said("filled", (await place(true, 0.02, 100, "Ioc")).filled.totalSz === "0.02");
said("closed", (await client.custom.marketClose("BTC-PERP")).response.data.statuses[0].filled.totalSz === "0.02");

const history = await client.info.getHistoricalOrders(me);
const last = () => new Map(heard.of("orderUpdates").flat().map(({ order, status }) => [order.oid, status]));
said("updates", await until(() => history.every(({ order, status }) => last().get(order.oid) === status)));
said("streams", await until(() => heard.kinds().length === 4));
said("view", view(await client.info.perpetuals.getClearinghouseState(me), await client.info.getUserFills(me)));
process.exit(0);
