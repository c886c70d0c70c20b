"""Fills, and the end of orders."""

import numpy as np

from papertrader.services.fill_sim.account import mid_before, trade
from papertrader.services.fill_sim.acks import say, write_ack
from papertrader.services.fill_sim.auction import charge
from papertrader.services.fill_sim.funding import pay_late
from papertrader.services.fill_sim.groups import drop_with_position, follow_end
from papertrader.services.fill_sim.lots import nearest_lot
from papertrader.services.fill_sim.margin import check_margin
from papertrader.services.fill_sim.schedule import reschedule
from papertrader.services.fill_sim.state import (
    CANCELLED,
    COIN,
    FILLED,
    FLAT,
    IOC,
    MODIFIED,
    NEVER,
    NEVER_TOUCHED,
    NO_LIQUIDITY,
    NONE,
    NOT_THROUGH,
    QUEUE_NOT_REACHED,
    REDUCE_ONLY,
    SAID_FILL,
    THROUGH,
    TOUCHED_BEFORE_LIVE,
    Exchange,
)
from papertrader.shared.kernels import njit
from papertrader.shared.market import logistic
from papertrader.shared.market.features import facing
from papertrader.shared.market.frozen import recall
from papertrader.shared.market.money import notional
from papertrader.shared.market.records import Record, Row


@njit(cache=True)
def what_kept_it(settings: Record, order: Record) -> int:
    """What kept an order that ended without a fill from filling.

    * taker: there was no liquidity
    * no print reached its price while it was live: never touched, or touched only before it was live
    * prints reached it: none was strictly through where that was asked for, the coin said no, or the queue was long
    """
    if order.time_in_force == IOC:
        return NO_LIQUIDITY
    if order.touched == 0:
        return TOUCHED_BEFORE_LIVE if order.touched_before_live == 1 else NEVER_TOUCHED
    if settings.fill_model == THROUGH or order.only_through == 1:
        return NOT_THROUGH
    return COIN if settings.fill_model == FLAT else QUEUE_NOT_REACHED


@njit(cache=True)
def end_order(exchange: Exchange, slot: int, ts: int, status: int) -> None:
    """Say that an order ended, and take it off the table.

    The reason is why it was cancelled, if it was not its sender's wish; else what kept it from filling.
    """
    order = exchange.account.orders[slot]
    reason = NONE if order.filled > 0 else what_kept_it(exchange.settings, order)
    if status == CANCELLED and order.ending != NONE:
        reason = order.ending
    end_order_because(exchange, slot, ts, status, reason)


@njit(cache=True)
def end_order_because(exchange: Exchange, slot: int, ts: int, status: int, reason: int) -> None:
    """Say that an order ended and why, count it, and take it off the table: the last order takes its slot."""
    account = exchange.account
    order = account.orders[slot]
    write_ack(exchange, order, ts, status, reason)
    if order.filled == 0:
        account.unfilled[reason] += 1
    if status == CANCELLED:
        account.cancelled += 1
    if order.row >= 0:
        account.rows[order.row] = 0
    order_id, group, filled = order.order_id, order.group, order.filled
    account.orders_count -= 1
    if slot != account.orders_count:
        account.orders[slot] = account.orders[account.orders_count]
    if account.triggers_count > 0 or group != 0:
        follow_end(exchange, order_id, group, filled, ts, status)
    reschedule(account, exchange.settings)


@njit(cache=True)
def after_fills(exchange: Exchange, ts: int) -> None:
    """What follows once a print or a taker is done: the margin is checked, reduce-only orders are cut.

    * an order that is larger than the position that it reduces shrinks to it, and keeps its place
    * with nothing left to reduce it is cancelled
    * so are the orders of a whole position that wait for their trigger when it is gone
    """
    account = exchange.account
    if account.triggers_count > 0:
        drop_with_position(exchange, ts)
    check_margin(account, exchange.market, exchange.settings, max(exchange.book.ts, ts))
    for slot in range(account.orders_count - 1, -1, -1):
        order = account.orders[slot]
        if order.reduce_only == 0 or order.cancel_ts < NEVER:
            continue
        left = max(-order.side * account.position, 0.0)
        if left == 0:
            end_order_because(exchange, slot, ts, CANCELLED, REDUCE_ONLY)
        elif order.size - order.filled > left * (1 + 1e-9):
            order.size = nearest_lot(exchange.market, order.filled + left)
            write_ack(exchange, order, ts, MODIFIED, REDUCE_ONLY)


