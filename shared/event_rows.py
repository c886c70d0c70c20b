"""Rounds of market data messages as EVENT rows: what messages hold is gathered in lists and made an array once.

A message costs about 3 µs so, where an array of its own for each costs 20 to 30.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from shared.events import EVENT, FUNDING, GAP, LEVEL, MARK, PRINT, ROUND, SNAPSHOT, TOUCH, Events, Grid, empty_events
from shared.messages import Bbo, Book, Context, Depth, Gap, Message, RoundEnd, Trades


class _Rows:
    """The rows of messages, in order. `runs`, flat, has ts, kind, side and count of rows that share them."""

    __slots__ = ("ids", "ids_at", "last_at", "prices", "runs", "sizes")

    def __init__(self) -> None:
        self.runs: list[int] = []
        self.prices: list[float] = []
        self.sizes: list[float] = []
        self.last_at: list[int] = []
        self.ids: list[int] = []
        self.ids_at: list[int] = []

    def touch(self, message: Bbo) -> None:
        """Both sides' best levels."""
        self.runs += (message.ts, TOUCH, 1, 1, message.ts, TOUCH, -1, 1)
        self.prices += (message.bid_price or 0.0, message.ask_price or 0.0)
        self.sizes += (message.bid_size or 0.0, message.ask_size or 0.0)
        self.last_at.append(len(self.prices) - 1)

    def prints(self, message: Trades) -> None:
        """Each print with its own time, side and id."""
        first, count = len(self.prices), len(message.prices)
        if not count == len(message.sizes) == len(message.trade_ids):
            raise ValueError(f"prints of {message.ts} lack a size or an id")
        for time, aggressor in zip(message.times, message.aggressors, strict=True):
            self.runs += (time, PRINT, 1 if aggressor == "buy" else -1, 1)
        self.prices += message.prices
        self.sizes += message.sizes
        self.ids += message.trade_ids
        places = range(first, first + count)
        self.ids_at += places
        self.last_at += places

    def snapshot(self, message: Book) -> None:
        """A start row a side with its worst level, then the levels."""
        bids, asks = message.bid_prices, message.ask_prices
        self.runs += (message.ts, SNAPSHOT, 1, 1, message.ts, SNAPSHOT, -1, 1)
        self.prices += (bids[-1] if bids else 0.0, asks[-1] if asks else 0.0)
        self.sizes += (0.0, 0.0)
        self._levels(message)
        self.last_at.append(len(self.prices) - 1)

    def levels(self, message: Depth) -> None:
        """The levels that changed."""
        if message.bid_prices or message.ask_prices:
            self._levels(message)
            self.last_at.append(len(self.prices) - 1)

    def _levels(self, message: Book | Depth) -> None:
        bids, asks = message.bid_prices, message.ask_prices
        if len(bids) != len(message.bid_sizes) or len(asks) != len(message.ask_sizes):
            raise ValueError(f"levels of {message.ts} lack a price or a size")
        self.runs += (message.ts, LEVEL, 1, len(bids), message.ts, LEVEL, -1, len(asks))
        self.prices += bids
        self.prices += asks
        self.sizes += message.bid_sizes
        self.sizes += message.ask_sizes

    def news(self, message: Context) -> None:
        """The venue's mark price and its funding rate, each as the size of a row."""
        self.runs += (message.ts, MARK, 0, 1, message.ts, FUNDING, 0, 1)
        self.prices += (0.0, 0.0)
        for number in (message.mark_price, message.funding_rate):
            self.sizes.append(np.nan if number is None else number)
        self.last_at.append(len(self.prices) - 1)

    def gap(self, message: Gap) -> None:
        """From `id` to `ts`."""
        self.ids_at.append(len(self.prices))
        self.ids.append(message.from_ts)
        self._single(message.to_ts, GAP, 0.0)

    def round_end(self, message: RoundEnd) -> None:
        """The round's number as `id`."""
        self.ids_at.append(len(self.prices))
        self.ids.append(message.round)
        self._single(message.ts, ROUND, 0.0)

    def _single(self, ts: int, kind: int, size: float) -> None:
        self.last_at.append(len(self.prices))
        self.runs += (ts, kind, 0, 1)
        self.prices.append(0.0)
        self.sizes.append(size)

    def array(self, grid: Grid) -> Events:
        """All rows."""
        rows = np.zeros(len(self.prices), dtype=EVENT)
        runs = np.array(self.runs, dtype=np.int64).reshape(-1, 4)
        rows["ts"], rows["kind"], rows["side"] = runs[:, :3].repeat(runs[:, 3], axis=0).T
        rows["tick"] = grid.ticks(self.prices)
        rows["size"] = self.sizes
        rows["last"][self.last_at] = 1
        if self.ids:
            rows["id"][self.ids_at] = self.ids
        return rows


_ADD: Final[dict[type[Message], Callable[[_Rows, Any], None]]] = {
    Bbo: _Rows.touch,
    Trades: _Rows.prints,
    Book: _Rows.snapshot,
    Depth: _Rows.levels,
    Context: _Rows.news,
    Gap: _Rows.gap,
    RoundEnd: _Rows.round_end,
}


def market_events(messages: Iterable[Message], grid: Grid) -> Events:
    """The market data messages of a round, in their order, as one event array. Other messages yield nothing."""
    rows = _Rows()
    for message in messages:
        add = _ADD.get(type(message))
        if add is not None:
            add(rows, message)
    return rows.array(grid) if rows.prices else empty_events()
