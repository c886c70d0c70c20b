"""When live orders appeared in the book: what the feed says of a latency.

A live order is in the tape's own book. Between two messages that show its level the level grew by just its size, and no
print explains that: then the order went live in between. Chance makes such growths as well, but not at the same time
after every order was sent. So each latency is judged by how many of the orders it finds: with h the share of orders
that show, b the share of time at which one is found by chance, an order that is found speaks for a latency with
log(h + (1 − h)·b) − log b, one that is not with log(1 − h). Fills say little of this: an order that goes in too early
only stands a little farther ahead.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from papertrader.replay.twin.record import LiveOrder
from papertrader.services.feed.market_source import MarketSource
from papertrader.shared.messages import Bbo, Book, Depth, Message, Trades

MS: Final = 1_000_000
LATENCIES_MS: Final = np.arange(0.0, 2001.0, 5.0)
NEAR: Final = 1e-6
"""How far a growth may be from the order's size, as a share of it."""
LEAST: Final = 6.0
"""How much likelier than none the best latency must make what was seen, as a logarithm, for it to be believed."""

Key = tuple[str, float]
Floats = npt.NDArray[np.float64]


class Growth(NamedTuple):
    """A level grew by `size` beside what prints took off it, after `from_ts` and not later than `to_ts`."""

    from_ts: int
    to_ts: int
    size: float


class Shown(NamedTuple):
    """What a message shows of levels by side and price; what is better than a side's `floor` and not told is empty."""

    ts: int
    levels: dict[Key, float]
    floor: dict[str, float]


class Found(NamedTuple):
    """How likely each of `LATENCIES_MS` is, as a logarithm over that of none, and by how many orders of how many."""

    log_likelihood: Floats
    found: Floats
    orders: int


def shown_by(message: Message) -> Shown | None:
    """What a message shows of the book, None if it is not about the book."""
    if isinstance(message, Bbo):
        pairs = {"buy": (message.bid_price, message.bid_size), "sell": (message.ask_price, message.ask_size)}
        levels = {
            (side, price): size for side, (price, size) in pairs.items() if price is not None and size is not None
        }
        return Shown(message.ts, levels, dict(levels.keys()))
    if not isinstance(message, Book | Depth):
        return None
    sides = {
        "buy": dict(zip(message.bid_prices, message.bid_sizes, strict=True)),
        "sell": dict(zip(message.ask_prices, message.ask_sizes, strict=True)),
    }
    levels = {(side, price): size for side, of in sides.items() for price, size in of.items()}
    floor = {}
    if isinstance(message, Book):
        floor = {side: min(of) if side == "buy" else max(of) for side, of in sides.items() if of}
    return Shown(message.ts, levels, floor)


def growths(messages: Iterable[Message], wanted: set[Key]) -> dict[Key, list[Growth]]:
    """Every growth of these levels; a level that went out of view begins anew."""
    level: dict[Key, tuple[int, float]] = {}
    traded: dict[Key, float] = {}
    found: dict[Key, list[Growth]] = {key: [] for key in wanted}
    for message in messages:
        if isinstance(message, Trades):
            for price, size, aggressor in zip(message.prices, message.sizes, message.aggressors, strict=True):
                key = ("buy" if aggressor == "sell" else "sell", price)
                if key in wanted:
                    traded[key] = traded.get(key, 0.0) + size
        elif (shown := shown_by(message)) is not None:
            for key, size in _sizes(shown, wanted):
                before = level.get(key)
                if before is not None and before[0] < shown.ts:
                    grown = size - max(before[1] - traded.get(key, 0.0), 0.0)
                    if grown > 0:
                        found[key].append(Growth(before[0], shown.ts, grown))
                level[key] = (shown.ts, size)
                traded.pop(key, None)
    return found


def _sizes(shown: Shown, wanted: set[Key]) -> Iterator[tuple[Key, float]]:
    """The sizes of the wanted levels that a message shows: better ones that it leaves out are empty."""
    for key in wanted:
        side, price = key
        if key in shown.levels:
            yield key, shown.levels[key]
        elif side in shown.floor and (price > shown.floor[side] if side == "buy" else price < shown.floor[side]):
            yield key, 0.0


def appeared(source: MarketSource, orders: Sequence[LiveOrder]) -> Found:
    """How likely each latency is by the orders that were left to rest in the book."""
    resting = [order for order in orders if order.status != "rejected" and order.time_in_force != "ioc"]
    messages = (message for round_ in source.rounds() for message in round_.messages)
    at = growths(messages, {(order.side, order.price) for order in resting})
    seen = np.zeros((len(resting), len(LATENCIES_MS)), dtype=bool)
    for row, order in enumerate(resting):
        live = order.placed_ts + (LATENCIES_MS * MS).astype(np.int64)
        for growth in at[order.side, order.price]:
            if abs(growth.size - order.size) <= NEAR * order.size:
                seen[row] |= (growth.from_ts < live) & (live <= growth.to_ts)
    return judged(seen)


def judged(seen: npt.NDArray[np.bool_]) -> Found:
    """Judge every latency by whether it finds each order; `seen` has shape (orders, latencies)."""
    orders = len(seen)
    count = seen.sum(axis=0).astype(np.float64)
    if not orders or not count.any():
        return Found(np.zeros(seen.shape[1]), count, orders)
    chance = float(np.clip(seen.mean(), 1e-3, 0.999))
    shows = float(np.clip((count.max() / orders - chance) / (1 - chance), 1e-3, 0.98))
    found, missed = np.log((shows + (1 - shows) * chance) / chance), np.log1p(-shows)
    return Found(count * found + (orders - count) * missed, count, orders)
