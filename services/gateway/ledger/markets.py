"""Markets as the log tells them: book, touch, prints, context and candles."""

import math
import time
from collections import deque
from typing import Final, NamedTuple

from papertrader.services.gateway.kernel import size_decimals
from papertrader.services.gateway.ledger.candles import Candles
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Bbo, Book, Context, Depth, Instrument, Trades

PRINTS_KEPT: Final = 50
LEVELS: Final = 20
DEEPER_NS: Final = 10 * 10**9
"""So long levels stay known that lie beyond those of a newer book: the venue's deep book comes every five seconds."""
QUIET_S: Final = 1.0
"""So long, at most, time is taken to go on though no round ends: a live feed ends one every second."""


class Level(NamedTuple):
    """A level of a book; `orders` is how many stand there, 0 where the venue does not tell."""

    price: float
    size: float
    orders: int


class Touch(NamedTuple):
    """Best bid and ask; None where a side is empty."""

    bid: Level | None
    ask: Level | None


class Told(NamedTuple):
    """What was told of a level at a time, ns UTC."""

    size: float
    orders: int
    ts: int


class Sides(NamedTuple):
    """What is known of a book by price; `ts` is the time of the newest, ns UTC."""

    bids: dict[float, Told]
    asks: dict[float, Told]
    ts: int

    def levels(self, depth: int = LEVELS) -> tuple[list[Level], list[Level]]:
        """Bids and asks, best first."""
        bids, asks = sorted(self.bids.items(), reverse=True)[:depth], sorted(self.asks.items())[:depth]
        return [_level(*bid) for bid in bids], [_level(*ask) for ask in asks]


class MarketView:
    """One market. `asset` is its id: its place among the perpetuals, or 10000 and its place among the spot pairs.

    `speed` is how many seconds of event time go by in one.
    """

    def __init__(self, market: Market, asset: int, instrument: Instrument, speed: float = 1.0) -> None:
        self._speed = speed
        self.market = market
        self.coin = market.asset
        self.asset = asset
        self.instrument = instrument
        self.context = Context(ts=0, recv_ts=0)
        self.prints: deque[tuple[Trades, int]] = deque(maxlen=PRINTS_KEPT)
        self.candles = Candles()
        self.clock_ts = 0
        self.round = -1
        self.book_changes = 0
        self.ended = False
        self.round_at_s = math.inf
        """When a round's end was heard last, monotonic time; infinite before the first."""
        self.book = Sides({}, {}, 0)
        self._whole: Sides | None = None

    @property
    def size_decimals(self) -> int:
        """The decimals that sizes have."""
        return size_decimals(self.instrument.lot_size)

    @property
    def is_spot(self) -> bool:
        """Whether it is a spot pair."""
        return self.instrument.kind == "spot"

    @property
    def now_ts(self) -> int:
        """The event clock of this moment, ns UTC: that of the last round's end, and what has gone by since."""
        since_s = min(max(time.monotonic() - self.round_at_s, 0.0), QUIET_S)
        return self.clock_ts + int(since_s * self._speed * 1e9)

    def on_book(self, book: Book) -> None:
        """Take a whole book, down to the levels that it shows; of what lies beyond, what was told lately stays."""
        bids = _told(book.bid_prices, book.bid_sizes, book.bid_orders, book.ts)
        asks = _told(book.ask_prices, book.ask_sizes, book.ask_orders, book.ts)
        worst_bid, worst_ask, since = min(bids, default=-1.0), max(asks, default=math.inf), book.ts - DEEPER_NS
        bids |= {price: told for price, told in self.book.bids.items() if price < worst_bid and told.ts > since}
        asks |= {price: told for price, told in self.book.asks.items() if price > worst_ask and told.ts > since}
        self._take(bids, asks, book.ts, whole=True)

    def on_depth(self, depth: Depth) -> None:
        """Take levels that changed; a size of 0 removes one."""
        for side, prices, sizes in (
            (self.book.bids, depth.bid_prices, depth.bid_sizes),
            (self.book.asks, depth.ask_prices, depth.ask_sizes),
        ):
            for price, size in zip(prices, sizes, strict=True):
                if size > 0:
                    side[price] = Told(size, 0, depth.ts)
                else:
                    side.pop(price, None)
        self._take(self.book.bids, self.book.asks, depth.ts, whole=True)

    def on_bbo(self, bbo: Bbo) -> None:
        """Take the touch: no level of a side is better than its best."""
        bids, asks = self.book.bids, self.book.asks
        if bbo.bid_price is not None and bbo.bid_size is not None:
            bids = {price: told for price, told in bids.items() if price < bbo.bid_price}
            bids[bbo.bid_price] = Told(bbo.bid_size, bbo.bid_orders, bbo.ts)
            asks = {price: told for price, told in asks.items() if price > bbo.bid_price}
        if bbo.ask_price is not None and bbo.ask_size is not None:
            asks = {price: told for price, told in asks.items() if price > bbo.ask_price}
            asks[bbo.ask_price] = Told(bbo.ask_size, bbo.ask_orders, bbo.ts)
            bids = {price: told for price, told in bids.items() if price < bbo.ask_price}
        self._take(bids, asks, bbo.ts, whole=False)

    def on_trades(self, trades: Trades, number: int) -> None:
        """Take prints; `number` is their place on the log."""
        self.candles.hear(trades)
        self.prints.append((trades, number))

    def _take(self, bids: dict[float, Told], asks: dict[float, Told], ts: int, *, whole: bool) -> None:
        if whole:
            self._whole = None
        elif self._whole is None:
            self._whole = self.book
        self.book = Sides(bids, asks, max(self.book.ts, ts))
        self.book_changes += 1

    @property
    def told(self) -> Sides:
        """The book as the venue told it last: a newer touch takes levels away, and none tells what follows them."""
        return self.book if self._whole is None else self._whole

    def touch(self) -> Touch:
        """Best bid and ask."""
        bid, ask = max(self.book.bids.items(), default=None), min(self.book.asks.items(), default=None)
        return Touch(None if bid is None else _level(*bid), None if ask is None else _level(*ask))

    @property
    def mid(self) -> float | None:
        """The mid, None without two sides."""
        bid, ask = self.touch()
        return None if bid is None or ask is None else (bid.price + ask.price) / 2

    @property
    def mark(self) -> float:
        """The venue's mark; where it says none the mid, 0 without either."""
        return self.context.mark_price or self.mid or 0.0

    def crosses(self, side: int, price: float) -> bool:
        """Whether an order at this price would trade now."""
        bid, ask = self.touch()
        return (ask is not None and price >= ask.price) if side > 0 else (bid is not None and price <= bid.price)


