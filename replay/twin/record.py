"""A live maker's record: what he ordered, when, and what became of it."""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple, TypeAlias

from papertrader.shared.messages import Side, TimeInForce

LiveStatus: TypeAlias = Literal["open", "filled", "cancelled", "rejected"]
NEVER_ENDED: Final = 0


class RecordError(ValueError):
    """A live record that cannot be read; the text says what was found and what to give instead."""


class LiveFill(NamedTuple):
    """One fill as the venue reported it. `fee` in quote currency, negative is a rebate."""

    ts: int
    price: float
    size: float
    fee: float = 0.0
    maker: bool = True


class LiveOrder(NamedTuple):
    """One live order. Times in ns UTC; sizes in base units.

    `placed_ts` is the time that the record gives for the order: the venue's own, unless the record has only the
    sender's. `ended_ts` is when it was cancelled, or 0. What ended by a fill has its last fill's time.
    """

    live_id: str
    symbol: str
    side: Side
    price: float
    size: float
    time_in_force: TimeInForce
    placed_ts: int
    ended_ts: int
    status: LiveStatus
    reduce_only: bool = False
    fills: tuple[LiveFill, ...] = ()

    @property
    def filled_size(self) -> float:
        """How much was filled."""
        return sum(fill.size for fill in self.fills)

    @property
    def first_fill_ts(self) -> int:
        """When it was first filled, 0 if never."""
        return min((fill.ts for fill in self.fills), default=0)

    @property
    def lived_to_ts(self) -> int:
        """When it was cancelled or filled for the last time; 0 while it is open."""
        return self.ended_ts or max((fill.ts for fill in self.fills), default=0)


class LiveRecord(NamedTuple):
    """Orders in the order of their placement, and by reason how many entries could not be used."""

    orders: tuple[LiveOrder, ...]
    left_out: dict[str, int]

    def of(self, symbols: Iterable[str]) -> tuple[LiveOrder, ...]:
        """The orders of one market, under any of the names that the record may use for it."""
        wanted = {symbol.casefold() for symbol in symbols}
        return tuple(order for order in self.orders if order.symbol.casefold() in wanted)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The markets that the record names."""
        return tuple(sorted({order.symbol for order in self.orders}))


def ordered(orders: Iterable[LiveOrder], left_out: dict[str, int]) -> LiveRecord:
    """A record of these orders by time of placement."""
    return LiveRecord(tuple(sorted(orders, key=lambda order: (order.placed_ts, order.live_id))), left_out)
