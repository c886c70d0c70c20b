"""What is known of the market before a fill: the feature vector of the pre-fill classifier.

It is written when a round begins, so it holds what a quoter could have known, and nothing of the print that fills.
All memory is exponential in event time. The vector's fields are `papertrader.shared.messages.FEATURE_NAMES`; the
first `LEANING` of them are positive when the market leans up, the others say how lively it is.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.book import MASK, WINDOW, apply, has_both_sides, in_window, mid_of, price_of, size_at
from papertrader.shared.market.events import GAP, PRINT, ROUND, Events
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
        ("vector", "f8", (FEATURES,)),  # as of the begin of the last round that holds a print
        ("vector_mid", "f8"),  # the mid then, 0 while unknown
        ("fresh", "i1"),  # the vector is of the round that is open
        ("vector_ts", "i8"),
        ("vector_bid", "i8"),  # the touch then
        ("vector_ask", "i8"),
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


@njit(cache=True, forceinline=True)
def holds_print(events: Events, row: np.uint64) -> bool:
    """Whether the round whose events begin at `row` holds a print; the round ends with its marker or the array."""
    end = np.uint64(len(events))
    while row < end and events[row].kind != ROUND:
        if events[row].kind == PRINT:
            return True
        row += np.uint64(1)
    return False


@njit(cache=True, forceinline=True)
def begin_round(features: Record, book: Record, events: Events, row: np.uint64) -> None:
    """Write the vector as of now, before anything of the round that begins is folded, if the round holds a print."""
    features.fresh = holds_print(events, row)
    if features.fresh == 1:
        write_vector(features, book)


@njit(cache=True)
def write_vector(features: Record, book: Record) -> None:
    """Write the vector as of now, with the mid and the time that belong to it."""
    known = has_both_sides(book) and features.mid > 0
    features.vector_mid = features.mid if known else 0.0
    features.vector_ts, features.vector_bid, features.vector_ask = book.ts, book.best_bid, book.best_ask
    look(features, book, features.vector)


@njit(cache=True)
def freeze(features: Record, book: Record, side: int, tick: int, out: Row) -> None:
    """Write the vector of the round for an order of `side` at `tick` into `out`, shape (8,).

    In a round without a print it is that of now.
    """
    if features.fresh == 0:
        look(features, book, out)
        out[DISTANCE] = behind(book, side, book.best_bid if side > 0 else book.best_ask, tick, features.mid)
        return
    for i in range(FEATURES):
        out[i] = features.vector[i]
    touch = features.vector_bid if side > 0 else features.vector_ask
    out[DISTANCE] = behind(book, side, touch, tick, features.vector_mid)


@njit(cache=True)
def behind(book: Record, side: int, touch: int, tick: int, mid: float) -> float:
    """ln(1 + bp) that an order of `side` at `tick` stands behind its touch; 0 while the mid is not known."""
    return log_distance(side * (touch - tick) * book.tick_size / mid * 1e4) if mid > 0 else 0.0


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
    near, nearby = int(NEAR_BPS[0] * ticks_per_bp), int(min(NEAR_BPS[1] * ticks_per_bp, FARTHEST_TICKS))
    room = touch - book.low if side > 0 else book.low + WINDOW - 1 - touch
    if not in_window(book, touch):
        room = -1
    count, levels, near_size, nearby_size = 0, 0.0, 0.0, 0.0
    for offset in range(min(room, FARTHEST_TICKS) + 1):
        if offset > nearby and count >= LEVELS:
            break
        size = abs(book.bid[touch - offset & MASK] if side > 0 else book.ask[touch + offset & MASK])
        if size > 0:
            levels += size if count < LEVELS else 0.0
            near_size += size if offset <= near else 0.0
            nearby_size += size if offset <= nearby else 0.0
            count += 1
    return size_at(book, side, touch), levels, near_size, nearby_size


@njit(cache=True)
def facing(vector: Row, side: int, out: Row) -> None:
    """Write 1 and the vector as an order of this side faces it into `out`, shape (9,): positive leans against it."""
    out[0] = 1.0
    for i in range(FEATURES):
        out[i + 1] = -side * vector[i] if i < LEANING else vector[i]
