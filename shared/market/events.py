"""Market data as a flat array of events: what kernels read, on the bus and in replay alike."""

from typing import Final

import numpy as np
import numpy.typing as npt

from papertrader.shared.messages import Instrument

EVENT: Final = np.dtype(
    [
        ("ts", "i8"),
        ("id", "i8"),
        ("size", "f8"),
        ("tick", "i4"),
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
"""`size` at `tick` on `side` (+1 bid, −1 ask) is now this; 0 removes the level. `id` orders, 0 where nobody tells."""
TOUCH: Final = 3
"""The best level of `side`; `tick` 0 says that the side is empty. `id` as of a level."""
PRINT: Final = 4
"""A public trade; `side` is the aggressor: +1 the taker bought."""
MARK: Final = 5
"""`size` is the venue's mark price; NaN where unknown."""
FUNDING: Final = 6
"""`size` is the funding rate for `id` ns, NaN where unknown: the last row of a context."""
GAP: Final = 7
"""Market data from `id` (ns) up to `ts` was missed."""
ROUND: Final = 8
"""A round ends at `ts`; `id` is its number."""
ORACLE: Final = 9
"""`size` is the oracle's or index price; NaN where unknown. Follows the MARK of its context."""
SETTLEMENT: Final = 10
"""`id` is when the venue pays funding next, 0 where it does not say. Stands before the FUNDING of its context."""
RULES: Final = 11
"""The trading rules change: before the first event of a round, in a session's array only. `id` counts the changes."""

Events = npt.NDArray[np.void]

TICKS: Final = 2**31
"""A price lies below so many ticks."""


def empty_events() -> Events:
    """No event at all."""
    return np.zeros(0, dtype=EVENT)


class Grid:
    """The price grid of a market: prices to integer ticks and back, each price the nearest float to its decimal."""

    __slots__ = ("tick_size", "ticks_per_unit")

    def __init__(self, instrument: Instrument) -> None:
        self.tick_size = instrument.tick_size
        self.ticks_per_unit = steps_per_unit(instrument.tick_size)

    def price(self, tick: int) -> float:
        """The price of a tick."""
        return tick / self.ticks_per_unit if self.ticks_per_unit else tick * self.tick_size

    def tick(self, price: float) -> int:
        """The nearest tick of a price."""
        return round(price * self.ticks_per_unit if self.ticks_per_unit else price / self.tick_size)


def steps_per_unit(step: float) -> float:
    """How many steps of a grid are 1 where that is a whole number above 1, else 0: then prices are multiples of it."""
    steps = round(1 / step) if 0 < step < 1 else 0
    return float(steps) if abs(steps * step - 1) < 1e-9 else 0.0
