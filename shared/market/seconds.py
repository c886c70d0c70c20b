"""The market second by second: a one-second grid of mids in event time, and what happened in each second.

The mid of a second is the last one at or before its end. A return over a gap is dropped, never used.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.mathematics import log
from papertrader.shared.market.records import Record, Records

NS_PER_S: Final = 1_000_000_000

SECONDS: Final = np.dtype(
    [
        ("boundary", "i8"),  # end of the second that is open, 0 before the first event
        ("mid", "f8"),  # the newest mid, 0 while unknown
        ("spread_bps", "f8"),
        ("closed_mid", "f8"),  # the mid at the end of the last closed second, 0 while unknown
        ("prints", "i8"),  # in the open second
        ("dropped", "i8"),  # returns not taken because they straddle a gap
    ],
    align=True,
)
SECOND: Final = np.dtype(
    [
        ("ts", "i8"),  # end of the last second that was closed
        ("seconds", "i8"),  # how many were closed: after the first of them nothing happened
        ("log_return", "f8"),  # of the first one, NaN if unknown; the others' returns are 0
        ("spread_bps", "f8"),  # NaN while unknown
        ("prints", "i8"),  # in the first one
    ],
    align=True,
)


def new_seconds() -> Records:
    """A grid that has seen nothing, shape (1,)."""
    return np.zeros(1, dtype=SECONDS)


@njit(cache=True)
def on_mid(seconds: Record, mid: float, spread_bps: float) -> None:
    """The mid moved."""
    seconds.mid = mid
    seconds.spread_bps = spread_bps


@njit(cache=True)
def on_print(seconds: Record) -> None:
    """A public print happened."""
    seconds.prints += 1


@njit(cache=True)
def on_gap(seconds: Record) -> None:
    """Forget both mids; call it before the clock is moved to the gap's end."""
    if seconds.closed_mid > 0:
        seconds.dropped += 1
    seconds.mid = 0.0
    seconds.closed_mid = 0.0


@njit(cache=True)
def close(seconds: Record, ts: int, second: Record) -> bool:
    """Close every second that ended before `ts` into `second`; False if none did."""
    if seconds.boundary == 0:
        seconds.boundary = ((ts - 1) // NS_PER_S + 1) * NS_PER_S
    if ts <= seconds.boundary:
        return False
    closed = (ts - 1 - seconds.boundary) // NS_PER_S + 1
    known = seconds.mid > 0
    second.ts = seconds.boundary + (closed - 1) * NS_PER_S
    second.seconds = closed
    second.log_return = log(seconds.mid / seconds.closed_mid) if known and seconds.closed_mid > 0 else np.nan
    second.spread_bps = seconds.spread_bps if known else np.nan
    second.prints = seconds.prints
    seconds.closed_mid = seconds.mid
    seconds.prints = 0
    seconds.boundary += closed * NS_PER_S
    return True
