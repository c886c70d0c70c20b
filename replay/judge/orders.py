"""Order-by-order (level-3) market data as one flat array: what every reader makes and the exact book is folded from."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

ORDER_EVENT: Final = np.dtype(
    [
        ("ts", "i8"),
        ("order", "i8"),  # the order's index, 0 to orders − 1; −1 where there is none
        ("size", "f8"),
        ("tick", "i8"),
        ("action", "i1"),
        ("side", "i1"),  # of the order (+1 bid, −1 ask); of a print: of its taker
    ],
    align=True,
)
ADD: Final = 1
"""An order of `size` arrives and rests at `tick`: behind it stands a shadow."""
STANDING: Final = 2
"""As ADD, of an order that stood before the data begin: nobody saw it arrive."""
REDUCE: Final = 3
"""The order loses `size` without a trade."""
EXECUTE: Final = 4
"""The order loses `size` to a taker."""
PRINT: Final = 5
"""The public print of a trade."""
HIDDEN: Final = 6
"""The public print of a trade with an order that was never shown; whoever is shown at its price comes first."""
MODIFY: Final = 7
"""The order has `size` at `tick` from now on; it keeps its place if the price is the same and the size no larger."""

Events = npt.NDArray[np.void]


class JudgeError(ValueError):
    """A file that cannot be judged on; the text says which and why."""


class OrderData(NamedTuple):
    """One market's orders: events in the order of time, the orders' number, the tick and the file's name."""

    events: Events
    orders: int
    tick_size: float
    name: str


def order_data(columns: Mapping[str, npt.NDArray[Any]], tick_size: float, name: str) -> OrderData:
    """Events from columns that run in parallel, `order` still being the venue's ids; times never go back.

    Raises JudgeError if there is no order at all.
    """
    count = len(columns["ts"])
    if not count:
        raise JudgeError(f"{name}: holds no orders")
    events = np.zeros(count, dtype=ORDER_EVENT)
    for field in ("size", "tick", "action", "side"):
        events[field] = columns[field]
    events["ts"] = np.maximum.accumulate(columns["ts"].astype(np.int64))
    ids, events["order"] = np.unique(columns["order"], return_inverse=True)
    events["order"][(events["action"] == PRINT) | (events["action"] == HIDDEN)] = -1
    return OrderData(events, len(ids), tick_size, name)


def tick_of(prices: npt.NDArray[np.int64]) -> int:
    """The largest step of which every integer price is a multiple."""
    return int(np.gcd.reduce(prices)) or 1
