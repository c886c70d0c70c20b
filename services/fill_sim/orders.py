"""The life of an order at the exchange: going live, changing, ending."""

from typing import Final

import numpy as np

from papertrader.services.fill_sim.account import reset_money, settle
from papertrader.services.fill_sim.acks import candidate, write_ack
from papertrader.services.fill_sim.auction import charge, come_before_tail, comes_after
from papertrader.services.fill_sim.chance import ADVERSE_SHARE, uniform
from papertrader.services.fill_sim.commands import find_order, head_start_ns, turn_down
from papertrader.services.fill_sim.draws import begin
from papertrader.services.fill_sim.groups import announce_children, end_trigger
from papertrader.services.fill_sim.line import free_row, stand, use_learned
from papertrader.services.fill_sim.liquidation import liquidate
from papertrader.services.fill_sim.lots import nearest_lot, whole_lots
from papertrader.services.fill_sim.margin import coverable
from papertrader.services.fill_sim.queue import shows
from papertrader.services.fill_sim.said import after_fills, end_order, end_order_because, fill_taker
from papertrader.services.fill_sim.schedule import reschedule
from papertrader.services.fill_sim.state import (
    ACCEPTED,
    CANCEL_ALL,
    CANCELLED,
    COMMANDS,
    DRAWS,
    EXPIRED,
    FILLED,
    GTC,
    IOC,
    MODIFIED,
    NEVER,
    NEVER_TRIGGERED,
    NO_PRIORITY,
    NONE,
    ORDERS,
    REDUCE_ONLY,
    RESET,
    SELF_TRADE,
    UNKNOWN_ORDER,
    Exchange,
)
from papertrader.services.fill_sim.triggers import find_trigger, next_due, place_trigger, release
from papertrader.services.fill_sim.venue import bad_value, nearest_tick, no_place, reducible, refusal
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import next_ask, next_bid, price_of, size_at
from papertrader.shared.market.commands import CANCEL, MODIFY, PLACE, TRIGGER
from papertrader.shared.market.records import Record

LEVELS_TAKEN: Final = ORDERS
"""Levels that one order may take; what is left after them expires."""


@njit(cache=True)
def next_command(account: Record) -> int:
    """The slot of the command that takes effect first, −1 if none is under way."""
    first = -1
    for slot in range(account.commands_count):
        command = account.commands[slot]
        if first >= 0:
            leader = account.commands[first]
            if comes_after(command, leader):
                continue
        first = slot
    return first


@njit(cache=True)
def next_cancelled(account: Record) -> int:
    """The slot of the order whose cancel took effect first, −1 if none waits for late prints."""
    first = -1
    for slot in range(account.orders_count):
        if account.orders[slot].cancel_ts < NEVER and (
            first < 0 or account.orders[slot].cancel_ts < account.orders[first].cancel_ts
        ):
            first = slot
    return first


@njit(cache=True)
def take_step(exchange: Exchange) -> None:
    """Do the next thing that is due: liquidate, place what was triggered, let a command take effect, end an order."""
    account = exchange.account
    if account.liquidation_ts <= account.next_ts:
        liquidate(exchange)
        return
    slot, due = next_command(account), next_due(account)
    if due >= 0 and account.triggers[due].due_ts <= account.next_ts:
        place(exchange, release(exchange, due))
    elif slot >= 0 and account.commands[slot].effective_ts <= account.next_ts:
        take_effect(exchange, slot)
    else:
        ending = next_cancelled(account)
        end_order(exchange, ending, account.orders[ending].cancel_ts, CANCELLED)
    reschedule(account, exchange.settings)


@njit(cache=True)
def take_effect(exchange: Exchange, slot: int) -> None:
    """Take a command off the table and let it take effect."""
    account = exchange.account
    account.commands[COMMANDS] = account.commands[slot]
    account.commands_count -= 1
    account.commands[slot] = account.commands[account.commands_count]
    command = account.commands[COMMANDS]
    if command.type == PLACE:
        place(exchange, command)
    elif command.type == CANCEL:
        cancel(exchange, command)
    elif command.type == MODIFY:
        modify(exchange, command)
    elif command.type == TRIGGER:
        place_trigger(exchange, command)
    elif command.type == CANCEL_ALL:
        cancel_all(exchange, command.effective_ts)
    else:
        close_position(exchange, command)