def _level(price: float, told: Told) -> Level:
    return Level(price, told.size, told.orders)


def _told(prices: list[float], sizes: list[float], orders: list[int], ts: int) -> dict[float, Told]:
    levels = zip(prices, sizes, orders or [0] * len(prices), strict=False)
    return {price: Told(size, count, ts) for price, size, count in levels}


class Markets:
    """All markets on the log, by coin and by asset id."""

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed
        self._of: dict[Market, MarketView] = {}
        self._by_coin: dict[str, MarketView] = {}
        self._by_asset: dict[int, MarketView] = {}

    def on_instrument(self, market: Market, instrument: Instrument) -> MarketView:
        """Take a market's rules: the first time it gets the next id of its kind."""
        found = self._of.get(market)
        if found is not None:
            found.instrument = instrument
            return found
        spot = instrument.kind == "spot"
        asset = (10_000 if spot else 0) + len(self.spot if spot else self.perpetuals)
        found = self._of[market] = self._by_asset[asset] = MarketView(market, asset, instrument, self._speed)
        self._by_coin.setdefault(found.coin, found)
        return found

    def of(self, market: Market) -> MarketView | None:
        """A market of the log."""
        return self._of.get(market)

    def coin(self, name: str) -> MarketView | None:
        """A market by the name that clients have for it."""
        return self._by_coin.get(name)

    def asset(self, number: int) -> MarketView | None:
        """A market by its id."""
        return self._by_asset.get(number)

    @property
    def all(self) -> list[MarketView]:
        """Every market, in the order in which they came."""
        return list(self._of.values())

    @property
    def perpetuals(self) -> list[MarketView]:
        """All but the spot pairs, by id."""
        return [view for view in self._of.values() if not view.is_spot]

    @property
    def spot(self) -> list[MarketView]:
        """The spot pairs, by id."""
        return [view for view in self._of.values() if view.is_spot]

    @property
    def clock_ts(self) -> int:
        """The event clock: the end of the last round of any market, ns UTC."""
        return max((view.clock_ts for view in self._of.values()), default=0)
