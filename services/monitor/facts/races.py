"""Races of own cancels against takers: which were in time, which were lost, by how much, and what that cost.

A cancel loses when its order is filled between the decision and the moment at which the cancel takes effect. On a
venue that orders the actions of a block, cancels come before its takers, so one that is late by less than a block would
have won with a place in the block before: that is what a fast cancel or a bid for priority buys.
"""

from typing import Any, Final

import msgspec

from papertrader.shared.market.blocks import BLOCK_RULES
from papertrader.shared.messages import Ack, Cancel, Fill, Markout

BLOCK_NS: Final = round(BLOCK_RULES["hyperliquid"].block_ms * 1e6)
KEPT: Final = 1_000
"""Lost orders whose markouts may still come."""


class Races(msgspec.Struct):
    """What became of the cancels of one account. Worth is the 5 s markout of what was filled, quote currency."""

    in_time: int = 0
    lost: int = 0
    lost_by_a_block: int = 0
    late_ns: int = 0
    worth: float = 0.0
    worth_by_a_block: float = 0.0
    sent: dict[int, int] = {}
    """When each order's cancel that is not answered was decided."""
    filled_ts: dict[int, int] = {}
    """When those of them were filled last since then."""
    late: dict[int, int] = {}
    """By how much each lost order's cancel was late."""
    fills: dict[int, int] = {}
    """The orders of fills since a cancel, by fill, until their markouts come."""

    def on_cancel(self, cancel: Cancel) -> None:
        """A cancel was sent; a second one of an order changes nothing."""
        self.sent.setdefault(cancel.order_id, cancel.ts)

    def on_fill(self, fill: Fill) -> None:
        """A fill: it loses the race of a cancel that was decided before."""
        if fill.ts >= self.sent.get(fill.order_id, fill.ts + 1):
            self.filled_ts[fill.order_id] = fill.ts
            self.fills[fill.fill_id] = fill.order_id

    def on_ack(self, ack: Ack) -> None:
        """The answer to a cancel: `cancelled`, or `refused` where nothing was left to cancel."""
        if ack.status not in ("cancelled", "refused") or self.sent.pop(ack.order_id, None) is None:
            return
        filled_ts = self.filled_ts.pop(ack.order_id, None)
        if filled_ts is None:
            self.in_time += ack.status == "cancelled"
            return
        late = max(ack.ts - filled_ts, 0)
        self.lost += 1
        self.lost_by_a_block += late < BLOCK_NS
        self.late_ns += late
        self.late[ack.order_id] = late
        if len(self.late) > KEPT:
            del self.late[next(iter(self.late))]

    def on_markout(self, markout: Markout) -> None:
        """What a fill was worth that a cancel came too late for; the cancel is answered by then."""
        order_id = self.fills.pop(markout.fill_id, None)
        if order_id is None or markout.markout_bps is None:
            return
        worth = markout.markout_bps * 1e-4 * markout.price * markout.size
        self.worth += worth
        if self.late.get(order_id, BLOCK_NS) < BLOCK_NS:
            self.worth_by_a_block += worth

    def summary(self) -> dict[str, Any]:
        """The numbers; late is the mean over what was lost, ms."""
        return {
            "in_time": self.in_time,
            "lost": self.lost,
            "lost_by_a_block": self.lost_by_a_block,
            "late_ms": self.late_ns / self.lost * 1e-6 if self.lost else None,
            "worth": self.worth,
            "worth_by_a_block": self.worth_by_a_block,
        }
