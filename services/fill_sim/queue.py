"""The line of orders at a price level, inferred from level data.

External size and own orders stand in one first-in first-out line. An own order knows the external size ahead of it;
between two messages that show the level, the volume traded there is netted out of the shrink, and what remains of it
are cancels (Rigtorp, Estimating order queue position, 2013). With f the share of the level that is ahead,

* `power`: the share f^n of cancels leaves from ahead (n = 1: `pro_rata`);
* `ahead`: as many as possible, the optimistic bound;
* `behind`: as few as possible, the pessimistic bound.

Never is more ahead than is displayed. A level that is not shown is frozen. The book is the real one: our own orders
were never in it, and what they take from a print still leaves it.
"""

import numpy as np

from papertrader.services.fill_sim.state import CANCELS_AHEAD, CANCELS_BEHIND
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import is_shown, size_at
from papertrader.shared.market.events import TOUCH
from papertrader.shared.market.mathematics import power
from papertrader.shared.market.records import Record


@njit(cache=True)
def shows(book: Record, side: int, tick: int, only_touch: bool) -> bool:
    """Whether a message shows a level: a touch its own and what is better, any other all levels that are known."""
    if only_touch:
        return tick >= book.best_bid if side > 0 else tick <= book.best_ask
    return is_shown(book, side, tick)


@njit(cache=True)
def join(order: Record, book: Record, ts: int) -> None:
    """Stand at the back of the line at the order's price from `ts` on.

    The queue is that of the last message, until the first message after `ts` that shows the level: see `on_level`.
    """
    shown = shows(book, order.side, order.tick, False)
    order.displayed = size_at(book, order.side, order.tick) if shown else 0.0
    order.ahead = order.displayed if shown else np.nan
    order.ahead_at_join = order.ahead
    order.joined_ts, order.seen_ts, order.traded_ts, order.credit_ts = ts, ts, ts, ts
    order.traded, order.credit, order.credit_ahead = 0.0, 0.0, 0.0
    order.joining = 1


@njit(cache=True)
def on_level(order: Record, book: Record, settings: Record, event: Record) -> None:
    """Compare the level in a completed book message with what the order last saw of it.

    * A message older than the last one, or than a print already counted, says nothing new.
    * The first message after joining: the queue at join was the larger of this and the last one before.
    * Later: shrink − traded volume = cancels.
    """
    if event.ts < order.seen_ts or event.ts < order.traded_ts:
        return
    if not shows(book, order.side, order.tick, event.kind == TOUCH):
        return
    size = size_at(book, order.side, order.tick)
    order.seen_ts = event.ts
    if order.joining == 1:
        take_place(order, size)
    else:
        lose_cancels(order, settings, event.ts, order.displayed - order.traded, size)
        order.ahead = min(order.ahead, size)
    order.displayed, order.traded = size, 0.0


@njit(cache=True)
def take_place(order: Record, size: float) -> None:
    """Settle the queue at join, when the first message after it shows `size`."""
    order.ahead_at_join = np.fmax(order.ahead_at_join, size + order.traded)
    order.ahead = size
    order.joining = 0


@njit(cache=True)
def lose_cancels(order: Record, settings: Record, ts: int, before: float, size: float) -> None:
    """Take the order's share of the cancels that shrank the level from `before` to `size` off what is ahead."""
    cancelled = before - size
    if cancelled <= 0:
        return
    ahead = order.ahead - cancelled_ahead(settings, cancelled, order.ahead, before)
    ahead = min(max(ahead, 0.0), size)
    order.credit, order.credit_ahead, order.credit_ts = cancelled, order.ahead - ahead, ts
    order.ahead = ahead


@njit(cache=True)
def cancelled_ahead(settings: Record, cancelled: float, ahead: float, total: float) -> float:
    """How much of the cancelled volume stood ahead."""
    if settings.cancels == CANCELS_AHEAD:
        return min(cancelled, ahead)
    if settings.cancels == CANCELS_BEHIND:
        return 0.0
    return cancelled * power(min(ahead / total, 1.0), settings.cancel_exponent)


@njit(cache=True)
def explain(order: Record, ts: int, volume: float) -> None:
    """Before a print is walked down the line: account for its volume at the order's level.

    * If no message since has shown the level, its next shrink will contain this volume: remember it as traded.
    * If the shrink came first (feeds deliver the book before the print that changed it), it was taken for cancels:
      give back what was taken off `ahead` for this volume, since the print is about to take it from the front.
    """
    if ts > order.seen_ts:
        order.traded += volume
        order.traded_ts = max(order.traded_ts, ts)
    elif ts <= order.credit_ts and order.credit > 0:
        explained = min(volume, order.credit)
        given_back = order.credit_ahead * explained / order.credit
        order.ahead += given_back
        order.credit -= explained
        order.credit_ahead -= given_back


@njit(cache=True)
def consume(order: Record, ts: int, volume: float, left: float, consumed: float) -> tuple[float, float]:
    """Walk what is `left` of a print of `volume` past the external size ahead.

    `consumed` is what it took of it in front of better own orders of the level. Returns both as they are then.
    """
    known = order.ahead
    explain(order, ts, volume)
    external = min(max(order.ahead - consumed, 0.0), left)
    consumed += external
    # where better own orders took a share of the print, less is consumed than was given back
    order.ahead = min(max(order.ahead - consumed, 0.0), known)
    return left - external, consumed


@njit(cache=True)
def reach_front(order: Record) -> None:
    """The market traded up to the order: nobody is ahead of it."""
    order.ahead, order.joining = 0.0, 0
    if np.isnan(order.ahead_at_join):
        order.ahead_at_join = order.displayed
