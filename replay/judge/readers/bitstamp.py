"""Bitstamp's order log: `<local ms> order_created|order_changed|order_deleted|trade|order_book <json>` a line.

A taker appears as a created order whose price crosses the book; it is kept out of the book until it rests, and what
it takes is seen in the orders that it meets: a change, or a deletion with nothing left. That is also when the print
is timed, since the venue's `trade` message follows some milliseconds later.
"""

import bz2
import gzip
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from papertrader.replay.judge.orders import (
    ADD,
    EXECUTE,
    MODIFY,
    PRINT,
    REDUCE,
    STANDING,
    JudgeError,
    OrderData,
    order_data,
)

TICK_SIZE: Final = 0.01
LOT: Final = 1e-8
TAKER_NS: Final = 1_000_000_000
"""A taker of which nothing is heard for so long is done; what it still crosses is not there any more."""
OPENERS: Final[dict[str, Callable[..., Any]]] = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}
EVENTS: Final = ("order_created", "order_changed", "order_deleted")
Row = tuple[int, int, float, int, int, int]


class Message(msgspec.Struct):
    """An order as the log has it."""

    id: int
    price: str
    amount: str
    order_type: int

    @property
    def tick(self) -> int:
        """The price in cents."""
        return round(float(self.price) / TICK_SIZE)

    @property
    def side(self) -> int:
        """+1 for a bid, −1 for an ask."""
        return 1 if self.order_type == 0 else -1


def read(path: Path) -> OrderData:
    """The orders of a log. Raises JudgeError for what is none."""
    told = list(_lines(path))
    log = _Log()
    for ts, order in _standing(told):
        log.add(ts, order.id, float(order.amount), order.tick, order.side, STANDING)
    for ts, event, order in told:
        log.take(ts, event, order)
    names = ("ts", "order", "size", "tick", "action", "side")
    columns = {name: np.array([row[place] for row in log.rows]) for place, name in enumerate(names)}
    return order_data(columns, TICK_SIZE, path.name)


def _lines(path: Path) -> Iterator[tuple[int, str, Message]]:
    decode = msgspec.json.Decoder(Message).decode
    number = 0
    with OPENERS.get(path.suffix, open)(path, "rt") as file:
        try:
            for line in file:
                number += 1
                ms, event, body = line.split(" ", 2)
                if event in EVENTS:
                    yield int(ms) * 1_000_000, event, decode(body)
        except (ValueError, msgspec.DecodeError, EOFError, lzma.LZMAError) as error:
            raise JudgeError(f"{path.name}: line {number} is not of a Bitstamp log: {error}") from None


def _standing(told: list[tuple[int, str, Message]]) -> Iterator[tuple[int, Message]]:
    """Orders that were there before the log, oldest first, as they were first seen, at the log's first moment."""
    created, first = set(), dict[int, Message]()
    for _, event, order in told:
        if event == "order_created":
            created.add(order.id)
        elif order.id not in created and order.id not in first:
            first[order.id] = order
    for order_id in sorted(first):
        if float(first[order_id].amount) > 0:
            yield told[0][0], first[order_id]


class _Taker:
    """A taker under way. `owed` is what makers lost to it less what it lost itself: their messages come apart."""

    def __init__(self, ts: int, size: float, tick: int, side: int) -> None:
        self.ts, self.size, self.tick, self.side = ts, size, tick, side
        self.owed = 0.0