@njit(cache=True)
def place(exchange: Exchange, command: Record) -> None:
    """Let a new order go live, or reject it.

    * acked `accepted` when it is live, before anything fills
    * what crosses takes displayed size; of an IOC the rest expires, of a GTC it rests
    """
    account, settings = exchange.account, exchange.settings
    ts = command.effective_ts
    order = candidate(exchange, command, ts)
    reason = no_place(account, order)
    if reason == NONE:
        reason = cut(account, order)
    if reason == NONE:
        reason = refusal(exchange, order)
    if reason != NONE:
        turn_down(exchange, command, ts, reason)
        return
    account.sequence += 1
    order.sequence = account.sequence
    order.price = price_of(exchange.book, order.tick)
    if not 0 < order.mid_at_placement < np.inf:
        order.mid_at_placement = exchange.market.mid
    share = uniform(settings.seed, ADVERSE_SHARE, order.order_id, 0)
    order.only_through = 1 if share < settings.adverse_fill_ratio else 0
    if order.time_in_force != IOC:
        if settings.fill_model == DRAWS:
            order.row = free_row(account)
            begin(order, settings)
            use_learned(order, account.learned, settings)
        stand(exchange, order, ts)
        if order.priority_bps > 0:
            come_before_tail(exchange, order, command.least)
            charge(exchange, order, order.price, order.size)
    account.orders_count += 1
    account.accepted += 1
    write_ack(exchange, order, ts, ACCEPTED, REDUCE_ONLY if order.size < command.size else NONE)
    if account.triggers_count > 0:
        announce_children(exchange, order.order_id, ts)
    take(exchange, account.orders_count - 1, ts)


@njit(cache=True)
def cut(account: Record, order: Record) -> int:
    """Cut what is left of a reduce-only order to the position; REDUCE_ONLY if there is nothing that it reduces."""
    if order.reduce_only == 0:
        return NONE
    left = reducible(account, order.side)
    order.size = min(order.size, order.filled + left)
    return NONE if left > 0 else REDUCE_ONLY


@njit(cache=True)
def take(exchange: Exchange, slot: int, ts: int) -> None:
    """Let an order that may cross take displayed size, level by level from the best; end it if nothing may rest.

    * the book is not changed by it: the displayed size is what the venue showed last, and our taking leaves no trace;
      but what then rests is not crossed by the size that it took
    * own orders that it meets on its way are cancelled, and it goes on: nobody trades with himself
    """
    account, book = exchange.account, exchange.book
    order, taken = account.orders[slot], 0.0
    if order.time_in_force == IOC or order.time_in_force == GTC:
        tick = book.best_ask if order.side > 0 else book.best_bid
        met = tick
        for _ in range(LEVELS_TAKEN):
            left = nearest_lot(exchange.market, order.size - order.filled)
            if left <= 0 or not reachable(exchange, order, tick):
                break
            price = price_of(book, tick)
            wanted = min(size_at(book, -order.side, tick), left)
            size = coverable(exchange, order, price, wanted)
            if size < wanted:
                size = whole_lots(exchange.market, size)
            if size <= 0:
                break
            fill_taker(exchange, order, ts, price, size)
            taken += size
            met = tick
            tick = next_ask(book, tick + 1) if order.side > 0 else next_bid(book, tick - 1)
        expire_own(account, order, order.tick if order.size - order.filled > 1e-9 * order.size else met, ts)
    if order.size - order.filled <= 1e-9 * order.size:
        order.filled = order.size
        end_order(exchange, slot, ts, FILLED)
    elif order.time_in_force == IOC:
        end_order(exchange, slot, ts, EXPIRED)
    else:
        account.crossed[0 if order.side > 0 else 1] += taken
    after_fills(exchange, ts)


@njit(cache=True)
def expire_own(account: Record, taker: Record, tick: int, ts: int) -> None:
    """Cancel the own orders that a taker met, who went up to `tick`."""
    for slot in range(account.orders_count):
        order = account.orders[slot]
        if order.side != taker.side and order.cancel_ts == NEVER and taker.side * order.tick <= taker.side * tick:
            order.cancel_ts, order.ending = ts, SELF_TRADE


@njit(cache=True)
def reachable(exchange: Exchange, order: Record, tick: int) -> bool:
    """Whether a taker may take a level: not beyond his limit, and displayed."""
    book = exchange.book
    if order.side * tick > order.side * order.tick or size_at(book, -order.side, tick) <= 0:
        return False
    return shows(book, -order.side, tick, False)


@njit(cache=True)
def mark_cancelled(order: Record, ts: int) -> None:
    """Let a cancel take effect at `ts`: the order ends when no print from before can come any more."""
    order.cancel_ts = min(order.cancel_ts, ts)


