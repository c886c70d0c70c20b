"""The order book that every fold keeps: sizes by tick in a sliding window, the touch, and what is not known.

Of a level a message has told the size (positive), or that it is empty (0.0); or nothing is known (NaN), or what is
known is stale (negative: the size when it was last told). Nothing is guessed:

* a full book tells everything from the best down to the worst level that it shows; beyond that all is stale;
* a difference tells a level, wherever it is; a touch tells its level, and that better ones are empty;
* where a touch moves away from the other levels of a side that is told by full books and touches alone, nothing is
  known of those between the old and the new best until the next full book;
* what the window does not hold is kept in a table, see `far_levels`.

Nothing here allocates; the book is a plain record, `BOOK`, so a checkpoint is its bytes. What can be asked of it is in
`book_record`, how a single level changes it in `book_levels`.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.book_levels import clear_side, set_leading_ask, set_leading_bid, set_level, set_touch
from papertrader.shared.market.book_record import (
    BOOK,
    MASK,
    NO_ASK,
    NO_BID,
    WINDOW,
    has_both_sides,
    in_window,
    is_shown,
    mid_of,
    new_book,
    next_ask,
    next_bid,
    price_of,
    size_at,
    told,
)
from papertrader.shared.market.events import GAP, LEVEL, SNAPSHOT, TOUCH
from papertrader.shared.market.records import Record, Records

__all__ = (
    "BOOK",
    "MASK",
    "NEXT",
    "NO_ASK",
    "NO_BID",
    "WINDOW",
    "apply",
    "apply_message",
    "has_both_sides",
    "in_window",
    "is_shown",
    "mid_of",
    "new_book",
    "next_ask",
    "next_bid",
    "price_of",
    "size_at",
    "told",
)

NEXT: Final = np.uint64(1)
"""From one row to the next."""


@njit(cache=True, forceinline=True)
def set_bids(book: Record, events: Records, row: np.uint64) -> np.uint64:
    """Set the bid levels from `row` on; returns the last row of that run."""
    low, best = book.low, min(book.best_bid, book.low + WINDOW)
    while True:
        event = events[row]
        if low <= event.tick < best:
            book.bid[event.tick & MASK] = event.size
        else:
            set_leading_bid(book, event.tick, event.size)
            low, best = book.low, min(book.best_bid, book.low + WINDOW)
        following = row + NEXT
        if event.last == 1 or events[following].kind != LEVEL or events[following].side < 0:
            return row
        row = following


@njit(cache=True, forceinline=True)
def set_asks(book: Record, events: Records, row: np.uint64) -> np.uint64:
    """Set the ask levels from `row` on; returns the last row of that run."""
    best, end = max(book.best_ask, book.low - 1), book.low + WINDOW
    while True:
        event = events[row]
        if best < event.tick < end:
            book.ask[event.tick & MASK] = event.size
        else:
            set_leading_ask(book, event.tick, event.size)
            best, end = max(book.best_ask, book.low - 1), book.low + WINDOW
        following = row + NEXT
        if event.last == 1 or events[following].kind != LEVEL or events[following].side > 0:
            return row
        row = following


@njit(cache=True, forceinline=True)
def apply_message(book: Record, events: Records, row: np.uint64) -> np.uint64:
    """Fold the rest of the message that `row` is in, levels or touches; returns its last row.

    The same as `apply` row by row. Rows are counted without a sign: numba counts those below 0 from the end, each time.
    """
    book.ts = max(book.ts, events[row].ts)
    book.in_snapshot = 0
    if events[row].kind == LEVEL:
        book.bid_told, book.ask_told = 1, 1
    while True:
        event = events[row]
        if event.kind == TOUCH:
            set_touch(book, event.side, event.tick, event.size)
        elif event.kind == SNAPSHOT:
            clear_side(book, event.side, event.tick)
        elif event.side > 0:
            row = set_bids(book, events, row)
        else:
            row = set_asks(book, events, row)
        if events[row].last == 1:
            return row
        row += NEXT


@njit(cache=True)
def apply(book: Record, event: Record) -> bool:
    """Fold one event into the book. True when it completes a message that may have changed a level.

    The event clock `book.ts` never goes back.
    """
    book.ts = max(book.ts, event.ts)
    if event.kind == LEVEL:
        if book.in_snapshot == 0:
            book.bid_told, book.ask_told = 1, 1
        set_level(book, event.side, event.tick, event.size)
    elif event.kind == TOUCH:
        set_touch(book, event.side, event.tick, event.size)
    elif event.kind == SNAPSHOT:
        clear_side(book, event.side, event.tick)
        book.in_snapshot = 1
    elif event.kind == GAP:
        book.gaps += 1
        return False
    else:
        return False
    if event.last == 1:
        book.in_snapshot = 0
    return event.last == 1
