"""The line at a price level as a distribution: draws of the external size ahead of an own order.

What level data leave open is drawn, `LINES` times, from a hash of (seed, order id, number of the change, draw); so a
fill has a probability, and every number can be computed again. A draw is *reached* when the market gets past what it
has ahead. The order's own decision - a hash, or one half - says at which share of its draws it is filled.

* Join: all that the last message before showed is ahead, less what was printed there since. Of what joined by the
  first message after, the share u·(1 − c·(1 − u)) is ahead, u uniform, its mean 1/2 − c/6 = `join_share`; nothing
  where levels come one by one.
* Cancels: a net shrink that no print explains leaves as a whole, from ahead with probability w·f/(w·f + 1 − f): f is
  the share of the level that is ahead, w how likely a cancel is ahead over how likely it is behind. Young orders leave
  first, so w = `cancel_odds` is small. A full book or a touch comes some Δ after the last: who came and left between
  was behind and is not seen, so of the cancels that are seen more were ahead: (w·τ + Δ)/(τ + Δ), τ = `unseen_s`.
  Where the feed tells single orders, sizes weigh the odds: `behind`. Where it tells how many stand there: `changes`.
* Prints take from the front. Never is more ahead than is shown.
* A message newer than the join that shows the opposite best at or through the price reaches every draw.

A message is taken in when something of a later time follows: of one time prints come first, then cancels.
"""

from typing import Final

import numpy as np

from papertrader.services.fill_sim import behind
from papertrader.services.fill_sim.chance import QUEUE_DECISION, QUEUE_DRAWS, chain, uniform
from papertrader.services.fill_sim.changes import AHEAD, TAKEN, join_around, lose, more_in, odds_ahead
from papertrader.services.fill_sim.queue import shows
from papertrader.services.fill_sim.state import DECIDE_HALF, LINES
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import size_at
from papertrader.shared.market.events import TOUCH
from papertrader.shared.market.hashing import splitmix64
from papertrader.shared.market.records import Record, Records

REACHED: Final = -1.0
NEWLY: Final = -2.0


@njit(cache=True)
def begin(order: Record, settings: Record) -> None:
    """Give a new order its random numbers."""
    order.stream = int(chain(chain(splitmix64(settings.seed), QUEUE_DRAWS), order.order_id))
    order.decision = 0.5
    if settings.decide != DECIDE_HALF:
        order.decision = uniform(settings.seed, QUEUE_DECISION, order.order_id, 0)
    order.changes, order.expected, order.variance = 0, 0.0, 0.0
    order.cancel_odds, order.join_share = settings.cancel_odds, settings.join_share
    order.behind.single = np.nan


@njit(cache=True)
def start(order: Record, draws: Records, shown: float, orders: int, ts: int) -> None:
    """Stand at the back, from `ts` on, of a level that showed `shown`, NaN if it was not shown, of so many orders."""
    draws[AHEAD, :] = shown
    draws[TAKEN, :] = 0.0
    order.displayed = 0.0 if np.isnan(shown) else shown
    order.ahead, order.ahead_at_join = shown, shown
    order.joined_ts, order.seen_ts, order.traded_ts, order.credit_ts = ts, ts - 1, ts - 1, ts - 1
    order.pending_ts, order.traded, order.credit, order.orders = 0, 0.0, 0.0, orders
    order.joining, order.in_front, order.reached, order.behind.count = 1, 0, 0.0, 0


@njit(cache=True)
def on_level(
    order: Record, draws: Records, book: Record, settings: Record, event: Record, full: bool, orders: int
) -> None:
    """Take note of a completed book message that shows the level, of so many orders, and take in the one before it.

    * A message older than the last one taken in, or than a print already counted, says nothing new.
    """
    if event.ts < order.seen_ts or event.ts < order.traded_ts:
        return
    if not shows(book, order.side, order.tick, event.kind == TOUCH):
        return
    if 0 < order.pending_ts < event.ts:
        take_in(order, draws, settings)
    order.pending_ts, order.pending = event.ts, size_at(book, order.side, order.tick)
    order.pending_full, order.pending_orders = full or event.kind == TOUCH, orders


@njit(cache=True)
def take_in(order: Record, draws: Records, settings: Record) -> None:
    """Take in the message that waited: joins, or what of the shrink is not explained by prints as cancels."""
    size, before, more = order.pending, order.displayed - order.traded, more_in(order)
    interval_s = (order.pending_ts - order.seen_ts) * 1e-9 if order.pending_full == 1 else 0.0
    odds = odds_ahead(order.cancel_odds, settings.unseen_s, interval_s)
    order.seen_ts, order.pending_ts = order.pending_ts, 0
    order.credit = 0.0
    if size > before:
        behind.grow(order.behind, size - before, order.joining == 1 and order.pending_full == 1, more)
    if order.joining == 1:
        order.joining = 0
        if np.isnan(order.ahead_at_join):
            order.ahead_at_join = size
            draws[AHEAD, :] = size
        elif size > before and order.pending_full == 1:
            join_around(order, draws, size - before, more)
    if before > size:
        lose(order, draws, odds, before - size, before, size, more)
    order.displayed, order.traded, order.orders = size, 0.0, order.pending_orders
    order.ahead = mean_ahead(draws)


