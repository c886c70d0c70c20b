"""What the market has shown lately: how fresh the book is, the last prints, and how many orders stand at its levels."""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.events import SNAPSHOT, TOUCH
from papertrader.shared.market.records import Record, Records

PRINTS: Final = 64
"""Prints remembered, for a book that is older than they are."""
COUNTED: Final = 1024
"""Levels of a side whose numbers of orders are remembered, by tick; a power of two."""

RECENT: Final = np.dtype(
    [
        ("shown_ts", "i8"),  # the last message that showed every level
        ("touch_ts", "i8"),  # the last that showed the touch
        ("full", "i1"),  # the message under way is a full book
        ("counting", "i1"),  # the last message told how many orders stand at its levels
        ("count", "i8"),
        ("ts", "i8", (PRINTS,)),
        ("tick", "i8", (PRINTS,)),
        ("size", "f8", (PRINTS,)),
        ("side", "i8", (PRINTS,)),
        ("counted", "i4", (2, COUNTED)),  # ticks of bids, of asks
        ("orders", "i4", (2, COUNTED)),  # how many stand there
    ],
    align=True,
)


@njit(cache=True)
def note_print(recent: Record, event: Record) -> None:
    """Remember a print."""
    row = recent.count % PRINTS
    recent.ts[row], recent.tick[row], recent.size[row], recent.side[row] = event.ts, event.tick, event.size, event.side
    recent.count += 1


@njit(cache=True)
def note_message(recent: Record, event: Record) -> None:
    """Remember how fresh the book is, after a completed message."""
    if event.kind == TOUCH:
        recent.touch_ts = max(recent.touch_ts, event.ts)
    else:
        recent.shown_ts = max(recent.shown_ts, event.ts)
    recent.full = 0


@njit(cache=True)
def last_shown(recent: Record, book: Record, side: int, tick: int) -> int:
    """When a level was last shown: by a touch if it is no worse, else by a message that shows every level."""
    no_worse = tick >= book.best_bid if side > 0 else tick <= book.best_ask
    return max(recent.shown_ts, recent.touch_ts) if no_worse else recent.shown_ts


@njit(cache=True)
def printed_since(recent: Record, side: int, tick: int, ts: int) -> float:
    """What takers were filled with at a level after `ts`, as far as is remembered."""
    volume = 0.0
    for number in range(max(recent.count - PRINTS, 0), recent.count):
        row = number % PRINTS
        if recent.ts[row] > ts and recent.tick[row] == tick and recent.side[row] == -side:
            volume += recent.size[row]
    return volume


@njit(cache=True)
def crosses_freshest(recent: Record, book: Record, side: int, tick: int) -> bool:
    """Whether an order would trade with the opposite best as the freshest source has it: touch, book or prints.

    A buyer's print newer than the book was at the best ask, which is not below it any more; likewise for sellers.
    """
    bid, ask, shown_ts = book.best_bid, book.best_ask, max(recent.shown_ts, recent.touch_ts)
    for number in range(max(recent.count - PRINTS, 0), recent.count):
        row = number % PRINTS
        if recent.ts[row] <= shown_ts:
            continue
        if recent.side[row] > 0:
            ask = recent.tick[row]
            bid = min(bid, ask - 1)
        else:
            bid = recent.tick[row]
            ask = max(ask, bid + 1)
    return tick >= ask if side > 0 else tick <= bid


@njit(cache=True, forceinline=True)
def note_orders(recent: Record, events: Records, last: np.uint64) -> None:
    """Remember how many orders stand at the levels of a book message whose last row is `last`, where it tells."""
    if events[last].id > 0 or recent.counting == 1:
        count_orders(recent, events, last)


@njit(cache=True)
def count_orders(recent: Record, events: Records, last: np.uint64) -> None:
    """Write down the numbers of orders of a message; one that does not tell ends what was known."""
    recent.counting = 1 if events[last].id > 0 else 0
    if recent.counting == 0:
        recent.counted[:] = 0
        return
    row, begun = np.int64(last), False
    while not begun:
        event = events[row]
        if event.kind != SNAPSHOT:
            side, place = 0 if event.side > 0 else 1, event.tick % COUNTED
            recent.counted[side, place], recent.orders[side, place] = event.tick, event.id
        row -= 1
        begun = bool(row < 0 or events[row].last == 1)


@njit(cache=True)
def orders_at(recent: Record, side: int, tick: int) -> int:
    """How many orders stand at a level, 0 where nobody tells or none does."""
    row, place = 0 if side > 0 else 1, tick % COUNTED
    return int(recent.orders[row, place]) if recent.counted[row, place] == tick else 0
