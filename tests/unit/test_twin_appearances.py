"""When a live order appeared in the book, and which latency that speaks for."""

import numpy as np
import pytest

from papertrader.replay.twin.appearances import LATENCIES_MS, Growth, growths, judged, shown_by
from papertrader.shared.messages import Bbo, Book, Trades


def test_a_latency_that_finds_every_order_is_the_likeliest() -> None:
    """Four orders, four latencies; the third finds all, the others half of them: b = 10/16, h at its most, .98."""
    seen = np.array([[1, 0, 1, 0], [0, 1, 1, 1], [1, 0, 1, 1], [0, 1, 1, 0]], dtype=bool)
    found = judged(seen)
    assert found.found.tolist() == [2, 2, 4, 2]
    assert int(np.argmax(found.log_likelihood)) == 2
    chance, shows = 10 / 16, 0.98
    one = np.log((shows + 0.02 * chance) / chance)
    assert found.log_likelihood[2] == pytest.approx(4 * one)
    assert found.log_likelihood[0] == pytest.approx(2 * one + 2 * np.log(0.02))


def test_nothing_seen_says_nothing() -> None:
    found = judged(np.zeros((3, len(LATENCIES_MS)), dtype=bool))
    assert not found.log_likelihood.any()
    assert found.orders == 3


def test_what_a_message_shows() -> None:
    touch = shown_by(Bbo(ts=5, recv_ts=5, bid_price=99.0, bid_size=2.0, ask_price=None, ask_size=None))
    assert touch is not None
    assert touch.levels == {("buy", 99.0): 2.0}
    assert touch.floor == {"buy": 99.0}, "a better bid is not there"
    book = Book(ts=6, recv_ts=6, bid_prices=[99.0, 98.0], bid_sizes=[1.0, 3.0], ask_prices=[101.0], ask_sizes=[4.0])
    shown = shown_by(book)
    assert shown is not None
    assert shown.floor == {"buy": 98.0, "sell": 101.0}
    assert shown.levels["buy", 98.0] == 3.0


def test_growth_is_what_prints_do_not_explain() -> None:
    """Bid 99 shows 5; 2 are printed, then it shows 7: 4 came. Bid 100 is new at the touch: 3 came between two books."""

    def book(ts: int, bids: dict[float, float]) -> Book:
        return Book(
            ts=ts, recv_ts=ts, bid_prices=list(bids), bid_sizes=list(bids.values()), ask_prices=[101.0], ask_sizes=[1.0]
        )

    sold = Trades(ts=15, recv_ts=15, times=[15], prices=[99.0], sizes=[2.0], aggressors=["sell"], trade_ids=[1])
    touch = Bbo(ts=25, recv_ts=25, bid_price=100.0, bid_size=3.0, ask_price=101.0, ask_size=1.0)
    messages = [book(10, {99.0: 5.0, 98.0: 1.0}), sold, book(20, {99.0: 7.0, 98.0: 1.0}), touch]
    found = growths(messages, {("buy", 99.0), ("buy", 100.0), ("buy", 97.0)})
    assert found == {
        ("buy", 99.0): [Growth(10, 20, 4.0)],
        ("buy", 100.0): [Growth(20, 25, 3.0)],
        ("buy", 97.0): [],
    }
