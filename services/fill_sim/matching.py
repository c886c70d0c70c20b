"""Which own orders a public print fills, and by how much.

Common to all models. An own order may be filled by a print only if

* the order had joined its level by the print's own time, and no cancel had taken effect: joined <= ts < cancel;
* the print reaches its price: a bid is reached by a print at its price or below, an ask by one at it or above;
* the print has volume left: own orders share a print, best price first, then first come, first served.

A print strictly beyond the price counts for either aggressor. If the taker was of the side that meets us, he went
through our price to get there; if not, somebody offered beyond our price and would have met us first.

A fill is at the order's own limit price, as for every maker, and of whole lots: less than a lot fills nothing.
"""

from typing import Final

import numpy as np

from papertrader.services.fill_sim.chance import FILL_COIN, uniform
from papertrader.services.fill_sim.draws import come_to_front, reach_every, wait_behind, within_reach
from papertrader.services.fill_sim.lots import least_lot, whole_lots
from papertrader.services.fill_sim.margin import coverable
from papertrader.services.fill_sim.queue import consume, reach_front
from papertrader.services.fill_sim.said import after_fills, fill_maker
from papertrader.services.fill_sim.state import DRAWS, FLAT, THROUGH, Exchange
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import NO_BID, size_at
from papertrader.shared.market.commands import PLACE
from papertrader.shared.market.records import Record

WRONG_AGGRESSOR: Final = 0.3
THROUGH_FACTOR: Final = 1.5
LARGEST_PROBABILITY: Final = 0.95
FIRST: Final = -(2**62)


@njit(cache=True)
def on_print(exchange: Exchange, event: Record) -> None:
    """Match one public print against the account's orders. Sum of the fills <= size of the print."""
    note_under_way(exchange.account, event)
    met = -event.side
    if exchange.settings.fill_model == FLAT:
        left = flip_coins(exchange, event, met, event.size)
        flip_coins(exchange, event, -met, left)
    else:
        left = fill_through(exchange, event, met, event.size)
        if exchange.settings.fill_model == DRAWS:
            left = walk_draws(exchange, event, met, left)
        else:
            left = walk_line(exchange, event, met, left)
        fill_through(exchange, event, -met, left)
    after_fills(exchange, event.ts)


@njit(cache=True)
def reaches(side: int, order_tick: int, print_tick: int) -> bool:
    """Whether a print is at the order's price or beyond it."""
    return side * order_tick >= side * print_tick


@njit(cache=True)
def note_under_way(account: Record, event: Record) -> None:
    """Remember which orders still under way this print would have reached: they were too late for it."""
    for slot in range(account.commands_count):
        command = account.commands[slot]
        if command.type == PLACE and command.side == -event.side and event.ts >= command.decided_ts:
            command.touched |= reaches(command.side, command.tick, event.tick)


@njit(cache=True)
def eligible(order: Record, event: Record) -> bool:
    """Whether the order was in the market at the print's own time; one that was not yet remembers the touch.

    One that a fast cancel took out in time remembers the first taker whom a cancel without `f` would have met.
    """
    if event.ts < order.joined_ts:
        if event.ts >= order.decided_ts and event.side == -order.side:
            order.touched_before_live = 1
        return False
    if event.ts < order.cancel_ts:
        return True
    if event.ts < order.slow_cancel_ts and event.side == -order.side and order.won_ts == 0:
        order.won_ts = event.ts
    return False


@njit(cache=True)
def next_in_line(account: Record, side: int, worst: int, rank: int, sequence: int) -> int:
    """The slot of the order that comes after (rank, sequence) in priority, −1 if none.

    An order's rank is −side·tick: the smaller the better. Orders ranked beyond `worst` are not reached.
    """
    best = -1
    for slot in range(account.orders_count):
        order = account.orders[slot]
        own = -order.side * order.tick
        if order.side != side or own > worst or own < rank or (own == rank and order.sequence <= sequence):
            continue
        if best >= 0:
            leader = account.orders[best]
            leading = -leader.side * leader.tick
            if own > leading or (own == leading and order.sequence > leader.sequence):
                continue
        best = slot
    return best


@njit(cache=True)
def fillable(exchange: Exchange, order: Record, size: float) -> float:
    """The whole lots of a fill that the account's money covers."""
    return whole_lots(exchange.market, coverable(exchange, order, order.price, size))


