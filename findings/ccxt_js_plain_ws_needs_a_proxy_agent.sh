#!/usr/bin/env bash
# ccxt for JavaScript (npm 4.5.84, Node): every watch* and *Ws call to a ws:// address (no TLS) raises NotSupported, "to use proxy
# with non-ssl ws:// urls, at first run `await exchange.loadHttpProxyAgent()` method" - where no proxy is set at all.
#
# REST to http:// of the same server works, and so does ccxt.pro of the same version in Python over ws://. The test asks only
# whether the address begins with ws://, not whether there is a proxy. With that call made once it works, without any proxy.
# A bot that catches errors of watch* and goes on, as ccxt's examples do, is simply deaf.
# Source: ccxt/js/src/base/Exchange.js, getHttpAgentIfNeeded.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm init -y > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts ccxt@4.5.84 ws@8.23.0
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY
cat > look.mjs <<'NODE'
import ccxt from "ccxt";
import { readFileSync } from "node:fs";
import { WebSocketServer } from "ws";

const book = { coin: "BTC", time: 1, levels: [[{ px: "99.0", sz: "1.0", n: 1 }], [{ px: "101.0", sz: "1.0", n: 1 }]] };
const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
server.on("connection", (socket) => {
  socket.on("message", () => socket.send(JSON.stringify({ channel: "l2Book", data: book })));
});
await new Promise((done) => server.on("listening", done));
const exchange = new ccxt.pro.hyperliquid();
exchange.urls.api.ws.public = `ws://127.0.0.1:${server.address().port}/ws`;
const market = { id: "0", symbol: "BTC/USDC:USDC", base: "BTC", quote: "USDC", settle: "USDC", baseId: "0", baseName: "BTC" };
exchange.setMarkets([{ ...market, type: "swap", swap: true, spot: false, contract: true, info: { name: "BTC" } }]);
const watch = async () => {
  try {
    const found = await exchange.watchOrderBook(market.symbol);
    return `a book, best bid ${found.bids[0][0]}`;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
};
console.log("ccxt", JSON.parse(readFileSync("node_modules/ccxt/package.json")).version, "node", process.version);
const first = await watch();
console.log("without a proxy:", first);
await exchange.loadHttpProxyAgent();
const second = await watch();
console.log("after loadHttpProxyAgent():", second);
const asFound = first.startsWith("NotSupported") && second.startsWith("a book");
console.log(asFound ? "as found" : "CHANGED");
process.exit(asFound ? 0 : 1);
NODE
timeout 60 node look.mjs
