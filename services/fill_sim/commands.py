"""Commands on their way to the exchange.

A command heard is scheduled for its decision time plus a latency, and takes effect when the event clock gets there.
Commands for one order never overtake each other.
"""

from typing import Final

import numpy as np

from papertrader.services.fill_sim.acks import candidate, write_ack
from papertrader.services.fill_sim.auction import enter_block, sooner_ns, watch_levels
from papertrader.services.fill_sim.bursts import in_bursts, is_slow
from papertrader.services.fill_sim.chance import (
    CANCEL_LATENCY,
    MODIFY_LATENCY,
    PLACEMENT_LATENCY,
    RESPONSE_LATENCY,
    quantile,
    uniform,
)
from papertrader.services.fill_sim.groups import attach, reject_children
from papertrader.services.fill_sim.schedule import reschedule
from papertrader.services.fill_sim.state import (
    BAD_TIME,
    CANCEL_ALL,
    CLOSE,
    COMMANDS,
    NEVER,
    NO_MARKET,
    NONE,
    REFUSED,
    REJECTED,
    SYSTEM_ORDER_ID,
    TOO_MANY_ORDERS,
    Exchange,
)
from papertrader.services.fill_sim.venue import nearest_tick
from papertrader.shared.kernels import njit
from papertrader.shared.market.commands import CANCEL, MODIFY, PLACE, TRIGGER
from papertrader.shared.market.latencies import Latencies
from papertrader.shared.market.records import Record

FUTURE_LIMIT_NS: Final = 60_000_000_000
"""How far after the clock a command may have been decided."""
NEW: Final = Latencies._fields.index("new")
CHANGE: Final = Latencies._fields.index("modify")
CANCELLING: Final = Latencies._fields.index("cancel")
RESPONSE: Final = Latencies._fields.index("response")
FAST_CANCELLING: Final = Latencies._fields.index("fast_cancel")


@njit(cache=True)
def hear(exchange: Exchange, sent: Record, heard_ts: int) -> None:
    """Schedule a command that was sent, a `papertrader.shared.market.commands.COMMAND`, or answer at once why not.

    * decided before the round it was heard in began: taken as decided then
    * decided more than 60 s in the future: `bad_time`; before there is a market: `no_market`
    * more than 256 commands under way: `too_many_orders`
    * an order that waits for its parent does not travel by itself
    """
    account = exchange.account
    command = account.commands[COMMANDS]
    write_command(command, sent)
    account.placed += 1 if command.type == PLACE or command.type == TRIGGER else 0
    if exchange.book.ts == 0:
        turn_down(exchange, command, heard_ts, NO_MARKET)
    elif command.decided_ts > heard_ts + FUTURE_LIMIT_NS:
        turn_down(exchange, command, heard_ts, BAD_TIME)
    elif account.commands_count == COMMANDS:
        turn_down(exchange, command, heard_ts, TOO_MANY_ORDERS)
    else:
        command.decided_ts = max(command.decided_ts, heard_ts)
        if command.parent == 0:
            schedule(exchange, command, latency_ns(exchange.market, exchange.settings, command))
        else:
            reason = attach(exchange, command, heard_ts)
            if reason != NONE:
                turn_down(exchange, command, heard_ts, reason)


@njit(cache=True)
def write_command(command: Record, sent: Record) -> None:
    """Write a command that was sent, as it travels."""
    command.type, command.decided_ts, command.order_id = sent.type, sent.ts, sent.order_id
    command.effective_ts = 0
    command.side, command.time_in_force, command.touched = sent.side, sent.time_in_force, 0
    command.price, command.size, command.mid = sent.price, sent.size, sent.mid
    command.p_fill, command.p_adverse, command.reduce_only = sent.p_fill, sent.p_adverse, sent.reduce_only
    command.trigger, command.trigger_price, command.due_ts = sent.trigger, sent.trigger_price, NEVER
    command.whole_position, command.attached = sent.whole_position, 0
    command.parent, command.group, command.replaces = sent.parent, sent.group, sent.replaces
    command.priority_bps, command.fast, command.least = sent.priority_bps, sent.fast, np.nan