@njit(cache=True)
def fill_through(exchange: Exchange, event: Record, side: int, left: float) -> float:
    """Fill the orders of a side that a print went strictly through; returns what is left of its volume.

    * strictly beyond: a print below a bid, above an ask; either aggressor
    * nobody is ahead any more, so the fill is what the print has left for it
    """
    account = exchange.account
    worst, rank, sequence = -side * event.tick - 1, FIRST, FIRST
    slot = next_in_line(account, side, worst, rank, sequence)
    while slot >= 0:
        order = account.orders[slot]
        rank, sequence = -side * order.tick, order.sequence
        if eligible(order, event):
            order.touched = 1
            reach_front(order)
            if order.row >= 0:
                go_past(exchange, order, left)
            size = fillable(exchange, order, min(order.size - order.filled, left))
            if size > 0:
                left -= size
                fill_maker(exchange, slot, event, size, True)
        slot = next_in_line(account, side, worst, rank, sequence)
    return left


@njit(cache=True)
def walk_line(exchange: Exchange, event: Record, side: int, left: float) -> float:
    """Walk a print down the line at its own price; returns what is left of its volume behind the last own order.

    * the taker is of the side that meets us
    * first come, first served: external size ahead is consumed before an own order, own orders in their order
    * an order whose queue is unknown (its level was never shown) is passed over
    * `through` model, and orders that an `adverse_fill_ratio` marks: the line moves, but they are not filled here
    """
    account = exchange.account
    rank, sequence, consumed = -side * event.tick, FIRST, 0.0
    slot = next_in_line(account, side, rank, rank, sequence)
    while slot >= 0:
        order = account.orders[slot]
        sequence = order.sequence
        if eligible(order, event):
            order.touched = 1
            if not np.isnan(order.ahead):
                left, consumed = consume(order, event.ts, event.size, left, consumed)
                left = fill_at_line(exchange, event, slot, left)
        slot = next_in_line(account, side, rank, rank, sequence)
    return left


@njit(cache=True)
def fill_at_line(exchange: Exchange, event: Record, slot: int, left: float) -> float:
    """Fill an order that the print reached in the line by what is left of it; returns what is left after."""
    order = exchange.account.orders[slot]
    if order.ahead > 0 or left <= 0:
        return left
    reach_front(order)
    if exchange.settings.fill_model == THROUGH or order.only_through == 1:
        return left
    size = fillable(exchange, order, min(order.size - order.filled, left))
    if size > 0:
        fill_maker(exchange, slot, event, size, False)
    return left - size


@njit(cache=True)
def walk_draws(exchange: Exchange, event: Record, side: int, left: float) -> float:
    """Walk a print down the line at its own price, the queue being a distribution; returns what is left of it.

    * the taker is of the side that meets us
    * first come, first served: behind an own order of the level that is not filled none is, but their line moves
    * orders that an `adverse_fill_ratio` marks: the line moves, but they are not filled here
    """
    account = exchange.account
    rank, sequence, blocked = -side * event.tick, FIRST, False
    slot = next_in_line(account, side, rank, rank, sequence)
    while slot >= 0:
        order = account.orders[slot]
        sequence = order.sequence
        if eligible(order, event):
            order.touched = 1
            if blocked:
                wait_behind(order, account.draws[order.row], exchange.settings, event, left)
            else:
                least = least_lot(exchange.market)
                reach = within_reach(order, account.draws[order.row], exchange.settings, event, left, least)
                wanted = order.size - order.filled
                size = 0.0 if order.only_through == 1 else fillable(exchange, order, min(wanted, reach))
                blocked = size < wanted
                if size > 0:
                    left -= size
                    fill_maker(exchange, slot, event, size, False)
        slot = next_in_line(account, side, rank, rank, sequence)
    return left


@njit(cache=True)
def fill_crossed(exchange: Exchange, event: Record) -> None:
    """Fill the orders that a completed book message crosses.

    * the message is newer than the join, older than no other, and the order's cancel has not taken effect
    * it shows the opposite best at the order's price or through it: whoever was ahead is gone
    * best price first, then first come, first served; together no more than crosses, once as long as it crosses: only a
      message that is as new says that it does so no more
    * orders that an `adverse_fill_ratio` marks are not filled by it
    """
    account, book, recent = exchange.account, exchange.book, exchange.market.recent
    if event.ts < max(recent.shown_ts, recent.touch_ts):
        return
    fills = account.fills
    for row in range(2):
        side, opposite = (1, book.best_ask) if row == 0 else (-1, book.best_bid)
        if opposite == NO_BID or (account.high_bid < opposite if row == 0 else account.low_ask > opposite):
            account.crossed[row] = 0.0
            continue
        worst, rank, sequence = -side * opposite, FIRST, FIRST
        slot = next_in_line(account, side, worst, rank, sequence)
        while slot >= 0:
            order = account.orders[slot]
            rank, sequence = -side * order.tick, order.sequence
            if order.row >= 0 and order.joined_ts < event.ts < order.cancel_ts:
                cross(exchange, slot, event, crossing(book, side, order.tick) - account.crossed[row])
            slot = next_in_line(account, side, worst, rank, sequence)
    if account.fills > fills:
        after_fills(exchange, event.ts)


