"""How market data changes what is known of the market: the book, the prints, the clock."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from papertrader.services.monitor.facts.bids import Bids
from papertrader.services.monitor.facts.facts import (
    MINUTE,
    SECOND,
    AccountFacts,
    MarketFacts,
    WorkingOrder,
    forget_minutes,
    live_orders,
    trades,
)
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import (
    NO_ASK,
    NO_BID,
    apply,
    mid_of,
    next_ask,
    next_bid,
    price_of,
    size_at,
)
from papertrader.shared.market.events import TOUCH, Events
from papertrader.shared.market.records import Integers, Record, Records, Row
from papertrader.shared.messages import Gap, Instrument, Message, Trades
from papertrader.shared.service.fold import Round
from papertrader.shared.service.market_data import MarketData

LONGEST_STEP_S = 5.0
"""A round that spans more than this is a hole in the data, as is one with a gap: no time in which to quote."""
READING: Final = np.dtype(
    [
        ("depths", "i8"),  # messages that told levels,
        ("touches", "i8"),  # and those that told the touch alone
        ("books", "i8"),  # two-sided books that they left,
        ("locked_books", "i8"),  # and of these locked
        ("crossed_books", "i8"),  # or crossed
        ("one_sided_books", "i8"),
        ("mid", "f8"),  # when the round ended; NaN unless the book had two sides that do not cross
        ("bid", "f8"),  # the best prices then, NaN for an empty side
        ("bid_size", "f8"),
        ("ask", "f8"),
        ("ask_size", "f8"),
    ],
    align=True,
)
"""What a round's events tell of the book."""


class Reading(NamedTuple):
    """A READING; None where a price is not known."""

    counts: tuple[int, ...]
    mid: float | None
    bid: float | None
    ask: float | None


COUNTED: Final = ("depths", "touches", "books", "locked_books", "crossed_books", "one_sided_books")
"""The counts of a reading, which `MarketFacts` sums up."""


def readings_of(books: Records, events: Events, ends: Integers) -> Records:
    """Fold rounds into `books[0]` and read each: `ends` are the rows of their markers, one row lies between two."""
    readings = np.zeros(len(ends), dtype=READING)
    read_rounds(books, events, ends, readings)
    return readings


@njit(cache=True)
def read_rounds(books: Records, events: Events, ends: Integers, readings: Records) -> None:
    """As `readings_of`, which gives room for the readings, all zero."""
    book, start = books[0], 0
    for number in range(len(ends)):
        for row in range(start, ends[number]):
            if apply(book, events[row]):
                count_book(book, events[row], readings[number])
        start = ends[number] + 1
        read_touch(book, readings[number])


@njit(cache=True)
def count_book(book: Record, event: Record, reading: Record) -> None:
    """Count a message that is complete, and the book that it left."""
    is_touch = event.kind == TOUCH
    reading.touches += is_touch
    reading.depths += not is_touch
    bids, asks = book.best_bid > NO_BID, book.best_ask < NO_ASK
    reading.one_sided_books += bids != asks
    if bids and asks:
        reading.books += 1
        reading.locked_books += book.best_bid == book.best_ask
        reading.crossed_books += book.best_bid > book.best_ask


@njit(cache=True)
def read_touch(book: Record, reading: Record) -> None:
    """Write the touch."""
    bids, asks = book.best_bid > NO_BID, book.best_ask < NO_ASK
    reading.mid = mid_of(book)
    reading.bid = price_of(book, book.best_bid) if bids else np.nan
    reading.bid_size = size_at(book, 1, book.best_bid) if bids else np.nan
    reading.ask = price_of(book, book.best_ask) if asks else np.nan
    reading.ask_size = size_at(book, -1, book.best_ask) if asks else np.nan


def known_readings(readings: Records) -> list[Reading]:
    """Readings as facts take them."""
    counts = list(zip(*(readings[name].tolist() for name in COUNTED), strict=True))
    prices = (map(known, readings[name].tolist()) for name in ("mid", "bid", "ask"))
    return list(map(Reading, counts, *prices))


def known(price: float) -> float | None:
    """A price, None where it is NaN."""
    return price if price == price else None


def read(market_data: MarketData, round_: Round) -> Reading:
    """What a round tells of the book, which is folded by it."""
    events = market_data.events(round_)
    return known_readings(readings_of(market_data.book, events, np.array([len(events)])))[0]


@njit(cache=True)
def top_levels(books: Records, side: int, prices: Row, sizes: Row) -> int:
    """Write the best levels of the bids (side +1) or asks (−1) of `books[0]`, best first; returns how many."""
    book = books[0]
    tick = book.best_bid if side > 0 else book.best_ask
    found = 0
    while found < len(prices) and tick not in (NO_BID, NO_ASK):
        prices[found], sizes[found] = price_of(book, tick), size_at(book, side, tick)
        found += 1
        tick = next_bid(book, tick - 1) if side > 0 else next_ask(book, tick + 1)
    return found