class _Log:
    """The book's orders, and the events that they make."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._orders: dict[int, tuple[float, int, int]] = {}
        self._takers: dict[int, _Taker] = {}
        self._levels: dict[int, dict[int, int]] = {1: {}, -1: {}}
        self._best = {1: 0, -1: 2**62}

    def add(self, ts: int, order: int, size: float, tick: int, side: int, action: int) -> None:
        """Let an order rest."""
        self._orders[order] = (size, tick, side)
        self._levels[side][tick] = self._levels[side].get(tick, 0) + 1
        self._best[side] = max(self._best[1], tick) if side > 0 else min(self._best[-1], tick)
        self.rows.append((ts, order, size, tick, action, side))

    def _crosses(self, tick: int, side: int) -> bool:
        return tick >= self._best[-1] if side > 0 else tick <= self._best[1]

    def _leave(self, order: int) -> None:
        _, tick, side = self._orders.pop(order)
        levels = self._levels[side]
        levels[tick] -= 1
        if not levels[tick]:
            del levels[tick]
            if tick == self._best[side]:
                self._best[side] = (max(levels, default=0)) if side > 0 else min(levels, default=2**62)

    def take(self, ts: int, event: str, order: Message) -> None:
        """Fold one line."""
        size = float(order.amount)
        if event == "order_created":
            self._created(ts, order, size)
        elif order.id in self._takers:
            self._taker_changed(ts, order, size, event == "order_deleted")
        elif order.id in self._orders:
            self._changed(ts, order, size, event == "order_deleted")
        self._let_rest(ts)

    def _created(self, ts: int, order: Message, size: float) -> None:
        if order.id in self._orders or size <= 0:
            return
        if self._crosses(order.tick, order.side):
            self._takers[order.id] = _Taker(ts, size, order.tick, order.side)
        else:
            self.add(ts, order.id, size, order.tick, order.side, ADD)

    def _taker_changed(self, ts: int, order: Message, size: float, deleted: bool) -> None:
        if deleted:
            del self._takers[order.id]
            return
        taker = self._takers[order.id]
        taker.owed -= taker.size - size
        taker.ts, taker.size, taker.tick = ts, size, order.tick

    def _changed(self, ts: int, order: Message, size: float, deleted: bool) -> None:
        before, tick, side = self._orders[order.id]
        if deleted and size > 0:
            self.rows.append((ts, order.id, before, tick, REDUCE, side))
            self._leave(order.id)
            return
        taken = before - size
        if order.tick != tick:
            self._leave(order.id)
            if self._crosses(order.tick, side):
                self.rows.append((ts, order.id, before, tick, REDUCE, side))
                self._takers[order.id] = _Taker(ts, size, order.tick, side)
                return
            self._orders[order.id] = (size, order.tick, side)
            self._levels[side][order.tick] = self._levels[side].get(order.tick, 0) + 1
            self._best[side] = max(self._best[1], order.tick) if side > 0 else min(self._best[-1], order.tick)
            self.rows.append((ts, order.id, size, order.tick, MODIFY, side))
        elif taken > LOT / 2:
            self.rows.append((ts, order.id, taken, tick, PRINT, -side))
            self.rows.append((ts, order.id, taken, tick, EXECUTE, side))
            self._owe(tick, side, taken)
            self._orders[order.id] = (size, tick, side)
            if size < LOT / 2:
                self._leave(order.id)

    def _owe(self, tick: int, side: int, taken: float) -> None:
        """Charge what a maker lost to the newest taker that reaches it."""
        for taker in reversed(self._takers.values()):
            if taker.side == -side and side * tick >= side * taker.tick:
                taker.owed += taken
                return

    def _let_rest(self, ts: int) -> None:
        """Takers that cross no more and owe nothing rest; what one crosses for long without a trade is not there."""
        for order, taker in list(self._takers.items()):
            late = ts - taker.ts > TAKER_NS
            if late and self._crosses(taker.tick, taker.side):
                self._drop_ghosts(ts, taker.tick, taker.side)
            if not self._crosses(taker.tick, taker.side) and (late or abs(taker.owed) < LOT / 2):
                del self._takers[order]
                self.add(ts, order, taker.size, taker.tick, taker.side, ADD)

    def _drop_ghosts(self, ts: int, tick: int, side: int) -> None:
        for other, (size, price, other_side) in list(self._orders.items()):
            if other_side == -side and side * price <= side * tick:
                self.rows.append((ts, other, size, price, REDUCE, other_side))
                self._leave(other)
