import math

import pytest

from papertrader.shared.market.book import (
    NO_ASK,
    NO_BID,
    WINDOW,
    apply,
    has_both_sides,
    in_window,
    is_shown,
    mid_of,
    new_book,
    price_of,
    size_at,
)
from papertrader.shared.market.event_rows import market_events
from papertrader.shared.market.events import Grid
from papertrader.shared.market.records import Records
from papertrader.shared.messages import Bbo, Book, Context, Depth, Gap, Instrument, Message, Trades

GRID = Grid(Instrument(ts=0, tick_size=0.1, lot_size=0.001))
BUY, SELL = 1, -1
Levels = dict[float, float]


def snapshot(bids: Levels, asks: Levels, ts: int = 1) -> Book:
    return Book(
        ts=ts,
        recv_ts=ts,
        bid_prices=list(bids),
        bid_sizes=list(bids.values()),
        ask_prices=list(asks),
        ask_sizes=list(asks.values()),
    )


def depth(bids: Levels, asks: Levels, ts: int = 1) -> Depth:
    book = snapshot(bids, asks, ts)
    return Depth(
        ts=ts,
        recv_ts=ts,
        bid_prices=book.bid_prices,
        bid_sizes=book.bid_sizes,
        ask_prices=book.ask_prices,
        ask_sizes=book.ask_sizes,
    )


def touch(bid: tuple[float, float] | None, ask: tuple[float, float] | None, ts: int = 1) -> Bbo:
    bid_price, bid_size = bid or (None, None)
    ask_price, ask_size = ask or (None, None)
    return Bbo(ts=ts, recv_ts=ts, bid_price=bid_price, bid_size=bid_size, ask_price=ask_price, ask_size=ask_size)


def folded(*messages: Message) -> Records:
    book = new_book()
    book["tick_size"], book["ticks_per_unit"] = GRID.tick_size, GRID.ticks_per_unit
    fold(book, *messages)
    return book


def fold(book: Records, *messages: Message) -> list[bool]:
    return [bool(apply(book[0], event)) for event in market_events(messages, GRID)]


def side_of(book: Records, side: int) -> Levels:
    low = int(book["low"][0])
    held = ((tick, size_at(book[0], side, tick)) for tick in range(low, low + WINDOW))
    return {round(float(price_of(book[0], tick)), 1): size for tick, size in held if size > 0}


def touch_of(book: Records) -> tuple[int, int]:
    return int(book["best_bid"][0]), int(book["best_ask"][0])


START = snapshot({100.0: 1.0, 99.9: 2.0, 99.8: 3.0}, {100.1: 4.0, 100.2: 5.0, 100.3: 6.0})


def test_new_book_has_no_side_no_mid_and_shows_nothing() -> None:
    book = new_book()[0]
    assert (book["best_bid"], book["best_ask"]) == (NO_BID, NO_ASK)
    assert not has_both_sides(book)
    assert math.isnan(mid_of(book))
    assert size_at(book, BUY, 1000) == 0.0
    assert not is_shown(book, BUY, 1000)
    assert not is_shown(book, SELL, 1000)


def test_snapshot_sets_levels_touch_and_mid() -> None:
    book = folded(START)
    assert touch_of(book) == (1000, 1001)
    assert mid_of(book[0]) == pytest.approx(100.05, abs=1e-12)
    assert side_of(book, BUY) == {99.8: 3.0, 99.9: 2.0, 100.0: 1.0}
    assert side_of(book, SELL) == {100.1: 4.0, 100.2: 5.0, 100.3: 6.0}


def test_snapshot_replaces_what_it_shows_and_freezes_what_it_does_not() -> None:
    book = folded(START, snapshot({100.0: 7.0, 99.9: 8.0}, {100.2: 9.0}))
    assert side_of(book, BUY) == {99.8: 3.0, 99.9: 8.0, 100.0: 7.0}, "99.8 lies below the worst bid shown"
    assert side_of(book, SELL) == {100.2: 9.0, 100.3: 6.0}
    assert touch_of(book) == (1000, 1002)


def test_snapshot_removes_what_it_shows_no_more_between_its_levels() -> None:
    book = folded(START, snapshot({100.0: 7.0, 99.8: 8.0}, {100.1: 1.0, 100.3: 2.0}))
    assert side_of(book, BUY) == {99.8: 8.0, 100.0: 7.0}
    assert side_of(book, SELL) == {100.1: 1.0, 100.3: 2.0}


def test_level_is_shown_down_to_the_worst_of_the_last_snapshot() -> None:
    book = folded(START)[0]
    assert [bool(is_shown(book, BUY, tick)) for tick in (997, 998, 1000, 1005)] == [False, True, True, True]
    assert [bool(is_shown(book, SELL, tick)) for tick in (1004, 1003, 1001, 990)] == [False, True, True, True]


