"""The book against a plain dictionary per side."""

import math
from typing import TypeAlias

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from papertrader.shared.market.book import (
    MASK,
    NO_ASK,
    NO_BID,
    WINDOW,
    apply,
    apply_message,
    mid_of,
    new_book,
    told,
)
from papertrader.shared.market.event_rows import market_events
from papertrader.shared.market.events import Grid
from papertrader.shared.market.records import Records
from papertrader.shared.messages import Bbo, Book, Depth, Instrument, Message

GRID = Grid(Instrument(ts=0, tick_size=1.0, lot_size=0.001))
NEAR = (5_000, 5_060)
FAR = (1, 60_000)
Side: TypeAlias = dict[int, float]


def levels(ticks: tuple[int, int], least: float) -> st.SearchStrategy[Side]:
    return st.dictionaries(st.integers(*ticks), st.floats(least, 100.0), max_size=6)


def touches(ticks: tuple[int, int]) -> st.SearchStrategy[tuple[int, float] | None]:
    return st.none() | st.tuples(st.integers(*ticks), st.floats(0.5, 100.0))


@st.composite
def messages(draw: st.DrawFn, ticks: tuple[int, int]) -> Message:
    kind = draw(st.sampled_from((Book, Depth, Bbo)))
    if kind is Bbo:
        bid, ask = draw(touches(ticks)), draw(touches(ticks))
        return Bbo(
            ts=1,
            recv_ts=1,
            bid_price=bid and float(bid[0]),
            bid_size=bid and bid[1],
            ask_price=ask and float(ask[0]),
            ask_size=ask and ask[1],
        )
    least = 0.5 if kind is Book else 0.0
    bids, asks = draw(levels(ticks, least)), draw(levels(ticks, least))
    bid_ticks, ask_ticks = sorted(bids, reverse=True), sorted(asks)
    return kind(
        ts=1,
        recv_ts=1,
        bid_prices=[float(tick) for tick in bid_ticks],
        bid_sizes=[bids[tick] for tick in bid_ticks],
        ask_prices=[float(tick) for tick in ask_ticks],
        ask_sizes=[asks[tick] for tick in ask_ticks],
    )


def fold_side(side: Side, sign: int, message: Message) -> None:
    """The meaning of a message for one side; `sign` +1 for bids."""
    if isinstance(message, Bbo):
        price, size = (message.bid_price, message.bid_size) if sign > 0 else (message.ask_price, message.ask_size)
        worst = math.inf if price is None else -sign * price
        for tick in [tick for tick in side if -sign * tick < worst]:
            del side[tick]
        if price is not None and size is not None:
            side[int(price)] = size
        return
    assert isinstance(message, (Book, Depth))
    prices, sizes = (message.bid_prices, message.bid_sizes) if sign > 0 else (message.ask_prices, message.ask_sizes)
    if isinstance(message, Book):
        worst = -sign * prices[-1] if prices else math.inf
        for tick in [tick for tick in side if -sign * tick <= worst]:
            del side[tick]
    for price, size in zip(prices, sizes, strict=True):
        side[int(price)] = size
        if size == 0:
            del side[int(price)]


def held(book: Records, name: str) -> Side:
    """All levels that the book holds, in the window and beyond, known or stale."""
    low = int(book["low"][0])
    ticks = np.arange(low, low + WINDOW)
    sizes = book[name][0][ticks & MASK]
    row = 0 if name == "bid" else 1
    near = zip(ticks.tolist(), sizes.tolist(), strict=True)
    far = zip(book["far_ticks"][0][row].tolist(), book["far_sizes"][0][row].tolist(), strict=True)
    return {tick: abs(size) for tick, size in (*near, *far) if tick and abs(size) > 0}


Known: TypeAlias = dict[int, float]
"""What is known of every tick of NEAR: see the module `book`."""


def learn(known: Known, sign: int, message: Message, best: int | None, by_differences: bool) -> None:
    """What a message tells of one side of which `best` was the best, as plainly as can be."""
    if isinstance(message, Bbo):
        price, size = (message.bid_price, message.bid_size) if sign > 0 else (message.ask_price, message.ask_size)
        for tick in known:
            if price is None or sign * tick > sign * price:
                known[tick] = 0.0
            elif not by_differences and sign * tick < sign * price and (best is None or sign * tick > sign * best):
                known[tick] = math.nan
        if price is not None and size is not None:
            known[int(price)] = size
        return
    assert isinstance(message, (Book, Depth))
    prices, sizes = (message.bid_prices, message.bid_sizes) if sign > 0 else (message.ask_prices, message.ask_sizes)
    if isinstance(message, Book):
        for tick in known:
            shown = not prices or sign * tick >= sign * prices[-1]
            known[tick] = 0.0 if shown else -abs(known[tick]) or math.nan
    for price, size in zip(prices, sizes, strict=True):
        known[int(price)] = size


