"""How single levels, touches and the starts of full books change a book: the window and what is known in it."""

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.book_record import MASK, NO_ASK, NO_BID, WINDOW, in_window, next_ask, next_bid
from papertrader.shared.market.far_levels import drop_far, keep_far, replace_far, take_far
from papertrader.shared.market.records import Record, Row


@njit(cache=True)
def slide(book: Record, tick: int) -> None:
    """Move the window so that it is centred near `tick`: what falls out is kept among the far levels."""
    low, old = max(tick - WINDOW // 2, 1), book.low
    if old > 0:
        leave(book, old, min(low, old + WINDOW))
        leave(book, max(low + WINDOW, old), old + WINDOW)
    book.low = low
    if old == 0 or low >= old + WINDOW or old >= low + WINDOW:
        enter(book, low, low + WINDOW)
    else:
        enter(book, low, old)
        enter(book, old + WINDOW, low + WINDOW)


@njit(cache=True)
def leave(book: Record, start: int, end: int) -> None:
    """Keep what is known of the ticks from `start` on up to `end`, which the window loses."""
    for tick in range(start, end):
        bid, ask = book.bid[tick & MASK], book.ask[tick & MASK]
        if abs(bid) > 0:
            keep_far(book, 1, tick, bid)
        if abs(ask) > 0:
            keep_far(book, -1, tick, ask)


@njit(cache=True)
def enter(book: Record, start: int, end: int) -> None:
    """Write what is known of the ticks from `start` on up to `end`, which the window gains."""
    for tick in range(start, end):
        bid, ask = take_far(book, 1, tick), take_far(book, -1, tick)
        book.bid[tick & MASK] = 0.0 if np.isnan(bid) and 0 < book.bid_high < tick else bid
        book.ask[tick & MASK] = 0.0 if np.isnan(ask) and tick < book.ask_low < NO_ASK else ask


@njit(cache=True)
def follow_bid(book: Record, tick: int) -> None:
    """Slide the window when the best bid comes within a quarter of its edge."""
    if book.low == 0 or tick < book.low + WINDOW // 4 or tick >= book.low + WINDOW - WINDOW // 4:
        slide(book, tick)


@njit(cache=True)
def follow_ask(book: Record, tick: int) -> None:
    """As `follow_bid`, unless the spread is so wide that the window would go to and fro: then it stays at the bids."""
    if book.best_bid == NO_BID or tick - book.best_bid < WINDOW // 4:
        follow_bid(book, tick)


@njit(cache=True, forceinline=True)
def set_bid(book: Record, tick: int, size: float) -> None:
    """Set a bid level and keep the best bid right."""
    if book.low <= tick < min(book.best_bid, book.low + WINDOW):
        book.bid[tick & MASK] = size
    else:
        set_leading_bid(book, tick, size)


@njit(cache=True)
def set_leading_bid(book: Record, tick: int, size: float) -> None:
    """Set a bid level that is not behind the best one, or that the window does not hold."""
    if tick <= 0:
        book.outside += 1
        return
    if size > 0 and tick > book.best_bid:
        follow_bid(book, tick)
    if in_window(book, tick):
        book.bid[tick & MASK] = size
    else:
        keep_far(book, 1, tick, size)
    if size > 0:
        book.best_bid = max(book.best_bid, tick)
        book.bid_high = max(book.bid_high, tick)
    elif tick == book.best_bid:
        book.best_bid = next_bid(book, tick - 1)


@njit(cache=True, forceinline=True)
def set_ask(book: Record, tick: int, size: float) -> None:
    """Set an ask level and keep the best ask right."""
    if max(book.best_ask, book.low - 1) < tick < book.low + WINDOW:
        book.ask[tick & MASK] = size
    else:
        set_leading_ask(book, tick, size)


@njit(cache=True)
def set_leading_ask(book: Record, tick: int, size: float) -> None:
    """Set an ask level that is not behind the best one, or that the window does not hold."""
    if tick <= 0:
        book.outside += 1
        return
    if size > 0 and tick < book.best_ask:
        follow_ask(book, tick)
    if in_window(book, tick):
        book.ask[tick & MASK] = size
    else:
        keep_far(book, -1, tick, size)
    if size > 0:
        book.best_ask = min(book.best_ask, tick)
        book.ask_low = min(book.ask_low, tick)
    elif tick == book.best_ask:
        book.best_ask = next_ask(book, tick + 1)


@njit(cache=True)
def clear_side(book: Record, side: int, worst: int) -> None:
    """Empty every level of a side from its best up to and including `worst`; 0 empties the side.

    What lies beyond is stale from now on.
    """
    end = book.low + WINDOW
    replace_far(book, side, worst)
    if side > 0:
        if worst == 0:
            book.bid[:] = 0.0
        else:
            from_ = book.low if book.bid_told == 1 else max(book.bid_floor, book.low)
            outdate(book.bid, from_, min(worst, end))
            top = min(book.bid_high + 1, end) if book.bid_high > 0 else end
            empty(book.bid, max(worst, book.low), top)
        book.best_bid, book.bid_floor, book.bid_high, book.bid_told = NO_BID, worst, 0, 0
    else:
        if worst == 0:
            book.ask[:] = 0.0
        else:
            to = end if book.ask_told == 1 else min(book.ask_ceiling + 1, end)
            outdate(book.ask, max(worst + 1, book.low), to)
            start = max(book.ask_low, book.low) if book.ask_low < NO_ASK else book.low
            empty(book.ask, start, min(worst + 1, end))
        ceiling = worst if worst > 0 else NO_ASK
        book.best_ask, book.ask_ceiling, book.ask_low, book.ask_told = NO_ASK, ceiling, NO_ASK, 0


@njit(cache=True)
def empty(sizes: Row, start: int, end: int) -> None:
    """Say that the ticks from `start` on up to `end` hold nothing."""
    for tick in range(start, end):
        sizes[tick & MASK] = 0.0


@njit(cache=True)
def outdate(sizes: Row, start: int, end: int) -> None:
    """Make what is known of the ticks from `start` on up to `end` stale, and nothing of what was known to be empty."""
    for tick in range(start, end):
        size = sizes[tick & MASK]
        sizes[tick & MASK] = -abs(size) if size != 0 else np.nan


@njit(cache=True, forceinline=True)
def set_touch(book: Record, side: int, tick: int, size: float) -> None:
    """Make `tick` the best level of a side: better levels are gone. Mostly it is the best one and has a new size."""
    if side > 0:
        if tick == book.best_bid and size > 0 and in_window(book, tick):
            book.bid[tick & MASK] = size
        else:
            move_best_bid(book, tick, size)
    elif tick == book.best_ask and size > 0 and in_window(book, tick):
        book.ask[tick & MASK] = size
    else:
        move_best_ask(book, tick, size)


@njit(cache=True)
def move_best_bid(book: Record, tick: int, size: float) -> None:
    """Empty the bids above `tick` and set it; 0 empties the side."""
    if tick <= 0:
        clear_side(book, 1, 0)
        return
    old, end = book.best_bid, book.low + WINDOW
    if old > tick:
        empty(book.bid, max(tick + 1, book.low), min(old + 1, end))
        if old >= end or tick < book.low:
            drop_far(book, 1, tick)
        book.best_bid = NO_BID
    elif old < tick and book.bid_told == 0:
        if old == NO_BID and book.bid_floor == 0:
            book.bid_floor = tick
        forget(book.bid, max(old + 1, book.low), min(tick, end))
    if tick < book.bid_floor:
        if book.bid_floor == NO_ASK:
            empty(book.bid, max(tick, book.low), end)
        book.bid_floor = tick
    set_bid(book, tick, size)


@njit(cache=True)
def move_best_ask(book: Record, tick: int, size: float) -> None:
    """Empty the asks below `tick` and set it; 0 empties the side."""
    if tick <= 0:
        clear_side(book, -1, 0)
        return
    old, end = book.best_ask, book.low + WINDOW
    if old < tick:
        empty(book.ask, max(old, book.low), min(tick, end))
        if old < book.low or tick >= end:
            drop_far(book, -1, tick)
        book.best_ask = NO_ASK
    elif old > tick and book.ask_told == 0:
        if old == NO_ASK and book.ask_ceiling == NO_ASK:
            book.ask_ceiling = tick
        forget(book.ask, max(tick + 1, book.low), min(old, end))
    if tick > book.ask_ceiling:
        if book.ask_ceiling == 0:
            empty(book.ask, book.low, min(tick + 1, end))
        book.ask_ceiling = tick
    set_ask(book, tick, size)


@njit(cache=True)
def forget(sizes: Row, start: int, end: int) -> None:
    """Know nothing of the ticks from `start` on up to `end`."""
    for tick in range(start, end):
        sizes[tick & MASK] = np.nan


@njit(cache=True, forceinline=True)
def set_level(book: Record, side: int, tick: int, size: float) -> None:
    """Set a level and keep the best price of its side right."""
    if side > 0:
        set_bid(book, tick, size)
    else:
        set_ask(book, tick, size)