@njit(cache=True)
def cancel(exchange: Exchange, command: Record) -> None:
    """Let a cancel take effect; that the order is gone already is normal, and refused as unknown.

    A fast one is refused for an order that waits for the mark.
    """
    slot, waiting = find_order(exchange.account, command.order_id), find_trigger(exchange.account, command.order_id)
    if slot >= 0:
        order = exchange.account.orders[slot]
        mark_cancelled(order, command.effective_ts)
        order.slow_cancel_ts = order.cancel_ts + head_start_ns(exchange.market, exchange.settings, command)
    elif waiting >= 0 and command.fast == 1:
        turn_down(exchange, command, command.effective_ts, NO_PRIORITY)
    elif waiting >= 0:
        end_trigger(exchange, waiting, command.effective_ts, CANCELLED, NEVER_TRIGGERED)
    else:
        turn_down(exchange, command, command.effective_ts, UNKNOWN_ORDER)


@njit(cache=True)
def cancel_all(exchange: Exchange, ts: int) -> None:
    """Let a cancel of everything take effect."""
    account = exchange.account
    for slot in range(account.orders_count):
        mark_cancelled(account.orders[slot], ts)
    while account.triggers_count > 0:
        end_trigger(exchange, account.triggers_count - 1, ts, CANCELLED, NEVER_TRIGGERED)


@njit(cache=True)
def modify(exchange: Exchange, command: Record) -> None:
    """Let a modify take effect, or refuse it and leave the order as it is.

    * `size` is the order's whole size, what has filled included; if no more is wanted, the order is cancelled
    * the same price and no larger size keeps its place in the line; anything else joins the back
    """
    account, ts = exchange.account, command.effective_ts
    slot = find_order(account, command.order_id)
    if slot < 0:
        turn_down(exchange, command, ts, UNKNOWN_ORDER)
        return
    # checked in the row behind the table, so that a refused modify changes nothing
    account.orders[account.orders_count] = account.orders[slot]
    changed = account.orders[account.orders_count]
    changed.price, changed.size, changed.tick = command.price, command.size, command.tick
    cut(account, changed)
    if 0 < changed.size <= changed.filled:
        mark_cancelled(account.orders[slot], ts)
        return
    keeps_place = changed.tick == account.orders[slot].tick and changed.size <= account.orders[slot].size
    reason = bad_value(exchange, changed, exchange.market.mid) if keeps_place else refusal(exchange, changed)
    if reason != NONE:
        turn_down(exchange, command, ts, reason)
        return
    account.orders[slot] = changed
    write_modified(exchange, slot, ts, keeps_place)


@njit(cache=True)
def write_modified(exchange: Exchange, slot: int, ts: int, keeps_place: bool) -> None:
    """Move a modified order to the back of its new level unless it keeps its place, and say so."""
    account = exchange.account
    order = account.orders[slot]
    order.price = price_of(exchange.book, order.tick)
    if not keeps_place:
        account.sequence += 1
        order.sequence = account.sequence
        order.mid_at_placement = exchange.market.mid
        stand(exchange, order, ts)
    write_ack(exchange, order, ts, MODIFIED, NONE)
    if not keeps_place:
        take(exchange, slot, ts)


@njit(cache=True)
def close_position(exchange: Exchange, command: Record) -> None:
    """Place an IOC order against the whole position, as far from the mid as any order may be."""
    position = exchange.account.position
    if position == 0:
        return
    command.side = -1 if position > 0 else 1
    command.size = abs(position)
    command.price = exchange.market.mid * (1 + command.side * exchange.settings.max_distance)
    command.tick = nearest_tick(exchange.book, command.price)
    command.time_in_force, command.touched = IOC, 0
    command.mid, command.p_fill, command.p_adverse, command.reduce_only = np.nan, np.nan, np.nan, 1
    command.group, command.priority_bps = 0, 0.0
    exchange.account.placed += 1
    place(exchange, command)


@njit(cache=True)
def reset(exchange: Exchange, ts: int) -> None:
    """Drop every order and command at once and start the money afresh; fill and order counters go on."""
    account = exchange.account
    while account.orders_count > 0:
        end_order_because(exchange, account.orders_count - 1, ts, CANCELLED, RESET)
    while account.triggers_count > 0:
        end_trigger(exchange, account.triggers_count - 1, ts, CANCELLED, RESET)
    for slot in range(account.commands_count):
        if account.commands[slot].type == PLACE or account.commands[slot].type == TRIGGER:
            turn_down(exchange, account.commands[slot], ts, RESET)
    account.commands_count = 0
    settle(account, exchange.market)
    reset_money(account, exchange.settings)
    account.liquidation_ts = NEVER
    account.filled_in_round = 1
    reschedule(account, exchange.settings)
