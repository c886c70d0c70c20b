"""Binance USD-M live, without key or account.

Depth and best bid and ask come from `/public`, trades and marks from `/market`: a stream asked for on the wrong one
connects and stays silent. The two sockets live and die together, so that no book goes on without its trades. Books are
snapshots fetched by REST whenever the adapter waits for one, brought up to date by the differences.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Collection, Iterable
from typing import Final

import aiohttp
import msgspec

from papertrader.services.feed.venues.binance.frames import BinanceAdapter
from papertrader.services.feed.venues.binance.rules import ExchangeInfo, FundingInterval, of_symbols
from papertrader.services.feed.venues.config import Access
from papertrader.services.feed.venues.live import Line, LiveError, Question, Socket, ask, choose
from papertrader.shared.messages import Instrument

log = logging.getLogger(__name__)

SOCKET_URL: Final = "https://fstream.binance.com"
REST_URL: Final = "https://fapi.binance.com"
PUBLIC: Final = ("depth@100ms", "bookTicker")
MARKET: Final = ("aggTrade", "markPrice@1s")
MAX_STREAMS: Final = 1_024
MAX_AGE_S: Final = 23.5 * 3_600
"""The venue ends a connection after 24 hours; ours are renewed before."""
SNAPSHOT_LEVELS: Final = 1_000
SNAPSHOT_EVERY_S: Final = 1.0
"""Time between two snapshots of one symbol."""
SNAPSHOTS_EVERY_S: Final = 0.6
"""Time between any two: each weighs 20 of the 2,400 that an address has in a minute."""
POLL_S: Final = 0.05
FUNDING_EVERY_S: Final = 3_600.0
"""Time between two requests for the funding intervals, which the venue changes at times."""
_symbol: Final = re.compile(rb'"(?:s|symbol)"\s*:\s*"([^"]+)"')


_funding: Final = msgspec.json.Decoder(list[FundingInterval])
_exchange_info: Final = msgspec.json.Decoder(ExchangeInfo, strict=False)


class Live:
    """The live venue Binance USD-M."""

    name = "binance"

    def __init__(self, config: Access) -> None:
        self.adapter = BinanceAdapter(frozenset(config.assets))
        self.opening: list[bytes] = []
        self._assets = frozenset(config.assets)
        self._socket = f"ws{(config.venue_url or SOCKET_URL).rstrip('/').removeprefix('http')}"
        self.rest_url = (config.venue_rest_url or config.venue_url or REST_URL).rstrip("/")

    @property
    def question(self) -> Question:
        """What time it is there: weight 1 of 2,400 a minute."""
        return Question(f"{self.rest_url}/fapi/v1/time", time_field="serverTime")

    async def instruments(self, http: aiohttp.ClientSession, assets: Collection[str]) -> dict[str, Instrument]:
        """Tick, lot and least notional of the symbols."""
        most = MAX_STREAMS // len(PUBLIC)
        if len(assets) > most:
            raise LiveError(f"feed.assets: at most {most} symbols: the venue allows {MAX_STREAMS} streams on a socket")
        info = await ask(http, f"{self.rest_url}/fapi/v1/exchangeInfo", _exchange_info)
        intervals = await self._funding_intervals(http)
        self.opening = list(map(funding_frame, intervals))
        return choose(assets, of_symbols(info, intervals), self.name)

    def lines(self, assets: Collection[str]) -> list[Line]:
        """One line of both sockets."""
        sockets = (self._plan("public", PUBLIC, assets), self._plan("market", MARKET, assets))
        return [Line("binance", sockets, frozenset(assets), MAX_AGE_S)]

    def _plan(self, kind: str, streams: Iterable[str], assets: Collection[str]) -> Socket:
        names = "/".join(f"{asset.lower()}@{stream}" for asset in assets for stream in streams)
        return Socket(f"{self._socket}/{kind}/stream?streams={names}")

    async def beside(self, http: aiohttp.ClientSession, hear: Callable[[bytes], None]) -> None:
        """Fetch a snapshot for every symbol that waits for one, and now and then the funding intervals."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_books(http, hear))
            tasks.create_task(self._follow_funding(http, hear))

    async def _follow_funding(self, http: aiohttp.ClientSession, hear: Callable[[bytes], None]) -> None:
        while True:
            await asyncio.sleep(FUNDING_EVERY_S)
            for interval in await self._funding_intervals(http):
                hear(funding_frame(interval))

    async def _follow_books(self, http: aiohttp.ClientSession, hear: Callable[[bytes], None]) -> None:
        asked: dict[str, float] = {}
        while True:
            await asyncio.sleep(POLL_S)
            for symbol in self.adapter.unsynchronised():
                if time.monotonic() - asked.get(symbol, -SNAPSHOT_EVERY_S) >= SNAPSHOT_EVERY_S:
                    asked[symbol] = time.monotonic()
                    await self._fetch_snapshot(http, symbol, hear)
                    await asyncio.sleep(SNAPSHOTS_EVERY_S)

    async def _funding_intervals(self, http: aiohttp.ClientSession) -> list[FundingInterval]:
        try:
            intervals = await ask(http, f"{self.rest_url}/fapi/v1/fundingInfo", _funding)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("no funding intervals, 8 h are assumed: %s", error or type(error).__name__)
            return []
        return [found for found in intervals if found.symbol in self._assets]

    async def _fetch_snapshot(self, http: aiohttp.ClientSession, symbol: str, hear: Callable[[bytes], None]) -> None:
        query = {"symbol": symbol, "limit": str(SNAPSHOT_LEVELS)}
        try:
            async with http.get(f"{self.rest_url}/fapi/v1/depth", params=query) as response:
                if response.status in (418, 429):
                    wait_s = float(response.headers.get("Retry-After", "30"))
                    log.warning("the venue asks for no more requests for %.0f s", wait_s)
                    await asyncio.sleep(wait_s)
                    return
                response.raise_for_status()
                content = await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            log.warning("no snapshot of %s: %s", symbol, error or type(error).__name__)
            return
        if content.startswith(b"{"):
            hear(b'{"symbol":"%s",' % symbol.encode() + content[1:])

    def asset_of(self, frame: bytes) -> str:
        """The symbol that a frame names."""
        found = _symbol.search(frame)
        return found[1].decode(errors="replace") if found else ""


def funding_frame(interval: FundingInterval) -> bytes:
    """What a tape holds of a symbol's funding interval."""
    return b'{"symbol":"%s","fundingIntervalHours":%d}' % (interval.symbol.encode(), interval.hours)
