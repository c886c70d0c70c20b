"""Orders that belong to others: children that wait for their parent, siblings, and those of a whole position.

* A child is attached to an order that is live or on its way, does not travel by itself, and is rejected with it.
* When the parent is filled, or ends otherwise than by a cancel with a part filled, the child begins to wait for its
  trigger. When the parent ends otherwise, the child is cancelled: `parent_ended`.
* When an order of a group is filled whole, the others of the group are cancelled: `sibling_filled`.
* When a position is closed or turned, the waiting orders of the whole of it are cancelled: `reduce_only`.
"""

from papertrader.services.fill_sim.acks import candidate, write_ack
from papertrader.services.fill_sim.state import (
    CANCELLED,
    FILLED,
    NEVER,
    NONE,
    PARENT_ENDED,
    REDUCE_ONLY,
    REJECTED,
    SIBLING_FILLED,
    TOO_MANY_ORDERS,
    TRIGGERS,
    UNKNOWN_ORDER,
    WAITING,
    WAITS_FOR_PARENT,
    Exchange,
)
from papertrader.services.fill_sim.venue import bad_trigger, is_met, reducible
from papertrader.shared.kernels import njit
from papertrader.shared.market.commands import PLACE
from papertrader.shared.market.records import Record


@njit(cache=True)
def attach(exchange: Exchange, command: Record, ts: int) -> int:
    """Let a child wait for its parent, NONE, or say why it cannot."""
    account, parent = exchange.account, command.parent
    if account.triggers_count == TRIGGERS:
        return TOO_MANY_ORDERS
    live, found = False, False
    for slot in range(account.orders_count):
        live |= account.orders[slot].order_id == parent and account.orders[slot].cancel_ts == NEVER
    for slot in range(account.commands_count):
        found |= account.commands[slot].order_id == parent and account.commands[slot].type == PLACE
    if not (live or found):
        return UNKNOWN_ORDER
    command.attached = 1
    enter(account, command)
    if live:
        announce_children(exchange, parent, ts)
    return NONE


@njit(cache=True)
def enter(account: Record, command: Record) -> None:
    """Put an order among those that wait; there is room for it."""
    account.sequence += 1
    command.sequence = account.sequence
    account.triggers[account.triggers_count] = command
    account.triggers_count += 1


@njit(cache=True)
def announce_children(exchange: Exchange, parent: int, ts: int) -> None:
    """The parent is live: each child is said to wait for it, or rejected."""
    account = exchange.account
    for slot in range(account.triggers_count - 1, -1, -1):
        child = account.triggers[slot]
        if child.attached == 0 or child.parent != parent or child.effective_ts != 0:
            continue
        reason = bad_trigger(exchange, child)
        if reason != NONE:
            account.rejected[reason] += 1
            end_trigger(exchange, slot, ts, REJECTED, reason)
            continue
        child.effective_ts = ts
        write_ack(exchange, candidate(exchange, child, 0), ts, WAITING, WAITS_FOR_PARENT)


@njit(cache=True)
def reject_children(exchange: Exchange, parent: int, ts: int, reason: int) -> None:
    """The parent was rejected, and so are its children."""
    account = exchange.account
    for slot in range(account.triggers_count - 1, -1, -1):
        child = account.triggers[slot]
        if child.attached == 1 and child.parent == parent:
            account.rejected[reason] += 1
            end_trigger(exchange, slot, ts, REJECTED, reason)


@njit(cache=True)
def end_trigger(exchange: Exchange, slot: int, ts: int, status: int, reason: int) -> None:
    """Say that a waiting order ended and why, and take it off the table: the last one takes its slot."""
    account = exchange.account
    write_ack(exchange, candidate(exchange, account.triggers[slot], 0), ts, status, reason)
    if status == CANCELLED:
        account.unfilled[reason] += 1
        account.cancelled += 1
    drop(account, slot)


@njit(cache=True)
def drop(account: Record, slot: int) -> None:
    """Take a waiting order off the table."""
    account.triggers_count -= 1
    if slot != account.triggers_count:
        account.triggers[slot] = account.triggers[account.triggers_count]


@njit(cache=True)
def follow_end(exchange: Exchange, order_id: int, group: int, filled: float, ts: int, status: int) -> None:
    """What the end of an order means for its children and siblings; the rules stand above."""
    account = exchange.account
    begins = status == FILLED or (filled > 0 and status != CANCELLED)
    done = group != 0 and status == FILLED
    for slot in range(account.triggers_count - 1, -1, -1):
        other = account.triggers[slot]
        if other.attached == 1 and other.parent == order_id:
            if begins:
                begin_to_wait(exchange, other, ts)
            else:
                end_trigger(exchange, slot, ts, CANCELLED, PARENT_ENDED)
        elif done and other.group == group:
            end_trigger(exchange, slot, ts, CANCELLED, SIBLING_FILLED)
    for slot in range(account.orders_count if done else 0):
        sibling = account.orders[slot]
        if sibling.group == group and sibling.cancel_ts == NEVER:
            sibling.cancel_ts, sibling.ending = ts, SIBLING_FILLED


@njit(cache=True)
def begin_to_wait(exchange: Exchange, trigger: Record, ts: int) -> None:
    """From now on an order waits for its trigger, which the mark may have met already."""
    trigger.attached, trigger.effective_ts = 0, ts
    write_ack(exchange, candidate(exchange, trigger, 0), ts, WAITING, NONE)
    if is_met(exchange.market, trigger):
        trigger.due_ts = max(ts, exchange.book.ts)


@njit(cache=True)
def drop_with_position(exchange: Exchange, ts: int) -> None:
    """Cancel the waiting orders of a whole position that is gone."""
    account = exchange.account
    for slot in range(account.triggers_count - 1, -1, -1):
        trigger = account.triggers[slot]
        waits = trigger.whole_position == 1 and trigger.attached == 0
        if waits and reducible(account, trigger.side) == 0:
            end_trigger(exchange, slot, ts, CANCELLED, REDUCE_ONLY)
