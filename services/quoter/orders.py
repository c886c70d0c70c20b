"""Own orders: what was sent, what the exchange said of it, and the commands that bring it to the targets.

An order has one command in flight at most. Whatever may still fill - pending, live, or asked to be cancelled - counts
against the position cap.
"""

from typing import Final

import numpy as np

from papertrader.services.quoter.glft import TICK_TOLERANCE, floor_to_lot, smallest_size
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import price_of
from papertrader.shared.market.commands import CANCEL, COMMAND, PLACE, POST_ONLY
from papertrader.shared.market.records import Record, Records, code
from papertrader.shared.messages import AckStatus, Reason

ORDERS: Final = 64
"""Own orders of one account at a time."""
COMMANDS: Final = 2 * ORDERS
"""Commands of one decision at most."""

FREE: Final = 0
PENDING: Final = 1
LIVE: Final = 2
CANCELLING: Final = 3

NO_LEVEL: Final = 127
"""The level of an order that was given up and came back: no target keeps it."""
SINGLE: Final = 126
"""The level of a single order: no target asks for it, and it stays where it is."""
SIZE_TOLERANCE: Final = 1.1
"""An order larger than its target by more than this must go; a smaller one keeps its place."""

ACCEPTED: Final = code(AckStatus, "accepted")
REJECTED: Final = code(AckStatus, "rejected")
MODIFIED: Final = code(AckStatus, "modified")
INSUFFICIENT_MARGIN: Final = code(Reason, "insufficient_margin")
INSUFFICIENT_BALANCE: Final = code(Reason, "insufficient_balance")

ORDER: Final = np.dtype(
    [
        ("id", "i8"),
        ("tick", "i8"),
        ("command_ts", "i8"),  # when the last command on it was sent
        ("size", "f8"),  # what is left of it, base units
        ("level", "i1"),
        ("side", "i1"),
        ("status", "i1"),
    ],
    align=True,
)


def new_commands() -> Records:
    """Room for the commands of one decision, shape (128,)."""
    return np.zeros(COMMANDS, dtype=COMMAND)


@njit(cache=True)
def index_of(orders: Records, order_id: int) -> int:
    """The row of an order, −1 if it is not there."""
    for index in range(len(orders)):
        if orders[index].status != FREE and orders[index].id == order_id:
            return index
    return -1


@njit(cache=True)
def free_row(orders: Records) -> int:
    """A row that holds no order, −1 if there is none."""
    for index in range(len(orders)):
        if orders[index].status == FREE:
            return index
    return -1


@njit(cache=True)
def working_row(orders: Records, side: int, level: int) -> int:
    """The row of the pending or live order at a level, −1 if there is none."""
    for index in range(len(orders)):
        order = orders[index]
        if (order.status == PENDING or order.status == LIVE) and order.side == side and order.level == level:
            return index
    return -1


@njit(cache=True)
def open_size(orders: Records, side: int) -> float:
    """What may still fill on a side, base units: pending, live and asked to be cancelled."""
    size = 0.0
    for index in range(len(orders)):
        if orders[index].status != FREE and orders[index].side == side:
            size += orders[index].size
    return size


@njit(cache=True)
def best_tick(orders: Records, side: int) -> int:
    """The tick of the innermost open order of a side, 0 if there is none."""
    best = 0
    for index in range(len(orders)):
        order = orders[index]
        if order.status != FREE and order.side == side and (best == 0 or side * order.tick > side * best):
            best = order.tick
    return best


@njit(cache=True)
def on_fill(state: Record, fill: Record) -> None:
    """A fill shrinks its order and sets the position."""
    state.settled = 0
    state.position = fill.position_after
    index = index_of(state.orders, fill.order_id)
    if index >= 0:
        order = state.orders[index]
        order.size = max(order.size - fill.size, 0.0)


