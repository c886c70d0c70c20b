"""Hyperliquid's public protocol."""

import contextlib
import json
import math
import time
from collections import deque
from typing import Any, Final

from aiohttp import web

from tools.venue_server.frames import Frame
from tools.venue_server.server import Client, Protocol, VenueServer

USER_STREAMS: Final = ("orderUpdates", "userFills")
"""What the venue tells of an address: a tape that is played holds those of one address, whoever asks."""


class Hyperliquid(Protocol):
    """`/ws` and `/info`. Books go to plain subscriptions every 5.4 s and, with five levels, to fast ones at once."""

    SLOW_BOOK_S: Final = 5.4
    OLD_PRINTS: Final = 30

    def __init__(self, server: VenueServer) -> None:
        super().__init__(server)
        self._slow_due: dict[str, float] = {}
        self._old_prints: dict[str, deque[Any]] = {}

    def routes(self) -> list[web.RouteDef]:
        """The two paths of the venue."""
        return [web.get("/ws", self._connect), web.post("/info", self._info)]

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(autoping=False)
        await socket.prepare(request)
        client = Client(request, socket)
        await client.send("Websocket connection established.")
        await self.server.serve(request, client, self._answer)
        return socket

    async def _answer(self, client: Client, text: str) -> None:
        try:
            asked = json.loads(text)
            method = asked["method"]
            if method == "ping":
                await client.send('{"channel":"pong"}')
                return
            wanted = asked["subscription"]
            if wanted["type"] in USER_STREAMS:
                client.streams.add(f"{wanted['type']} {wanted['user']}")
                return
            stream = f"{wanted['type']}{' fast' if wanted.get('fast') else ''} {wanted['coin']}"
        except (ValueError, KeyError, TypeError):
            error = f"Error parsing JSON into valid websocket request: {text}"
            await client.send(json.dumps({"channel": "error", "data": error}))
            return
        if wanted["coin"] not in self.server.programme.instruments:
            client.cut()
        elif stream in client.streams:
            await client.send(json.dumps({"channel": "error", "data": f"Already subscribed: {json.dumps(wanted)}"}))
        else:
            await self._subscribe(client, stream, wanted)

    async def _subscribe(self, client: Client, stream: str, wanted: dict[str, Any]) -> None:
        filled = {"nSigFigs": None, "mantissa": None, **wanted} if wanted["type"] == "l2Book" else wanted
        await client.send(
            json.dumps({"channel": "subscriptionResponse", "data": {"method": "subscribe", "subscription": filled}})
        )
        old = self._old_prints.get(wanted["coin"])
        if wanted["type"] == "trades" and old and not self.server.raw:
            await client.send(json.dumps({"channel": "trades", "data": list(old)}))
        client.streams.add(stream)

    async def publish(self, frame: Frame) -> None:
        """Send a frame to its subscribers."""
        channel = _channel(frame.data)
        if channel == "l2Book":
            await self._publish_book(frame)
            return
        if channel in USER_STREAMS:
            for stream in {stream for client in self.server.clients for stream in client.streams}:
                if stream.startswith(channel):
                    await self._to(stream, frame.data)
            return
        if channel == "trades" and not self.server.raw:
            self._remember(frame)
        await self._to(f"{channel} {frame.asset}", frame.data, bool(channel))

    async def _publish_book(self, frame: Frame) -> None:
        if self.server.raw:
            await self._to(f"l2Book fast {frame.asset}", frame.data)
            return
        try:
            book = json.loads(frame.data)
            book["data"]["levels"] = [side[:5] for side in book["data"]["levels"]]
            book["data"]["fast"] = True
            await self._to(f"l2Book fast {frame.asset}", json.dumps(book, separators=(",", ":")).encode())
        except (ValueError, KeyError, TypeError):
            await self._to(f"l2Book fast {frame.asset}", frame.data)
        now = self.server.now_s()
        if now >= self._slow_due.get(frame.asset, 0.0):
            self._slow_due[frame.asset] = now + self.SLOW_BOOK_S
            await self._to(f"l2Book {frame.asset}", frame.data)

    def _remember(self, frame: Frame) -> None:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            prints = json.loads(frame.data)["data"]
            self._old_prints.setdefault(frame.asset, deque(maxlen=self.OLD_PRINTS)).extend(prints)

    async def _to(self, stream: str, data: bytes, known: bool = True) -> None:
        """Send to the stream's subscribers; what is no frame of any stream goes to all who follow the fast one."""
        for client in list(self.server.clients):
            if stream in client.streams or (not known and len(client.streams) > 1):
                await client.send(data)

    async def _info(self, request: web.Request) -> web.Response:
        asked = await request.json()
        kind, dex = asked.get("type"), asked.get("dex", "")
        spot = kind in ("spotMeta", "spotMetaAndAssetCtxs")
        names = [name for name in self.server.programme.instruments if _exchange(name) == ("spot" if spot else dex)]
        prices = [{"coin": name, "markPx": str(self.server.programme.prices[name])} for name in names]
        meta = self._spot_meta(names) if spot else {"universe": [self._listing(name) for name in names]}
        answers = {
            "meta": meta,
            "spotMeta": meta,
            "metaAndAssetCtxs": [meta, prices],
            "spotMetaAndAssetCtxs": [meta, prices],
            "exchangeStatus": {"specialStatuses": None, "time": time.time_ns() // 1_000_000},
            "allMids": {price["coin"]: price["markPx"] for price in prices},
        }
        if kind not in answers:
            return web.Response(status=422, text="Failed to deserialize the JSON body into the target type")
        return web.json_response(answers[kind])

    def _size_decimals(self, name: str) -> int:
        return round(-math.log10(self.server.programme.instruments[name].lot_size))

    def _listing(self, name: str) -> dict[str, Any]:
        return {"name": name, "szDecimals": self._size_decimals(name), "maxLeverage": 40}

    def _spot_meta(self, names: list[str]) -> dict[str, Any]:
        tokens = [
            {"name": name, "index": 1 + i, "szDecimals": self._size_decimals(name)} for i, name in enumerate(names)
        ]
        pairs = [{"name": name, "tokens": [1 + i, 0], "index": i} for i, name in enumerate(names)]
        return {"universe": pairs, "tokens": [{"name": "USDC", "index": 0, "szDecimals": 8}, *tokens]}


def _channel(data: bytes) -> str:
    for channel in ("l2Book", "bbo", "trades", "activeAssetCtx", "activeSpotAssetCtx", *USER_STREAMS):
        if f'"channel":"{channel}"'.encode() in data[:60]:
            return channel
    return ""


def _exchange(name: str) -> str:
    if "/" in name or name.startswith("@"):
        return "spot"
    return name.partition(":")[0] if ":" in name else ""