@njit(cache=True)
def fill_maker(exchange: Exchange, slot: int, event: Record, size: float, through: bool) -> None:
    """Fill a resting order by a print, at its own limit price, and end it when nothing is left."""
    account = exchange.account
    order = account.orders[slot]
    fill = exchange.out.fills[say(exchange, SAID_FILL)]
    fill.maker, fill.through, fill.trade_id = 1, through, event.id
    fill.queue_ahead_at_join = order.ahead_at_join
    rate = exchange.settings.maker_fee[exchange.market.kind]
    fill.fee = notional(size, order.price, exchange.market.inverse_size) * rate
    fill.mid_at_fill = mid_before(exchange.market, event.ts)
    fill.ts, fill.price, fill.size = event.ts, order.price, size
    account.fills_through += 1 if through else 0
    book_fill(exchange, order, fill)
    if order.size - order.filled <= 1e-9 * order.size:
        order.filled = order.size
        end_order(exchange, slot, event.ts, FILLED)


@njit(cache=True)
def fill_taker(exchange: Exchange, order: Record, ts: int, price: float, size: float) -> None:
    """Fill an order that takes displayed size at `price`."""
    rate = exchange.settings.taker_fee[exchange.market.kind]
    write_taker(exchange, order, ts, price, size, notional(size, price, exchange.market.inverse_size) * rate)
    if order.priority_bps > 0:
        charge(exchange, order, price, size)


@njit(cache=True)
def write_taker(exchange: Exchange, order: Record, ts: int, price: float, size: float, fee: float) -> None:
    """Fill an order at `price` for a fee."""
    fill = exchange.out.fills[say(exchange, SAID_FILL)]
    fill.maker, fill.through, fill.trade_id = 0, 0, 0
    fill.queue_ahead_at_join = np.nan
    fill.fee = fee
    fill.mid_at_fill = exchange.market.mid
    fill.ts, fill.price, fill.size = ts, price, size
    exchange.account.fills_taker += 1
    book_fill(exchange, order, fill)


@njit(cache=True)
def toxicity(account: Record, features: Row, side: int) -> float:
    """P(adverse | this fill) of an order of `side` under the weights last heard; NaN before the first."""
    if np.isnan(account.toxicity_weights[0]):
        return np.nan
    facing(features, side, account.facing)
    return logistic.probability(logistic.score_of(account.toxicity_weights, account.facing))


@njit(cache=True)
def book_fill(exchange: Exchange, order: Record, fill: Record) -> None:
    """Book a fill of which price, size, fee, time and mid are written, and write the rest of it.

    half_spread_bps = side·(mid at placement − price)/mid at placement·1e4: positive for a quote outside the mid.
    """
    account, side = exchange.account, order.side
    row = 0 if side > 0 else 1
    trade(account, exchange.market, side, fill.price, fill.size, fill.fee, fill.mid_at_fill)
    pay_late(account, exchange.market, side, fill.size, fill.ts)
    account.fills += 1
    account.fills_by_side[row] += 1
    account.filled_in_round = 1
    order.filled = nearest_lot(exchange.market, order.filled + fill.size)
    if order.first_fill_ts == 0:
        order.first_fill_ts = fill.ts
    fill.fill_id, fill.order_id, fill.side = account.fills, order.order_id, side
    fill.mid_at_placement = order.mid_at_placement
    fill.half_spread_bps = side * (order.mid_at_placement - fill.price) / order.mid_at_placement * 1e4
    fill.live_ts = order.live_ts
    fill.p_fill, fill.p_adverse = order.p_fill, order.p_adverse
    fill.position_after = account.position
    fill.fill_probability = order.reached if order.row >= 0 and fill.maker == 1 else np.nan
    recall(exchange.market.before, exchange.features, exchange.book, side, order.tick, fill.features)
    fill.toxicity = toxicity(account, fill.features, side)