@njit(cache=True)
def latency_ns(market: Record, settings: Record, command: Record) -> int:
    """How old what the command was decided on is, and how long it travels: quantiles by hashes of seed and order id.

    * a change is drawn anew each time, everything else once for each order
    * half of the slowest tenth comes in bursts, in which all are slow
    * what is bid shortens the way, to nothing at most
    """
    kind, purpose, time = NEW, PLACEMENT_LATENCY, 0
    if command.type == CANCEL or command.type == CANCEL_ALL:
        kind, purpose = FAST_CANCELLING if is_fast(settings, command) else CANCELLING, CANCEL_LATENCY
    elif command.type == MODIFY:
        kind, purpose, time = CHANGE, MODIFY_LATENCY, command.decided_ts
    slow = settings.burst_ns > 0 and is_slow(market, settings, command.decided_ts)
    way_ns = drawn_ns(settings, command, kind, purpose, time, slow) - sooner_ns(settings, command)
    return int(max(way_ns, 0.0) + drawn_ns(settings, command, RESPONSE, RESPONSE_LATENCY, time, slow))


@njit(cache=True)
def drawn_ns(settings: Record, command: Record, kind: int, purpose: int, time: int, slow: bool) -> float:
    """The latency of a kind that a command draws, `slow` in a burst."""
    u = in_bursts(uniform(settings.seed, purpose, command.order_id, time), settings.burst_ns > 0, slow)
    return quantile(u, settings.latency_u[kind], settings.latency_ns[kind])


@njit(cache=True)
def is_fast(settings: Record, command: Record) -> bool:
    """Whether a cancel carries `f`."""
    return bool(command.fast == 1 or settings.fast_cancels == 1)


@njit(cache=True)
def head_start_ns(market: Record, settings: Record, command: Record) -> int:
    """How much later a fast cancel would have taken effect without `f`; 0 of one that has none."""
    if not is_fast(settings, command):
        return 0
    slow = settings.burst_ns > 0 and is_slow(market, settings, command.decided_ts)
    without_ns = drawn_ns(settings, command, CANCELLING, CANCEL_LATENCY, 0, slow)
    return int(max(without_ns - drawn_ns(settings, command, FAST_CANCELLING, CANCEL_LATENCY, 0, slow), 0.0))


@njit(cache=True)
def schedule(exchange: Exchange, command: Record, latency: int) -> None:
    """Put a command under way; it takes effect no earlier than what is under way for the same order."""
    account = exchange.account
    command.effective_ts = max(command.decided_ts + latency, exchange.book.ts)
    for slot in range(account.commands_count):
        other = account.commands[slot]
        same = other.order_id == command.order_id or 0 < other.order_id == command.replaces
        if same or command.type == CANCEL_ALL or command.type == CLOSE:
            command.effective_ts = max(command.effective_ts, other.effective_ts)
    enter_block(account, exchange.settings, command)
    account.sequence += 1
    command.sequence = account.sequence
    command.tick = nearest_tick(exchange.book, command.price)
    account.commands[account.commands_count] = command
    account.commands_count += 1
    reschedule(account, exchange.settings)
    if account.bids > 0:
        watch_levels(account, exchange.book, exchange.settings, exchange.book.ts)


@njit(cache=True)
def flatten(exchange: Exchange, ts: int) -> None:
    """Cancel everything, then close the position at market; both travel like any command decided at `ts`."""
    account = exchange.account
    if account.commands_count + 2 > COMMANDS:
        account.refused[TOO_MANY_ORDERS] += 1
        return
    command = account.commands[COMMANDS]
    command.order_id, command.decided_ts = SYSTEM_ORDER_ID + account.sequence, ts
    command.type, command.side, command.price, command.touched, command.reduce_only = CANCEL_ALL, 0, 0.0, 0, 0
    command.group, command.replaces, command.priority_bps, command.fast = 0, 0, 0.0, 0
    schedule(exchange, command, latency_ns(exchange.market, exchange.settings, command))
    command.type = CLOSE
    schedule(exchange, command, latency_ns(exchange.market, exchange.settings, command))


@njit(cache=True)
def find_order(account: Record, order_id: int) -> int:
    """The slot of a live order, −1 if there is none of that id or its cancel has taken effect."""
    for slot in range(account.orders_count):
        if account.orders[slot].order_id == order_id and account.orders[slot].cancel_ts == NEVER:
            return slot
    return -1


@njit(cache=True)
def turn_down(exchange: Exchange, command: Record, ts: int, reason: int) -> None:
    """Answer a command that has no effect: a new order is rejected, anything else refused."""
    account = exchange.account
    if command.type == PLACE or command.type == TRIGGER:
        account.rejected[reason] += 1
        write_ack(exchange, candidate(exchange, command, 0), ts, REJECTED, reason)
        if account.triggers_count > 0:
            reject_children(exchange, command.order_id, ts, reason)
        return
    account.refused[reason] += 1
    slot = find_order(account, command.order_id)
    order = account.orders[slot] if slot >= 0 else candidate(exchange, command, 0)
    write_ack(exchange, order, ts, REFUSED, reason)
