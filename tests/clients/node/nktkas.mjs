// @nktkas/hyperliquid: all that is sent goes over one WebSocket, or over HTTP: node nktkas.mjs URL KEY ws|http
// Node before 22 has no WebSocket. That of the package ws ends the process when a reconnect is refused; undici's does not.
import { ExchangeClient, HttpTransport, InfoClient, SubscriptionClient, WebSocketTransport } from "@nktkas/hyperliquid";
import { WebSocket } from "undici";
import { privateKeyToAccount } from "viem/accounts";
import { gone, heard, said, until, view } from "./said.mjs";

globalThis.WebSocket ??= WebSocket;
const [url, key, door] = process.argv.slice(2);
const wallet = privateKeyToAccount(key);
const user = wallet.address;
const socket = new WebSocketTransport({ url: `ws${url.slice(4)}/ws` });
const transport = door === "ws" ? socket : new HttpTransport({ apiUrl: url });
const info = new InfoClient({ transport });
const exchange = new ExchangeClient({ transport, wallet });
const streams = new SubscriptionClient({ transport: socket });
for (const kind of ["orderUpdates", "userFills", "userEvents", "clearinghouseState", "webData3"]) {
  await streams[kind]({ user }, heard(kind));
}
for (const kind of ["l2Book", "bbo", "trades", "activeAssetCtx"]) await streams[kind]({ coin: "BTC" }, heard(kind));

const asset = (await info.meta()).universe.findIndex((market) => market.name === "BTC");
const away = async (bps) => String(Number((Number((await info.allMids()).BTC) * (1 + bps / 1e4)).toPrecision(5)));
const wire = async (buy, size, bps, tif, more = {}) => (
  { a: asset, b: buy, p: await away(bps), s: size, r: false, t: { limit: { tif } }, ...more });
const place = async (...words) => {
  const answer = await exchange.order({ orders: [await wire(...words)], grouping: "na" });
  return answer.response.data.statuses[0];
};

const cloid = `0x${key.slice(2, 34)}`;
const { resting } = await place(true, "0.001", -20, "Alo", { c: cloid });
await exchange.modify({ oid: cloid, order: await wire(true, "0.002", -25, "Alo", { c: cloid }) });
const [changed] = await info.openOrders({ user });
said("modified", changed.sz === "0.002" && changed.oid !== resting.oid);
await exchange.cancelByCloid({ cancels: [{ asset, cloid }] });
said("cancelled", (await info.openOrders({ user })).length === 0);
said("post_only", await gone(() => place(true, "0.001", 50, "Alo")));
said("reduce_only", await gone(() => place(false, "0.001", 10, "Gtc", { r: true })));
said("unknown", await gone(() => exchange.cancel({ cancels: [{ a: asset, o: 1 }] })));
said("filled", (await place(true, "0.02", 100, "Ioc")).filled.totalSz === "0.02");
said("closed", (await place(false, "0.03", -100, "Ioc", { r: true })).filled.totalSz === "0.02");

const history = await info.historicalOrders({ user });
const last = () => new Map(heard.of("orderUpdates").flat().map(({ order, status }) => [order.oid, status]));
said("updates", await until(() => history.every(({ order, status }) => last().get(order.oid) === status)));
said("streams", await until(() => heard.kinds().length === 9));
said("view", view(await info.clearinghouseState({ user }), await info.userFills({ user })));
process.exit(0);
