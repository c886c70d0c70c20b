"""The market as it was when a round began: what could be known before the prints that the round brings.

Feeds show what a print left of the book before they show the print, so the features of a fill are not those of its own
moment. They are written down only in a round in which somebody needs them.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.book import has_both_sides
from papertrader.shared.market.events import PRINT, ROUND, TOUCH, Events
from papertrader.shared.market.features import DISTANCE, log_distance, look
from papertrader.shared.market.records import Record, Row
from papertrader.shared.messages import FEATURES

FROZEN: Final = np.dtype(
    [
        ("fresh", "i1"),  # it is of the round that is open
        ("ts", "i8"),
        ("bid", "i8"),  # the touch then
        ("ask", "i8"),
        ("mid", "f8"),  # the mid then, 0 while unknown
        ("vector", "f8", (FEATURES,)),
    ],
    align=True,
)


@njit(cache=True, forceinline=True)
def first_print(events: Events, row: np.uint64) -> np.uint64:
    """The first print of the round whose events begin at `row`; the row of its marker, or the end, if it has none."""
    end = np.uint64(len(events))
    while row < end:
        if events[row].kind > TOUCH and events[row].kind in (PRINT, ROUND):
            break
        row += np.uint64(1)
    return row


@njit(cache=True, forceinline=True)
def is_print(events: Events, row: np.uint64) -> bool:
    """Whether there is a print at `row`, which may be the end."""
    return bool(row < np.uint64(len(events)) and events[row].kind == PRINT)


@njit(cache=True)
def freeze(frozen: Record, features: Record, book: Record) -> None:
    """Write down the market as of now."""
    known = has_both_sides(book) and features.mid > 0
    frozen.fresh, frozen.ts = 1, book.ts
    frozen.mid = features.mid if known else 0.0
    frozen.bid, frozen.ask = book.best_bid, book.best_ask
    look(features, book, frozen.vector)


@njit(cache=True)
def copy(known: Record, frozen: Record) -> None:
    """Write down what somebody else has written down."""
    frozen.fresh, frozen.ts, frozen.bid, frozen.ask, frozen.mid = known.fresh, known.ts, known.bid, known.ask, known.mid
    for i in range(FEATURES):
        frozen.vector[i] = known.vector[i]


@njit(cache=True)
def recall(frozen: Record, features: Record, book: Record, side: int, tick: int, out: Row) -> None:
    """Write the vector of the round's begin for an order of `side` at `tick` into `out`, shape (8,).

    In a round for which nothing was frozen it is that of now.
    """
    if frozen.fresh == 0:
        look(features, book, out)
        out[DISTANCE] = behind(book, side, book.best_bid if side > 0 else book.best_ask, tick, features.mid)
        return
    for i in range(FEATURES):
        out[i] = frozen.vector[i]
    out[DISTANCE] = behind(book, side, frozen.bid if side > 0 else frozen.ask, tick, frozen.mid)


@njit(cache=True)
def behind(book: Record, side: int, touch: int, tick: int, mid: float) -> float:
    """ln(1 + bp) that an order of `side` at `tick` stands behind its touch; 0 while the mid is not known."""
    return log_distance(side * (touch - tick) * book.tick_size / mid * 1e4) if mid > 0 else 0.0
