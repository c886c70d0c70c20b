"""Which orders stand in the queues, as far as changes of levels tell: arrivals, cancels and where those stood.

A level is followed as a line: in front what was there before, of which nobody knows the orders, behind it the orders
that arrived since. A growth is an order that arrives, a shrink that no print explains is an order that is cancelled.

* Prints take from the front. One may come after the shrink that it explains, if it is not newer.
* A shrink that is as large as one known order alone is its cancel.
* Of several such orders the youngest goes, and nothing is learned.
* A shrink that is as large as none came out of what was there before; where that is less, the line is known no more.
* Where it is told how many orders stand there, only a growth by one order is an arrival, and only a shrink by one a
  cancel. After any other change, but by prints, nobody knows the line's orders.
* Levels that full books show no more are forgotten, and after a gap all. Touches are not looked at.

Whether that holds shows where all orders of a line are known: then every shrink has to be as large as one of them,
more often than as one of another line. Where changes are merged it is not (`odds`).
"""

from typing import Final

import numpy as np

from papertrader.services.estimator.odds import examine, observe
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import MASK, NEXT, WINDOW, size_at
from papertrader.shared.market.events import SNAPSHOT
from papertrader.shared.market.hashing import splitmix64
from papertrader.shared.market.orders_told import UNTOLD, more_orders
from papertrader.shared.market.records import Record, Records

SETS: Final = 64
PLACES: Final = 4
KNOWN: Final = 24
"""Orders known of a line; of more, the first join what nobody knows."""
NEAR: Final = 20
"""Levels from the touch on whose cancels are learned from: own orders stand there, and deep ones live otherwise."""
FARTHEST_TICKS: Final = 1024
MEASURED_NS: Final = 1_000_000_000
"""How often it is measured how far that is; what is twice as far is not followed."""
SAME: Final = 1e-9
"""Sizes that differ by less are one: they are sums of floats."""
NONE: Final = -1

LINE: Final = np.dtype(
    [
        ("tick", "i8"),
        ("side", "i8"),
        ("era", "i8"),  # the line is known while this is that of all
        ("seen_ts", "i8"),  # the last message that showed it
        ("message", "i8"),  # and its number
        ("count", "i8"),
        ("orders", "i8"),  # in that message, 0 where nobody tells
        ("printed", "f8"),  # volume since then
        ("shrunk", "f8"),  # the shrink in that message, as far as no print explains it
        ("near", "i1"),  # it was near the touch
        ("before", "f8"),  # what stands in front and was there before the line was followed
        ("sizes", "f8", (KNOWN,)),
    ],
    align=True,
)
LINES: Final = np.dtype(
    [
        ("era", "i8"),
        ("message", "i8"),
        ("cancels", "i8"),  # for the hash
        ("other", "i8"),  # the line of the cancel before
        ("measured_ts", "i8"),
        ("reach", "i8", (2,)),  # of bids and asks: levels further from the best are not followed, ticks
        ("missed", "i1", (WINDOW,)),  # by tick, as the book's window has them: a change was not followed
        ("rows", LINE, (SETS * PLACES,)),
    ],
    align=True,
)


@njit(cache=True)
def first_place(tick: int) -> int:
    """The first place of the set that a level belongs to: its tick's golden ratio hash."""
    return ((tick * 0x9E3779B1) >> 8) % SETS * PLACES


@njit(cache=True)
def place_of(lines: Record, side: int, tick: int) -> int:
    """The place of a level's line, NONE if it has none."""
    first = first_place(tick)
    for place in range(first, first + PLACES):
        line = lines.rows[place]
        if line.tick == tick and line.side == side and line.era == lines.era:
            return place
    return NONE


