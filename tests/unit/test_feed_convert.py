"""Messages in the formats of hftbacktest and Tardis, worked by hand."""

import numpy as np

from services.feed.convert import (
    BUY,
    CLEAR,
    DEPTH,
    EXCHANGE,
    HFTBACKTEST_EVENT,
    LOCAL,
    SELL,
    SNAPSHOT,
    TRADE,
    Change,
    Ladder,
    hftbacktest_events,
    in_both_orders,
    tardis_rows,
)
from shared.messages import Bbo, Book, Depth, Gap, Trades

US = 1_000


def book(ts: int, bids: dict[float, float], asks: dict[float, float]) -> Book:
    return Book(
        ts=ts,
        recv_ts=ts + 10 * US,
        bid_prices=list(bids),
        bid_sizes=list(bids.values()),
        ask_prices=list(asks),
        ask_sizes=list(asks.values()),
    )


def bbo(ts: int, bid: float, ask: float) -> Bbo:
    return Bbo(ts=ts, recv_ts=ts + 10 * US, bid_price=bid, bid_size=1.0, ask_price=ask, ask_size=1.0)


TRADE_MESSAGE = Trades(
    ts=5 * US, recv_ts=15 * US, times=[5 * US], prices=[99.0], sizes=[0.5], aggressors=["sell"], trade_ids=[7]
)


def test_first_book_is_a_snapshot_and_the_next_one_its_changes() -> None:
    ladder = Ladder()
    first = ladder.changes(book(0, {99.0: 1.0, 98.0: 2.0}, {101.0: 3.0}))
    assert first == (True, [Change(1, 99.0, 1.0), Change(1, 98.0, 2.0), Change(-1, 101.0, 3.0)])
    second = ladder.changes(book(1, {99.0: 1.5, 97.0: 4.0}, {101.0: 3.0}))
    assert second == (False, [Change(1, 98.0, 0.0), Change(1, 99.0, 1.5), Change(1, 97.0, 4.0)])


def test_level_below_a_shallower_book_stays() -> None:
    ladder = Ladder()
    ladder.changes(book(0, {99.0: 1.0, 98.0: 2.0, 97.0: 5.0}, {101.0: 3.0}))
    assert ladder.changes(book(1, {99.0: 1.0, 98.0: 2.5}, {101.0: 3.0})).levels == [Change(1, 98.0, 2.5)]


def test_touch_removes_the_better_levels() -> None:
    ladder = Ladder()
    ladder.changes(book(0, {99.0: 1.0, 98.0: 1.0}, {101.0: 1.0}))
    assert ladder.changes(bbo(1, 98.0, 101.0)).levels == [Change(1, 99.0, 0.0)]


def test_book_after_a_gap_is_a_snapshot_again() -> None:
    ladder = Ladder()
    ladder.changes(book(0, {99.0: 1.0}, {101.0: 1.0}))
    ladder.changes(Gap(ts=1, recv_ts=1, from_ts=0, to_ts=1, reason="silence"))
    assert ladder.changes(book(2, {99.0: 1.0}, {101.0: 1.0})).is_snapshot


def test_difference_that_repeats_a_size_is_no_change() -> None:
    ladder = Ladder()
    ladder.changes(book(0, {99.0: 1.0}, {101.0: 1.0}))
    same = Depth(ts=1, recv_ts=1, bid_prices=[99.0, 98.0], bid_sizes=[1.0, 0.0], ask_prices=[], ask_sizes=[])
    assert ladder.changes(same).levels == []


def test_hftbacktest_events_clear_and_show_the_book_and_carry_the_takers_side() -> None:
    events = hftbacktest_events([book(0, {99.0: 1.0}, {101.0: 2.0}), TRADE_MESSAGE])
    both = EXCHANGE | LOCAL
    expected = [CLEAR | BUY, CLEAR | SELL, SNAPSHOT | BUY, SNAPSHOT | SELL, TRADE | SELL]
    assert [int(value) for value in events["ev"]] == [kind | both for kind in expected]
    assert events[["exch_ts", "local_ts", "px", "qty"]][-1].tolist() == (5 * US, 15 * US, 99.0, 0.5)
    assert HFTBACKTEST_EVENT.itemsize == 64


def test_rows_received_in_another_order_stand_in_both_orders() -> None:
    events = np.zeros(3, dtype=HFTBACKTEST_EVENT)
    events["ev"], events["exch_ts"], events["local_ts"] = DEPTH, (1, 2, 3), (11, 14, 13)
    found = in_both_orders(events)
    at_exchange, at_receipt = found[found["ev"] & EXCHANGE > 0], found[found["ev"] & LOCAL > 0]
    assert at_exchange["exch_ts"].tolist() == [1, 2, 3]
    assert at_receipt["local_ts"].tolist() == [11, 13, 14]


def test_receipt_before_the_event_is_shifted_for_all() -> None:
    early = Trades(
        ts=20 * US, recv_ts=5 * US, times=[20 * US], prices=[1.0], sizes=[1.0], aggressors=["buy"], trade_ids=[1]
    )
    assert (hftbacktest_events([early])["local_ts"] >= 20 * US).all()


def test_tardis_rows_are_in_microseconds_with_absolute_sizes() -> None:
    ladder = Ladder()
    rows = list(tardis_rows(book(5 * US, {99.0: 1.0}, {101.0: 2.0}), ladder))
    assert rows == [
        ("incremental_book_L2", (5, 15, True, "bid", 99.0, 1.0)),
        ("incremental_book_L2", (5, 15, True, "ask", 101.0, 2.0)),
    ]
    assert list(tardis_rows(TRADE_MESSAGE, ladder)) == [("trades", (5, 15, 7, "sell", 99.0, 0.5))]
    ticker, removed = list(tardis_rows(bbo(6 * US, 99.0, 100.0), ladder))
    assert ticker == ("book_ticker", (6, 16, 1.0, 100.0, 99.0, 1.0))
    assert removed[1][2:] == (False, "ask", 100.0, 1.0)
