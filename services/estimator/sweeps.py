"""Public prints put together to aggressive orders, and how far beyond the mid those reached."""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.records import Record

SWEEPS: Final = np.dtype(
    [
        ("ts", "i8"),
        ("side", "i8"),
        ("mid", "f8"),  # the mid before the first print of the open order, 0 if none is open
        ("farthest", "f8"),
        ("count", "i8"),  # orders finished in the open second
        ("reach", "f8"),  # the sum of their reaches
    ],
    align=True,
)


@njit(cache=True)
def belongs(sweeps: Record, ts: int, side: int) -> bool:
    """Whether a print is part of the open order: prints of one instant and one side are one order."""
    return ts == sweeps.ts and side == sweeps.side and sweeps.mid > 0


@njit(cache=True)
def begin(sweeps: Record, ts: int, side: int, mid: float) -> None:
    """Begin an order that meets this mid; before there is one, none is open."""
    finish(sweeps)
    sweeps.ts = ts
    sweeps.side = side
    sweeps.mid = mid if mid > 0 else 0.0
    sweeps.farthest = 0.0


@njit(cache=True)
def on_print(sweeps: Record, side: int, price: float) -> None:
    """Fold a print into the open order.

    Its reach is how far beyond the mid before it the farthest of its prints was, as a fraction of that mid.
    """
    if sweeps.mid > 0:
        sweeps.farthest = max(sweeps.farthest, side * (price - sweeps.mid) / sweeps.mid)


@njit(cache=True)
def finish(sweeps: Record) -> None:
    """Count the open order."""
    if sweeps.mid > 0:
        sweeps.count += 1
        sweeps.reach += sweeps.farthest
    sweeps.mid = 0.0


@njit(cache=True)
def on_gap(sweeps: Record) -> None:
    """Forget the open order: its mid is old."""
    sweeps.mid = 0.0