@njit(cache=True)
def apply_messages(books: Records, events: Records) -> None:
    row = np.uint64(0)
    while row < np.uint64(len(events)):
        row = apply_message(books[0], events, row) + np.uint64(1)


def fold(book: Records, message: Message) -> None:
    for event in market_events([message], GRID):
        apply(book[0], event)


@settings(max_examples=70, deadline=None)
@given(st.lists(messages(NEAR), max_size=20))
def test_book_near_the_market_is_the_dictionary(session: list[Message]) -> None:
    book, bids, asks = new_book(), Side(), Side()
    book["tick_size"] = 1.0
    for message in session:
        fold(book, message)
        fold_side(bids, 1, message)
        fold_side(asks, -1, message)
        best_bid, best_ask = max(bids, default=NO_BID), min(asks, default=NO_ASK)
        assert held(book, "bid") == bids
        assert held(book, "ask") == asks
        assert (int(book["best_bid"][0]), int(book["best_ask"][0])) == (best_bid, best_ask)
        mid = 0.5 * (best_bid + best_ask) if bids and asks and best_bid < best_ask else math.nan
        assert np.array_equal(mid_of(book[0]), mid, equal_nan=True)


@settings(max_examples=70, deadline=None)
@given(st.lists(messages(FAR) | messages(NEAR), max_size=12))
def test_book_is_the_dictionary_wherever_the_window_slides(session: list[Message]) -> None:
    book, bids, asks = new_book(), Side(), Side()
    book["tick_size"] = 1.0
    for message in session:
        fold(book, message)
        fold_side(bids, 1, message)
        fold_side(asks, -1, message)
        assert held(book, "bid") == bids
        assert held(book, "ask") == asks
        assert int(book["best_bid"][0]) == max(bids, default=NO_BID)
        assert int(book["best_ask"][0]) == min(asks, default=NO_ASK)


@settings(max_examples=100, deadline=None)
@given(st.lists(messages(NEAR), max_size=12), st.booleans())
def test_what_is_known_of_a_level_is_what_messages_told(session: list[Message], begins_with_a_book: bool) -> None:
    book = new_book()
    book["tick_size"] = 1.0
    empty_book = Book(ts=1, recv_ts=1, bid_prices=[], bid_sizes=[], ask_prices=[], ask_sizes=[])
    known = {sign: Known.fromkeys(range(NEAR[0], NEAR[1] + 1), math.nan) for sign in (1, -1)}
    bests: dict[int, int | None] = {1: None, -1: None}
    by_differences = False
    for message in [empty_book, *session] if begins_with_a_book else session:
        fold(book, message)
        by_differences = by_differences if isinstance(message, Bbo) else isinstance(message, Depth)
        for sign in (1, -1):
            learn(known[sign], sign, message, bests[sign], by_differences)
            levels_ = {tick for tick, size in known[sign].items() if abs(size) > 0}
            bests[sign] = (max(levels_) if sign > 0 else min(levels_)) if levels_ else None
            found = {tick: told(book[0], sign, tick) for tick in known[sign]}
            guessed = {tick for tick, size in found.items() if size == 0 and known[sign][tick] != 0}
            assert not guessed, "never guessed empty"
            different = {
                tick: (size, known[sign][tick])
                for tick, size in found.items()
                if abs(known[sign][tick]) > 0 and size != known[sign][tick]
            }
            assert not different


@settings(max_examples=100, deadline=None)
@given(st.lists(messages(NEAR) | messages(FAR), max_size=20))
def test_a_message_at_once_is_the_same_book_as_row_by_row(session: list[Message]) -> None:
    by_row, at_once = new_book(), new_book()
    by_row["tick_size"] = at_once["tick_size"] = 1.0
    for message in session:
        events = market_events([message], GRID)
        fold(by_row, message)
        apply_messages(at_once, events)
        assert by_row.tobytes() == at_once.tobytes()
