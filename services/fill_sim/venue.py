"""What the venue accepts: the rules that an order must meet when it goes live."""

import numpy as np

from papertrader.services.fill_sim.acks import candidate
from papertrader.services.fill_sim.auction import bids_in_vain
from papertrader.services.fill_sim.margin import balance_allows, margin_allows, mark_of
from papertrader.services.fill_sim.recent import crosses_freshest
from papertrader.services.fill_sim.state import (
    BAD_PRICE,
    BAD_SIZE,
    BAD_TRIGGER_PRICE,
    BELOW_MIN_NOTIONAL,
    DRAWS,
    DUPLICATE_ORDER_ID,
    INSUFFICIENT_BALANCE,
    INSUFFICIENT_MARGIN,
    IOC,
    NO_MARKET,
    NO_PRIORITY,
    NONE,
    OFF_LOT,
    OFF_TICK,
    ORDERS,
    POST_ONLY,
    POST_ONLY_WOULD_CROSS,
    REDUCE_ONLY,
    SPOT,
    SYSTEM_ORDER_ID,
    TOO_FAR_FROM_MID,
    TOO_MANY_ORDERS,
    TRIGGERS,
    Exchange,
)
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import has_both_sides, price_of
from papertrader.shared.market.commands import STOP
from papertrader.shared.market.mathematics import decade_of, ten_to
from papertrader.shared.market.money import quote_value
from papertrader.shared.market.records import Record

GRID_TOLERANCE = 1e-6
"""How far from a whole number of ticks or lots a float may be."""


@njit(cache=True)
def nearest_tick(book: Record, price: float) -> int:
    """The tick nearest to a price, 0 for a price that is not positive and finite or has no such tick."""
    if not 0 < price < 1e15 * book.tick_size:
        return 0
    scaled = price * book.ticks_per_unit if book.ticks_per_unit > 0 else price / book.tick_size
    return int(np.rint(scaled))


@njit(cache=True)
def is_multiple(value: float, step: float) -> bool:
    """Whether a value is a whole number of steps, up to float rounding; any value is if the step is 0."""
    if step <= 0:
        return True
    steps = value / step
    return abs(steps - np.rint(steps)) <= GRID_TOLERANCE * max(1.0, steps * 1e-6)


@njit(cache=True)
def on_price_grid(market: Record, book: Record, price: float, tick: int) -> bool:
    """Whether a price lies on the tick and has no more significant figures than allowed; whole numbers always may."""
    if abs(price_of(book, tick) - price) > GRID_TOLERANCE * book.tick_size + 1e-12 * price:
        return False
    if market.significant_figures == 0 or price == np.rint(price):
        return True
    step = ten_to(decade_of(price) + 1 - market.significant_figures)
    return is_multiple(price, step)


@njit(cache=True)
def bad_value(exchange: Exchange, order: Record, around: float) -> int:
    """The first rule about price and size that an order breaks, NONE if it keeps them.

    * size and price positive and finite; a market with two sides; |price/around − 1| within bounds
    * price on the tick and within the significant figures; size on the lot
    * value not below the minimum, but of an order that only reduces
    """
    market, book = exchange.market, exchange.book
    if not 0 < order.size < 1e15:
        return BAD_SIZE
    if not 0 < order.price < np.inf:
        return BAD_PRICE
    if not has_both_sides(book):
        return NO_MARKET
    if abs(order.price / around - 1) > exchange.settings.max_distance:
        return TOO_FAR_FROM_MID
    if not on_price_grid(market, book, order.price, order.tick):
        return OFF_TICK
    if not is_multiple(order.size, market.lot_size):
        return OFF_LOT
    value = quote_value(order.size, order.price, market.inverse_size)
    if order.reduce_only == 0 and value < market.min_notional * (1 - 1e-9):
        return BELOW_MIN_NOTIONAL
    return NONE