@njit(cache=True)
def on_ack(state: Record, ack: Record, tick: int) -> None:
    """What became of an order; every answer but `accepted` and `modified` ends it.

    An order that was given up and is accepted after all comes back without a level, to be cancelled.
    """
    state.settled = 0
    if ack.status == REJECTED:
        state.rejected += 1
        if ack.reason == INSUFFICIENT_MARGIN or ack.reason == INSUFFICIENT_BALANCE:
            state.margin_rejected_ts = ack.ts
    index = index_of(state.orders, ack.order_id)
    if index < 0:
        if ack.status == ACCEPTED and 0 < ack.order_id < state.next_order_id:
            take_back(state, ack, tick)
    elif ack.status == ACCEPTED:
        if state.orders[index].status == PENDING:
            state.orders[index].status = LIVE
    elif ack.status == MODIFIED:
        order = state.orders[index]
        order.tick, order.size = tick, ack.size - ack.filled_size
    else:
        state.orders[index].status = FREE


@njit(cache=True)
def take_back(state: Record, ack: Record, tick: int) -> None:
    """Enter an order of ours that was forgotten and is live."""
    index = free_row(state.orders)
    if index < 0:
        state.table_full += 1
        return
    state.rows = max(state.rows, index + 1)
    order = state.orders[index]
    order.id, order.tick, order.command_ts = ack.order_id, tick, ack.ts
    order.size = ack.size - ack.filled_size
    order.level, order.side, order.status = NO_LEVEL, ack.side, LIVE


@njit(cache=True)
def give_up_unanswered(state: Record, settings: Record, heard_ts: int) -> None:
    """Forget orders and cancels that found no answer in time.

    `heard_ts` is the end of the round whose answers have been heard: a hole in the market data is no silence.
    """
    for index in range(state.rows):
        order = state.orders[index]
        if order.status != PENDING and order.status != CANCELLING:
            continue
        if heard_ts - order.command_ts > settings.answer_timeout_s * 1e9:
            state.settled = 0
            state.unanswered += 1
            order.status = FREE if order.status == PENDING else LIVE


@njit(cache=True)
def answer_due_ts(state: Record, settings: Record) -> int:
    """Up to this `give_up_unanswered` gives up nothing."""
    ts = np.iinfo(np.int64).max
    for index in range(state.rows):
        order = state.orders[index]
        if order.status == PENDING or order.status == CANCELLING:
            ts = min(ts, order.command_ts + int(settings.answer_timeout_s * 1e9))
    return ts


@njit(cache=True)
def cancel(state: Record, index: int, ts: int, command: Record) -> None:
    """Ask for the end of a live order."""
    order = state.orders[index]
    order.status, order.command_ts, state.settled = CANCELLING, ts, 0
    state.cancels += 1
    command.type, command.ts, command.order_id = CANCEL, ts, order.id


@njit(cache=True)
def cancel_all(state: Record, ts: int, commands: Records) -> int:
    """Ask for the end of every live order; returns the number of commands. A pending one waits for its answer."""
    count = 0
    for index in range(state.rows):
        if state.orders[index].status == LIVE:
            cancel(state, index, ts, commands[count])
            count += 1
    if count > 0:
        state.last_command_ts = ts
    return count


@njit(cache=True)
def place(state: Record, view: Record, target: Record, size: float, command: Record) -> bool:
    """Send the order that a target asks for; False if the table is full."""
    index = free_row(state.orders)
    if index < 0:
        state.table_full += 1
        return False
    state.rows = max(state.rows, index + 1)
    order = state.orders[index]
    order.id, order.tick, order.command_ts = state.next_order_id, target.tick, view.ts
    order.size, order.level, order.side, order.status = size, target.level, target.side, PENDING
    state.next_order_id += 1
    state.settled = 0
    state.placed += 1
    command.type, command.ts, command.order_id = PLACE, view.ts, order.id
    command.side, command.size, command.price = order.side, size, price_of(view, order.tick)
    command.time_in_force, command.reduce_only = POST_ONLY, 0
    command.mid, command.params_version = view.mid, view.params_version
    command.p_fill, command.p_adverse, command.priority_bps = target.p_fill, target.p_adverse, target.priority_bps
    return True


