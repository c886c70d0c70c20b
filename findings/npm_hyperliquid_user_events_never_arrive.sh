#!/usr/bin/env bash
# hyperliquid 1.7.7 (npm): subscribeToUserEvents subscribes, and its callback is never called.
#
# The venue answers a subscription to `userEvents` on the channel `user`, as its documentation says and the official SDK reads
# it. The library waits for a channel called `userEvents`, which does not exist: fills, liquidations and fundings that come in are
# dropped without a word, while subscribeToUserFills on the same socket works. (subscribeToUserActiveAssetData is as deaf: it is
# the one method that sends the library's own name, BTC-PERP, as the coin.)
#
# In the same package: `import` (its ES module) before Node 22 says "WebSocket support is not available. Please install the ws
# package" where ws is installed, and then has no WebSocket at all; only require() finds it, because the bundle calls a
# require that an ES module does not have.
# Source: node_modules/hyperliquid/dist/index.js, subscribeToUserEvents, subscribeToUserActiveAssetData; dist/index.mjs, its first lines.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts hyperliquid@1.7.7 ws@8.23.0
cat > look.cjs <<'NODE'
const { WebSocketServer } = require("ws");
const H = require("hyperliquid");
const http = require("node:http");

const spot = [{ universe: [], tokens: [] }, []];
const perps = [{ universe: [{ name: "BTC", szDecimals: 5, maxLeverage: 40 }] }, [{}]];
const web = http.createServer((request, answer) => {
  let body = "";
  request.on("data", (part) => (body += part)).on("end", () => {
    answer.setHeader("content-type", "application/json");
    answer.end(JSON.stringify(body.includes("spotMeta") ? spot : perps));
  });
});
const asked = [];
new WebSocketServer({ server: web }).on("connection", (socket) => {
  socket.on("message", (text) => {
    const { subscription } = JSON.parse(text);
    if (!subscription) return;
    asked.push(subscription);
    const fills = [{ coin: "BTC", px: "100.0", sz: "1.0", side: "B", oid: 1 }];
    const channel = { userEvents: "user", userFills: "userFills" }[subscription.type];
    if (channel) socket.send(JSON.stringify({ channel, data: { user: subscription.user, fills } }));
  });
});
web.listen(0, "127.0.0.1", async () => {
  const address = `127.0.0.1:${web.address().port}`;
  H.BASE_URLS.PRODUCTION = `http://${address}`;
  H.WSS_URLS.PRODUCTION = `ws://${address}`;
  const client = new H.Hyperliquid({ enableWs: true });
  await client.connect();
  const me = `0x${"11".repeat(20)}`;
  const heard = { userFills: 0, userEvents: 0 };
  await client.subscriptions.subscribeToUserFills(me, () => (heard.userFills += 1));
  await client.subscriptions.subscribeToUserEvents(me, () => (heard.userEvents += 1));
  await client.subscriptions.subscribeToUserActiveAssetData(me, "BTC-PERP", () => {});
  await new Promise((done) => setTimeout(done, 1000));
  const coin = asked.find((item) => item.type === "activeAssetData").coin;
  console.log("hyperliquid", require("./node_modules/hyperliquid/package.json").version, "node", process.version);
  console.log("one fill was pushed on each of the two channels; callbacks called:", heard);
  console.log("activeAssetData asks for the coin", coin);
  const asFound = heard.userFills === 1 && heard.userEvents === 0 && coin === "BTC-PERP";
  console.log(asFound ? "as found" : "CHANGED");
  process.exit(asFound ? 0 : 1);
});
NODE
timeout 60 node look.cjs
cat > esm.mjs <<'NODE'
import { Hyperliquid } from "hyperliquid";
const client = new Hyperliquid({ enableWs: true });
const missing = typeof client.isWebSocketEnabled === "function" && !client.enableWs;
console.log("imported as an ES module, with ws installed: WebSocket", missing ? "is switched off" : "is there");
const old = Number(process.versions.node.split(".")[0]) < 22;
process.exit(missing === old ? 0 : 1);
NODE
timeout 60 node esm.mjs
