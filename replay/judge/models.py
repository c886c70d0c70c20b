"""Every fill model on a derived feed: for each shadow the probability of a fill within the horizon, and its time.

The product's own models run through the product's own kernels, one shadow at a time: own orders that are judged
alone do not meet each other. Peers' rules are stated again in `peers`.
"""

from typing import Final

import numpy as np

from papertrader.replay.judge import peers
from papertrader.replay.judge.feeds import NEVER, Market
from papertrader.replay.judge.joining import DRAWS, NONE, Play, admit
from papertrader.services.estimator import queues
from papertrader.services.fill_sim import draws as line
from papertrader.services.fill_sim import queue, recent
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.matching import fill_probability
from papertrader.services.fill_sim.settings import settings_of
from papertrader.services.fill_sim.state import LINES, ORDER
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import MASK, WINDOW, apply, new_book, price_of, size_at
from papertrader.shared.market.events import PRINT, SNAPSHOT, TOUCH
from papertrader.shared.market.records import Integers, Record, Records

FIFO: Final = 2
FLAT: Final = 3
MODELS: Final = {
    "draws": DRAWS,
    "fifo": FIFO,
    "flat": FLAT,
    "through": peers.THROUGH,
    "touch": peers.TOUCH,
    "hftbacktest_risk_averse": peers.RISK_AVERSE,
    "hftbacktest_power3": peers.POWER3,
    "hftbacktest_log": peers.LOG,
    "nautilus_queue_position": peers.QUEUE_POSITION,
}
LEAST: Final = 1e-9
MARKOUT_NS: Final = 5_000_000_000
RESULT: Final = np.dtype([("p", "f8"), ("filled_ts", "i8"), ("markout", "f8")], align=True)
"""The probability of a fill within the horizon; when it first reached one half, NEVER if it did not; and the sum of
markout times probability over the moments that brought it, in bps."""


def play(market: Market, feed: int, name: str, horizon_ns: int, config: FillSimConfig) -> Records:
    """What a model says of every shadow on a feed, shape (shadows,)."""
    shadows, settings = market.shadows, settings_of([config])
    ring = _most_at_once(shadows["ts"], horizon_ns) + 1
    results = np.zeros(len(shadows), dtype=RESULT)
    results["filled_ts"] = NEVER
    book = new_book()
    book["tick_size"] = market.tick_size
    book["ticks_per_unit"] = float(round(1 / market.tick_size)) if market.tick_size < 1 else 0.0
    learned = np.zeros(1, dtype=queues.QUEUES)[0]
    queues.start(learned)
    play_ = Play(
        MODELS[name],
        book[0],
        learned,
        np.zeros(1, dtype=recent.RECENT)[0],
        settings[0],
        shadows,
        results,
        np.zeros(ring, dtype=ORDER),
        np.zeros((ring, 2, LINES)),
        np.zeros(ring, dtype=peers.PEER),
        np.full((ring, 2), NONE),
        np.full((2, WINDOW), NONE),
        np.array([0, NEVER]),
        market.mid_ts,
        market.mids,
    )
    run(play_, market.feeds[feed], feed, horizon_ns)
    return results


def _most_at_once(ts: Integers, horizon_ns: int) -> int:
    """How many shadows live at once at most."""
    if not len(ts):
        return 0
    return int((np.arange(1, len(ts) + 1) - np.searchsorted(ts, ts - horizon_ns)).max())


@njit(cache=True)
def run(play_: Play, events: Records, feed: int, horizon_ns: int) -> None:
    """Fold the feed; each shadow joins before the event of its row and ends with its horizon."""
    first, following, full, begins = 0, 0, False, True
    for row in range(len(events)):
        event = events[row]
        while following < len(play_.shadows) and play_.shadows[following].row[feed] <= row:
            first = expire(play_, first, following, play_.shadows[following].ts - horizon_ns)
            admit(play_, following, feed)
            following += 1
        first = expire(play_, first, following, event.ts - horizon_ns)
        if event.kind == PRINT:
            apply(play_.book, event)
            queues.on_print(play_.queues, event)
            recent.note_print(play_.recent, event)
            on_print(play_, event)
            continue
        if begins:
            queues.on_message(play_.queues, play_.book, events, np.uint64(row))
        full, begins = full or event.kind == SNAPSHOT, event.last == 1
        done = apply(play_.book, event)
        if not full and event.kind != TOUCH:
            visit_level(play_, 0 if event.side > 0 else 1, event.tick, event, False)
        if done:
            recent.note_message(play_.recent, event)
            recent.note_orders(play_.recent, events, np.uint64(row))
            on_message(play_, event, full)
            full = False
    while following < len(play_.shadows):
        first = expire(play_, first, following, play_.shadows[following].ts - horizon_ns)
        admit(play_, following, feed)
        following += 1
    expire(play_, first, following, NEVER)


@njit(cache=True)
def expire(play_: Play, first: int, end: int, ts: int) -> int:
    """End the shadows that joined before `ts`; returns the first that lives on."""
    while first < end and play_.shadows[first].ts < ts:
        leave(play_, first % len(play_.orders))
        first += 1
    return first


@njit(cache=True)
def leave(play_: Play, slot: int) -> None:
    """Take a shadow off its level, if it is still there."""
    order = play_.orders[slot]
    if order.cancel_ts == NEVER:
        order.cancel_ts = 0
        return
    before, after = play_.links[slot, 0], play_.links[slot, 1]
    if before == NONE:
        play_.heads[0 if order.side > 0 else 1, order.tick & MASK] = after
    else:
        play_.links[before, 1] = after
    if after != NONE:
        play_.links[after, 0] = before