@njit(cache=True)
def room(view: Record, side: int) -> float:
    """How much a side may trade before it reaches the cap; without margin, and to sell in spot, only what reduces."""
    limit = view.max_position if view.can_increase and (side > 0 or view.can_short) else 0.0
    return max(limit - side * view.position, 0.0)


@njit(cache=True)
def admissible_size(view: Record, size: float, room_left: float, tick: int) -> float:
    """The largest size that fits, a multiple of the lot; 0 if the venue accepts none that small."""
    fitting = floor_to_lot(view, min(size, room_left))
    return fitting if fitting >= smallest_size(view, price_of(view, tick)) else 0.0


@njit(cache=True)
def admit(view: Record, targets: Records, count: int) -> None:
    """Cut the targets to the position cap, the inside first; what does not fit has size 0."""
    room_bid, room_ask = room(view, 1), room(view, -1)
    for index in range(count):
        target = targets[index]
        room_left = room_bid if target.side > 0 else room_ask
        target.size = admissible_size(view, target.size, room_left, target.tick)
        if target.side > 0:
            room_bid -= target.size
        else:
            room_ask -= target.size


@njit(cache=True)
def allowed_move(view: Record, settings: Record, order: Record, target: Record) -> float:
    """How far the target may move from a live order's price before to move is worth it, quote currency.

    * a requote costs, and at the touch or better so does the place in the queue that is lost;
    * a far order is rarely filled, so that a move is worth less: a share of the target's distance from the mid;
    * more when the market left the order behind, where it only misses fills.
    """
    touch = view.bid_tick if order.side > 0 else view.ask_tick
    queued = order.side * (order.tick - touch) >= 0
    cost_bps = settings.requote_cost_bps + (settings.queue_value_bps if queued else 0.0)
    distance = abs(price_of(view, target.tick) - view.mid)
    allowed = max(cost_bps / 1e4 * view.mid, settings.distance_share * distance)
    left_behind = target.side * (target.tick - order.tick) > 0
    return allowed * settings.left_behind_factor if left_behind else allowed


@njit(cache=True)
def must_go(view: Record, settings: Record, order: Record, targets: Records, count: int) -> bool:
    """Whether a live order no longer serves.

    * no target asks for its level, or
    * it is larger than the target by more than 10 %, or
    * the target's price is further away than `allowed_move`.
    """
    for index in range(count):
        target = targets[index]
        if target.side == order.side and target.level == order.level:
            moved = abs(target.tick - order.tick) * view.tick_size
            allowed = allowed_move(view, settings, order, target) + TICK_TOLERANCE * view.tick_size
            return order.size > SIZE_TOLERANCE * target.size or moved > allowed
    return True


@njit(cache=True)
def crosses_own(state: Record, target: Record) -> bool:
    """Whether an order at the target's price would meet a working order of the other side.

    One that is being cancelled does not count: it is gone before the new one goes live.
    """
    for index in range(state.rows):
        order = state.orders[index]
        works = order.status == PENDING or order.status == LIVE
        if works and order.side == -target.side and target.side * (target.tick - order.tick) >= 0:
            return True
    return False


@njit(cache=True)
def reconcile(state: Record, view: Record, settings: Record, targets: Records, count: int, commands: Records) -> int:
    """Bring the own orders to the targets; returns the number of commands written.

    Live orders that no longer serve are cancelled, then every target whose level has no working order is placed, as
    large as the cap allows with everything that may still fill.
    """
    admit(view, targets, count)
    sent = 0
    for index in range(state.rows):
        order = state.orders[index]
        if order.status == LIVE and order.level != SINGLE and must_go(view, settings, order, targets, count):
            cancel(state, index, view.ts, commands[sent])
            sent += 1
    for index in range(count):
        target = targets[index]
        if working_row(state.orders[: state.rows], target.side, target.level) >= 0 or crosses_own(state, target):
            continue
        room_left = room(view, target.side) - open_size(state.orders[: state.rows], target.side)
        size = admissible_size(view, target.size, room_left, target.tick)
        if size > 0 and place(state, view, target, size, commands[sent]):
            sent += 1
    if sent > 0:
        state.last_command_ts = view.ts
    return sent
