"""What was known of the market when a fill happened: the feature vector of the pre-fill classifier.

All memory is exponential in event time, so a feature costs O(1) and needs no history. The vector's fields are
`papertrader.shared.messages.FEATURE_NAMES`; signed features are positive when the market leans up.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.book import has_both_sides, mid_of, price_of, size_at
from papertrader.shared.market.mathematics import exp, log, log1p
from papertrader.shared.market.records import Record, Records, Row

FEATURE_STATE: Final = np.dtype(
    [
        ("mid_ts", "i8"),
        ("print_ts", "i8"),
        ("mid", "f8"),
        ("mid_ewma_1s", "f8"),
        ("variance_10s", "f8"),
        ("variance_300s", "f8"),
        ("net_1s", "f8"),
        ("gross_1s", "f8"),
        ("net_10s", "f8"),
        ("gross_10s", "f8"),
    ],
    align=True,
)


def new_features() -> Records:
    """Features that have seen nothing, shape (1,)."""
    return np.zeros(1, dtype=FEATURE_STATE)


@njit(cache=True)
def on_top(features: Record, book: Record) -> None:
    """Fold a completed book message: mid, momentum and variance move when the mid does."""
    mid = mid_of(book)
    if not mid > 0 or mid == features.mid:
        return
    elapsed_s = (book.ts - features.mid_ts) * 1e-9
    if features.mid > 0:
        log_return = log(mid / features.mid)
        features.mid_ewma_1s = features.mid + (features.mid_ewma_1s - features.mid) * exp(-elapsed_s)
        features.variance_10s = features.variance_10s * exp(-elapsed_s / 10) + log_return**2 / 10
        features.variance_300s = features.variance_300s * exp(-elapsed_s / 300) + log_return**2 / 300
    else:
        features.mid_ewma_1s = mid
    features.mid = mid
    features.mid_ts = book.ts


@njit(cache=True)
def on_print(features: Record, ts: int, size: float, aggressor: int) -> None:
    """Fold a public print into the signed flow."""
    if ts > features.print_ts:
        elapsed_s = (ts - features.print_ts) * 1e-9
        fast, slow = exp(-elapsed_s), exp(-elapsed_s / 10)
        features.net_1s *= fast
        features.gross_1s *= fast
        features.net_10s *= slow
        features.gross_10s *= slow
        features.print_ts = ts
    features.net_1s += aggressor * size
    features.gross_1s += size
    features.net_10s += aggressor * size
    features.gross_10s += size


@njit(cache=True)
def on_gap(features: Record) -> None:
    """Forget the mid: a return over a gap is not a return."""
    features.mid = 0.0


@njit(cache=True)
def freeze(features: Record, book: Record, ts: int, order_age_s: float, out: Row) -> None:
    """Write the feature vector as of `ts` into `out`, shape (7,); zeros while the book has no two sides."""
    out[:] = 0.0
    if not has_both_sides(book) or not features.mid > 0:
        return
    bid, ask = book.best_bid, book.best_ask
    bid_size, ask_size = size_at(book, 1, bid), size_at(book, -1, ask)
    out[0] = (bid_size - ask_size) / (bid_size + ask_size)
    out[1] = features.net_1s / features.gross_1s if features.gross_1s > 0 else 0.0
    out[2] = features.net_10s / features.gross_10s if features.gross_10s > 0 else 0.0
    # between two moves of the mid the average goes on approaching it
    elapsed_s = max(ts - features.mid_ts, 0) * 1e-9
    out[3] = (features.mid - features.mid_ewma_1s) * exp(-elapsed_s) / features.mid * 1e4
    out[4] = (price_of(book, ask) - price_of(book, bid)) / features.mid * 1e4
    fast = features.variance_10s * exp(-elapsed_s / 10)
    slow = features.variance_300s * exp(-elapsed_s / 300)
    out[5] = min(np.sqrt(fast / slow), 10.0) if slow > 0 else 1.0
    out[6] = log1p(max(order_age_s, 0.0))