@njit(cache=True)
def add(play_: Play, slot: int, probability: float, ts: int) -> None:
    """A moment adds to the probability that the shadow of a slot is filled; it ends when that is certain."""
    if probability <= 0:
        return
    order = play_.orders[slot]
    result = play_.results[order.order_id]
    result.p += probability
    row = np.searchsorted(play_.mid_ts, ts + MARKOUT_NS, side="right") - 1
    price = price_of(play_.book, order.tick)
    if row >= 0:
        result.markout += probability * order.side * (play_.mids[row] - price) / price * 1e4
    if result.p >= 0.5 and result.filled_ts == NEVER:
        result.filled_ts = ts
    if result.p >= 1 - 1e-12:
        leave(play_, slot)
        order.cancel_ts = NEVER


@njit(cache=True)
def on_print(play_: Play, event: Record) -> None:
    """Let a print meet every shadow whose price it reaches, best price first."""
    for side in range(2):
        step, tick = (-1, play_.best[0]) if side == 0 else (1, play_.best[1])
        meets, tight = (event.side < 0) == (side == 0), True
        while (tick >= event.tick) if side == 0 else (tick <= event.tick):
            slot, found = play_.heads[side, tick & MASK], False
            while slot != NONE:
                following = play_.links[slot, 1]
                if play_.orders[slot].tick == tick:
                    found = True
                    add(play_, slot, meet(play_, slot, event, tick != event.tick, meets), event.ts)
                slot = following
            tick += step
            if tight and not found:
                play_.best[side] = tick
            tight = tight and not found


@njit(cache=True)
def meet(play_: Play, slot: int, event: Record, beyond: bool, meets: bool) -> float:
    """What a print adds to the probability of a fill."""
    order, model = play_.orders[slot], play_.model
    if model == DRAWS:
        if beyond or not meets:
            return 1 - play_.results[order.order_id].p if beyond else 0.0
        line.explain(order, play_.draws[slot], play_.settings, event.ts, event.size)
        newly = line.walk(order, play_.draws[slot], event.size, LEAST)
        line.keep_reached(play_.draws[slot])
        return newly / LINES
    if model == FIFO:
        if beyond:
            return 1.0
        if not meets or np.isnan(order.ahead):
            return 0.0
        return 1.0 if queue.consume(order, event.ts, event.size, event.size, 0.0)[0] > LEAST else 0.0
    if model == FLAT:
        age_s = (event.ts - order.joined_ts) * 1e-9
        p = fill_probability(play_.settings, meets, beyond, event.size, order.size, age_s)
        return p * (1 - play_.results[order.order_id].p)
    return 1.0 if peers.on_print(play_.peers[slot], model, event.size, beyond, meets) else 0.0


@njit(cache=True)
def on_message(play_: Play, event: Record, full: bool) -> None:
    """A book message is complete: a full one and a touch show many levels, and any may cross shadows."""
    book = play_.book
    for side in range(2):
        step, tick = (-1, play_.best[0]) if side == 0 else (1, play_.best[1])
        opposite = book.best_ask if side == 0 else book.best_bid
        own = book.best_bid if side == 0 else book.best_ask
        worst = own if event.kind == TOUCH else opposite
        if full:
            worst = book.bid_floor if side == 0 else book.ask_ceiling
        tight = True
        while ((tick >= worst) if side == 0 else (tick <= worst)) and abs(tick - own) <= WINDOW:
            crossed = tick >= opposite if side == 0 else tick <= opposite
            found = visit(play_, side, tick, event, full, crossed)
            tick += step
            if tight and not found:
                play_.best[side] = tick
            tight = tight and not found


@njit(cache=True)
def visit(play_: Play, side: int, tick: int, event: Record, full: bool, crossed: bool) -> bool:
    """Show a message to the shadows of a level; whether there are any."""
    slot, found = play_.heads[side, tick & MASK], False
    while slot != NONE:
        following = play_.links[slot, 1]
        if play_.orders[slot].tick == tick:
            found = True
            if full or event.kind == TOUCH:
                show(play_, slot, event, full)
            if crossed:
                add(play_, slot, cross(play_, slot, event.ts), event.ts)
        slot = following
    return found


@njit(cache=True)
def visit_level(play_: Play, side: int, tick: int, event: Record, full: bool) -> None:
    """Show a changed level to its shadows."""
    slot = play_.heads[side, tick & MASK]
    while slot != NONE:
        following = play_.links[slot, 1]
        if play_.orders[slot].tick == tick:
            show(play_, slot, event, full)
        slot = following


@njit(cache=True)
def show(play_: Play, slot: int, event: Record, full: bool) -> None:
    """Show a message to a shadow."""
    order, book = play_.orders[slot], play_.book
    if play_.model == DRAWS:
        orders = recent.orders_at(play_.recent, order.side, order.tick)
        line.on_level(order, play_.draws[slot], book, play_.settings, event, full, orders)
    elif play_.model == FIFO:
        queue.on_level(order, book, play_.settings, event)
    elif play_.model >= peers.RISK_AVERSE and queue.shows(book, order.side, order.tick, event.kind == TOUCH):
        peers.on_level(play_.peers[slot], play_.model, size_at(book, order.side, order.tick))


@njit(cache=True)
def cross(play_: Play, slot: int, ts: int) -> float:
    """What a book whose opposite best is at the shadow's price or through it adds to the probability of a fill."""
    order = play_.orders[slot]
    if play_.model == DRAWS:
        return 1 - play_.results[order.order_id].p if ts > order.joined_ts else 0.0
    return 1.0 if play_.model >= peers.RISK_AVERSE else 0.0