@njit(cache=True)
def bad_trigger(exchange: Exchange, command: Record) -> int:
    """The first rule that an order with a trigger breaks, NONE if it keeps them.

    * its id is not in use, and there is room; the trigger price is positive and on the grid
    * what takes at once has a limit at the trigger price or worse for its sender
    * one of the whole position reduces a position that there is
    * price and size as of any order, the price within bounds of the trigger price
    """
    account, price = exchange.account, command.trigger_price
    order = candidate(exchange, command, 0)
    if no_place(account, order) == DUPLICATE_ORDER_ID:
        return DUPLICATE_ORDER_ID
    if account.triggers_count == TRIGGERS and command.attached == 0:
        return TOO_MANY_ORDERS
    tick = nearest_tick(exchange.book, price)
    if not 0 < price < np.inf or not on_price_grid(exchange.market, exchange.book, price, tick):
        return BAD_TRIGGER_PRICE
    if command.time_in_force == IOC and command.side * (command.price - price) < -1e-9 * price:
        return BAD_TRIGGER_PRICE
    if command.whole_position == 1:
        held = reducible(account, command.side)
        if held == 0 or command.reduce_only == 0:
            return REDUCE_ONLY
        order.size = held if command.size == 0 else command.size
    order.tick = nearest_tick(exchange.book, command.price)
    return bad_value(exchange, order, price)


@njit(cache=True)
def is_met(market: Record, trigger: Record) -> bool:
    """Whether the mark has reached a trigger's price."""
    mark = mark_of(market)
    if not mark > 0:
        return False
    towards = trigger.side if trigger.trigger == STOP else -trigger.side
    return bool(towards * mark >= towards * trigger.trigger_price)


@njit(cache=True)
def crosses(book: Record, side: int, tick: int) -> bool:
    """Whether an order at this tick would trade with the opposite best."""
    return tick >= book.best_ask if side > 0 else tick <= book.best_bid


@njit(cache=True)
def would_take(exchange: Exchange, order: Record) -> bool:
    """Whether a post-only order would trade at once, as far as can be known."""
    if exchange.settings.fill_model == DRAWS:
        return crosses_freshest(exchange.market.recent, exchange.book, order.side, order.tick)
    return crosses(exchange.book, order.side, order.tick)


@njit(cache=True)
def refusal(exchange: Exchange, order: Record) -> int:
    """Why a candidate order cannot go live, NONE if it can.

    * what it bids for is sold;
    * its price and size keep the rules (orders of the exchange itself, which flatten, need not, and those that had a
      trigger were checked before);
    * post-only does not cross the opposite best of this moment: of the book, or with draws of the freshest source;
    * the margin allows the part that increases the position; in spot, the order is paid for or held.
    """
    book = exchange.book
    if bids_in_vain(exchange.settings, order):
        return NO_PRIORITY
    if order.order_id < SYSTEM_ORDER_ID and order.triggered == 0:
        reason = bad_value(exchange, order, exchange.market.mid)
        if reason != NONE:
            return reason
    elif not has_both_sides(book):
        return NO_MARKET
    if order.time_in_force == POST_ONLY and would_take(exchange, order):
        return POST_ONLY_WOULD_CROSS
    if exchange.market.kind == SPOT:
        return NONE if balance_allows(exchange, order) else INSUFFICIENT_BALANCE
    if order.reduce_only == 1 or margin_allows(exchange, order.side, order.size - order.filled, order.order_id):
        return NONE
    return INSUFFICIENT_MARGIN


@njit(cache=True)
def reducible(account: Record, side: int) -> float:
    """What an order of a side can take off the position at most."""
    return max(-side * account.position, 0.0)


@njit(cache=True)
def no_place(account: Record, order: Record) -> int:
    """Why the account's table cannot take a new order: its id is in use, or the table is full; NONE if it can."""
    for slot in range(account.orders_count):
        if account.orders[slot].order_id == order.order_id:
            return DUPLICATE_ORDER_ID
    for slot in range(account.triggers_count):
        if account.triggers[slot].order_id == order.order_id and account.triggers[slot].effective_ts != 0:
            return DUPLICATE_ORDER_ID
    if account.orders_count == ORDERS and order.time_in_force != IOC:
        return TOO_MANY_ORDERS
    return NONE
