"""The line at a price level as a distribution: K draws of the external size ahead of an own order.

What level data leave open is drawn, K times, from a hash of (seed, order id, draw, number of the change); so a fill
has a probability, and every number can be computed again. A draw is reached when a print gets past what it has ahead.

* Join: all that the last message before showed is ahead, less what was printed there since. Of what joined by the
  first message after, a share U^((1 − m)/m) with mean m = `join_share`; on incremental feeds none.
* Cancels: a net shrink that no print explains leaves as a whole from ahead or from behind. From ahead with
  probability w·f/(w·f + 1 − f), f the share of the level that is ahead, w = `cancel_odds`: what stands ahead is w
  times as likely to leave as what stands behind.
* Prints take from the front. Never is more ahead than is shown.
* A message newer than the join that shows the opposite best at or through the price reaches every draw.

A message is taken in when one of a later time follows, so nothing depends on the order of messages of one time: of
one time prints come first, then cancels.
"""

import numpy as np

from papertrader.services.fill_sim.chance import QUEUE_DRAWS, chain
from papertrader.services.fill_sim.queue import shows
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import size_at
from papertrader.shared.market.events import TOUCH
from papertrader.shared.market.hashing import splitmix64
from papertrader.shared.market.mathematics import power
from papertrader.shared.market.records import Record, Records

REACHED = -1.0
AHEAD = 0
TAKEN = 1


@njit(cache=True)
def stream_of(seed: int, order_id: int) -> int:
    """Where an order's random numbers begin."""
    return int(chain(chain(splitmix64(seed), QUEUE_DRAWS), order_id))


@njit(cache=True, forceinline=True)
def unit(stream: int, number: int, draw: int) -> float:
    """A number in [0, 1) for a draw at the order's change of this number."""
    bits = splitmix64(int(stream + (number << 8) + draw))
    return np.float64(bits >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def start(order: Record, draws: Records, ahead: float, ts: int) -> None:
    """Stand at the back of a level that showed `ahead`, NaN if it is not shown, from `ts` on."""
    draws[AHEAD, :] = ahead
    draws[TAKEN, :] = 0.0
    order.displayed = 0.0 if np.isnan(ahead) else ahead
    order.ahead, order.ahead_at_join = ahead, ahead
    order.joined_ts, order.seen_ts, order.traded_ts, order.credit_ts = ts, ts - 1, ts - 1, ts - 1
    order.traded, order.credit, order.pending_ts = 0.0, 0.0, 0
    order.joining, order.reached = 1, 0.0


@njit(cache=True)
def on_level(order: Record, draws: Records, book: Record, settings: Record, event: Record, full: bool) -> None:
    """Take note of a completed book message that shows the level; take in the one before it.

    * A message older than the last one taken in, or than a print already counted, says nothing new.
    """
    if event.ts < order.seen_ts or event.ts < order.traded_ts:
        return
    if not shows(book, order.side, order.tick, event.kind == TOUCH):
        return
    if 0 < order.pending_ts < event.ts:
        take_in(order, draws, settings)
    order.pending_ts, order.pending = event.ts, size_at(book, order.side, order.tick)
    order.pending_full = full or event.kind == TOUCH


@njit(cache=True)
def take_in(order: Record, draws: Records, settings: Record) -> None:
    """Take in the message that waited: joins, or what of the shrink is not explained by prints as cancels."""
    size, before = order.pending, order.displayed - order.traded
    order.seen_ts, order.pending_ts = order.pending_ts, 0
    order.credit = 0.0
    if order.joining == 1:
        order.joining = 0
        if np.isnan(order.ahead_at_join):
            order.ahead_at_join = size
            draws[AHEAD, :] = size
        elif size > before and order.pending_full == 1:
            join_behind(order, draws, settings, size - before)
    if before > size:
        lose(order, draws, settings, before - size, before, size)
    order.displayed, order.traded = size, 0.0


@njit(cache=True)
def join_behind(order: Record, draws: Records, settings: Record, joined: float) -> None:
    """Let a share of what joined around the join stand ahead."""
    exponent = (1 - settings.join_share) / settings.join_share
    for draw in range(draws.shape[1]):
        if draws[AHEAD, draw] >= 0:
            draws[AHEAD, draw] += joined * power(unit(order.stream, 0, draw), exponent)


@njit(cache=True)
def lose(order: Record, draws: Records, settings: Record, cancelled: float, before: float, size: float) -> None:
    """Let a net cancel leave the level, wholly from ahead or from behind in each draw."""
    order.changes += 1
    order.credit, order.credit_ts = cancelled, order.seen_ts
    for draw in range(draws.shape[1]):
        ahead = draws[AHEAD, draw]
        if not ahead >= 0:
            continue
        f = min(ahead / before, 1.0)
        odds = settings.cancel_odds * f
        taken = 0.0
        if ahead > 0 and unit(order.stream, order.changes, draw) * (odds + 1 - f) < odds:
            taken = min(cancelled, ahead)
        left = min(ahead - taken, size)
        draws[AHEAD, draw], draws[TAKEN, draw] = left, ahead - left


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
        for draw in range(draws.shape[1]):
            if draws[AHEAD, draw] >= 0:
                draws[AHEAD, draw] += share * draws[TAKEN, draw]
                draws[TAKEN, draw] -= share * draws[TAKEN, draw]
        order.credit -= share * order.credit


@njit(cache=True)
def walk(order: Record, draws: Records, left: float, least: float) -> int:
    """Let what is left of a print take from the front of every draw; returns how many it reached newly."""
    reached = 0
    for draw in range(draws.shape[1]):
        ahead = draws[AHEAD, draw]
        if not ahead >= 0:
            continue
        if left - ahead > least:
            draws[AHEAD, draw] = REACHED
            reached += 1
        else:
            draws[AHEAD, draw] = max(ahead - left, 0.0)
    return reached


@njit(cache=True)
def share_reached(draws: Records) -> float:
    """The probability that the order has been reached."""
    reached = 0
    for draw in range(draws.shape[1]):
        if draws[AHEAD, draw] == REACHED:
            reached += 1
    return reached / draws.shape[1]