def test_snapshot_that_moves_down_removes_the_old_touch() -> None:
    book = folded(START, snapshot({99.0: 1.0}, {99.1: 2.0}))
    assert touch_of(book) == (990, 991)
    assert side_of(book, BUY) == {99.0: 1.0}
    assert side_of(book, SELL) == {99.1: 2.0, 100.1: 4.0, 100.2: 5.0, 100.3: 6.0}, "what lies beyond is frozen"


@pytest.mark.parametrize("message", [snapshot({}, {100.1: 4.0}), touch(None, (100.1, 4.0))])
def test_empty_bid_side_leaves_no_bid_and_no_mid(message: Message) -> None:
    book = folded(START, message)
    assert touch_of(book) == (NO_BID, 1001)
    assert side_of(book, BUY) == {}
    assert math.isnan(mid_of(book[0]))


@pytest.mark.parametrize("message", [snapshot({100.0: 1.0}, {}), touch((100.0, 1.0), None)])
def test_empty_ask_side_leaves_no_ask_and_no_mid(message: Message) -> None:
    book = folded(START, message)
    assert touch_of(book) == (1000, NO_ASK)
    assert side_of(book, SELL) == {}
    assert math.isnan(mid_of(book[0]))


def test_touch_removes_better_levels_and_keeps_worse_ones() -> None:
    book = folded(START, touch((99.9, 7.0), (100.3, 8.0)))
    assert side_of(book, BUY) == {99.8: 3.0, 99.9: 7.0}
    assert side_of(book, SELL) == {100.3: 8.0}
    assert touch_of(book) == (999, 1003)


def test_touch_inside_the_spread_becomes_the_best() -> None:
    wide = snapshot({99.0: 1.0}, {101.0: 2.0})
    assert touch_of(folded(wide, touch((99.5, 3.0), (100.5, 4.0)))) == (995, 1005)


def test_depth_sets_and_removes_levels_and_finds_the_next_best() -> None:
    book = folded(START, depth({100.0: 0.0, 99.7: 9.0}, {100.1: 0.0, 100.2: 0.5}))
    assert side_of(book, BUY) == {99.7: 9.0, 99.8: 3.0, 99.9: 2.0}
    assert side_of(book, SELL) == {100.2: 0.5, 100.3: 6.0}
    assert touch_of(book) == (999, 1002)


def test_depth_that_empties_both_sides_leaves_none() -> None:
    book = folded(START, depth({100.0: 0.0, 99.9: 0.0, 99.8: 0.0}, {100.1: 0.0, 100.2: 0.0, 100.3: 0.0}))
    assert touch_of(book) == (NO_BID, NO_ASK)


def test_crossed_book_has_no_mid_until_the_other_side_moves() -> None:
    book = folded(START, touch((100.2, 1.0), None), depth({}, {100.1: 4.0}))
    assert touch_of(book) == (1002, 1001)
    assert not has_both_sides(book[0])
    assert math.isnan(mid_of(book[0]))
    fold(book, depth({}, {100.1: 0.0, 100.4: 1.0}))
    assert mid_of(book[0]) == pytest.approx(100.3, abs=1e-12)


def test_locked_book_has_no_mid() -> None:
    assert math.isnan(mid_of(folded(touch((100.0, 1.0), (100.0, 1.0)))[0]))


def test_window_slides_with_the_market_and_keeps_what_falls_out_among_the_far_levels() -> None:
    book = folded(START)
    assert int(book["low"][0]) == 1, "a window near zero begins at the first tick"
    fold(book, touch((700.0, 1.0), (700.1, 2.0)))
    low = int(book["low"][0])
    assert low == 7000 - WINDOW // 2
    assert in_window(book[0], low)
    assert not in_window(book[0], low - 1)
    assert in_window(book[0], low + WINDOW - 1)
    assert not in_window(book[0], low + WINDOW)
    assert touch_of(book) == (7000, 7001)
    assert side_of(book, BUY) == {700.0: 1.0}, "bids of 100 lie below the window"
    assert size_at(book[0], BUY, 1000) == 1.0
    assert is_shown(book[0], BUY, 1000)
    assert not is_shown(book[0], BUY, 997), "lower than the snapshot showed"


def test_window_that_comes_back_holds_what_it_held() -> None:
    book = folded(START, depth({99.5: 4.0}, {}), touch((700.0, 1.0), (700.1, 2.0)), touch((100.0, 1.0), (100.1, 4.0)))
    assert side_of(book, BUY) == {100.0: 1.0, 99.9: 2.0, 99.8: 3.0, 99.5: 4.0}
    known = [bool(is_shown(book[0], BUY, tick)) for tick in (994, 995, 996, 997, 998)]
    assert known == [False, True, False, False, True]
    assert touch_of(book) == (1000, 1001)


def test_window_that_slides_a_little_keeps_what_stays_in() -> None:
    book = folded(snapshot({500.0: 1.0, 499.9: 2.0}, {500.1: 3.0}))
    fold(book, touch((720.0, 4.0), (720.1, 5.0)))
    assert int(book["low"][0]) == 7200 - WINDOW // 2
    assert side_of(book, BUY) == {499.9: 2.0, 500.0: 1.0, 720.0: 4.0}


