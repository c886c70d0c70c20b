"""Orders that wait for the mark: stops and take-profits.

* They are triggered by the mark price that margin is reckoned at: the venue's, whenever it says one; where it says
  none, and in spot, the mid, once at the end of every round.
* A stop sells at a mark at its trigger price or below, and buys at one at it or above; a take-profit the other way.
  One whose condition holds already is triggered at once.
* What was triggered is placed at that instant, without a latency, as any order is: first come, first served.
* While it waits an order needs no margin and stands in no queue.
"""

from papertrader.services.fill_sim.acks import candidate, write_ack
from papertrader.services.fill_sim.commands import turn_down
from papertrader.services.fill_sim.groups import begin_to_wait, drop, end_trigger, enter
from papertrader.services.fill_sim.state import (
    CANCELLED,
    COMMANDS,
    IOC,
    NEVER,
    NEVER_TRIGGERED,
    NONE,
    SPOT,
    TRIGGERED,
    UNKNOWN_ORDER,
    Exchange,
)
from papertrader.services.fill_sim.venue import bad_trigger, is_met, nearest_tick, reducible
from papertrader.shared.kernels import njit
from papertrader.shared.market.records import Record, Records


@njit(cache=True)
def find_trigger(account: Record, order_id: int) -> int:
    """The slot of a waiting order, −1 if there is none of that id."""
    for slot in range(account.triggers_count):
        if account.triggers[slot].order_id == order_id:
            return slot
    return -1


@njit(cache=True)
def place_trigger(exchange: Exchange, command: Record) -> None:
    """Let an order begin to wait, or reject it. The one that it replaces is cancelled, whatever becomes of it."""
    account, ts, replaced = exchange.account, command.effective_ts, -1
    reason = NONE
    if command.replaces != 0:
        replaced = find_trigger(account, command.replaces)
        reason = NONE if replaced >= 0 else UNKNOWN_ORDER
    if reason == NONE:
        reason = bad_trigger(exchange, command)
    if reason != NONE:
        turn_down(exchange, command, ts, reason)
    else:
        enter(account, command)
        begin_to_wait(exchange, account.triggers[account.triggers_count - 1], ts)
    if replaced >= 0:
        end_trigger(exchange, replaced, ts, CANCELLED, NEVER_TRIGGERED)


@njit(cache=True)
def check_at_mark(market: Record, accounts: Records, ts: int) -> None:
    """Check the triggers of every account when the venue has told a mark."""
    for index in range(len(accounts) if market.mark > 0 and market.kind != SPOT else 0):
        check_triggers(accounts[index], market, ts)


@njit(cache=True)
def check_at_mid(market: Record, account: Record, ts: int) -> None:
    """Check an account's triggers at a round's end where the mid is the mark."""
    if account.triggers_count > 0 and (market.mark == 0 or market.kind == SPOT):
        check_triggers(account, market, ts)


@njit(cache=True)
def check_triggers(account: Record, market: Record, ts: int) -> None:
    """Note which waiting orders the mark has met: they are triggered at `ts`."""
    for slot in range(account.triggers_count):
        trigger = account.triggers[slot]
        if trigger.attached == 0 and trigger.due_ts == NEVER and is_met(market, trigger):
            trigger.due_ts = ts
            account.next_ts = min(account.next_ts, ts)


@njit(cache=True)
def next_due(account: Record) -> int:
    """The slot of the waiting order that is placed first, −1 if the mark has met none."""
    first = -1
    for slot in range(account.triggers_count):
        trigger = account.triggers[slot]
        if trigger.due_ts == NEVER:
            continue
        if first >= 0:
            leader = account.triggers[first]
            if (trigger.due_ts, trigger.sequence) > (leader.due_ts, leader.sequence):
                continue
        first = slot
    return first


@njit(cache=True)
def release(exchange: Exchange, slot: int) -> Record:
    """Take a triggered order off the table, say so, and return the command to place it."""
    account = exchange.account
    account.commands[COMMANDS] = account.triggers[slot]
    drop(account, slot)
    command = account.commands[COMMANDS]
    command.effective_ts = command.due_ts
    if command.whole_position == 1:
        held = reducible(account, command.side)
        command.size = held if command.size == 0 else min(command.size, held)
    if command.time_in_force == IOC:
        command.price = within_reach(exchange, command.side, command.price)
    command.tick = nearest_tick(exchange.book, command.price)
    write_ack(exchange, candidate(exchange, command, 0), command.effective_ts, TRIGGERED, NONE)
    return command


@njit(cache=True)
def within_reach(exchange: Exchange, side: int, price: float) -> float:
    """The price, or the farthest from the mid that an order may have if that is nearer."""
    furthest = exchange.market.mid * (1 + side * exchange.settings.max_distance)
    return min(price, furthest) if side > 0 else max(price, furthest)