def levels(books: Records, side: int, count: int) -> list[tuple[float, float]]:
    """The best `count` levels of a side as (price, size), best first."""
    prices, sizes = np.zeros(count), np.zeros(count)
    found = top_levels(books, side, prices, sizes)
    return list(zip(prices[:found].tolist(), sizes[:found].tolist(), strict=True))


def hear_market(market: MarketFacts, round_: Round, reading: Reading) -> None:
    """Fold a round's market data: the clock moves to its end, the counts and the touch follow."""
    market.answered_ts, market.previous_ts = market.previous_ts, market.ts
    minutes = round_.ts // MINUTE - market.ts // MINUTE if market.ts else 0
    if minutes:
        forget_minutes(market.prints_by_minute, minutes)
    market.ts = max(market.ts, round_.ts)
    market.first_ts = market.first_ts or round_.ts
    market.answered_ts = market.answered_ts or market.first_ts
    market.rounds += 1
    market.final = round_.final
    for message in round_.market_data:
        _hear(market, message)
    depths, touches, books, locked, crossed, one_sided = reading.counts
    market.depths, market.touches, market.books = market.depths + depths, market.touches + touches, market.books + books
    market.locked_books, market.crossed_books = market.locked_books + locked, market.crossed_books + crossed
    market.one_sided_books += one_sided
    market.mid, market.bid, market.ask = reading.mid, reading.bid, reading.ask


def _hear(market: MarketFacts, message: Message) -> None:
    if isinstance(message, Trades):
        market.prints += len(message.prices)
        market.prints_by_minute[0] += len(message.prices)
        market.print_ts = max(market.print_ts, message.ts)
    elif isinstance(message, Gap):
        market.gaps += 1
        market.gap_ts = message.to_ts
    elif isinstance(message, Instrument):
        market.instrument = message


def follow_quotes(
    market: MarketFacts, facts: AccountFacts, messages: Sequence[Message], quiet_prints_per_minute: float
) -> None:
    """Fold a round into the account's quoting: time quoted, distance from the touch, prints that reached a quote."""
    elapsed_s = (market.ts - market.previous_ts) / SECOND if market.previous_ts else 0.0
    minutes = market.ts // MINUTE - market.previous_ts // MINUTE if market.previous_ts else 0
    if minutes:
        forget_minutes(facts.fills_by_minute, minutes)
        forget_minutes(facts.quoted_s_by_minute, minutes)
    if elapsed_s > LONGEST_STEP_S:
        elapsed_s = 0.0
    if facts.bids.open or facts.bids.taken:
        _outrun(market, facts.bids, messages)
    if messages and any(isinstance(message, Gap) for message in messages):
        elapsed_s = facts.unquoted_s = 0.0
    orders = live_orders(facts)
    if not orders:
        facts.unquoted_s += elapsed_s
        return
    facts.unquoted_s = 0.0
    if trades(market, quiet_prints_per_minute):
        facts.quoted_s += elapsed_s
        facts.quoted_s_by_minute[0] += elapsed_s
        facts.quoted_since_fill_s += elapsed_s
    _measure_distance(market, facts, orders)
    for message in messages:
        if isinstance(message, Trades):
            _count_reached(facts, orders, message)


def _outrun(market: MarketFacts, bids: Bids, messages: Sequence[Message]) -> None:
    """Compare what takers with a bid took with what others did."""
    for message in messages:
        if isinstance(message, Trades):
            bids.on_trades(message)
    bids.compare(market.previous_ts)


def _measure_distance(market: MarketFacts, facts: AccountFacts, orders: Sequence[WorkingOrder]) -> None:
    if market.mid is None or market.bid is None or market.ask is None:
        return
    bid, ask = market.bid, market.ask
    distances = [bid - order.price if order.side == "buy" else order.price - ask for order in orders]
    facts.distance_bps_sum += max(min(distances), 0.0) / market.mid * 1e4
    facts.distance_samples += 1


def _count_reached(facts: AccountFacts, orders: Sequence[WorkingOrder], trades_: Trades) -> None:
    """Count prints at or through a live quote. Buys are reached from above, by sellers, and sells by buyers."""
    best_bid = max((order.price for order in orders if order.side == "buy"), default=0.0)
    best_ask = min((order.price for order in orders if order.side == "sell"), default=float("inf"))
    for price, aggressor in zip(trades_.prices, trades_.aggressors, strict=True):
        reach = best_bid - price if aggressor == "sell" else price - best_ask
        facts.touched_prints += reach >= 0
        facts.through_prints += reach > 0
        facts.through_since_fill += reach > 0
