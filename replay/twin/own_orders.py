"""The tape's book without the maker's own live orders.

A live order stands in the book that was recorded. Its twin would queue behind it, or share its place with it: so what
is left of live orders is taken off the levels that messages show, from when each went live until it ended. A level of
which nothing is left keeps `REST`: who would be the best without him is not known.
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

import msgspec

from papertrader.replay.twin.record import LiveOrder
from papertrader.shared.messages import Bbo, Book, Depth, Message

REST: Final = 1e-9
"""What is left of a level that was all his own."""
Levels = TypeVar("Levels", Book, Depth)


class OwnOrders:
    """What of each level is the maker's own, at any time. `latency_ns`: the record's times are so much too early."""

    def __init__(self, orders: Iterable[LiveOrder], latency_ns: int = 0) -> None:
        self._latency_ns = latency_ns
        self._at: dict[tuple[str, float], list[LiveOrder]] = {}
        for order in orders:
            if order.status != "rejected" and order.time_in_force != "ioc":
                self._at.setdefault((order.side, order.price), []).append(order)

    def size(self, side: str, price: float, ts: int) -> float:
        """What is his of a level in a message of a time, which shows what happened at that time already."""
        return sum(self._left(order, ts) for order in self._at.get((side, price), ()))

    def _left(self, order: LiveOrder, ts: int) -> float:
        if ts < order.placed_ts + self._latency_ns or (order.lived_to_ts and ts >= order.lived_to_ts):
            return 0.0
        return max(order.size - sum(fill.size for fill in order.fills if fill.ts <= ts), 0.0)

    def without(self, messages: Sequence[Message]) -> list[Message]:
        """The messages as they would be without his orders."""
        return [self._without(message) for message in messages]

    def _without(self, message: Message) -> Message:
        if isinstance(message, Bbo):
            bid = self._one("buy", message.bid_price, message.bid_size, message.ts)
            ask = self._one("sell", message.ask_price, message.ask_size, message.ts)
            if (bid, ask) == (message.bid_size, message.ask_size):
                return message
            return msgspec.structs.replace(message, bid_size=bid, ask_size=ask, bid_orders=0, ask_orders=0)
        if isinstance(message, Book):
            return self._levels(message)
        return self._levels(message) if isinstance(message, Depth) else message

    def _levels(self, message: Levels) -> Levels:
        bids = self._side("buy", message.bid_prices, message.bid_sizes, message.ts)
        asks = self._side("sell", message.ask_prices, message.ask_sizes, message.ts)
        if bids == message.bid_sizes and asks == message.ask_sizes:
            return message
        if isinstance(message, Book):
            return msgspec.structs.replace(message, bid_sizes=bids, ask_sizes=asks, bid_orders=[], ask_orders=[])
        return msgspec.structs.replace(message, bid_sizes=bids, ask_sizes=asks)

    def _side(self, side: str, prices: Sequence[float], sizes: Sequence[float], ts: int) -> list[float]:
        return [self._rest(side, price, size, ts) for price, size in zip(prices, sizes, strict=True)]

    def _one(self, side: str, price: float | None, size: float | None, ts: int) -> float | None:
        return size if price is None or size is None else self._rest(side, price, size, ts)

    def _rest(self, side: str, price: float, size: float, ts: int) -> float:
        own = self.size(side, price, ts) if size > 0 else 0.0
        return max(size - own, REST) if own > 0 else size
