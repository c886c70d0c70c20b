"""What a trader sees of an exact book, and what becomes of a shadow behind every order that arrives.

The exact book is folded order by order. Three feeds are derived from it, each an array of market data events:

* `l2`: every change of a level, and every print;
* `snapshots_500ms`: the best 20 levels of each side every 500 ms, and every print;
* `hl`, as Hyperliquid sends it: the best 20 levels every 540 ms, the touch on a grid of 110 ms where it changed, both
  with how many orders stand there, and every print.

A shadow is an order of no size right behind the arrival. It is filled at the first moment at which

* an order behind it, at its price, is executed: a taker got past it;
* anything is executed at a worse price of its side, or a hidden order at its price;
* an order of the other side rests at its price or through it: nobody else was left at its level.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from papertrader.replay.judge.orders import ADD, EXECUTE, HIDDEN, MODIFY, PRINT, STANDING, OrderData
from papertrader.shared.kernels import njit
from papertrader.shared.market.events import EVENT, LEVEL, SNAPSHOT, TOUCH
from papertrader.shared.market.events import PRINT as PRINT_ROW
from papertrader.shared.market.records import Integers, Record, Records

Floats = npt.NDArray[np.float64]

NEVER: Final = 2**62
LEVELS: Final = 20
SNAPSHOT_NS: Final = 500_000_000
HL_SNAPSHOT_NS: Final = 540_000_000
HL_TOUCH_NS: Final = 110_000_000
FEEDS: Final = ("l2", "snapshots_500ms", "hl")
DUST: Final = 1e-9
"""A size below this is a rest of float arithmetic."""

SHADOW: Final = np.dtype(
    [
        ("ts", "i8"),
        ("tick", "i8"),
        ("size", "f8"),  # of the arrival before it
        ("ahead", "f8"),  # the true size ahead at the join
        ("filled_ts", "i8"),  # NEVER if it is not within the horizon
        ("row", "i8", (len(FEEDS),)),  # in each feed, the events before the join
        ("sequence", "i8"),
        ("next", "i8"),  # of the same level
        ("side", "i1"),
    ],
    align=True,
)


class Feed(NamedTuple):
    """Events being written, and how many there are: `written` of shape (1,)."""

    events: Records
    written: Integers


class Market(NamedTuple):
    """What a file gives to be judged on. `mids` are those of the exact book, each from `mid_ts` on."""

    feeds: tuple[Records, ...]
    shadows: Records
    mid_ts: Integers
    mids: Floats
    tick_size: float


class Exact(NamedTuple):
    """The exact book by price level, levels numbered by price. Sides: row 0 bids, row 1 asks."""

    ticks: Integers
    size: Floats
    """Shape (2, levels)."""
    orders: Integers
    """How many stand there, shape (2, levels)."""
    head: Integers
    """The newest live shadow of a level, −1 if none; shape (2, levels)."""
    best: Integers
    """Level of the best price; shape (2,), −1 and `levels` for none."""
    shadowed: Integers
    """Level of the best-priced shadow, as `best`."""


def market_of(data: OrderData, horizon_ns: int) -> Market:
    """Fold the exact book: the feeds, and the shadows with their fates within the horizon."""
    events = data.events
    ticks, levels = np.unique(events["tick"], return_inverse=True)
    span = int(events["ts"][-1] - events["ts"][0])
    printed = int(np.isin(events["action"], (PRINT, HIDDEN)).sum())
    rows = (2 * len(events) + 8, *(_grid_rows(span, step) + printed for step in (SNAPSHOT_NS, HL_SNAPSHOT_NS)))
    rows = (*rows[:2], rows[2] + 2 * (span // HL_TOUCH_NS + 2))
    feeds = tuple(Feed(np.zeros(count, dtype=EVENT), np.zeros(1, dtype=np.int64)) for count in rows)
    shadows = np.zeros(int((events["action"] == ADD).sum()), dtype=SHADOW)
    exact = Exact(
        ticks,
        np.zeros((2, len(ticks))),
        np.zeros((2, len(ticks)), dtype=np.int64),
        np.full((2, len(ticks)), -1),
        np.array([-1, len(ticks)]),
        np.array([-1, len(ticks)]),
    )
    mid_ts, mids = np.zeros(len(events) + 1, dtype=np.int64), np.zeros(len(events) + 1)
    orders = np.zeros((data.orders, 2)), np.zeros((data.orders, 3), dtype=np.int64)
    fold_all: Any = fold
    count, mids_count = fold_all(
        events, levels, exact, *orders, *feeds, shadows, mid_ts, mids, data.tick_size, horizon_ns
    )
    return Market(
        tuple(feed.events[: feed.written[0]] for feed in feeds),
        shadows[:count],
        mid_ts[:mids_count],
        mids[:mids_count],
        data.tick_size,
    )


def _grid_rows(span: int, step: int) -> int:
    return (span // step + 2) * (2 * LEVELS + 2)


@njit(cache=True)
def fold(
    events: Records,
    levels: Integers,
    exact: Exact,
    sizes: Floats,
    places: Integers,
    l2: Feed,
    snapshots: Feed,
    hl: Feed,
    shadows: Records,
    mid_ts: Integers,
    mids: Floats,
    tick_size: float,
    horizon_ns: int,
) -> tuple[int, int]:
    """Fold all order events; returns how many shadows and mids there are.

    An order's size is `sizes[order, 0]`; its level, side and sequence (its place in time) are `places[order]`.
    """
    count, mids_count, previous = 0, 0, (-1, -1)
    start = events[0].ts if len(events) > 0 else 0
    grids = np.array([start + SNAPSHOT_NS, start + HL_SNAPSHOT_NS, start + HL_TOUCH_NS])
    touch = np.zeros(4)
    for sign in (1, -1):
        write(l2, start, SNAPSHOT, sign, 0, 0.0, int(sign < 0))
    for row in range(len(events)):
        event, level = events[row], levels[row]
        pass_grids(exact, snapshots, hl, grids, touch, event.ts)
        if event.action == PRINT or event.action == HIDDEN:
            for feed in (l2, snapshots, hl):
                write(feed, event.ts, PRINT_ROW, event.side, exact.ticks[level], event.size, 1)
                feed.events[feed.written[0] - 1].id = row + 1
            if event.action == HIDDEN:
                reach(exact, shadows, -event.side, level, NEVER, event.ts, horizon_ns)
            continue
        change(exact, sizes, places, shadows, l2, event, level, row, horizon_ns)
        if event.action == ADD:
            side = 0 if event.side > 0 else 1
            shadow = shadows[count]
            shadow.ts, shadow.tick, shadow.size, shadow.side = event.ts, event.tick, event.size, event.side
            shadow.ahead, shadow.filled_ts, shadow.sequence = exact.size[side, level], NEVER, row
            shadow.row[0], shadow.row[1], shadow.row[2] = l2.written[0], snapshots.written[0], hl.written[0]
            shadow.next = exact.head[side, level]
            exact.head[side, level] = count
            exact.shadowed[side] = better(side, exact.shadowed[side], level)
            count += 1
        bid, ask = exact.best[0], exact.best[1]
        if (bid, ask) != previous and 0 <= bid < ask < len(exact.ticks):
            mid_ts[mids_count], mids[mids_count] = event.ts, 0.5 * tick_size * (exact.ticks[bid] + exact.ticks[ask])
            mids_count += 1
            previous = (bid, ask)
    return count, mids_count


@njit(cache=True)
def change(
    exact: Exact,
    sizes: Floats,
    places: Integers,
    shadows: Records,
    l2: Feed,
    event: Record,
    level: int,
    sequence: int,
    horizon_ns: int,
) -> None:
    """Fold an event of one order into the book, with the fates that it decides and the rows of `l2`."""
    order = event.order
    if event.action == ADD or event.action == STANDING:
        sizes[order, 0] = event.size
        places[order] = (level, 0 if event.side > 0 else 1, sequence)
        arrive(exact, shadows, l2, event.ts, places[order], event.size, horizon_ns)
        return
    place = places[order]
    if event.action == MODIFY:
        if level == place[0] and event.size <= sizes[order, 0]:
            take_off(exact, l2, event.ts, place, sizes[order, 0] - event.size, event.size)
        else:
            take_off(exact, l2, event.ts, place, sizes[order, 0], 0.0)
            place[0], place[2] = level, sequence
            place[1] = place[1] if event.side == 0 else (0 if event.side > 0 else 1)
            arrive(exact, shadows, l2, event.ts, place, event.size, horizon_ns)
        sizes[order, 0] = event.size
        return
    taken = min(event.size, sizes[order, 0])
    if taken <= 0:
        return
    if event.action == EXECUTE:
        reach(exact, shadows, 1 if place[1] == 0 else -1, place[0], place[2], event.ts, horizon_ns)
    sizes[order, 0] -= taken
    take_off(exact, l2, event.ts, place, taken, sizes[order, 0])


@njit(cache=True)
def arrive(exact: Exact, shadows: Records, l2: Feed, ts: int, place: Integers, size: float, horizon_ns: int) -> None:
    """Let an order rest: it may stand at or through the price of a shadow of the other side."""
    level, side = place[0], place[1]
    exact.size[side, level] += size
    exact.orders[side, level] += 1
    exact.best[side] = better(side, exact.best[side], level)
    write(l2, ts, LEVEL, 1 if side == 0 else -1, exact.ticks[level], exact.size[side, level], 1)
    reach(exact, shadows, -1 if side == 0 else 1, level, NEVER, ts, horizon_ns)


@njit(cache=True)
def take_off(exact: Exact, l2: Feed, ts: int, place: Integers, size: float, rest: float) -> None:
    """Let a level lose size of an order of which `rest` stays."""
    level, side = place[0], place[1]
    left = exact.size[side, level] - size
    exact.size[side, level] = left if left > DUST else 0.0
    exact.orders[side, level] -= rest <= DUST
    if exact.size[side, level] == 0 and level == exact.best[side]:
        step = -1 if side == 0 else 1
        level += step
        while 0 <= level < len(exact.ticks) and exact.size[side, level] == 0:
            level += step
        exact.best[side] = level
        level = place[0]
    write(l2, ts, LEVEL, 1 if side == 0 else -1, exact.ticks[level], exact.size[side, level], 1)


@njit(cache=True)
def better(side: int, first: int, second: int) -> int:
    """The better-priced of two levels of a side."""
    return max(first, second) if side == 0 else min(first, second)


@njit(cache=True)
def reach(exact: Exact, shadows: Records, sign: int, level: int, sequence: int, ts: int, horizon_ns: int) -> None:
    """Fill the shadows of a side (+1 bids) at better levels, and those at this one that came before `sequence`."""
    side, step = (0, -1) if sign > 0 else (1, 1)
    at = exact.shadowed[side]
    if at < 0 or at >= len(exact.ticks):
        return
    while (at >= level) if side == 0 else (at <= level):
        before, shadow = -1, exact.head[side, at]
        while shadow >= 0:
            following = shadows[shadow].next
            reached = at != level or shadows[shadow].sequence < sequence
            if reached and ts - shadows[shadow].ts <= horizon_ns:
                shadows[shadow].filled_ts = ts
            if reached or ts - shadows[shadow].ts > horizon_ns:
                if before < 0:
                    exact.head[side, at] = following
                else:
                    shadows[before].next = following
            else:
                before = shadow
            shadow = following
        at += step
    at = exact.shadowed[side]
    while 0 <= at < len(exact.ticks) and exact.head[side, at] < 0:
        at += step
    exact.shadowed[side] = at


@njit(cache=True)
def pass_grids(exact: Exact, snapshots: Feed, hl: Feed, grids: Integers, touch: Floats, ts: int) -> None:
    """Publish what was due before `ts`."""
    while min(grids[0], min(grids[1], grids[2])) < ts:
        due = min(grids[0], min(grids[1], grids[2]))
        if due == grids[0]:
            write_snapshot(exact, snapshots, due, False)
            grids[0] += SNAPSHOT_NS
        elif due == grids[1]:
            write_snapshot(exact, hl, due, True)
            grids[1] += HL_SNAPSHOT_NS
        else:
            write_touch(exact, hl, touch, due)
            grids[2] += HL_TOUCH_NS


@njit(cache=True)
def write_snapshot(exact: Exact, feed: Feed, ts: int, counted: bool) -> None:
    """The best levels of both sides, with how many orders stand there where that is `counted`."""
    first = feed.written[0]
    for side in range(2):
        sign, step = (1, -1) if side == 0 else (-1, 1)
        start = feed.written[0]
        write(feed, ts, SNAPSHOT, sign, 0, 0.0, 0)
        level, shown = exact.best[side], 0
        while 0 <= level < len(exact.ticks) and shown < LEVELS:
            if exact.size[side, level] > 0:
                write(feed, ts, LEVEL, sign, exact.ticks[level], exact.size[side, level], 0)
                feed.events[feed.written[0] - 1].id = exact.orders[side, level] if counted else 0
                feed.events[start].tick = exact.ticks[level]
                shown += 1
            level += step
    if feed.written[0] > first:
        feed.events[feed.written[0] - 1].last = 1


@njit(cache=True)
def write_touch(exact: Exact, feed: Feed, touch: Floats, ts: int) -> None:
    """The touch, if it is not what was last published."""
    changed = False
    for side in range(2):
        level = exact.best[side]
        known = 0 <= level < len(exact.ticks)
        tick, size = (float(exact.ticks[level]), exact.size[side, level]) if known else (0.0, 0.0)
        changed |= touch[2 * side] != tick or touch[2 * side + 1] != size
        touch[2 * side], touch[2 * side + 1] = tick, size
    for side in range(2 if changed else 0):
        level = exact.best[side]
        write(feed, ts, TOUCH, 1 - 2 * side, int(touch[2 * side]), touch[2 * side + 1], side)
        feed.events[feed.written[0] - 1].id = exact.orders[side, level] if touch[2 * side] > 0 else 0


@njit(cache=True)
def write(feed: Feed, ts: int, kind: int, side: int, tick: int, size: float, last: int) -> None:
    """Append an event."""
    event = feed.events[feed.written[0]]
    event.ts, event.kind, event.side, event.tick, event.size, event.last = ts, kind, side, tick, size, last
    feed.written[0] += 1
