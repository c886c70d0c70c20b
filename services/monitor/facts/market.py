"""How market data changes what is known of the market: the book, the prints, the clock."""

from collections.abc import Sequence

import numpy as np

from papertrader.services.monitor.facts.facts import (
    MINUTE,
    SECOND,
    AccountFacts,
    MarketFacts,
    forget_minutes,
    live_orders,
    trades,
)
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import (
    NO_ASK,
    NO_BID,
    apply,
    has_both_sides,
    mid_of,
    next_ask,
    next_bid,
    price_of,
    size_at,
)
from papertrader.shared.market.events import TOUCH
from papertrader.shared.market.records import Record, Records, Row
from papertrader.shared.messages import Gap, Instrument, Message, Trades
from papertrader.shared.service.fold import Round
from papertrader.shared.service.market_data import MarketData

LONGEST_STEP_S = 5.0
"""A round that spans more than this is a hole in the data, as is one with a gap: no time in which to quote."""
COUNTED = ("depths", "touches", "books", "locked_books", "crossed_books", "one_sided_books")
"""The counts of `MarketFacts` that `apply_all` adds to."""


@njit(cache=True)
def apply_all(books: Records, events: Records) -> tuple[int, int, int, int, int, int]:
    """Fold events into `books[0]`.

    How many messages told levels and how many the touch alone; how many two-sided books they left, and of these how
    many were locked and how many crossed; how many books with one side alone.
    """
    book = books[0]
    depths, touches, two_sided, locked, crossed, one_sided = 0, 0, 0, 0, 0, 0
    for index in range(len(events)):
        if not apply(book, events[index]):
            continue
        is_touch = events[index].kind == TOUCH
        touches += is_touch
        depths += not is_touch
        bids, asks = book.best_bid > NO_BID, book.best_ask < NO_ASK
        one_sided += bids != asks
        if bids and asks:
            two_sided += 1
            locked += book.best_bid == book.best_ask
            crossed += book.best_bid > book.best_ask
    return depths, touches, two_sided, locked, crossed, one_sided


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


def hear_market(market: MarketFacts, market_data: MarketData, round_: Round) -> None:
    """Fold a round's market data: the clock moves to its end, the book and the counts follow."""
    market.answered_ts, market.previous_ts = market.previous_ts, market.ts
    minutes = round_.ts // MINUTE - market.ts // MINUTE if market.ts else 0
    forget_minutes(market.prints_by_minute, minutes)
    market.ts = max(market.ts, round_.ts)
    market.first_ts = market.first_ts or round_.ts
    market.answered_ts = market.answered_ts or market.first_ts
    market.rounds += 1
    market.final = round_.final
    for message in round_.market_data:
        _hear(market, message)
    counted = apply_all(market_data.book, market_data.events(round_))
    for name, count in zip(COUNTED, counted, strict=True):
        setattr(market, name, getattr(market, name) + count)
    _read_touch(market, market_data.book[0])


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


def _read_touch(market: MarketFacts, book: Record) -> None:
    market.mid = float(mid_of(book)) if has_both_sides(book) else None
    bid, ask = book["best_bid"], book["best_ask"]
    market.bid = float(price_of(book, bid)) if bid > NO_BID else None
    market.ask = float(price_of(book, ask)) if ask < NO_ASK else None


def follow_quotes(
    market: MarketFacts, facts: AccountFacts, messages: Sequence[Message], quiet_prints_per_minute: float
) -> None:
    """Fold a round into the account's quoting: time quoted, distance from the touch, prints that reached a quote."""
    elapsed_s = (market.ts - market.previous_ts) / SECOND if market.previous_ts else 0.0
    minutes = market.ts // MINUTE - market.previous_ts // MINUTE if market.previous_ts else 0
    forget_minutes(facts.fills_by_minute, minutes)
    forget_minutes(facts.quoted_s_by_minute, minutes)
    if elapsed_s > LONGEST_STEP_S:
        elapsed_s = 0.0
    if any(isinstance(message, Gap) for message in messages):
        elapsed_s = facts.unquoted_s = 0.0
    if not any(order.live_ts for order in facts.working.values()):
        facts.unquoted_s += elapsed_s
        return
    facts.unquoted_s = 0.0
    if trades(market, quiet_prints_per_minute):
        facts.quoted_s += elapsed_s
        facts.quoted_s_by_minute[0] += elapsed_s
        facts.quoted_since_fill_s += elapsed_s
    _measure_distance(market, facts)
    for message in messages:
        if isinstance(message, Trades):
            _count_reached(facts, message)


def _measure_distance(market: MarketFacts, facts: AccountFacts) -> None:
    if market.mid is None or market.bid is None or market.ask is None:
        return
    bid, ask = market.bid, market.ask
    distances = [bid - order.price if order.side == "buy" else order.price - ask for order in live_orders(facts)]
    facts.distance_bps_sum += max(min(distances), 0.0) / market.mid * 1e4
    facts.distance_samples += 1


def _count_reached(facts: AccountFacts, trades_: Trades) -> None:
    """Count prints at or through a live quote. Buys are reached from above, by sellers, and sells by buyers."""
    orders = live_orders(facts)
    best_bid = max((order.price for order in orders if order.side == "buy"), default=0.0)
    best_ask = min((order.price for order in orders if order.side == "sell"), default=float("inf"))
    for price, aggressor in zip(trades_.prices, trades_.aggressors, strict=True):
        reach = best_bid - price if aggressor == "sell" else price - best_ask
        facts.touched_prints += reach >= 0
        facts.through_prints += reach > 0
        facts.through_since_fill += reach > 0
