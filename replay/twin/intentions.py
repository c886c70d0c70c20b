"""What a maker meant to do with an order that was filled before he could do it.

A live order ends by a fill or by its maker's cancel, whichever is first. On paper it may not be filled at the moment at
which it was filled live; then it needs the cancel that live never came to. How long he leaves orders standing is known
from those that he did cancel; orders that were filled lived at least as long as they did (right-censored), so the
distribution of lifetimes is the product-limit estimate (Kaplan & Meier 1958).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from papertrader.replay.twin.record import LiveOrder
from papertrader.shared.market.hashing import splitmix64

LONGEST_NS: Final = 60_000_000_000
"""How long an order is left where the record holds no longer cancelled one."""


class Lifetimes(NamedTuple):
    """The distribution of how long orders are left: ages in ns, rising, and the share that lives longer than each."""

    ages: npt.NDArray[np.int64]
    survival: npt.NDArray[np.float64]

    def after(self, age: int, u: float) -> int:
        """An age beyond `age`, at the share u in [0, 1) of those orders that get as old."""
        first = int(np.searchsorted(self.ages, age, side="right"))
        alive = 1.0 if first == 0 else float(self.survival[first - 1])
        later = np.flatnonzero(self.survival[first:] <= alive * (1.0 - u))
        if alive <= 0 or not len(later):
            return age + LONGEST_NS
        return int(self.ages[first + later[0]])


def lifetimes(orders: Sequence[LiveOrder]) -> Lifetimes:
    """How long these orders are left; those that were filled or never ended count as long as they lived."""
    ended = [(order.ended_ts - order.placed_ts, True) for order in orders if order.ended_ts > 0]
    cut = [(order.lived_to_ts - order.placed_ts, False) for order in orders if not order.ended_ts and order.fills]
    if not ended:
        return Lifetimes(np.zeros(0, dtype=np.int64), np.zeros(0))
    seen = sorted([*ended, *cut], key=lambda item: (item[0], not item[1]))
    ages, survival, alive = [], [], 1.0
    for index, (age, was_cancelled) in enumerate(seen):
        if was_cancelled:
            alive *= 1.0 - 1.0 / (len(seen) - index)
            ages.append(age)
            survival.append(alive)
    return Lifetimes(np.array(ages, dtype=np.int64), np.array(survival))


def intended_cancels(orders: Sequence[LiveOrder]) -> list[int]:
    """When each order is cancelled on paper if it has not been filled by then, ns; 0 for one that takes."""
    known = lifetimes(orders)
    cancels = []
    for number, order in enumerate(orders):
        if order.time_in_force == "ioc":
            cancels.append(0)
        elif order.ended_ts > 0:
            cancels.append(order.ended_ts)
        else:
            lived = max(order.lived_to_ts - order.placed_ts, 0)
            cancels.append(order.placed_ts + known.after(lived, _share(number)))
    return cancels


def _share(number: int) -> float:
    """A number in [0, 1) that depends on the order's number alone."""
    return float(splitmix64(number) >> np.uint64(11)) / 9007199254740992.0
