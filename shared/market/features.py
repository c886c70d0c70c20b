"""What can be known of the market before a fill: the feature vector of the pre-fill classifier.

All memory is exponential in event time. The vector's fields are `papertrader.shared.messages.FEATURE_NAMES`; the
first `LEANING` of them are positive when the market leans up, the others say how lively it is.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.book import MASK, WINDOW, apply, has_both_sides, in_window, mid_of, price_of, size_at
from papertrader.shared.market.events import GAP, PRINT
from papertrader.shared.market.mathematics import exp, log, log1p
from papertrader.shared.market.records import Record, Records, Row
from papertrader.shared.messages import FEATURES

LEANING: Final = 5
"""Features that change their sign with the side."""
LEVELS: Final = 5
NEAR_BPS: Final = (1.0, 3.0)
DISTANCE: Final = FEATURES - 1
"""The last feature is the order's own: ln(1 + bp) that it stands behind the touch."""
FARTHEST_TICKS: Final = 1024
"""Levels further from the touch than this do not count."""
ONE, TWO, THREE, FOUR = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
"""Places are counted without a sign: numba counts those below 0 from the end, each time."""
VARIANCE_S: Final = 60.0
LOG_SIGMA: Final = (-3.0, 3.0)
LOG_SPREAD: Final = (-4.0, 4.0)
"""Bounds of the logarithms of σ in bp per √s and of the spread in bp."""

FEATURE_STATE: Final = np.dtype(
    [
        ("mid_ts", "i8"),
        ("print_ts", "i8"),
        ("mid", "f8"),  # 0 before the first and after a gap
        ("variance", "f8"),  # of a second, forgotten with a time constant of a minute
        ("net_1s", "f8"),
        ("gross_1s", "f8"),
    ],
    align=True,
)


def new_features() -> Records:
    """Features that have seen nothing, shape (1,)."""
    return np.zeros(1, dtype=FEATURE_STATE)


@njit(cache=True)
def follow(features: Record, book: Record, event: Record) -> bool:
    """Fold one event into the book and the features that go with it; true if it completes a book message."""
    completed = apply(book, event)
    if completed:
        on_top(features, book)
    elif event.kind == PRINT:
        on_print(features, event.ts, event.size, event.side)
    elif event.kind == GAP:
        on_gap(features)
    return completed


@njit(cache=True)
def on_top(features: Record, book: Record) -> None:
    """Fold a completed book message: mid and variance move when the mid does."""
    mid = mid_of(book)
    if not mid > 0 or mid == features.mid:
        return
    elapsed_s = (book.ts - features.mid_ts) * 1e-9
    if features.mid > 0:
        log_return = log(mid / features.mid)
        features.variance = features.variance * exp(-elapsed_s / VARIANCE_S) + log_return**2 / VARIANCE_S
    features.mid = mid
    features.mid_ts = book.ts


@njit(cache=True)
def on_print(features: Record, ts: int, size: float, aggressor: int) -> None:
    """Fold a public print into the signed flow."""
    if ts > features.print_ts:
        decay = exp((features.print_ts - ts) * 1e-9)
        features.net_1s *= decay
        features.gross_1s *= decay
        features.print_ts = ts
    features.net_1s += aggressor * size
    features.gross_1s += size


@njit(cache=True)
def on_gap(features: Record) -> None:
    """Forget the mid: a return over a gap is not a return."""
    features.mid = 0.0


@njit(cache=True)
def log_distance(distance_bps: float) -> float:
    """ln(1 + distance), 0 for an order at the touch or before it."""
    return log1p(max(distance_bps, 0.0))


@njit(cache=True)
def look(features: Record, book: Record, out: Row) -> None:
    """Write the vector as of the book's time for an order at the touch into `out`, shape (8,).

    Zeros while the book has no two sides.

    An imbalance is (bids − asks)/(bids + asks) of the sizes displayed: at the touch, at five levels a side, and
    within 1 and 3 bp of each touch.
    """
    out[:] = 0.0
    if not has_both_sides(book) or not features.mid > 0:
        return
    bid_touch, bid_levels, bid_near, bid_nearby = depth(book, 1)
    ask_touch, ask_levels, ask_near, ask_nearby = depth(book, -1)
    out[0], out[1] = imbalance(bid_touch, ask_touch), imbalance(bid_levels, ask_levels)
    out[2], out[3] = imbalance(bid_near, ask_near), imbalance(bid_nearby, ask_nearby)
    out[4] = features.net_1s / features.gross_1s if features.gross_1s > 0 else 0.0
    out[5] = log_sigma(features, book.ts)
    out[6] = bounded_log(
        (price_of(book, book.best_ask) - price_of(book, book.best_bid)) / features.mid * 1e4, LOG_SPREAD
    )


