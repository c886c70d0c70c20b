"""The order book that every fold keeps: sizes by tick in a sliding window, the touch, and what is not shown.

A full book replaces what it shows; a level outside the published window is frozen, not empty. A touch replaces every
better level of its side. Nothing here allocates; `BOOK` is a plain record, so a checkpoint is its bytes.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.events import GAP, LEVEL, SNAPSHOT, TOUCH
from papertrader.shared.market.records import Record, Records

WINDOW: Final = 8192
"""Ticks kept around the market, a power of two."""
MASK: Final = WINDOW - 1
NO_BID: Final = 0
NO_ASK: Final = 2**62
NEXT: Final = np.uint64(1)
"""From one row to the next."""

BOOK: Final = np.dtype(
    [
        ("ts", "i8"),  # event clock: the largest ts seen
        ("low", "i8"),  # first tick of the window, 0 before the first level
        ("best_bid", "i8"),
        ("best_ask", "i8"),
        ("bid_floor", "i8"),  # the worst bid that the last full book showed
        ("ask_ceiling", "i8"),
        ("gaps", "i8"),
        ("outside", "i8"),  # levels refused because they lie outside the window
        ("tick_size", "f8"),
        ("ticks_per_unit", "f8"),  # 1/tick_size if the tick is below 1, else 0
        ("bid", "f8", (WINDOW,)),
        ("ask", "f8", (WINDOW,)),
    ],
    align=True,
)


def new_book() -> Records:
    """An empty book of which no level is shown yet, shape (1,)."""
    book = np.zeros(1, dtype=BOOK)
    book["best_ask"], book["bid_floor"] = NO_ASK, NO_ASK
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
def size_at(book: Record, side: int, tick: int) -> float:
    """The displayed size at a tick of the bids (side +1) or asks (−1); 0 where nothing is known."""
    if not in_window(book, tick):
        return 0.0
    if side > 0:
        return book.bid[tick & MASK]
    return book.ask[tick & MASK]


@njit(cache=True)
def is_shown(book: Record, side: int, tick: int) -> bool:
    """Whether the venue publishes this level: a level that is not shown is frozen, not empty."""
    if side > 0:
        return tick >= book.bid_floor
    return tick <= book.ask_ceiling


@njit(cache=True)
def next_bid(book: Record, tick: int) -> int:
    """The best bid at or below `tick`, NO_BID if none."""
    for candidate in range(min(tick, book.low + WINDOW - 1), book.low - 1, -1):
        if book.bid[candidate & MASK] > 0:
            return candidate
    return NO_BID


@njit(cache=True)
def next_ask(book: Record, tick: int) -> int:
    """The best ask at or above `tick`, NO_ASK if none."""
    for candidate in range(max(tick, book.low), book.low + WINDOW):
        if book.ask[candidate & MASK] > 0:
            return candidate
    return NO_ASK


@njit(cache=True)
def slide(book: Record, tick: int) -> None:
    """Move the window so that it is centred near `tick`, forgetting what falls out, a best price included."""
    low = max(tick - WINDOW // 2, 1)
    if book.low == 0 or abs(low - book.low) >= WINDOW:
        book.bid[:] = 0.0
        book.ask[:] = 0.0
    elif low > book.low:
        for out in range(book.low, low):
            book.bid[out & MASK] = 0.0
            book.ask[out & MASK] = 0.0
    else:
        for out in range(low + WINDOW, book.low + WINDOW):
            book.bid[out & MASK] = 0.0
            book.ask[out & MASK] = 0.0
    book.low = low
    if book.best_bid >= low + WINDOW or 0 < book.best_bid < low:
        book.best_bid = next_bid(book, low + WINDOW - 1)
    if book.best_ask < low or low + WINDOW <= book.best_ask < NO_ASK:
        book.best_ask = next_ask(book, low)


@njit(cache=True)
def keep_in_window(book: Record, tick: int) -> None:
    """Slide the window when a best price comes within a quarter of its edge."""
    if book.low == 0 or tick < book.low + WINDOW // 4 or tick >= book.low + WINDOW - WINDOW // 4:
        slide(book, tick)


@njit(cache=True, forceinline=True)
def set_bid(book: Record, tick: int, size: float) -> None:
    """Set a bid level and keep the best bid right."""
    if book.low <= tick < book.best_bid:
        book.bid[tick & MASK] = size
    else:
        set_leading_bid(book, tick, size)


@njit(cache=True)
def set_leading_bid(book: Record, tick: int, size: float) -> None:
    """Set a bid level that is not behind the best one, or that the window does not hold."""
    if size > 0 and tick > book.best_bid:
        keep_in_window(book, tick)
    if not in_window(book, tick):
        book.outside += 1
        return
    book.bid[tick & MASK] = size
    if size > 0:
        book.best_bid = max(book.best_bid, tick)
    elif tick == book.best_bid:
        book.best_bid = next_bid(book, tick - 1)


@njit(cache=True, forceinline=True)
def set_ask(book: Record, tick: int, size: float) -> None:
    """Set an ask level and keep the best ask right."""
    if book.best_ask < tick < book.low + WINDOW:
        book.ask[tick & MASK] = size
    else:
        set_leading_ask(book, tick, size)


@njit(cache=True)
def set_leading_ask(book: Record, tick: int, size: float) -> None:
    """Set an ask level that is not behind the best one, or that the window does not hold."""
    if size > 0 and tick < book.best_ask:
        keep_in_window(book, tick)
    if not in_window(book, tick):
        book.outside += 1
        return
    book.ask[tick & MASK] = size
    if size > 0:
        book.best_ask = min(book.best_ask, tick)
    elif tick == book.best_ask:
        book.best_ask = next_ask(book, tick + 1)


@njit(cache=True)
def clear_side(book: Record, side: int, worst: int) -> None:
    """Empty every level of a side from its best up to and including `worst`; 0 empties the side."""
    if side > 0:
        for tick in range(max(worst, book.low), min(book.best_bid, book.low + WINDOW - 1) + 1):
            book.bid[tick & MASK] = 0.0
        book.best_bid = NO_BID
        book.bid_floor = worst
    else:
        end = worst if worst > 0 else book.low + WINDOW - 1
        for tick in range(max(book.best_ask, book.low), min(end, book.low + WINDOW - 1) + 1):
            book.ask[tick & MASK] = 0.0
        book.best_ask = NO_ASK
        book.ask_ceiling = worst if worst > 0 else NO_ASK


@njit(cache=True, forceinline=True)
def set_touch(book: Record, side: int, tick: int, size: float) -> None:
    """Make `tick` the best level of a side: better levels are gone. Mostly it is the best one and has a new size."""
    if side > 0:
        if tick == book.best_bid and size > 0:
            book.bid[tick & MASK] = size
        else:
            move_best_bid(book, tick, size)
    elif tick == book.best_ask and size > 0:
        book.ask[tick & MASK] = size
    else:
        move_best_ask(book, tick, size)


@njit(cache=True)
def move_best_bid(book: Record, tick: int, size: float) -> None:
    """Empty the bids above `tick` and set it; 0 empties the side."""
    if tick == 0 or book.best_bid > tick:
        for better in range(max(tick + 1, book.low), min(book.best_bid, book.low + WINDOW - 1) + 1):
            book.bid[better & MASK] = 0.0
        book.best_bid = NO_BID
    if tick > 0:
        set_bid(book, tick, size)


@njit(cache=True)
def move_best_ask(book: Record, tick: int, size: float) -> None:
    """Empty the asks below `tick` and set it; 0 empties the side."""
    if tick == 0 or book.best_ask < tick:
        end = tick - 1 if tick > 0 else book.low + WINDOW - 1
        for better in range(max(book.best_ask, book.low), min(end, book.low + WINDOW - 1) + 1):
            book.ask[better & MASK] = 0.0
        book.best_ask = NO_ASK
    if tick > 0:
        set_ask(book, tick, size)


@njit(cache=True, forceinline=True)
def set_level(book: Record, side: int, tick: int, size: float) -> None:
    """Set a level and keep the best price of its side right."""
    if side > 0:
        set_bid(book, tick, size)
    else:
        set_ask(book, tick, size)


@njit(cache=True, forceinline=True)
def set_bids(book: Record, events: Records, row: np.uint64) -> np.uint64:
    """Set the bid levels from `row` on; returns the last row of that run."""
    low, best = book.low, book.best_bid
    while True:
        event = events[row]
        if low <= event.tick < best:
            book.bid[event.tick & MASK] = event.size
        else:
            set_leading_bid(book, event.tick, event.size)
            low, best = book.low, book.best_bid
        following = row + NEXT
        if event.last == 1 or events[following].kind != LEVEL or events[following].side < 0:
            return row
        row = following


@njit(cache=True, forceinline=True)
def set_asks(book: Record, events: Records, row: np.uint64) -> np.uint64:
    """Set the ask levels from `row` on; returns the last row of that run."""
    best, end = book.best_ask, book.low + WINDOW
    while True:
        event = events[row]
        if best < event.tick < end:
            book.ask[event.tick & MASK] = event.size
        else:
            set_leading_ask(book, event.tick, event.size)
            best, end = book.best_ask, book.low + WINDOW
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
        set_level(book, event.side, event.tick, event.size)
    elif event.kind == TOUCH:
        set_touch(book, event.side, event.tick, event.size)
    elif event.kind == SNAPSHOT:
        clear_side(book, event.side, event.tick)
    elif event.kind == GAP:
        book.gaps += 1
        return False
    else:
        return False
    return event.last == 1
