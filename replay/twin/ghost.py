"""A ghost of a live maker: his orders, as they become known, through the paper exchange a moment behind the market.

Pure: it is handed venue entries and rounds. An order is known only after the venue took it, so rounds are folded
`DELAY_NS` of event time late, when the orders of that time are known; then each goes in at its own time.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from papertrader.replay.twin.comparison import Compared, compare
from papertrader.replay.twin.intentions import lifetimes
from papertrader.replay.twin.mids import MARKOUT_S, NS_PER_S
from papertrader.replay.twin.own_orders import OwnOrders
from papertrader.replay.twin.readers import hyperliquid
from papertrader.replay.twin.record import LiveOrder, ordered
from papertrader.replay.twin.simulation import place_of
from papertrader.replay.twin.stage import Command, PaperOrder, Stage
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.state import ORDERS
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Cancel, Message, RoundEnd

DELAY_NS: Final = 3_000_000_000
SETTLED_NS: Final = round(MARKOUT_S * NS_PER_S)
"""After so long the markouts of an order that has ended are known."""
LANES: Final = 8
EXCHANGE: Final = "ghost"
ROUNDS_KEPT: Final = 40_000
"""Half an hour of mids: orders that lived longer have no markout for their first fills."""
REMEMBERED: Final = 2_000
"""Ended orders whose lifetimes tell how long orders are left."""


class Followed(NamedTuple):
    """An order on its way: its paper id, its lane, and when it is cancelled on paper (0: not known yet)."""

    order_id: int
    lane: int
    cancel_ts: int


class Ghost:
    """One market of a maker who is followed."""

    def __init__(self, market: Market, config: FillSimConfig, p_fill: Callable[[PaperOrder], float]) -> None:
        self.market = market
        self.left_out: Counter[str] = Counter()
        self._stage = Stage(market, {EXCHANGE: config}, LANES, ROUNDS_KEPT)
        self._p_fill = p_fill
        self._entries: dict[str, list[Mapping[str, Any]]] = {}
        self._followed: dict[str, Followed] = {}
        self._due: list[Command] = []
        self._ended: list[LiveOrder] = []
        self._lanes: list[set[str]] = [set() for _ in range(LANES)]
        self._next_id = 1
        self._own: OwnOrders | None = None

    def hear(self, entry: Mapping[str, Any]) -> None:
        """An order's status or a fill of this market, in Hyperliquid's own form."""
        oid = str(entry["oid"] if "oid" in entry else entry["order"]["oid"])
        if oid not in self._followed:
            if "order" not in entry or not self._follow(oid, entry):
                return
            self._entries[oid] = []
        self._entries[oid].append(entry)
        self._own = None
        self._plan_cancel(oid)

    def _follow(self, oid: str, entry: Mapping[str, Any]) -> bool:
        """Send an order on its way, unless that can no longer be done; whether it was."""
        order = hyperliquid.read([entry]).orders
        lane = next((index for index, held in enumerate(self._lanes) if len(held) < ORDERS), -1)
        why_not = (
            "trigger_order"
            if not order
            else "not_seen_from_its_beginning"
            if entry["status"] != "open"
            else "known_too_late"
            if order[0].placed_ts <= self._stage.clock
            else "too_many_at_once"
            if lane < 0
            else ""
        )
        if why_not:
            self.left_out[why_not] += 1
            return False
        self._lanes[lane].add(oid)
        self._followed[oid] = Followed(self._next_id, lane, 0)
        self._due.append(Command(order[0].placed_ts, lane, place_of(order[0], self._next_id)))
        self._next_id += 1
        return True

    def _plan_cancel(self, oid: str) -> None:
        """Cancel on paper when it was cancelled live, or when it would have been had it not been filled."""
        followed, order = self._followed[oid], self._live(oid)
        if followed.cancel_ts or order.status == "open":
            return
        cancel_ts = order.ended_ts
        if not cancel_ts:
            known = lifetimes(self._ended[-REMEMBERED:])
            cancel_ts = order.placed_ts + known.after(max(order.lived_to_ts - order.placed_ts, 0), 0.5)
        self._followed[oid] = followed._replace(cancel_ts=cancel_ts)
        cancel = Cancel(ts=cancel_ts, order_id=followed.order_id)
        self._due.append(Command(cancel_ts, followed.lane, cancel))
        self._ended.append(order)

    def _live(self, oid: str) -> LiveOrder:
        return ordered(hyperliquid.read(self._entries[oid]).orders, {}).orders[0]

    def fold(self, messages: Sequence[Message]) -> list[Compared]:
        """Fold a round, its marker last; the orders that have ended on both sides by its end."""
        end = messages[-1]
        assert isinstance(end, RoundEnd)
        due = sorted((command for command in self._due if command.ts <= end.ts), key=lambda command: command.ts)
        self._due = [command for command in self._due if command.ts > end.ts]
        self._stage.fold(self._own_orders().without(messages), due)
        return self._take_ended()

    def _own_orders(self) -> OwnOrders:
        """What of the market's book is his."""
        if self._own is None:
            self._own = OwnOrders([self._live(oid) for oid in self._followed])
        return self._own

    def _take_ended(self) -> list[Compared]:
        found: list[tuple[LiveOrder, PaperOrder]] = []
        for oid, followed in list(self._followed.items()):
            paper = self._stage.paper(EXCHANGE, followed.order_id)
            if not followed.cancel_ts or paper.ack is None:
                continue
            live = self._live(oid)
            if max(paper.ack.ts, live.lived_to_ts) + SETTLED_NS < self._stage.clock:
                found.append((live, paper))
                self._lanes[followed.lane].discard(oid)
                self._stage.forget(followed.order_id)
                del self._followed[oid], self._entries[oid]
                self._own = None
        if not found:
            return []
        return compare([live for live, _ in found], [paper for _, paper in found], self._stage.mids, self._p_fill)