@njit(cache=True)
def log_sigma(features: Record, ts: int) -> float:
    """The logarithm of σ in bp per √s as of `ts`, within bounds."""
    variance = features.variance * exp(-max(ts - features.mid_ts, 0) * 1e-9 / VARIANCE_S)
    return bounded_log(np.sqrt(variance) * 1e4, LOG_SIGMA)


@njit(cache=True)
def imbalance(bids: float, asks: float) -> float:
    """(bids − asks)/(bids + asks), 0 where nothing is displayed."""
    return (bids - asks) / (bids + asks) if bids + asks > 0 else 0.0


@njit(cache=True)
def bounded_log(value: float, bounds: tuple[float, float]) -> float:
    """The logarithm within bounds; the lower one for 0."""
    return min(max(log(value), bounds[0]), bounds[1]) if value > 0 else bounds[0]


@njit(cache=True)
def depth(book: Record, side: int) -> tuple[float, float, float, float]:
    """Sizes last told of a side: at the touch, at five levels, within 1 bp and within 3 bp of the touch."""
    touch = book.best_bid if side > 0 else book.best_ask
    ticks_per_bp = price_of(book, touch) * 1e-4 / book.tick_size
    room = min(touch - book.low if side > 0 else book.low + WINDOW - 1 - touch, FARTHEST_TICKS)
    if not in_window(book, touch):
        room = -1
    near, nearby = min(int(NEAR_BPS[0] * ticks_per_bp), room), min(int(NEAR_BPS[1] * ticks_per_bp), room)
    sizes = book.bid if side > 0 else book.ask
    levels, count, offset = 0.0, 0, 0
    while offset <= room and count < LEVELS:
        size = abs(sizes[touch - side * offset & MASK])
        if size > 0:
            levels += size
            count += 1
        offset += 1
    near_size = held_within(sizes, touch - side * near, touch)
    beyond = held_within(sizes, touch - side * nearby, touch - side * (near + 1)) if nearby > near else 0.0
    return size_at(book, side, touch), levels, near_size if room >= 0 else 0.0, near_size + beyond if room >= 0 else 0.0


@njit(cache=True)
def held_within(sizes: Row, one: int, other: int) -> float:
    """What the levels from one tick to another hold, both with it; the window's ring may end between them."""
    first, last = np.uint64(min(one, other) & MASK), np.uint64(max(one, other) & MASK)
    if first <= last:
        return float(held_at(sizes, first, last + ONE))
    return float(held_at(sizes, first, np.uint64(WINDOW)) + held_at(sizes, np.uint64(0), last + ONE))


@njit(cache=True)
def held_at(sizes: Row, place: np.uint64, end: np.uint64) -> float:
    """What the places from `place` on up to `end` hold, the stale with it; NaN is nothing.

    Four sums and no branch: to skip what is empty would be guessed wrong every other time.
    """
    a, b, c, d = 0.0, 0.0, 0.0, 0.0
    while place + FOUR <= end:
        w, x = abs(sizes[place]), abs(sizes[place + ONE])
        y, z = abs(sizes[place + TWO]), abs(sizes[place + THREE])
        a += w if w > 0.0 else 0.0
        b += x if x > 0.0 else 0.0
        c += y if y > 0.0 else 0.0
        d += z if z > 0.0 else 0.0
        place += FOUR
    while place < end:
        w = abs(sizes[place])
        a += w if w > 0.0 else 0.0
        place += ONE
    return (a + b) + (c + d)


@njit(cache=True)
def facing(vector: Row, side: int, out: Row) -> None:
    """Write 1 and the vector as an order of this side faces it into `out`, shape (9,): positive leans against it."""
    out[0] = 1.0
    for i in range(FEATURES):
        out[i + 1] = -side * vector[i] if i < LEANING else vector[i]