@njit(cache=True)
def go_past(exchange: Exchange, order: Record, available: float) -> None:
    """The market went past an order, with so much available for it."""
    draws = exchange.account.draws[order.row]
    if available >= least_lot(exchange.market):
        reach_every(order, draws)
    else:
        come_to_front(order, draws)


@njit(cache=True)
def crossing(book: Record, side: int, tick: int) -> float:
    """The opposite size displayed at an order's price or through it."""
    size = 0.0
    if side > 0:
        for level in range(book.best_ask, tick + 1):
            size += size_at(book, -1, level)
    else:
        for level in range(tick, book.best_bid + 1):
            size += size_at(book, 1, level)
    return size


@njit(cache=True)
def cross(exchange: Exchange, slot: int, event: Record, available: float) -> None:
    """Fill an order by what crosses it."""
    account, order = exchange.account, exchange.account.orders[slot]
    order.touched = 1
    go_past(exchange, order, available)
    size = fillable(exchange, order, min(order.size - order.filled, available))
    if size <= 0 or order.only_through == 1:
        return
    account.crossed[0 if order.side > 0 else 1] += size
    account.fills_crossed += 1
    fill_maker(exchange, slot, event, size, True)


@njit(cache=True)
def fill_probability(
    settings: Record, right_aggressor: bool, through: bool, print_size: float, order_size: float, age_s: float
) -> float:
    """The flat model's probability that a print which reaches an order fills it; the book's depth is ignored.

    * wrong aggressor: 0.3·b
    * right aggressor: clamp(b·price·size·queue, 0, 0.95)
    * price = 1.5 if the print is strictly through, else 1; size = clamp(print/order, 0.5, 2)
    * queue = queue_position_factor × 0.7 up to an age of 1 s, 1 up to 10 s, 1.3 after
    """
    if not right_aggressor:
        return WRONG_AGGRESSOR * settings.fill_prob_base
    price = THROUGH_FACTOR if through else 1.0
    size = min(max(print_size / order_size, 0.5), 2.0)
    age = 0.7 if age_s <= 1 else (1.0 if age_s <= 10 else 1.3)
    probability = settings.fill_prob_base * price * size * settings.queue_position_factor * age
    return min(probability, LARGEST_PROBABILITY)


@njit(cache=True)
def flip_coins(exchange: Exchange, event: Record, side: int, left: float) -> float:
    """The flat model: a coin for every order of a side that the print reaches; returns what is left of its volume.

    * the coin is a hash of (seed, order id, trade id): it depends on nothing else
    * fill size = min(order, queue_position_factor·print, what own orders before it left of the print), one lot at least
    * orders that an `adverse_fill_ratio` marks need a print strictly through them as well
    """
    account, settings = exchange.account, exchange.settings
    worst, rank, sequence = -side * event.tick, FIRST, FIRST
    slot = next_in_line(account, side, worst, rank, sequence)
    while slot >= 0:
        order = account.orders[slot]
        rank, sequence = -side * order.tick, order.sequence
        if eligible(order, event):
            order.touched = 1
            through = order.tick != event.tick
            wanted = order.size - order.filled
            age_s = (event.ts - order.joined_ts) * 1e-9
            probability = fill_probability(settings, side == -event.side, through, event.size, wanted, age_s)
            coin = uniform(settings.seed, FILL_COIN, order.order_id, event.id)
            share = max(settings.queue_position_factor * event.size, exchange.market.lot_size)
            size = fillable(exchange, order, min(wanted, share, left))
            if coin < probability and size > 0 and (through or order.only_through == 0):
                left -= size
                fill_maker(exchange, slot, event, size, through)
        slot = next_in_line(account, side, worst, rank, sequence)
    return left