def test_jump_of_incremental_levels_does_not_leave_a_best_price_outside_the_window() -> None:
    book = folded(START)
    fold(book, depth({2000.0: 1.0}, {100.1: 0.0, 100.2: 0.0, 100.3: 0.0, 2000.1: 2.0}))
    assert touch_of(book) == (20_000, 20_001)
    fold(book, depth({2000.0: 0.0, 100.0: 1.0}, {100.1: 2.0}))
    assert touch_of(book) == (1000, 1001)


def test_level_outside_the_window_is_known() -> None:
    book = folded(START)
    fold(book, depth({}, {5000.0: 1.0, 5000.1: 0.0}))
    assert touch_of(book) == (1000, 1001)
    assert [size_at(book[0], SELL, tick) for tick in (50_000, 50_001, 50_002)] == [1.0, 0.0, 0.0]
    assert [bool(is_shown(book[0], SELL, tick)) for tick in (50_000, 50_001, 50_002)] == [True, True, False]
    assert int(book["outside"][0]) == 0


def test_sides_further_apart_than_the_window_are_both_the_best() -> None:
    book = folded(snapshot({1.0: 1.0, 0.9: 2.0}, {5000.0: 3.0, 5000.1: 4.0}), touch((1.1, 5.0), (4999.9, 6.0)))
    assert touch_of(book) == (11, 49_999)
    assert size_at(book[0], SELL, 49_999) == 6.0
    fold(book, depth({1.1: 0.0}, {4999.9: 0.0}))
    assert touch_of(book) == (10, 50_000)


def test_levels_that_find_no_room_are_counted_and_what_lies_beyond_is_unknown() -> None:
    bids = {100_000.0 - 0.1 * index: 1.0 for index in range(20_000)}
    book = folded(snapshot(bids, {100_000.1: 1.0}))
    lost = int(book["outside"][0])
    assert lost > 0
    held = [tick for tick in range(980_001, 1_000_001) if is_shown(book[0], BUY, tick) and size_at(book[0], BUY, tick)]
    assert len(held) == 20_000 - lost
    assert not any(
        is_shown(book[0], BUY, tick) and not size_at(book[0], BUY, tick) for tick in range(980_001, 1_000_001)
    )


def test_snapshot_makes_what_it_does_not_show_stale_wherever_it_is() -> None:
    book = folded(START, depth({5.0: 9.0, 99.0: 8.0}, {5000.0: 7.0}), snapshot({100.0: 1.0}, {100.1: 1.0}))
    assert [size_at(book[0], BUY, tick) for tick in (50, 990, 998)] == [9.0, 8.0, 3.0]
    assert not any(is_shown(book[0], BUY, tick) for tick in (50, 990, 998, 995))
    assert not is_shown(book[0], SELL, 50_000)


def test_touch_that_moves_away_leaves_the_levels_between_unknown_until_they_are_told() -> None:
    book = folded(START, touch((100.5, 1.0), (100.7, 1.0)))
    assert [bool(is_shown(book[0], BUY, tick)) for tick in (1000, 1001, 1004, 1005, 1006)] == [1, 0, 0, 1, 1]
    fold(book, snapshot({100.5: 1.0, 99.9: 2.0}, {100.7: 1.0}))
    assert is_shown(book[0], BUY, 1002)


def test_differences_tell_every_change_so_a_touch_leaves_nothing_unknown() -> None:
    book = folded(START, depth({100.0: 1.5}, {}), touch((100.5, 1.0), (100.7, 1.0)))
    assert all(is_shown(book[0], BUY, tick) for tick in range(998, 1008))


def test_clock_never_goes_back() -> None:
    book = folded(snapshot({100.0: 1.0}, {100.1: 1.0}, ts=50))
    fold(book, depth({99.0: 1.0}, {}, ts=40))
    assert int(book["ts"][0]) == 50
    fold(book, Context(ts=60, recv_ts=60))
    assert int(book["ts"][0]) == 60


def test_apply_is_true_once_per_book_message_and_never_for_others() -> None:
    prints = Trades(
        ts=1, recv_ts=1, times=[1, 1], prices=[1.0, 2.0], sizes=[1.0, 1.0], aggressors=["buy", "sell"], trade_ids=[1, 2]
    )
    book = folded()
    assert fold(book, START) == [False] * 7 + [True]
    assert fold(book, touch((100.0, 1.0), None)) == [False, True]
    assert fold(book, depth({99.0: 1.0}, {})) == [True]
    gap = Gap(ts=1, recv_ts=1, from_ts=0, to_ts=1, reason="x")
    assert fold(book, prints, Context(ts=1, recv_ts=1), gap) == [False] * 7


def test_gap_is_counted_and_keeps_the_levels() -> None:
    book = folded(START, Gap(ts=90, recv_ts=90, from_ts=10, to_ts=80, reason="silence"))
    assert int(book["gaps"][0]) == 1
    assert int(book["ts"][0]) == 80
    assert touch_of(book) == (1000, 1001)
