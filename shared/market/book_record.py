"""What a book is, and what can be asked of it. How messages change it: `levels` and `book`."""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.far_levels import FAR, best_far, known_far
from papertrader.shared.market.records import Record, Records

WINDOW: Final = 8192
"""Ticks kept around the market, a power of two."""
MASK: Final = WINDOW - 1
NO_BID: Final = 0
NO_ASK: Final = 2**62

BOOK: Final = np.dtype(
    [
        ("ts", "i8"),  # event clock: the largest ts seen
        ("low", "i8"),  # first tick of the window, 0 before the first level
        ("best_bid", "i8"),
        ("best_ask", "i8"),
        ("bid_floor", "i8"),  # down to this a level of which nothing is kept is empty; NO_ASK at first
        ("ask_ceiling", "i8"),  # 0 at first
        ("bid_high", "i8"),  # the best since the last full book: beyond it the window holds nothing but zeros
        ("ask_low", "i8"),
        ("gaps", "i8"),
        ("outside", "i8"),  # levels lost because neither the window nor the table of far levels has room
        ("in_snapshot", "i1"),
        ("bid_told", "i1"),  # a level was told by a difference since the last full book
        ("ask_told", "i1"),
        ("tick_size", "f8"),
        ("ticks_per_unit", "f8"),  # 1/tick_size where that is a whole number, else 0
        ("bid", "f8", (WINDOW,)),
        ("ask", "f8", (WINDOW,)),
        ("far_count", "i8", (2,)),  # of bids, of asks
        ("far_ticks", "i4", (2, FAR)),
        ("far_sizes", "f8", (2, FAR)),
    ],
    align=True,
)


def new_book() -> Records:
    """An empty book of which no level is shown yet, shape (1,)."""
    book = np.zeros(1, dtype=BOOK)
    book["best_ask"], book["bid_floor"] = NO_ASK, NO_ASK
    book["ask_low"] = NO_ASK
    book["bid"], book["ask"] = np.nan, np.nan
    return book


@njit(cache=True)
def price_of(book: Record, tick: int) -> float:
    """The price of a tick, the nearest float to its decimal."""
    if book.ticks_per_unit > 0:
        return tick / book.ticks_per_unit
    return tick * book.tick_size


@njit(cache=True)
def has_both_sides(book: Record) -> bool:
    """Whether there is a bid and an ask and they do not cross."""
    return book.best_bid > NO_BID and book.best_ask < NO_ASK and book.best_bid < book.best_ask


@njit(cache=True)
def mid_of(book: Record) -> float:
    """The mid price, NaN unless the book has two sides that do not cross."""
    if not has_both_sides(book):
        return np.nan
    return 0.5 * (price_of(book, book.best_bid) + price_of(book, book.best_ask))


@njit(cache=True, forceinline=True)
def in_window(book: Record, tick: int) -> bool:
    """Whether the window holds this tick."""
    return book.low <= tick < book.low + WINDOW


@njit(cache=True)
def told(book: Record, side: int, tick: int) -> float:
    """What is known of a level of the bids (side +1) or asks (−1): see the module."""
    if not in_window(book, tick):
        return float(known_far(book, side, tick))
    return float(book.bid[tick & MASK]) if side > 0 else float(book.ask[tick & MASK])


@njit(cache=True)
def size_at(book: Record, side: int, tick: int) -> float:
    """The size that was last told of a level, 0 where none was."""
    size = abs(told(book, side, tick))
    return size if size > 0 else 0.0


@njit(cache=True)
def is_shown(book: Record, side: int, tick: int) -> bool:
    """Whether a level is known, and not only from before a full book that did not show it."""
    return told(book, side, tick) >= 0


@njit(cache=True)
def next_bid(book: Record, tick: int) -> int:
    """The best bid at or below `tick`, NO_BID if none."""
    if tick >= book.low + WINDOW:
        above = best_far(book, 1, tick)
        if above >= book.low + WINDOW:
            return above
    for candidate in range(min(tick, book.low + WINDOW - 1), book.low - 1, -1):
        if abs(book.bid[candidate & MASK]) > 0:
            return candidate
    return best_far(book, 1, tick)


@njit(cache=True)
def next_ask(book: Record, tick: int) -> int:
    """The best ask at or above `tick`, NO_ASK if none."""
    if tick < book.low:
        below = best_far(book, -1, tick)
        if 0 < below < book.low:
            return below
    for candidate in range(max(tick, book.low), book.low + WINDOW):
        if abs(book.ask[candidate & MASK]) > 0:
            return candidate
    above = best_far(book, -1, tick)
    return above if above > 0 else NO_ASK
