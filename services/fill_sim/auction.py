"""Classes within a block, and what a bid for a place in it buys: the rules stand in `papertrader.shared.market.blocks`.

Here, on a venue with blocks,

* post-only orders and cancels take effect at their time, and what may take at the end of the block of that time, after
  the cancels, the orders and the market data of the block: blocks are counted from the Unix epoch;
* of what takes at one end of a block the earlier comes first; of IOC orders that bid the most that makes them sooner,
  or more, the one that bids more;
* a post-only order with a bid stands in front of what its level has grown by since it was smallest within the tail's
  time, as seen while the order was under way, and of what joins until the next message. Nobody bids against it.
"""

import numpy as np

from papertrader.services.fill_sim.changes import AHEAD
from papertrader.services.fill_sim.recent import last_shown
from papertrader.services.fill_sim.state import CLOSE, IOC, POST_ONLY, Exchange
from papertrader.shared.kernels import njit
from papertrader.shared.market.blocks import LARGEST_BID_BPS
from papertrader.shared.market.book import is_shown, size_at
from papertrader.shared.market.commands import MODIFY, PLACE
from papertrader.shared.market.money import notional
from papertrader.shared.market.records import Record


@njit(cache=True)
def bids_in_vain(settings: Record, order: Record) -> bool:
    """Whether an order bids where nothing is sold.

    * for IOC orders, and for post-only orders that are not reduce-only
    * on a venue that sells places, up to all of the order's value
    """
    if order.priority_bps == 0:
        return False
    sold = order.time_in_force == IOC or (order.time_in_force == POST_ONLY and order.reduce_only == 0)
    return settings.sooner_limit_bps == 0 or not sold or not 0 < order.priority_bps <= LARGEST_BID_BPS


@njit(cache=True)
def sooner_ns(settings: Record, command: Record) -> float:
    """How much sooner a command takes effect for its bid."""
    if command.type != PLACE or command.time_in_force != IOC:
        return 0.0
    return settings.sooner_ns_per_bp * min(command.priority_bps, settings.sooner_limit_bps)


@njit(cache=True)
def enter_block(account: Record, settings: Record, command: Record) -> None:
    """Let what may take wait for the end of its block; `effective_ts` is when it gets there."""
    command.arrives_ts, command.rank = command.effective_ts, 0.0
    if settings.block_ns == 0 or not may_take(account, command):
        return
    begun_ts = command.effective_ts // settings.block_ns * settings.block_ns
    command.effective_ts = begun_ts + settings.block_ns
    if command.priority_bps >= settings.sooner_limit_bps > 0:
        command.arrives_ts, command.rank = begun_ts, -command.priority_bps


@njit(cache=True)
def comes_after(command: Record, other: Record) -> bool:
    """Whether a command takes effect after another."""
    if command.effective_ts != other.effective_ts:
        return bool(command.effective_ts > other.effective_ts)
    mine = (command.arrives_ts, command.rank, command.sequence)
    return mine > (other.arrives_ts, other.rank, other.sequence)


@njit(cache=True)
def may_take(account: Record, command: Record) -> bool:
    """Whether a command may place an order that takes: a change counts as the order that it changes."""
    if command.type == PLACE:
        return bool(command.time_in_force != POST_ONLY)
    if command.type == MODIFY:
        for slot in range(account.orders_count):
            if account.orders[slot].order_id == command.order_id:
                return bool(account.orders[slot].time_in_force != POST_ONLY)
        for slot in range(account.commands_count):
            other = account.commands[slot]
            if other.type == PLACE and other.order_id == command.order_id:
                return bool(other.time_in_force != POST_ONLY)
    return bool(command.type == CLOSE)


@njit(cache=True)
def bids_for_place(command: Record) -> bool:
    """Whether a command bids for a place in the line."""
    return bool(command.type == PLACE and command.priority_bps > 0 and command.time_in_force == POST_ONLY)


@njit(cache=True)
def watch_levels(account: Record, book: Record, settings: Record, ts: int) -> None:
    """Note how small the levels are for which a bid is under way, after a completed message of `ts`."""
    for slot in range(account.commands_count):
        command = account.commands[slot]
        if bids_for_place(command) and is_shown(book, command.side, command.tick):
            size = size_at(book, command.side, command.tick)
            within = ts >= command.effective_ts - settings.tail_ns and not np.isnan(command.least)
            command.least = min(command.least, size) if within else size


@njit(cache=True)
def come_before_tail(exchange: Exchange, order: Record, least: float) -> None:
    """Move an order with a bid that has just joined its level in front of the tail of the line."""
    book, recent = exchange.book, exchange.market.recent
    if np.isnan(order.ahead) or np.isnan(least):
        return
    grown = max(size_at(book, order.side, order.tick) - least, 0.0)
    order.queue_passed = min(grown, order.ahead)
    order.ahead -= order.queue_passed
    order.ahead_at_join = order.ahead
    if order.row >= 0:
        exchange.account.draws[order.row, AHEAD, :] = order.ahead
    if order.joined_ts - last_shown(recent, book, order.side, order.tick) <= exchange.settings.tail_ns:
        order.joining = 0


@njit(cache=True)
def charge(exchange: Exchange, order: Record, price: float, size: float) -> None:
    """Take what an order's bid costs for so much of it off the cash; it is a fee of the account, not of a fill."""
    account = exchange.account
    fee = notional(size, price, exchange.market.inverse_size) * order.priority_bps * 1e-4
    order.priority_fee += fee
    account.cash -= fee
    account.fees += fee
    account.priority_fees += fee
