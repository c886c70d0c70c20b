"""Acks: the exchange's word on an order, and the order that a command asks for."""

import numpy as np

from papertrader.services.fill_sim.state import NEVER, NONE, SAID_ACK, Exchange
from papertrader.shared.kernels import njit
from papertrader.shared.market.commands import TRIGGER
from papertrader.shared.market.records import Record


@njit(cache=True)
def finite(value: float) -> float:
    """The value, or 0 for one that a message cannot carry."""
    return value if abs(value) < np.inf else 0.0


@njit(cache=True)
def say(exchange: Exchange, what: int) -> int:
    """The row of the account's next ack or fill, entered into the order of what is said."""
    out = exchange.out
    row, entry = out.counts[what], out.counts[2]
    out.said[entry, 0], out.said[entry, 1], out.said[entry, 2] = what, exchange.account_index, row
    out.counts[what] += 1
    out.counts[2] += 1
    return row


@njit(cache=True)
def write_ack(exchange: Exchange, order: Record, ts: int, status: int, reason: int) -> None:
    """Say what became of an order, describing its whole life."""
    ack = exchange.out.acks[say(exchange, SAID_ACK)]
    ack.ts = ts
    ack.order_id = order.order_id
    ack.status = status
    ack.reason = reason
    ack.side = order.side
    ack.price = finite(order.price)
    ack.size = finite(order.size)
    ack.filled_size = order.filled
    ack.live_ts = order.live_ts
    ack.first_fill_ts = order.first_fill_ts
    ack.mid_at_placement = order.mid_at_placement
    ack.queue_ahead = order.ahead_at_join
    ack.p_fill = order.p_fill
    ack.p_adverse = order.p_adverse
    drawn = order.row >= 0
    ack.fill_probability = order.reached if drawn else np.nan
    ack.fills_expected = order.expected if drawn else np.nan
    ack.fills_variance = order.variance if drawn else np.nan
    ack.priority_fee = order.priority_fee if order.priority_bps > 0 else np.nan
    ack.queue_passed = order.queue_passed
    ack.won_by_ms = (order.won_ts - order.cancel_ts) * 1e-6 if order.won_ts > 0 else np.nan


@njit(cache=True)
def candidate(exchange: Exchange, command: Record, live_ts: int) -> Record:
    """The order that a command asks for, in the row behind the table's last order."""
    order = exchange.account.orders[exchange.account.orders_count]
    order.order_id, order.tick, order.decided_ts = command.order_id, command.tick, command.decided_ts
    order.side, order.time_in_force = command.side, command.time_in_force
    order.price, order.size, order.filled = command.price, command.size, 0.0
    order.live_ts, order.cancel_ts, order.first_fill_ts = live_ts, NEVER, 0
    order.ahead, order.ahead_at_join = np.nan, np.nan
    order.row, order.reached, order.expected, order.variance, order.in_front = -1, 0.0, 0.0, 0.0, 0
    order.mid_at_placement, order.p_fill, order.p_adverse = command.mid, command.p_fill, command.p_adverse
    order.touched, order.touched_before_live = 0, command.touched
    order.reduce_only, order.group = command.reduce_only, command.group
    order.priority_bps, order.priority_fee, order.queue_passed = command.priority_bps, 0.0, np.nan
    order.slow_cancel_ts, order.won_ts = 0, 0
    order.triggered, order.ending = 1 if command.type == TRIGGER else 0, NONE
    return order