@njit(cache=True)
def mean_ahead(draws: Records) -> float:
    """The mean size ahead over the draws that are not reached, 0 if all are."""
    total, waiting = 0.0, 0
    for draw in range(LINES):
        if draws[AHEAD, draw] >= 0:
            total += draws[AHEAD, draw]
            waiting += 1
    return total / waiting if waiting > 0 else 0.0


@njit(cache=True)
def explain(order: Record, draws: Records, settings: Record, ts: int, volume: float) -> None:
    """Account for a print at the level before it is walked down the line.

    * newer than what was taken in: the next message contains it, so it is remembered as traded;
    * older: the shrink was taken for cancels, so what was taken off for this volume is given back.
    """
    if 0 < order.pending_ts < ts:
        take_in(order, draws, settings)
    if ts > order.seen_ts:
        order.traded += volume
        order.traded_ts = max(order.traded_ts, ts)
    elif ts <= order.credit_ts and order.credit > 0:
        share = min(volume / order.credit, 1.0)
        for draw in range(LINES):
            if draws[AHEAD, draw] >= 0:
                back = share * draws[TAKEN, draw]
                draws[AHEAD, draw] += back
                draws[TAKEN, draw] -= back
        order.credit -= share * order.credit


@njit(cache=True)
def walk(order: Record, draws: Records, left: float, least: float) -> int:
    """Let what is left of a print take from the front of every draw; returns how many it reaches newly.

    Reached: at least `least` is left behind what is ahead. What those had ahead stands where TAKEN was, for
    `deciding_ahead`; then `keep_reached` has to follow.
    """
    newly = 0
    for draw in range(LINES):
        ahead = draws[AHEAD, draw]
        if not ahead >= 0:
            continue
        if left - ahead >= least:
            draws[AHEAD, draw], draws[TAKEN, draw] = NEWLY, ahead
            newly += 1
        else:
            draws[AHEAD, draw] = max(ahead - left, 0.0)
    order.ahead = mean_ahead(draws)
    return newly


@njit(cache=True)
def deciding_ahead(draws: Records, place: int) -> float:
    """What the draw of a place, from 1, among those newly reached had ahead, least first; 0 for a place before."""
    least = 0.0
    for _ in range(place):
        following = np.inf
        count = 0
        for draw in range(LINES):
            ahead = draws[TAKEN, draw]
            if draws[AHEAD, draw] == NEWLY and ahead > least:
                following = min(following, ahead)
            elif draws[AHEAD, draw] == NEWLY:
                count += 1
        if count >= place:
            return least
        least = following
    return least


@njit(cache=True)
def keep_reached(draws: Records) -> None:
    """Make what was newly reached just reached."""
    for draw in range(LINES):
        if draws[AHEAD, draw] == NEWLY:
            draws[AHEAD, draw], draws[TAKEN, draw] = REACHED, 0.0


@njit(cache=True)
def grow(order: Record, reached: float) -> None:
    """Let the share of draws reached grow to `reached`, with what of a first fill that makes us expect.

    The hazard of this moment is (P − P before)/(1 − P before): over orders at risk, fills less hazards have mean 0.
    """
    if order.in_front == 0 and reached > order.reached:
        hazard = (reached - order.reached) / (1 - order.reached)
        order.expected += hazard
        order.variance += hazard * (1 - hazard)
    order.reached = reached


@njit(cache=True)
def come_to_front(order: Record, draws: Records) -> None:
    """The market went past the order, but better own orders had all of it: nobody is ahead, and nothing is reached."""
    for draw in range(LINES):
        if draws[AHEAD, draw] != REACHED:
            draws[AHEAD, draw] = 0.0
    order.ahead, order.ahead_at_join = 0.0, 0.0 if np.isnan(order.ahead_at_join) else order.ahead_at_join
    order.joining, order.pending_ts = 0, 0


@njit(cache=True)
def reach_every(order: Record, draws: Records) -> None:
    """The market certainly got to the order: every draw is reached."""
    draws[AHEAD, :] = REACHED
    grow(order, 1.0)
    order.ahead, order.joining, order.pending_ts, order.in_front = 0.0, 0, 0, 1


@njit(cache=True)
def within_reach(order: Record, draws: Records, settings: Record, event: Record, left: float, least: float) -> float:
    """How much of what is left of a print at the order's price gets as far as the order, once it is decided to.

    * not while its level was never shown
    * until then the draws decide: it is reached when the share of draws reached passes its decision, by what is left
      behind that draw's queue
    * afterwards nobody is ahead
    """
    explain(order, draws, settings, event.ts, event.size)
    if order.in_front == 1:
        return left
    if np.isnan(order.ahead_at_join):
        return 0.0
    before = order.reached
    newly = walk(order, draws, left, least)
    grow(order, before + newly / LINES)
    behind = 0.0
    if order.reached > order.decision:
        order.in_front = 1
        behind = left - deciding_ahead(draws, int(np.floor((order.decision - before) * LINES)) + 1)
    if newly > 0:
        keep_reached(draws)
    return behind


@njit(cache=True)
def wait_behind(order: Record, draws: Records, settings: Record, event: Record, left: float) -> None:
    """Let what is left of a print take from what is ahead of an order that stands behind an own one, unfilled."""
    explain(order, draws, settings, event.ts, event.size)
    if order.in_front == 1 or np.isnan(order.ahead_at_join):
        return
    for draw in range(LINES):
        if draws[AHEAD, draw] >= 0:
            draws[AHEAD, draw] = max(draws[AHEAD, draw] - left, 0.0)
    order.ahead = mean_ahead(draws)
