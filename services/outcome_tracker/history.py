"""The last mids and the last gaps, in bounded rings."""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.records import Record

MIDS_KEPT: Final = 4096
GAPS_KEPT: Final = 64
LONGEST_WAIT_NS: Final = 70_000_000_000
"""A gap that ended longer ago than this concerns no fill that is still waiting."""

MIDS: Final = np.dtype([("count", "i8"), ("ts", "i8", (MIDS_KEPT,)), ("mid", "f8", (MIDS_KEPT,))], align=True)
GAPS: Final = np.dtype([("count", "i8"), ("from_ts", "i8", (GAPS_KEPT,)), ("to_ts", "i8", (GAPS_KEPT,))], align=True)


@njit(cache=True)
def push_mid(mids: Record, ts: int, mid: float) -> None:
    """Append a change of the mid; `ts` never goes back, and of one instant only the last mid is kept."""
    last = (mids.count - 1) % MIDS_KEPT
    if mids.count > 0 and mids.ts[last] == ts:
        mids.mid[last] = mid
        return
    mids.ts[mids.count % MIDS_KEPT] = ts
    mids.mid[mids.count % MIDS_KEPT] = mid
    mids.count += 1


@njit(cache=True)
def mid_at(mids: Record, ts: int) -> float:
    """The last mid at or before `ts`; NaN if there was none or if it is no longer kept."""
    low, high = max(mids.count - MIDS_KEPT, 0), mids.count
    if low == high or mids.ts[low % MIDS_KEPT] > ts:
        return np.nan
    while high - low > 1:
        middle = (low + high) // 2
        if mids.ts[middle % MIDS_KEPT] <= ts:
            low = middle
        else:
            high = middle
    return mids.mid[low % MIDS_KEPT]


@njit(cache=True)
def push_gap(gaps: Record, from_ts: int, to_ts: int, clock: int) -> None:
    """Remember a gap. If the ring is full of gaps that still matter, the newest is widened to cover this one too."""
    slot = gaps.count % GAPS_KEPT
    if gaps.count >= GAPS_KEPT and gaps.to_ts[slot] > clock - LONGEST_WAIT_NS:
        newest = (gaps.count - 1) % GAPS_KEPT
        gaps.from_ts[newest] = min(gaps.from_ts[newest], from_ts)
        gaps.to_ts[newest] = max(gaps.to_ts[newest], to_ts)
        return
    gaps.from_ts[slot] = from_ts
    gaps.to_ts[slot] = to_ts
    gaps.count += 1


@njit(cache=True)
def crosses_gap(gaps: Record, start_ts: int, end_ts: int) -> bool:
    """Whether any gap overlaps (start, end]."""
    for slot in range(min(gaps.count, GAPS_KEPT)):
        if gaps.from_ts[slot] <= end_ts and gaps.to_ts[slot] > start_ts:
            return True
    return False
