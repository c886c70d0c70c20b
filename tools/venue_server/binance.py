"""Binance USD-M's public protocol."""

import asyncio
import contextlib
import json
import time
from typing import Any, Final

from aiohttp import web

from tools.venue_server.frames import Frame
from tools.venue_server.server import Client, Protocol, VenueServer

SETTLE_S: Final = 0.1
"""How long a tape is held after its own snapshot was fetched, so that no frame overtakes it."""
CLASSES: Final = {"depth": "public", "bookTicker": "public", "trade": "market", "aggTrade": "market"}


class Depth:
    """One symbol's book as its differences make it; `recorded` is a tape's own snapshot, until a client has it."""

    def __init__(self) -> None:
        self.update = 0
        self.time = 0
        self.sides: dict[str, dict[str, str]] = {"b": {}, "a": {}}
        self.recorded = b""

    def fold(self, data: dict[str, Any]) -> None:
        """Take a difference as the venue sends it."""
        self.update, self.time = data["u"], data["T"]
        for side, levels in self.sides.items():
            for price, size in data[side]:
                if float(size) > 0:
                    levels[price] = size
                else:
                    levels.pop(price, None)

    def load(self, snapshot: bytes) -> None:
        """Begin with a tape's snapshot."""
        content = json.loads(snapshot)
        self.recorded, self.update, self.time = snapshot, content["lastUpdateId"], content["T"]
        self.sides = {"b": dict(content["bids"]), "a": dict(content["asks"])}

    def snapshot(self) -> bytes:
        """The answer to a depth request."""
        sides = {
            "bids": sorted(self.sides["b"].items(), key=lambda level: -float(level[0])),
            "asks": sorted(self.sides["a"].items(), key=lambda level: float(level[0])),
        }
        head = {"lastUpdateId": self.update, "E": self.time, "T": self.time}
        return json.dumps({**head, **sides}, separators=(",", ":")).encode()


class Binance(Protocol):
    """`/public/stream`, `/market/stream`, and the REST depth and exchange information."""

    def __init__(self, server: VenueServer) -> None:
        super().__init__(server)
        self._depths: dict[str, Depth] = {name: Depth() for name in server.programme.instruments}

    def routes(self) -> list[web.RouteDef]:
        """The paths of the venue."""
        return [
            web.get("/public/stream", self._connect),
            web.get("/market/stream", self._connect),
            web.get("/fapi/v1/exchangeInfo", self._exchange_info),
            web.get("/fapi/v1/depth", self._depth),
            web.get("/fapi/v1/time", self._time),
            web.get("/fapi/v1/fundingInfo", self._funding_info),
        ]

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        """Streams of the other class are accepted and stay silent, as at the venue."""
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        client = Client(request, socket)
        kind = request.path.split("/")[1]
        for name in request.query.get("streams", "").split("/"):
            symbol, _, stream = name.partition("@")
            channel = stream.partition("@")[0]
            if CLASSES.get(channel, "market") == kind:
                client.streams.add(f"{symbol.upper()} {'aggTrade' if channel == 'trade' else channel}")
        await self.server.serve(request, client, self._answer)
        return socket

    async def _answer(self, client: Client, text: str) -> None:
        await client.send('{"result":null,"id":1}')

    async def publish(self, frame: Frame) -> None:
        """Fold what a snapshot must hold; send a frame to its subscribers."""
        depth = self._depths.get(frame.asset)
        if frame.data.startswith(b'{"lastUpdateId"') and depth is not None:
            await self._wait_for_snapshot(depth, frame.data)
            return
        channel = frame.data[:60].partition(b"@")[2].partition(b'"')[0].partition(b"@")[0].decode(errors="replace")
        await self._send(f"{frame.asset} {'aggTrade' if channel == 'trade' else channel}", frame.data, bool(channel))

    def observe(self, frame: Frame) -> None:
        """Keep the true book, whatever the faults make of the frame."""
        depth = self._depths.get(frame.asset)
        if depth is not None and b'"depthUpdate"' in frame.data[:80] and (depth.update or not self.server.raw):
            with contextlib.suppress(ValueError, KeyError):
                depth.fold(json.loads(frame.data)["data"])

    async def _wait_for_snapshot(self, depth: Depth, snapshot: bytes) -> None:
        """A tape goes on once a client has fetched the snapshot that the tape itself was recorded with."""
        depth.load(snapshot)
        while depth.recorded and self.server.clients:  # noqa: ASYNC110 - the client decides
            await asyncio.sleep(0.01)
        await asyncio.sleep(SETTLE_S)

    async def _send(self, stream: str, data: bytes, known: bool) -> None:
        for client in list(self.server.clients):
            if stream in client.streams or not known:
                await client.send(data)

    async def _depth(self, request: web.Request) -> web.Response:
        depth = self._depths.get(request.query.get("symbol", ""))
        if depth is None:
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        while not depth.update:  # noqa: ASYNC110 - the tape decides
            await asyncio.sleep(0.01)
        recorded, depth.recorded = depth.recorded, b""
        return web.Response(body=recorded or depth.snapshot(), content_type="application/json")

    async def _time(self, _request: web.Request) -> web.Response:
        return web.json_response({"serverTime": time.time_ns() // 1_000_000})

    async def _funding_info(self, _request: web.Request) -> web.Response:
        """Only symbols that are not charged every eight hours are named, as at the venue."""
        hours = {"ETHUSDT": 4}
        named = [name for name in self.server.programme.instruments if name in hours]
        return web.json_response([{"symbol": name, "fundingIntervalHours": hours[name]} for name in named])

    async def _exchange_info(self, _request: web.Request) -> web.Response:
        symbols = [
            {
                "symbol": name,
                "status": "TRADING",
                "filters": [
                    {"filterType": "PRICE_FILTER", "tickSize": str(rules.tick_size)},
                    {"filterType": "LOT_SIZE", "stepSize": str(rules.lot_size)},
                    {"filterType": "MIN_NOTIONAL", "notional": str(rules.min_notional or 5)},
                ],
            }
            for name, rules in self.server.programme.instruments.items()
        ]
        return web.json_response({"symbols": symbols})
