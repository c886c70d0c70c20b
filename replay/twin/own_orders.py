"""The tape's book without the maker's own live orders.

A live order stands in the book that was recorded. Its twin would queue behind it, or share its place with it: so what
is left of live orders is taken off the levels that messages show, from when each went live until it ended, and off the
number of orders there where that is told. A level of which nothing is left keeps `REST`, one order: who would be the
best without him is not known.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from papertrader.replay.twin.record import LiveOrder
from papertrader.shared.messages import Bbo, Book, Depth, Message

REST: Final = 1e-9
"""What is left of a level that was all his own."""


class Standing(NamedTuple):
    """What stands at a level: its size, and of how many orders, 0 where nobody tells."""

    size: float
    orders: int


class OwnOrders:
    """What of each level is the maker's own, at any time. `latency_ns`: the record's times are so much too early."""

    def __init__(self, orders: Iterable[LiveOrder], latency_ns: int = 0) -> None:
        self._latency_ns = latency_ns
        self._at: dict[tuple[str, float], list[LiveOrder]] = {}
        for order in orders:
            if order.status != "rejected" and order.time_in_force != "ioc":
                self._at.setdefault((order.side, order.price), []).append(order)

    def standing(self, side: str, price: float, ts: int) -> Standing:
        """What is his of a level in a message of a time, which shows what happened at that time already."""
        sizes = [size for order in self._at.get((side, price), ()) if (size := self._left(order, ts)) > 0]
        return Standing(sum(sizes), len(sizes))

    def _left(self, order: LiveOrder, ts: int) -> float:
        if ts < order.placed_ts + self._latency_ns or (order.lived_to_ts and ts >= order.lived_to_ts):
            return 0.0
        return max(order.size - sum(fill.size for fill in order.fills if fill.ts <= ts), 0.0)

    def without(self, messages: Sequence[Message]) -> list[Message]:
        """The messages as they would be without his orders."""
        return [self._without(message) for message in messages]

    def _without(self, message: Message) -> Message:
        if isinstance(message, Bbo):
            return self._touch(message)
        if isinstance(message, Book):
            return self._book(message)
        return self._depth(message) if isinstance(message, Depth) else message

    def _touch(self, message: Bbo) -> Bbo:
        ts, bid_price, ask_price = message.ts, message.bid_price, message.ask_price
        if bid_price is not None and message.bid_size is not None:
            bid = self._rest("buy", bid_price, Standing(message.bid_size, message.bid_orders), ts)
            message = msgspec.structs.replace(message, bid_size=bid.size, bid_orders=bid.orders)
        if ask_price is not None and message.ask_size is not None:
            ask = self._rest("sell", ask_price, Standing(message.ask_size, message.ask_orders), ts)
            message = msgspec.structs.replace(message, ask_size=ask.size, ask_orders=ask.orders)
        return message

    def _book(self, message: Book) -> Book:
        bids = self._side("buy", message.bid_prices, message.bid_sizes, message.bid_orders, message.ts)
        asks = self._side("sell", message.ask_prices, message.ask_sizes, message.ask_orders, message.ts)
        return msgspec.structs.replace(
            message, bid_sizes=bids[0], bid_orders=bids[1], ask_sizes=asks[0], ask_orders=asks[1]
        )

    def _depth(self, message: Depth) -> Depth:
        bids, _ = self._side("buy", message.bid_prices, message.bid_sizes, [], message.ts)
        asks, _ = self._side("sell", message.ask_prices, message.ask_sizes, [], message.ts)
        return msgspec.structs.replace(message, bid_sizes=bids, ask_sizes=asks)

    def _side(
        self, side: str, prices: Sequence[float], sizes: Sequence[float], orders: Sequence[int], ts: int
    ) -> tuple[list[float], list[int]]:
        """Sizes and numbers of orders of a side; no numbers where none are told."""
        shown = map(Standing, sizes, orders or [0] * len(sizes))
        rests = [self._rest(side, price, level, ts) for price, level in zip(prices, shown, strict=True)]
        return [rest.size for rest in rests], [rest.orders for rest in rests] if orders else []

    def _rest(self, side: str, price: float, shown: Standing, ts: int) -> Standing:
        own = self.standing(side, price, ts)
        if not own.orders or not shown.size > 0:
            return shown
        return Standing(max(shown.size - own.size, REST), max(shown.orders - own.orders, 1) if shown.orders else 0)
