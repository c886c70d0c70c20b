"""The levels that a book knows outside of its window: a table of bounded size, in sets of a few places each.

A level that finds no place takes that of the worst one of its set. Beyond what was lost so nothing is known to be
empty any more: the side's limit is raised, and `outside` counts it.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.records import Record

SETS: Final = 512
PLACES: Final = 8
FAR: Final = SETS * PLACES
"""Levels kept of a side."""
NOWHERE: Final = -1


@njit(cache=True)
def place_of(book: Record, row: int, tick: int) -> int:
    """The place of a level, NOWHERE if it has none; `row` is 0 for bids, 1 for asks."""
    first = set_of(tick)
    for place in range(first, first + PLACES):
        if book.far_ticks[row, place] == tick:
            return place
    return NOWHERE


@njit(cache=True)
def set_of(tick: int) -> int:
    """The first place of the set that a level belongs to: its tick's golden ratio hash."""
    return ((tick * 0x9E3779B1) >> 12) % SETS * PLACES


@njit(cache=True)
def known_far(book: Record, side: int, tick: int) -> float:
    """What is known of a level outside of the window: see `book`."""
    row = 0 if side > 0 else 1
    if book.far_count[row] > 0:
        place = place_of(book, row, tick)
        if place != NOWHERE:
            return float(book.far_sizes[row, place])
    return 0.0 if is_covered(book, side, tick) else np.nan


@njit(cache=True)
def is_covered(book: Record, side: int, tick: int) -> bool:
    """Whether a level of which nothing is kept is known to be empty."""
    return tick >= book.bid_floor if side > 0 else tick <= book.ask_ceiling


@njit(cache=True)
def keep_far(book: Record, side: int, tick: int, size: float) -> None:
    """Keep what is told of a level outside of the window; empty ones that are covered need no place."""
    row = 0 if side > 0 else 1
    place = place_of(book, row, tick)
    if size == 0 and is_covered(book, side, tick):
        if place != NOWHERE:
            free(book, row, place)
        return
    if place == NOWHERE:
        place = make_place(book, side, row, tick)
    if place != NOWHERE:
        book.far_ticks[row, place], book.far_sizes[row, place] = tick, size


@njit(cache=True)
def free(book: Record, row: int, place: int) -> None:
    """Forget a level."""
    book.far_ticks[row, place] = 0
    book.far_count[row] -= 1


@njit(cache=True)
def make_place(book: Record, side: int, row: int, tick: int) -> int:
    """A place for a level: a free one, or that of the set's worst; NOWHERE if the level itself is the worst."""
    first = set_of(tick)
    worst, at = tick, NOWHERE
    for place in range(first, first + PLACES):
        held = book.far_ticks[row, place]
        if held == 0:
            book.far_count[row] += 1
            return place
        if side * held < side * worst:
            worst, at = held, place
    book.outside += 1
    if side > 0:
        book.bid_floor = max(book.bid_floor, worst + 1)
    else:
        book.ask_ceiling = min(book.ask_ceiling, worst - 1)
    return at


@njit(cache=True)
def take_far(book: Record, side: int, tick: int) -> float:
    """What is known of a level, for the window that now holds it: it is not kept here any more."""
    row = 0 if side > 0 else 1
    if book.far_count[row] > 0:
        place = place_of(book, row, tick)
        if place != NOWHERE:
            size = book.far_sizes[row, place]
            free(book, row, place)
            return float(size)
    return 0.0 if is_covered(book, side, tick) else np.nan


@njit(cache=True)
def best_far(book: Record, side: int, limit: int) -> int:
    """The best level kept here at `limit` or worse, 0 if there is none."""
    row, best = (0 if side > 0 else 1), 0
    if book.far_count[row] == 0:
        return best
    for place in range(FAR):
        tick = book.far_ticks[row, place]
        if tick == 0 or side * tick > side * limit or not abs(book.far_sizes[row, place]) > 0:
            continue
        if best == 0 or side * tick > side * best:
            best = tick
    return best


@njit(cache=True)
def replace_far(book: Record, side: int, worst: int) -> None:
    """A full book shows every level down to `worst` (0: all there are): those are forgotten, worse ones are stale."""
    row = 0 if side > 0 else 1
    if book.far_count[row] == 0:
        return
    for place in range(FAR):
        tick, size = book.far_ticks[row, place], book.far_sizes[row, place]
        if tick == 0:
            continue
        if worst == 0 or side * tick >= side * worst or size == 0:
            free(book, row, place)
        else:
            book.far_sizes[row, place] = -abs(size)


@njit(cache=True)
def drop_far(book: Record, side: int, better_than: int) -> None:
    """Forget the levels better than a touch."""
    row = 0 if side > 0 else 1
    if book.far_count[row] == 0:
        return
    for place in range(FAR):
        tick = book.far_ticks[row, place]
        if tick != 0 and side * tick > side * better_than:
            free(book, row, place)
