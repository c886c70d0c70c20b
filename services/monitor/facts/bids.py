"""What bids for a place in the block and fast cancels bought: queue passed, others outrun, fills escaped."""

from typing import Any, Final

import msgspec

from papertrader.shared.market.blocks import BLOCK_RULES, sooner_ms
from papertrader.shared.messages import Ack, Fill, Place, Trades

RULES: Final = BLOCK_RULES["hyperliquid"]
"""No other venue sells places."""
ENDED: Final = ("rejected", "cancelled", "expired", "filled")
PRINTS: Final = 1_000
"""Prints remembered while an order with a bid takes."""


class Taken(msgspec.Struct, array_like=True):
    """A fill of a taker with a bid: without it he would have come at `until_ts`. `buys` is +1 or −1."""

    ts: int
    until_ts: int
    buys: int
    price: float
    size: float


class Bids(msgspec.Struct):
    """What the bids of one account bought. Sizes in base units."""

    orders: int = 0
    filled: int = 0
    queue_passed: float = 0.0
    before_others: float = 0.0
    """What takers with a bid took that others took too before they would have come without it."""
    fast_cancels: int = 0
    fast_cancels_won: int = 0
    open: dict[int, float] = {}
    """The orders with a bid that have not ended: of those that take what they bid, bps, of others 0."""
    taken: list[Taken] = []
    prints: list[tuple[int, int, float, float]] = []
    """Time, side, price and size of prints, where they may matter."""

    def on_place(self, place: Place) -> None:
        """An order was sent."""
        if place.priority_bps > 0:
            self.orders += 1
            self.open[place.order_id] = place.priority_bps if place.time_in_force == "ioc" else 0.0

    def on_ack(self, ack: Ack) -> None:
        """An order went live or ended."""
        self.fast_cancels_won += ack.won_by_ms is not None
        if ack.order_id not in self.open:
            return
        if ack.status == "accepted":
            self.queue_passed += ack.queue_passed or 0.0
        elif ack.status in ENDED:
            self.filled += ack.filled_size > 0
            del self.open[ack.order_id]

    def on_fill(self, fill: Fill) -> None:
        """A fill; those of a taker are compared with the prints that follow."""
        bid_bps = self.open.get(fill.order_id, 0.0)
        if bid_bps > 0:
            until_ts = fill.ts + round(sooner_ms(RULES, bid_bps) * 1e6)
            self.taken.append(Taken(fill.ts, until_ts, _sign(fill.side), fill.price, fill.size))

    def on_trades(self, trades: Trades) -> None:
        """Prints: of use while an order with a bid is under way, or a fill of one is not compared."""
        if self.taken or any(self.open.values()):
            sides = map(_sign, trades.aggressors)
            self.prints += zip(trades.times, sides, trades.prices, trades.sizes, strict=True)
            del self.prints[:-PRINTS]

    def compare(self, ts: int) -> None:
        """Compare the fills whose time is over by `ts` with what others took in it, at their prices or beyond."""
        for taken in [item for item in self.taken if item.until_ts < ts]:
            others = sum(
                size
                for at, buys, price, size in self.prints
                if taken.ts < at <= taken.until_ts and buys == taken.buys and buys * (price - taken.price) >= 0
            )
            self.before_others += min(others, taken.size)
            self.taken.remove(taken)
        if not self.taken and not any(self.open.values()):
            self.prints.clear()

    def summary(self, paid: float) -> dict[str, Any]:
        """The numbers; `paid` is what the bids have cost."""
        names = ("orders", "filled", "queue_passed", "before_others", "fast_cancels", "fast_cancels_won")
        return {"paid": paid, **{name: getattr(self, name) for name in names}}


def _sign(side: str) -> int:
    return {"buy": 1, "sell": -1}.get(side, 0)