@njit(cache=True)
def new_place(lines: Record, side: int, tick: int, size: float) -> int:
    """Follow a level that held `size`, 0 of which nothing is known: in place of the line not seen for longest."""
    first = first_place(tick)
    oldest = first
    for place in range(first, first + PLACES):
        line = lines.rows[place]
        if line.era != lines.era:
            oldest = place
            break
        if line.seen_ts < lines.rows[oldest].seen_ts:
            oldest = place
    line = lines.rows[oldest]
    line.tick, line.side, line.era, line.count, line.orders = tick, side, lines.era, 0, 0
    line.printed, line.shrunk, line.before = 0.0, 0.0, size
    return oldest


@njit(cache=True)
def on_message(lines: Record, odds: Record, book: Record, events: Records, row: np.uint64) -> None:
    """Fold a message of levels that begins at `row`; the book has not folded it yet."""
    lines.message += 1
    if events[row].ts >= lines.measured_ts + MEASURED_NS:
        lines.measured_ts = events[row].ts
        lines.reach[0], lines.reach[1] = reach_of(book, 1), reach_of(book, -1)
    full, worst_bid, worst_ask = events[row].kind == SNAPSHOT, 0, 0
    while True:
        event = events[row]
        if event.kind == SNAPSHOT:
            if event.side > 0:
                worst_bid = event.tick
            else:
                worst_ask = event.tick
        else:
            show(lines, odds, book, event.side, event.tick, event.size, event.id, event.ts)
        if event.last == 1:
            break
        row += NEXT
    if full:
        end_full(lines, odds, book, worst_bid, worst_ask, events[row].ts)


@njit(cache=True)
def end_full(lines: Record, odds: Record, book: Record, worst_bid: int, worst_ask: int, ts: int) -> None:
    """Lines that a full book did not show are empty down to the worst level that it shows, and forgotten beyond."""
    for place in range(SETS * PLACES):
        line = lines.rows[place]
        if line.era != lines.era or line.message == lines.message:
            continue
        worst = worst_bid if line.side > 0 else worst_ask
        if worst == 0 or line.side * line.tick >= line.side * worst:
            show(lines, odds, book, line.side, line.tick, 0.0, 0, ts)
        else:
            line.era = 0


@njit(cache=True)
def show(lines: Record, odds: Record, book: Record, side: int, tick: int, size: float, orders: int, ts: int) -> None:
    """A message shows a level, of so many orders, which the book has as it was before."""
    away = book.best_bid - tick if side > 0 else tick - book.best_ask
    if away > lines.reach[0 if side > 0 else 1]:
        lines.missed[tick & MASK] = 1
        return
    place = place_of(lines, side, tick)
    if lines.missed[tick & MASK] == 1:
        lines.missed[tick & MASK] = 0
        if place != NONE:
            lines.rows[place].era = 0
            place = NONE
    if place == NONE:
        known = size_at(book, side, tick)
        place = new_place(lines, side, tick, known if known >= 0 else size)
    line = lines.rows[place]
    settle(lines, odds, line)
    before = held(line)
    take(line, line.printed)
    change = size - held(line)
    single = is_single(line, before, size, orders, change)
    line.printed, line.seen_ts, line.message, line.orders = 0.0, ts, lines.message, orders
    if not single:
        line.before, line.count = size, 0
    elif change > SAME:
        arrive(line, change)
    elif change < -SAME:
        line.shrunk, line.near = -change, is_near(book, side, tick)


@njit(cache=True)
def is_single(line: Record, before: float, size: float, orders: int, change: float) -> bool:
    """Whether a change may be one order's, as far as the numbers of orders tell."""
    more = more_orders(line.orders, before, orders, size)
    if line.printed > 0 or (more == UNTOLD and orders == 0):
        return True
    return bool(more == (0 if abs(change) <= SAME else (1 if change > 0 else -1)))


@njit(cache=True)
def reach_of(book: Record, side: int) -> int:
    """Twice the ticks from the best level of a side to the last that is near."""
    best = book.best_bid if side > 0 else book.best_ask
    better, away = 0, 0
    while better < NEAR and away < FARTHEST_TICKS:
        better += size_at(book, side, best - side * away) > 0
        away += 1
    return 2 * away


