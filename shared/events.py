"""Market data as a flat array of events: what kernels read, on the bus and in replay alike."""

from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from shared.messages import Bbo, Book, Context, Depth, Gap, Instrument, Message, RoundEnd, Trades

EVENT: Final = np.dtype(
    [
        ("ts", "i8"),
        ("tick", "i8"),
        ("id", "i8"),
        ("size", "f8"),
        ("value", "f8"),
        ("kind", "i1"),
        ("side", "i1"),
        ("last", "i1"),
    ],
    align=True,
)
"""One row: a level, a touch, a print, ... `last` marks the last row of its message."""

SNAPSHOT: Final = 1
"""Starts one side of a full book; `tick` is the worst level shown. Its levels follow as LEVEL rows."""
LEVEL: Final = 2
"""`size` at `tick` on `side` (+1 bid, −1 ask) is now this; 0 removes the level."""
TOUCH: Final = 3
"""The best level of `side`; `tick` 0 says that the side is empty."""
PRINT: Final = 4
"""A public trade; `side` is the aggressor: +1 the taker bought."""
MARK: Final = 5
"""`value` is the venue's mark price, `size` the funding rate per hour; NaN where unknown."""
GAP: Final = 6
"""Market data from `id` (ns) up to `ts` was missed."""
ROUND: Final = 7
"""A round ends at `ts`; `id` is its number."""

Events = npt.NDArray[np.void]


def empty_events() -> Events:
    """No event at all."""
    return np.zeros(0, dtype=EVENT)


class Grid:
    """The price grid of a market: prices to integer ticks and back, each price the nearest float to its decimal."""

    __slots__ = ("tick_size", "ticks_per_unit")

    def __init__(self, instrument: Instrument) -> None:
        self.tick_size = instrument.tick_size
        self.ticks_per_unit = float(round(1 / instrument.tick_size)) if instrument.tick_size < 1 else 0.0

    def ticks(self, prices: list[float]) -> npt.NDArray[np.int64]:
        """The nearest tick of each price."""
        scaled = (
            np.asarray(prices) * self.ticks_per_unit if self.ticks_per_unit else np.asarray(prices) / self.tick_size
        )
        return np.rint(scaled).astype(np.int64)

    def price(self, tick: int) -> float:
        """The price of a tick."""
        return tick / self.ticks_per_unit if self.ticks_per_unit else tick * self.tick_size


def market_events(messages: Iterable[Message], grid: Grid) -> Events:
    """The market data messages of a round, in their order, as one event array. Other messages yield nothing."""
    parts = [part for message in messages if (part := _events(message, grid)) is not None]
    return np.concatenate(parts) if parts else empty_events()


def _events(message: Message, grid: Grid) -> Events | None:
    if isinstance(message, Bbo):
        return _touch(message, grid)
    if isinstance(message, Trades):
        return _prints(message, grid)
    if isinstance(message, Book):
        return _levels(message, grid, snapshot=True)
    if isinstance(message, Depth):
        return _levels(message, grid, snapshot=False)
    return _single(message)


def _touch(message: Bbo, grid: Grid) -> Events:
    rows = np.zeros(2, dtype=EVENT)
    rows["ts"], rows["kind"], rows["side"] = message.ts, TOUCH, (1, -1)
    prices = [message.bid_price or 0.0, message.ask_price or 0.0]
    rows["tick"] = grid.ticks(prices)
    rows["size"] = (message.bid_size or 0.0, message.ask_size or 0.0)
    rows["last"] = (0, 1)
    return rows


def _prints(message: Trades, grid: Grid) -> Events:
    rows = np.zeros(len(message.prices), dtype=EVENT)
    rows["ts"], rows["kind"], rows["id"] = message.times, PRINT, message.trade_ids
    rows["tick"], rows["size"] = grid.ticks(message.prices), message.sizes
    rows["side"] = [1 if side == "buy" else -1 for side in message.aggressors]
    rows["last"] = 1
    return rows


def _levels(message: Book | Depth, grid: Grid, snapshot: bool) -> Events:
    bids, asks = len(message.bid_prices), len(message.ask_prices)
    head = 2 if snapshot else 0
    rows = np.zeros(head + bids + asks, dtype=EVENT)
    if not len(rows):
        return rows
    rows["ts"], rows["kind"] = message.ts, LEVEL
    rows["side"][head : head + bids], rows["side"][head + bids :] = 1, -1
    rows["tick"][head:] = grid.ticks(message.bid_prices + message.ask_prices)
    rows["size"][head:] = message.bid_sizes + message.ask_sizes
    if snapshot:
        rows["kind"][:2], rows["side"][:2] = SNAPSHOT, (1, -1)
        rows["tick"][0] = rows["tick"][1 + bids] if bids else 0
        rows["tick"][1] = rows["tick"][-1] if asks else 0
    rows["last"][-1] = 1
    return rows


def _single(message: Message) -> Events | None:
    row = np.zeros(1, dtype=EVENT)
    row["ts"], row["last"] = message.ts, 1
    if isinstance(message, Context):
        row["kind"] = MARK
        row["value"] = np.nan if message.mark_price is None else message.mark_price
        row["size"] = np.nan if message.funding_rate is None else message.funding_rate
    elif isinstance(message, Gap):
        row["kind"], row["id"], row["ts"] = GAP, message.from_ts, message.to_ts
    elif isinstance(message, RoundEnd):
        row["kind"], row["id"] = ROUND, message.round
    else:
        return None
    return row
