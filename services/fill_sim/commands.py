"""Commands on their way to the exchange.

A command heard is scheduled for its decision time plus a latency, and takes effect when the event clock gets there.
Commands for one order never overtake each other.
"""

from typing import Final

from papertrader.services.fill_sim.acks import candidate, write_ack
from papertrader.services.fill_sim.chance import (
    CANCEL_LATENCY,
    LATENCY_BURST,
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
SLOW: Final = 0.9
"""The quantile from which on a latency is slow."""
BURSTS: Final = 0.05
"""The share of time in which all are."""


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
            schedule(exchange, command, latency_ns(exchange.settings, command))
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


@njit(cache=True)
def latency_ns(settings: Record, command: Record) -> int:
    """How old what the command was decided on is, and how long it travels: quantiles by hashes of seed and order id.

    * a change is drawn anew each time, everything else once for each order
    * half of the slowest tenth comes in bursts, in one of twenty stretches of time: in one of those all are slow
    """
    kind, purpose, time = NEW, PLACEMENT_LATENCY, 0
    if command.type == CANCEL or command.type == CANCEL_ALL:
        kind, purpose = CANCELLING, CANCEL_LATENCY
    elif command.type == MODIFY:
        kind, purpose, time = CHANGE, MODIFY_LATENCY, command.decided_ts
    slow = False
    if settings.burst_ns > 0:
        stretch = command.decided_ts // settings.burst_ns
        slow = uniform(settings.seed, LATENCY_BURST, stretch, 0) < BURSTS
    way = in_bursts(uniform(settings.seed, purpose, command.order_id, time), settings.burst_ns > 0, slow)
    response = in_bursts(uniform(settings.seed, RESPONSE_LATENCY, command.order_id, time), settings.burst_ns > 0, slow)
    return int(
        quantile(way, settings.latency_u[kind], settings.latency_ns[kind])
        + quantile(response, settings.latency_u[RESPONSE], settings.latency_ns[RESPONSE])
    )


@njit(cache=True)
def in_bursts(u: float, bursts: bool, slow: bool) -> float:
    """A number in [0, 1) moved to where bursts put it: over all stretches of time it is uniform still."""
    if not bursts:
        return u
    if slow:
        return SLOW + (1 - SLOW) * u
    calm = u * (1 - BURSTS)
    return calm if calm < SLOW else SLOW + (calm - SLOW) * (1 - SLOW) / (1 - BURSTS - SLOW)


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
    account.sequence += 1
    command.sequence = account.sequence
    command.tick = nearest_tick(exchange.book, command.price)
    account.commands[account.commands_count] = command
    account.commands_count += 1
    reschedule(account, exchange.settings)


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
    command.group, command.replaces = 0, 0
    schedule(exchange, command, latency_ns(exchange.settings, command))
    command.type = CLOSE
    schedule(exchange, command, latency_ns(exchange.settings, command))


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