@njit(cache=True)
def is_near(book: Record, side: int, tick: int) -> bool:
    """Whether fewer than `NEAR` levels are better."""
    better, at = 0, book.best_bid if side > 0 else book.best_ask
    while side * (at - tick) > 0 and better < NEAR:
        better += size_at(book, side, at) > 0
        at -= side
    return better < NEAR


@njit(cache=True)
def on_print(lines: Record, event: Record) -> None:
    """A print takes from the front of its level, at once if it explains what has been shown, else when it is shown."""
    place = place_of(lines, -event.side, event.tick)
    if place == NONE:
        return
    line = lines.rows[place]
    if event.ts > line.seen_ts:
        line.printed += event.size
        return
    explained = min(event.size, line.shrunk)
    line.shrunk -= explained
    take(line, explained)


@njit(cache=True)
def settle(lines: Record, odds: Record, line: Record) -> None:
    """What of the last shrink no print has explained is a cancel: learn from it, and take it off."""
    size = line.shrunk
    line.shrunk = 0.0
    if not size > SAME:
        return
    row, count = youngest(line, size)
    if line.near == 1:
        learn(lines, odds, line, row, count, size)
    if count > 0:
        remove(line, row)
    elif line.before >= size - SAME:
        line.before = rest(line.before - size)
    else:
        line.before, line.count = rest(held(line) - size), 0


@njit(cache=True)
def learn(lines: Record, odds: Record, line: Record, row: int, count: int, size: float) -> None:
    """What a cancel tells: of `count` known orders of its size the youngest is `row`.

    As in a queue one of its orders, by a hash, is taken for the one in front of an own order.
    """
    known = 1 if line.before == 0 else 0
    orders = line.count + 1 - known
    if orders < 2:
        return
    if known == 1:
        examine(odds, count > 0, youngest(lines.rows[lines.other], size)[1] > 0, line.seen_ts)
        lines.other = place_of(lines, line.side, line.tick)
    if count == 1 or (count == 0 and line.before >= size - SAME):
        lines.cancels += 1
        front = int(splitmix64(lines.cancels) % np.uint64(orders - 1)) + known
        ahead = line.before
        for place in range(front):
            ahead += line.sizes[place]
        observe(odds, ahead / held(line), row < front, line.seen_ts)


@njit(cache=True)
def youngest(line: Record, size: float) -> tuple[int, int]:
    """The youngest order of a size, NONE if there is none, and how many are of it."""
    found, count = NONE, 0
    for row in range(line.count):
        if abs(line.sizes[row] - size) < SAME:
            found = row
            count += 1
    return found, count


@njit(cache=True)
def arrive(line: Record, size: float) -> None:
    """An order arrives at the end."""
    if line.count == KNOWN:
        line.before += line.sizes[0]
        remove(line, 0)
    line.sizes[line.count] = size
    line.count += 1


@njit(cache=True)
def remove(line: Record, row: int) -> None:
    """An order leaves."""
    for place in range(row, line.count - 1):
        line.sizes[place] = line.sizes[place + 1]
    line.count -= 1


@njit(cache=True)
def take(line: Record, size: float) -> None:
    """Takers take from the front."""
    taken = min(size, line.before)
    line.before = rest(line.before - taken)
    left = size - taken
    while left > SAME and line.count > 0:
        if line.sizes[0] > left + SAME:
            line.sizes[0] -= left
            return
        left -= line.sizes[0]
        remove(line, 0)


@njit(cache=True)
def rest(size: float) -> float:
    """What is left, nothing if that is a rest of float arithmetic."""
    return size if size > SAME else 0.0


@njit(cache=True)
def held(line: Record) -> float:
    """The line's size."""
    size = line.before
    for row in range(line.count):
        size += line.sizes[row]
    return size


@njit(cache=True)
def forget(lines: Record) -> None:
    """Nothing is known of any line."""
    lines.era += 1
