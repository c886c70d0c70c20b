"""Orders that joined behind an own order: where the feed tells single orders, their sizes tell whose cancel it was.

What grows after an own order has joined stands behind it, and is remembered. A cancel as large as one of those was
most likely theirs, one as large as none was not: with m the share of shrinks that are single orders, b of n orders
behind as large as the cancel, and g how common its size is,

* as large as some: it was one of them with the likelihood m·b/n + (1 − m)·g, and one ahead with g;
* as large as none: it was behind with 1 − m of the likelihood that it was ahead;
* of u that joined nobody knows the size: any of them may be as large, with g.

These weigh the odds of the draws. How common a size is the other orders behind tell, and at first what the market does.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.orders_told import UNTOLD
from papertrader.shared.market.records import Record

KNOWN: Final = 24
"""Orders behind an own one that are remembered."""
MOST_SINGLE: Final = 0.98
"""Nothing is taken for surer than this."""
MOST_COMMON: Final = 0.3
"""Where more of all sizes match another order's by chance they tell nobody apart."""
MARKET_WEIGHT: Final = 2.0
"""The orders that the market's share of equal sizes is worth."""
SAME: Final = 1e-9
NONE: Final = -1

LEARNED: Final = np.dtype([(name, "f8") for name in ("cancel_odds", "join_share", "single", "common")], align=True)
"""What the newest estimate tells of the market's queues: the draws' settings, the share of shrinks that are one order,
and of sizes that are as large as another's by chance. NaN what it does not tell."""
BEHIND: Final = np.dtype([("single", "f8"), ("common", "f8"), ("count", "i8"), ("sizes", "f8", (KNOWN,))], align=True)
"""Who joined behind an order; `single` is NaN where sizes tell nothing."""


@njit(cache=True)
def hear(learned: Record, estimate: Record) -> None:
    """Hear an estimate."""
    learned.cancel_odds = estimate.cancel_odds if estimate.cancel_odds_known else np.nan
    learned.join_share = estimate.join_share if estimate.join_share_known else np.nan
    learned.single = learned.common = np.nan
    if estimate.cancel_odds_known and estimate.cancels_by_chance <= MOST_COMMON:
        learned.single, learned.common = estimate.cancels_single_share, estimate.cancels_by_chance


@njit(cache=True)
def begin(behind: Record, single: float, common: float) -> None:
    """Let a new order go by sizes as far as the market tells them; NaN: not at all."""
    behind.single, behind.common, behind.count = min(single, MOST_SINGLE), common, 0


@njit(cache=True)
def grow(behind: Record, size: float, around_join: bool, more: int) -> None:
    """The level grew: behind the order, unless it was around its join; then nobody knows who is behind.

    By one order, unless it is told that `more` orders than one stand there, or none: then their sizes are not known.
    """
    joined = 1 if more == UNTOLD else max(more, 1)
    if around_join or behind.count + joined > KNOWN:
        behind.single = np.nan
    if np.isnan(behind.single):
        return
    for _ in range(joined):
        behind.sizes[behind.count] = size if more == UNTOLD or more == 1 else np.nan
        behind.count += 1


@njit(cache=True)
def likelihoods(behind: Record, size: float) -> tuple[float, float]:
    """How likely a cancel of this size is if it was ahead, and if it was behind; one of that size is behind no more."""
    if np.isnan(behind.single):
        return 1.0, 1.0
    orders, row, equal, unknown = behind.count, NONE, 0, 0
    for place in range(orders):
        if abs(behind.sizes[place] - size) < SAME:
            row = place
            equal += 1
        unknown += np.isnan(behind.sizes[place])
    if equal == 0:
        return 1.0, 1.0 - (behind.single * (orders - unknown) / orders if unknown > 0 else behind.single)
    for place in range(row, orders - 1):
        behind.sizes[place] = behind.sizes[place + 1]
    behind.count -= 1
    common = (equal - 1.0 + MARKET_WEIGHT * behind.common) / (orders - unknown - 1.0 + MARKET_WEIGHT)
    return common, behind.single * (equal + unknown * common) / orders + (1.0 - behind.single) * common
