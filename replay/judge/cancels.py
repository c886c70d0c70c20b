"""Cancels as they look from behind an order of their level, by order-by-order data.

For every cancel one order of its level, by a hash of its number, is taken for the one in front of an own order. Only
the best levels count, which feeds show and where own orders stand: in deep ones the young leave sooner.
"""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from papertrader.replay.judge.feeds import DUST
from papertrader.replay.judge.orders import ADD, EXECUTE, MODIFY, REDUCE, STANDING, OrderData
from papertrader.shared.kernels import njit
from papertrader.shared.market.hashing import splitmix64
from papertrader.shared.market.records import Integers, Record, Records

Floats = npt.NDArray[np.float64]
NONE: Final = -1
NEAR: Final = 20
"""Levels from the touch on."""
SEEN: Final = np.dtype([("ts", "i8"), ("share", "f8"), ("ahead", "i1")], align=True)
"""A cancel: the share of the level that was ahead of the own order, and whether the cancel was of it."""


class Line(NamedTuple):
    """The queues of all levels. By order: size, and level, side, order before and after. By level: see `head`."""

    sizes: Floats
    places: Integers
    head: Integers
    """First and last order of a level, −1 for none, and how many there are; shape (2, levels, 3)."""
    best: Integers
    """Level of the best price; shape (2,), −1 and `levels` for none."""


def cancels(data: OrderData) -> Records:
    """Every cancel near the touch that leaves a question open: levels of one order tell nothing."""
    ticks, levels = np.unique(data.events["tick"], return_inverse=True)
    head = np.full((2, len(ticks), 3), NONE)
    head[:, :, 2] = 0
    line = Line(np.zeros(data.orders), np.full((data.orders, 4), NONE), head, np.array([NONE, len(ticks)]))
    out = np.zeros(len(data.events), dtype=SEEN)
    fold_all: Any = fold
    return out[: fold_all(data.events, levels, line, out)]


@njit(cache=True)
def fold(events: Records, levels: Integers, line: Line, out: Records) -> int:
    """Fold all order events and write down the cancels; returns how many."""
    count = 0
    for row in range(len(events)):
        event = events[row]
        order = event.order
        if event.action == ADD or event.action == STANDING:
            stand(line, order, levels[row], 0 if event.side > 0 else 1, event.size)
        elif event.action == REDUCE and line.sizes[order] > 0:
            count += observe(line, order, row, event.ts, out[count])
            lessen(line, order, event.size)
        elif event.action == EXECUTE and line.sizes[order] > 0:
            lessen(line, order, event.size)
        elif event.action == MODIFY and line.sizes[order] > 0:
            kept = levels[row] == line.places[order, 0] and event.size <= line.sizes[order]
            if not kept or event.size < line.sizes[order] - DUST:
                count += observe(line, order, row, event.ts, out[count])
            if kept:
                lessen(line, order, line.sizes[order] - event.size)
            else:
                side = line.places[order, 1] if event.side == 0 else (0 if event.side > 0 else 1)
                lessen(line, order, line.sizes[order])
                stand(line, order, levels[row], side, event.size)
    return count


@njit(cache=True)
def stand(line: Line, order: int, level: int, side: int, size: float) -> None:
    """Put an order at the end of its level."""
    head = line.head[side, level]
    line.sizes[order] = size
    place = line.places[order]
    place[0], place[1], place[2], place[3] = level, side, head[1], NONE
    if head[1] == NONE:
        head[0] = order
    else:
        line.places[head[1], 3] = order
    head[1] = order
    head[2] += 1
    line.best[side] = max(line.best[0], level) if side == 0 else min(line.best[1], level)


@njit(cache=True)
def lessen(line: Line, order: int, size: float) -> None:
    """Take size off an order; without any left it leaves its level."""
    line.sizes[order] -= size
    if line.sizes[order] > DUST:
        return
    line.sizes[order] = 0.0
    level, side, before, after = line.places[order]
    head = line.head[side, level]
    if before == NONE:
        head[0] = after
    else:
        line.places[before, 3] = after
    if after == NONE:
        head[1] = before
    else:
        line.places[after, 2] = before
    head[2] -= 1
    step = -1 if side == 0 else 1
    while 0 <= line.best[side] < len(line.head[0]) and line.head[side, line.best[side], 2] == 0:
        line.best[side] += step


@njit(cache=True)
def is_near(line: Line, side: int, level: int) -> bool:
    """Whether fewer than `NEAR` levels are better."""
    at, better, step = line.best[side], 0, -1 if side == 0 else 1
    while at != level and better < NEAR:
        better += line.head[side, at, 2] > 0
        at += step
    return better < NEAR


@njit(cache=True)
def observe(line: Line, order: int, number: int, ts: int, out: Record) -> bool:
    """Write down a cancel as it looks from behind one order of its level; whether that tells anything."""
    level, side = line.places[order, 0], line.places[order, 1]
    head = line.head[side, level]
    if head[2] < 2 or not is_near(line, side, level):
        return False
    front = int(splitmix64(number) % np.uint64(head[2] - 1))
    total, ahead, before, at, place = 0.0, 0.0, False, head[0], 0
    while at != NONE:
        total += line.sizes[at]
        if place <= front:
            ahead += line.sizes[at]
            before |= at == order
        at = line.places[at, 3]
        place += 1
    out.ts, out.share, out.ahead = ts, ahead / total, before
    return True
