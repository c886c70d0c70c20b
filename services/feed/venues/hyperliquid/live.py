"""Hyperliquid live: perpetuals, builder-deployed perpetuals (`dex:NAME`) and spot, without key or account.

Per coin `bbo` (every block), `l2Book` fast (5 levels, about twice a second), `trades` and the asset context on one
socket; the plain `l2Book` (20 levels, every five seconds) cannot share a socket with the fast one and has its own.
"""

import asyncio
import json
import re
from collections.abc import Callable, Collection, Iterable
from typing import Final

import aiohttp
import msgspec

from papertrader.services.feed.venues.config import Access
from papertrader.services.feed.venues.hyperliquid.frames import HyperliquidAdapter
from papertrader.services.feed.venues.hyperliquid.rules import Perpetuals, SpotPairs, is_spot, of_perpetuals, of_spot
from papertrader.services.feed.venues.live import Line, LiveError, Question, Socket, ask, choose
from papertrader.shared.messages import Instrument

URL: Final = "https://api.hyperliquid.xyz"
PING: Final = '{"method":"ping"}'
PONG: Final = b'{"channel":"pong"'
MAX_SUBSCRIPTIONS: Final = 1_000
FAST_CHANNELS: Final = 4
_coin: Final = re.compile(rb'"coin"\s*:\s*"([^"]+)"')


_perpetuals: Final = msgspec.json.Decoder(Perpetuals, strict=False)
_spot: Final = msgspec.json.Decoder(SpotPairs, strict=False)


class Live:
    """The live venue Hyperliquid."""

    name = "hyperliquid"
    opening = ()

    def __init__(self, config: Access) -> None:
        self.adapter = HyperliquidAdapter(frozenset(config.assets))
        url = (config.venue_url or URL).rstrip("/")
        self.rest_url = (config.venue_rest_url or url).rstrip("/")
        self._socket = f"ws{url.removeprefix('http')}/ws"
        self._deep = config.live.deep_book

    @property
    def question(self) -> Question:
        """Whether the exchange is at work: weight 2 of 1,200 a minute."""
        return Question(f"{self.rest_url}/info", {"type": "exchangeStatus"})

    async def instruments(self, http: aiohttp.ClientSession, assets: Collection[str]) -> dict[str, Instrument]:
        """The rules of the coins: 5 significant figures, 6 (spot 8) decimals less those of the size."""
        most = MAX_SUBSCRIPTIONS // FAST_CHANNELS
        if len(assets) > most:
            raise LiveError(f"feed.assets: at most {most} coins: the venue allows {MAX_SUBSCRIPTIONS} subscriptions")
        listed: dict[str, Instrument] = {}
        for dex in sorted({asset.partition(":")[0] if ":" in asset else "" for asset in assets if not is_spot(asset)}):
            listed |= await self._perpetuals(http, dex)
        if any(map(is_spot, assets)):
            listed |= await self._spot(http)
        return choose(assets, listed, self.name)

    async def _perpetuals(self, http: aiohttp.ClientSession, dex: str) -> dict[str, Instrument]:
        body = {"type": "metaAndAssetCtxs", **({"dex": dex} if dex else {})}
        return of_perpetuals(await ask(http, f"{self.rest_url}/info", _perpetuals, body))

    async def _spot(self, http: aiohttp.ClientSession) -> dict[str, Instrument]:
        return of_spot(await ask(http, f"{self.rest_url}/info", _spot, {"type": "spotMetaAndAssetCtxs"}))

    def lines(self, assets: Collection[str]) -> list[Line]:
        """The socket of all fast channels; and that of the slow books while the venue's limit has room for them."""
        fast = [
            subscription
            for coin in assets
            for subscription in (
                {"type": "bbo", "coin": coin},
                {"type": "l2Book", "coin": coin, "fast": True},
                {"type": "trades", "coin": coin},
                {"type": "activeAssetCtx", "coin": coin},
            )
        ]
        found = [Line("hyperliquid", (self._plan(fast),), frozenset(assets))]
        if self._deep and len(fast) + len(assets) <= MAX_SUBSCRIPTIONS:
            slow = [{"type": "l2Book", "coin": coin} for coin in assets]
            found.append(Line("hyperliquid deep book", (self._plan(slow),), frozenset()))
        return found

    def _plan(self, subscriptions: Iterable[object]) -> Socket:
        hello = [json.dumps({"method": "subscribe", "subscription": item}) for item in subscriptions]
        return Socket(self._socket, tuple(hello), PING, PONG)

    async def beside(self, http: aiohttp.ClientSession, hear: Callable[[bytes], None]) -> None:
        """Nothing: the sockets bring everything."""
        await asyncio.Event().wait()

    def asset_of(self, frame: bytes) -> str:
        """The coin that a frame names first; it is the only one."""
        found = _coin.search(frame)
        return found[1].decode(errors="replace") if found and b'"subscriptionResponse"' not in frame[:40] else ""
