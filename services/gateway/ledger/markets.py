"""Markets as the log tells them: book, touch, prints, context and candles."""

import math
from collections import deque
from typing import Final, NamedTuple

from papertrader.services.gateway.kernel import size_decimals
from papertrader.services.gateway.ledger.candles import Candles
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Bbo, Book, Context, Depth, Instrument, Trades

PRINTS_KEPT: Final = 50
LEVELS: Final = 20


class Touch(NamedTuple):
    """Best bid and ask with their sizes; None where a side is empty."""

    bid: tuple[float, float] | None
    ask: tuple[float, float] | None


class MarketView:
    """One market. `asset` is its id: its place among the perpetuals, or 10000 and its place among the spot pairs."""

    def __init__(self, market: Market, asset: int, instrument: Instrument) -> None:
        self.market = market
        self.coin = market.asset
        self.asset = asset
        self.instrument = instrument
        self.context = Context(ts=0, recv_ts=0)
        self.prints: deque[tuple[Trades, int]] = deque(maxlen=PRINTS_KEPT)
        self.candles = Candles()
        self.clock_ts = 0
        self.round = -1
        self.book_ts = 0
        self.book_changes = 0
        self.ended = False
        self.round_at_s = -math.inf
        """When a round's end was heard last, monotonic time."""
        self._bids: dict[float, float] = {}
        self._asks: dict[float, float] = {}

    @property
    def size_decimals(self) -> int:
        """The decimals that sizes have."""
        return size_decimals(self.instrument.lot_size)

    @property
    def is_spot(self) -> bool:
        """Whether it is a spot pair."""
        return self.instrument.kind == "spot"

    def on_book(self, book: Book) -> None:
        """Take a whole book."""
        self._bids = dict(zip(book.bid_prices, book.bid_sizes, strict=False))
        self._asks = dict(zip(book.ask_prices, book.ask_sizes, strict=False))
        self._changed(book.ts)

    def on_depth(self, depth: Depth) -> None:
        """Take levels that changed; a size of 0 removes one."""
        for side, prices, sizes in (
            (self._bids, depth.bid_prices, depth.bid_sizes),
            (self._asks, depth.ask_prices, depth.ask_sizes),
        ):
            for price, size in zip(prices, sizes, strict=True):
                if size > 0:
                    side[price] = size
                else:
                    side.pop(price, None)
        self._changed(depth.ts)

    def on_bbo(self, bbo: Bbo) -> None:
        """Take the touch: no level of a side is better than its best."""
        if bbo.bid_price is not None and bbo.bid_size is not None:
            self._bids = {price: size for price, size in self._bids.items() if price < bbo.bid_price}
            self._bids[bbo.bid_price] = bbo.bid_size
            self._asks = {price: size for price, size in self._asks.items() if price > bbo.bid_price}
        if bbo.ask_price is not None and bbo.ask_size is not None:
            self._asks = {price: size for price, size in self._asks.items() if price > bbo.ask_price}
            self._asks[bbo.ask_price] = bbo.ask_size
            self._bids = {price: size for price, size in self._bids.items() if price < bbo.ask_price}
        self._changed(bbo.ts)

    def on_trades(self, trades: Trades, number: int) -> None:
        """Take prints; `number` is their place on the log."""
        self.candles.hear(trades)
        self.prints.append((trades, number))

    def _changed(self, ts: int) -> None:
        self.book_ts = max(self.book_ts, ts)
        self.book_changes += 1

    def levels(self, depth: int = LEVELS) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        """Bids and asks, best first: (price, size)."""
        bids = sorted(self._bids.items(), reverse=True)[:depth]
        return bids, sorted(self._asks.items())[:depth]

    def touch(self) -> Touch:
        """Best bid and ask."""
        bid = max(self._bids.items(), default=None)
        return Touch(bid, min(self._asks.items(), default=None))

    @property
    def mid(self) -> float | None:
        """The mid, None without two sides."""
        bid, ask = self.touch()
        return None if bid is None or ask is None else (bid[0] + ask[0]) / 2

    @property
    def mark(self) -> float:
        """The venue's mark; where it says none the mid, 0 without either."""
        return self.context.mark_price or self.mid or 0.0

    def crosses(self, side: int, price: float) -> bool:
        """Whether an order at this price would trade now."""
        bid, ask = self.touch()
        return (ask is not None and price >= ask[0]) if side > 0 else (bid is not None and price <= bid[0])


class Markets:
    """All markets on the log, by coin and by asset id."""

    def __init__(self) -> None:
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
        found = self._of[market] = self._by_asset[asset] = MarketView(market, asset, instrument)
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
