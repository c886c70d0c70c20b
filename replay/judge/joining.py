"""A model on a derived feed while it is played, and how a shadow joins its level there."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from papertrader.replay.judge import peers
from papertrader.services.estimator import odds
from papertrader.services.fill_sim import behind, queue, recent
from papertrader.services.fill_sim import draws as line
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import MASK, size_at
from papertrader.shared.market.records import Integers, Record, Records

Floats = npt.NDArray[np.float64]
DRAWS: Final = 1
NONE: Final = -1


class Play(NamedTuple):
    """One model on one feed. Live shadows stand in a ring, those of one level in a list."""

    model: int
    book: Record
    queues: Record
    """What the estimator learns of the feed."""
    recent: Record
    settings: Record
    shadows: Records
    results: Records
    orders: Records
    draws: Floats
    """Shape (ring, 2, LINES)."""
    peers: Records
    links: Integers
    """Before and after in the list of the level, shape (ring, 2)."""
    heads: Integers
    """Shape (2, WINDOW)."""
    best: Integers
    """The best-priced tick of a live shadow, or better; shape (2,): of bids, of asks."""
    mid_ts: Integers
    mids: Floats


@njit(cache=True)
def admit(play_: Play, index: int, feed: int) -> None:
    """Let a shadow join its level.

    It knows of the arrival right before it, which on `l2` the book shows already: no order of a trader's would have
    it there, the experiment puts it.
    """
    shadow, slot = play_.shadows[index], index % len(play_.orders)
    order, book = play_.orders[slot], play_.book
    order.order_id, order.tick, order.side, order.size = index, shadow.tick, shadow.side, shadow.size
    order.filled, order.cancel_ts = 0.0, 0
    shown = queue.shows(book, order.side, order.tick, False)
    size, orders = size_at(book, order.side, order.tick) if shown else 0.0, 0
    if shown and feed > 0:
        size += shadow.size
    if play_.model == DRAWS:
        if shown:
            shown_ts = recent.last_shown(play_.recent, book, order.side, order.tick)
            printed = recent.printed_since(play_.recent, order.side, order.tick, shown_ts)
            size, orders = max(size - printed, shadow.size), orders_before(play_, order, size > shadow.size, printed)
        line.begin(order, play_.settings)
        begin_behind(play_, order)
        line.start(order, play_.draws[slot], size if shown else np.nan, orders, shadow.ts)
    else:
        queue.join(order, book, shadow.ts)
        if shown:
            order.displayed, order.ahead, order.ahead_at_join = size, size, size
        peers.join(play_.peers[slot], size)
    side, key = 0 if order.side > 0 else 1, order.tick & MASK
    head = play_.heads[side, key]
    play_.links[slot, 0], play_.links[slot, 1] = NONE, head
    if head != NONE:
        play_.links[head, 0] = slot
    play_.heads[side, key] = slot
    play_.best[side] = max(play_.best[0], order.tick) if side == 0 else min(play_.best[1], order.tick)


@njit(cache=True)
def orders_before(play_: Play, order: Record, held: bool, printed: float) -> int:
    """How many orders stand before a shadow, where the feed tells: those of the level, and the arrival."""
    if play_.recent.counting == 0 or printed > 0:
        return 0
    told = recent.orders_at(play_.recent, order.side, order.tick) if held else 0
    return told + 1 if told > 0 or not held else 0


@njit(cache=True)
def begin_behind(play_: Play, order: Record) -> None:
    """Let a shadow go by sizes as a new order does, as far as the feed has told by then."""
    known = play_.queues.odds
    if play_.settings.match_sizes == 1 and known.known == 1 and odds.by_chance(known) <= behind.MOST_COMMON:
        behind.begin(order.behind, odds.single_share(known), odds.by_chance(known))
