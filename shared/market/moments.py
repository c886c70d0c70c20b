"""Moments: what learning counts instead of messages.

A taker who sweeps the book is one event, however many prints the venue makes of it, however many partial fills and
own orders it hits. Venues give all prints of one taker order the same time (Hyperliquid: all of one block), so fills
of the same time and side are one moment. Two takers of one side within a venue's clock tick count as one: too little
evidence is claimed, never too much.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.records import Record

KEPT: Final = 64
"""Moments remembered: so many others may be heard between two fills of one moment."""
MOMENTS: Final = np.dtype([("count", "i8"), ("ts", "i8", (KEPT,)), ("key", "i8", (KEPT,))], align=True)
"""How many different ones were heard, and the newest of them; `key` is a side, or what else tells them apart."""


@njit(cache=True)
def is_new(moments: Record, ts: int, key: int) -> bool:
    """Count a moment when it is heard for the first time; False if it was counted already."""
    for age in range(min(moments.count, KEPT)):
        row = (moments.count - 1 - age) % KEPT
        if moments.ts[row] == ts and moments.key[row] == key:
            return False
    row = moments.count % KEPT
    moments.ts[row], moments.key[row] = ts, key
    moments.count += 1
    return True
