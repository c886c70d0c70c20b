"""A whole live record on a recorded market: every order at its time, through any number of paper exchanges at once."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from papertrader.replay.twin.mids import MidPath
from papertrader.replay.twin.own_orders import OwnOrders
from papertrader.replay.twin.record import LiveOrder
from papertrader.replay.twin.stage import Command, PaperOrder, Stage
from papertrader.services.feed.market_source import MarketSource
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.state import ORDERS
from papertrader.shared.messages import Cancel, Place

LINGER_NS: Final = 62_000_000_000
"""How long a cancelled order may still be on its way out: the longest latency and the wait for late prints."""


class Simulated(NamedTuple):
    """Per exchange what became of each order, in the record's order; and the market's mids."""

    papers: dict[str, list[PaperOrder]]
    mids: MidPath


def simulate(
    source: MarketSource,
    orders: Sequence[LiveOrder],
    cancels: Sequence[int],
    exchanges: Mapping[str, FillSimConfig],
    until_ts: int = 0,
    own: OwnOrders | None = None,
) -> Simulated:
    """Put the orders into every one of these exchanges. Order n of the record has the paper id n + 1.

    `cancels` says when each order is cancelled (ns, 0 never). After `until_ts` (if not 0) no round is folded. `own` is
    what of the tape's book is theirs; without it they are taken to be in it at the record's times.
    """
    own = own or OwnOrders(orders)
    commands, lanes = _commands(orders, cancels)
    stage, sent = Stage(source.market, exchanges, lanes), 0
    for number, round_ in enumerate(source.rounds()):
        first = sent
        while number and sent < len(commands) and commands[sent].ts <= round_.end.ts:
            sent += 1
        stage.fold(own.without(round_.messages), commands[first:sent])
        if until_ts and stage.clock > until_ts:
            break
    papers = {name: [stage.paper(name, number) for number in range(1, len(orders) + 1)] for name in exchanges}
    return Simulated(papers, stage.mids)


def place_of(order: LiveOrder, order_id: int) -> Place:
    """The paper order that a live order becomes."""
    return Place(
        ts=order.placed_ts,
        order_id=order_id,
        side="buy" if order.side == "buy" else "sell",
        price=order.price,
        size=order.size,
        time_in_force=order.time_in_force,
    )


def _commands(orders: Sequence[LiveOrder], cancels: Sequence[int]) -> tuple[list[Command], int]:
    """Every place and cancel by time, and how many lanes they need."""
    commands: list[Command] = []
    lanes: list[list[int]] = []
    for number, (order, cancel_ts) in enumerate(zip(orders, cancels, strict=True), start=1):
        lane = take_lane(lanes, order.placed_ts, cancel_ts)
        commands.append(Command(order.placed_ts, lane, place_of(order, number)))
        if cancel_ts:
            commands.append(Command(cancel_ts, lane, Cancel(ts=cancel_ts, order_id=number)))
    return sorted(commands, key=lambda command: command.ts), max(len(lanes), 1)


def take_lane(lanes: list[list[int]], placed_ts: int, cancel_ts: int) -> int:
    """The first lane with room for an order that stands until its cancel; a new one if none has.

    `lanes` holds when the orders of each are gone for good; it is brought up to date.
    """
    gone_ts = cancel_ts + LINGER_NS
    for lane, until in enumerate(lanes):
        until[:] = [ts for ts in until if ts > placed_ts]
        if len(until) < ORDERS:
            until.append(gone_ts)
            return lane
    lanes.append([gone_ts])
    return len(lanes) - 1
