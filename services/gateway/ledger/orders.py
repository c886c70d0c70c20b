"""Orders as a program outside knows them: by oid and cloid, with a status and what became of them."""

from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

from papertrader.services.gateway.kernel import DUST
from papertrader.shared.messages import Ack, Place, Trigger
from papertrader.shared.messages.actions import NamedOrder

HISTORY: Final = 2_000
"""Ended orders that are remembered for each account."""
NS_PER_MS: Final = 1_000_000
TIF_OF: Final = {"post_only": "Alo", "gtc": "Gtc", "ioc": "Ioc"}


class Order(msgspec.Struct, kw_only=True, gc=False):
    """One order under one oid. Sizes are base units, times event time in ms UTC.

    `order_id` is what the log calls it; a modified order goes on under the same, and another `oid`. `filled_before` is
    what had been filled under earlier oids.

    One with a `trigger` (`stop` or `take_profit`) is `waiting` while its parent is not filled, and open while it waits
    for the mark; a triggered one is an order like any other.
    """

    order_id: int
    oid: int
    coin: str
    side: int
    price: float
    size: float
    time_in_force: str
    reduce_only: bool
    placed_ms: int
    cloid: str = ""
    filled: float = 0.0
    filled_before: float = 0.0
    value: float = 0.0
    status: str = "pending"
    status_ms: int = 0
    scheduled: bool = False
    """Cancelled by the clock that its program had set."""
    trigger: str = ""
    trigger_price: float = 0.0
    is_market: bool = False
    whole_position: bool = False
    group: int = 0
    triggered: bool = False
    children: list["Order"] = []
    ended: Ack | None = None
    """The ack that ended it; fills that it speaks of may still be on their way."""

    @property
    def left(self) -> float:
        """What is not filled yet, base units."""
        left = self.size - self.filled
        return left if left > DUST * self.size else 0.0

    @property
    def mean_price(self) -> float:
        """The mean price of what was filled, 0 if nothing was."""
        return self.value / self.filled if self.filled > 0 else 0.0

    @property
    def open(self) -> bool:
        """Whether it rests at the exchange."""
        return self.status == "open"

    @property
    def waits(self) -> bool:
        """Whether it has a trigger that has not been met."""
        return bool(self.trigger) and not self.triggered


class Orders:
    """The orders of one account in all markets."""

    def __init__(self) -> None:
        self._names: dict[int, deque[NamedOrder]] = {}
        self._current: dict[int, Order] = {}
        self._by_oid: dict[int, Order] = {}
        self._by_cloid: dict[str, Order] = {}
        self._ended: deque[int] = deque()
        self.highest_id = 0

    def name(self, named: NamedOrder) -> None:
        """Remember how the program calls the order that is about to be placed or modified."""
        self._names.setdefault(named.order_id, deque()).append(named)
        self.highest_id = max(self.highest_id, named.oid, named.order_id)

    def named(self, order_id: int) -> NamedOrder | None:
        """The name of the next command for an order, taken once; None if its sender gave none."""
        names = self._names.get(order_id)
        if not names:
            return None
        first = names.popleft()
        if not names:
            del self._names[order_id]
        return first

    def place(self, coin: str, message: Place | Trigger) -> Order:
        """Take an order that was sent."""
        named = self.named(message.order_id)
        order = Order(
            order_id=message.order_id,
            oid=named.oid if named else message.order_id,
            cloid=named.cloid if named else "",
            coin=coin,
            side=1 if message.side == "buy" else -1,
            price=message.price,
            size=message.size,
            time_in_force=(named.time_in_force if named else "") or TIF_OF[message.time_in_force],
            reduce_only=message.reduce_only,
            placed_ms=message.ts // NS_PER_MS,
        )
        if isinstance(message, Trigger):
            self._with_trigger(order, message)
        self.highest_id = max(self.highest_id, message.order_id, order.oid)
        if self._current.get(message.order_id) is None:
            self._enter(order)
        return self._current[message.order_id]

    def _with_trigger(self, order: Order, message: Trigger) -> None:
        order.trigger, order.trigger_price, order.group = message.trigger, message.trigger_price, message.group
        order.is_market, order.whole_position = message.time_in_force == "ioc", message.whole_position
        parent = self._current.get(message.parent)
        if parent is not None:
            parent.children.append(order)

    def replace(self, order: Order, named: NamedOrder, ack: Ack) -> Order:
        """The order that goes on under a new oid after it was modified; the old one is cancelled."""
        done = order.filled_before + order.filled
        changed = msgspec.structs.replace(
            order,
            oid=named.oid,
            cloid=named.cloid or order.cloid,
            price=ack.price,
            size=max(ack.size - done, 0.0),
            time_in_force=named.time_in_force or order.time_in_force,
            placed_ms=ack.ts // NS_PER_MS,
            filled=0.0,
            filled_before=done,
            value=0.0,
        )
        self._enter(changed)
        self.end(order, "canceled", ack.ts)
        return changed

    def _enter(self, order: Order) -> None:
        self.highest_id = max(self.highest_id, order.oid)
        self._current[order.order_id] = self._by_oid[order.oid] = order
        if order.cloid:
            self._by_cloid[order.cloid] = order

    def end(self, order: Order, status: str, ts: int) -> None:
        """An order has ended; the oldest ended ones are forgotten."""
        due = order.scheduled and status == "canceled"
        order.status, order.status_ms = "scheduledCancel" if due else status, ts // NS_PER_MS
        self._ended.append(order.oid)
        if self._current.get(order.order_id) is order:
            del self._current[order.order_id]
        if len(self._ended) > HISTORY:
            forgotten = self._by_oid.pop(self._ended.popleft(), None)
            if forgotten is not None and self._by_cloid.get(forgotten.cloid) is forgotten:
                del self._by_cloid[forgotten.cloid]

    def current(self, order_id: int) -> Order | None:
        """The order that the log calls so, as long as it has not ended."""
        return self._current.get(order_id)

    def find(self, key: int | str) -> Order | None:
        """The order of an oid or cloid, ended ones too."""
        return self._by_oid.get(key) if isinstance(key, int) else self._by_cloid.get(key.lower())

    def open(self) -> list[Order]:
        """What rests, oldest first."""
        return [order for order in self._current.values() if order.open]

    def all(self) -> Iterator[Order]:
        """Every order that is remembered, newest first."""
        return reversed(self._by_oid.values())
