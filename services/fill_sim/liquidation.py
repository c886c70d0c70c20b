"""Liquidation: what the venue does with an account that no longer maintains its position.

A step of its own, due at the instant at which the check failed, before any order of that instant:

* every live order is cancelled, reason `liquidated`, and so is every order that waits for its trigger;
* the whole position is closed at the mark, as one taker fill of an order of the exchange's own, for the taker fee and
  the venue's penalty, both at most what is left;
* an account that is below the venue's backstop share of the maintenance margin, or owes more than it has, loses all of
  its equity and no more: the position is closed at the price where that is nothing, without a fee.

So after it: no position, no live order, equity at the mark not below 0 and not above what it was, and the identity of
the profit holds. Commands under way arrive, and find what money is left.
"""

import numpy as np

from papertrader.services.fill_sim.acks import write_ack
from papertrader.services.fill_sim.groups import end_trigger
from papertrader.services.fill_sim.margin import equity_at_mark, maintenance_margin, mark_of
from papertrader.services.fill_sim.said import end_order, end_order_because, write_taker
from papertrader.services.fill_sim.schedule import reschedule
from papertrader.services.fill_sim.state import (
    ACCEPTED,
    CANCELLED,
    FILLED,
    LIQUIDATED,
    NEVER,
    NONE,
    SYSTEM_ORDER_ID,
    Exchange,
)
from papertrader.shared.kernels import njit
from papertrader.shared.market.money import notional, price_worth
from papertrader.shared.market.records import Record


@njit(cache=True)
def liquidate(exchange: Exchange) -> None:
    """Liquidate the account, as of `liquidation_ts`."""
    account, ts = exchange.account, exchange.account.liquidation_ts
    account.liquidation_ts = NEVER
    while account.orders_count > 0:
        slot = account.orders_count - 1
        if account.orders[slot].cancel_ts < NEVER:
            end_order(exchange, slot, account.orders[slot].cancel_ts, CANCELLED)
        else:
            end_order_because(exchange, slot, ts, CANCELLED, LIQUIDATED)
    while account.triggers_count > 0:
        end_trigger(exchange, account.triggers_count - 1, ts, CANCELLED, LIQUIDATED)
    if account.position != 0:
        close(exchange, ts)
    reschedule(account, exchange.settings)


@njit(cache=True)
def close(exchange: Exchange, ts: int) -> None:
    """Close the position as the venue does, and say so."""
    account, market = exchange.account, exchange.market
    price, fee = terms(exchange)
    order = closing_order(account, price, ts)
    order.mid_at_placement = market.mid
    account.orders_count += 1
    account.placed += 1
    account.accepted += 1
    account.liquidations += 1
    write_ack(exchange, order, ts, ACCEPTED, LIQUIDATED)
    write_taker(exchange, order, ts, price, order.size, fee)
    order.filled = order.size
    end_order_because(exchange, 0, ts, FILLED, LIQUIDATED)


@njit(cache=True)
def terms(exchange: Exchange) -> tuple[float, float]:
    """The price at which the position is closed, and what it costs beside: see the rules above."""
    account, market, settings = exchange.account, exchange.market, exchange.settings
    mark = mark_of(market)
    equity = equity_at_mark(account, market)
    if equity < settings.backstop_share * maintenance_margin(market, settings, account.position, mark):
        nothing_left = price_worth(-account.cash / account.position, market.inverse_size)
        if 0 < nothing_left < np.inf:
            return nothing_left, 0.0
    rate = settings.taker_fee[market.kind] + settings.liquidation_fee
    return mark, min(notional(account.position, mark, market.inverse_size) * rate, max(equity, 0.0))


@njit(cache=True)
def closing_order(account: Record, price: float, ts: int) -> Record:
    """The exchange's own order against the whole position, in the first row of the table, which is empty."""
    order = account.orders[0]
    account.sequence += 1
    order.order_id, order.sequence, order.row = SYSTEM_ORDER_ID + account.sequence, account.sequence, -1
    order.side, order.size, order.filled = (-1 if account.position > 0 else 1), abs(account.position), 0.0
    order.price, order.tick = price, 0
    order.decided_ts, order.live_ts, order.joined_ts, order.cancel_ts, order.first_fill_ts = ts, ts, ts, NEVER, 0
    order.ahead, order.ahead_at_join = np.nan, np.nan
    order.group, order.triggered, order.ending = 0, 0, NONE
    order.p_fill, order.p_adverse = np.nan, np.nan
    order.priority_bps, order.priority_fee, order.queue_passed = 0.0, 0.0, np.nan
    order.slow_cancel_ts, order.won_ts = 0, 0
    return order
