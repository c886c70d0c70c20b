"""Any exchange that ccxt can watch (`pip install papertrader[ccxt]`): order books and trades, without key or account.

ccxt keeps the connections itself. What it unifies is written as frames of our own, which the adapter reads like those
of any venue.
"""

import asyncio
import importlib
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final

import aiohttp
import msgspec

from papertrader.services.feed.venues.ccxt.frames import CcxtAdapter
from papertrader.services.feed.venues.ccxt.rules import hours_of, rules_of, size_factor
from papertrader.services.feed.venues.config import Access, LiveConfig
from papertrader.services.feed.venues.live import Line, LiveError, choose
from papertrader.shared.market.tape import DISCONNECTED
from papertrader.shared.messages import Instrument

log = logging.getLogger(__name__)

LEVELS: Final = 20
FUNDING_EVERY_S: Final = 60.0
_encode: Final = msgspec.json.Encoder().encode

Hear = Callable[[bytes], None]


class Live:
    """One exchange through ccxt; its id is the venue's name."""

    opening = ()

    def __init__(self, config: Access) -> None:
        self.name = config.exchange
        self.adapter = CcxtAdapter(frozenset(config.assets))
        self._assets = config.assets
        self._live = config.live
        self._size_factors: dict[str, float] = {}
        self._exchange = _exchange(config.exchange, config.live)

    @property
    def rest_url(self) -> str:
        """ccxt knows it; this is where it explains the exchange."""
        return str(self._exchange.urls.get("www") or "https://docs.ccxt.com")

    @property
    def question(self) -> None:
        """None: ccxt asks."""
        return None

    async def instruments(self, http: aiohttp.ClientSession, assets: Collection[str]) -> dict[str, Instrument]:
        """Tick, lot and least cost of the symbols, as ccxt spells them (BTC/USDT:USDT)."""
        try:
            markets = await (self._exchange.load_markets(True) if self._size_factors else self._exchange.load_markets())
        except importlib.import_module("ccxt").BaseError as error:
            raise aiohttp.ClientPayloadError(f"ccxt: {error}") from None
        listed = {name: market for name, market in markets.items() if market.get("active") is not False}
        chosen = choose(assets, listed, self.name)
        rules = {name: rules_of(name, market, self._exchange.precisionMode) for name, market in chosen.items()}
        self._size_factors = {name: size_factor(instrument) for name, instrument in rules.items()}
        return rules

    def lines(self, assets: Collection[str]) -> list[Line]:
        """None: ccxt connects."""
        return []

    async def beside(self, http: aiohttp.ClientSession, hear: Hear) -> None:
        """Watch every symbol's book and trades, for ever."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for symbol in self._assets:
                    for watch in (self._watch_book, self._watch_trades):
                        tasks.create_task(self._again(watch, symbol, hear))
                    if self._exchange.has.get("fetchFundingRate"):
                        tasks.create_task(self._again(self._fetch_funding, symbol, hear))
        finally:
            await self._exchange.close()

    async def _again(
        self,
        work: Callable[[str, Callable[[bytes], None]], Awaitable[None]],
        symbol: str,
        hear: Callable[[bytes], None],
    ) -> None:
        """Do it again and again; after an error with full-jitter backoff, and the gap told."""
        errors, failures = importlib.import_module("ccxt"), 0
        while True:
            try:
                await work(symbol, hear)
                failures = 0
            except (errors.NetworkError, OSError, TimeoutError) as error:
                failures += 1
                log.warning("%s %s: %s: %s", self.name, symbol, type(error).__name__, error)
                if work != self._fetch_funding:
                    hear(DISCONNECTED)
                longest = min(self._live.reconnect_cap_s, self._live.reconnect_base_s * 2.0 ** min(failures, 16))
                await asyncio.sleep(random.uniform(0.0, longest))
            except errors.NotSupported as error:
                raise LiveError(f"feed.exchange: {self.name} cannot be watched: {error}") from None

    async def _watch_book(self, symbol: str, hear: Hear) -> None:
        book = await self._exchange.watch_order_book(symbol)
        factor = self._size_factors.get(symbol, 1.0)
        sides = {
            side: [(float(level[0]), float(level[1]) * factor) for level in book[side][:LEVELS]]
            for side in ("bids", "asks")
        }
        hear(_encode({"kind": "book", "asset": symbol, "time": book.get("timestamp"), **sides}))

    async def _watch_trades(self, symbol: str, hear: Hear) -> None:
        trades = await self._exchange.watch_trades(symbol)
        prints = [print_of(trade, self._size_factors.get(symbol, 1.0)) for trade in trades]
        hear(_encode({"kind": "trades", "asset": symbol, "prints": prints}))

    async def _fetch_funding(self, symbol: str, hear: Hear) -> None:
        errors = importlib.import_module("ccxt")
        try:
            found = await self._exchange.fetch_funding_rate(symbol)
        except (errors.ExchangeError, errors.BadSymbol):
            await asyncio.Event().wait()  # spot has none
            return
        when = {
            "period_s": round(3600 * hours_of(found.get("interval"))),
            "next_time": int(found.get("fundingTimestamp") or 0),
        }
        prices = {"mark_price": found.get("markPrice"), "index_price": found.get("indexPrice")}
        hear(_encode({"kind": "funding", "asset": symbol, "rate": found.get("fundingRate"), **when, **prices}))
        await asyncio.sleep(FUNDING_EVERY_S)

    def asset_of(self, frame: bytes) -> str:
        """None: what ccxt brings is no venue's frame, and is not recorded."""
        return ""


def _exchange(name: str, live: LiveConfig) -> Any:
    try:
        pro = importlib.import_module("ccxt.pro")
    except ImportError:
        raise LiveError("feed.source 'ccxt' needs the package: pip install 'papertrader[ccxt]'") from None
    if name not in pro.exchanges:
        raise LiveError(f"feed.exchange: ccxt knows no {name!r} that it can watch; e.g. {', '.join(pro.exchanges[:8])}")
    options = {"newUpdates": True, "enableRateLimit": True, "timeout": int(live.request_timeout_s * 1e3)}
    return getattr(pro, name)(options)


def print_of(trade: Mapping[str, Any], size_factor: float) -> dict[str, Any]:
    """A public trade as the adapter reads it; what the exchange does not say is None or 0."""
    time, price, amount = (trade.get(name) for name in ("timestamp", "price", "amount"))
    return {
        "id": str(trade.get("id") or f"{time}-{price}-{amount}"),
        "time": time,
        "price": float(price or 0.0),
        "size": float(amount or 0.0) * size_factor,
        "side": trade["side"] if trade.get("side") in ("buy", "sell") else None,
    }
