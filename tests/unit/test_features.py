import math

import numpy as np
import pytest

from papertrader.shared.market.book import new_book
from papertrader.shared.market.features import (
    facing,
    look,
    new_features,
    on_gap,
    on_print,
    on_top,
)
from papertrader.shared.market.records import Records
from papertrader.shared.messages import FEATURE_NAMES

S = 1_000_000_000
BUY, SELL = 1, -1


def book_at(ts: int, bid: int = 1000, ask: int = 1001, bid_size: float = 3.0, ask_size: float = 1.0) -> Records:
    book = new_book()
    book["tick_size"], book["ticks_per_unit"] = 0.1, 10.0
    book["ts"], book["low"], book["best_bid"], book["best_ask"] = ts, max(bid - 4000, 1), bid, ask
    book["bid"][0, bid & 8191], book["ask"][0, ask & 8191] = bid_size, ask_size
    return book


def seen(*books: Records) -> Records:
    features = new_features()
    for book in books:
        on_top(features[0], book[0])
    return features


def looked(features: Records, book: Records) -> dict[str, float]:
    out = np.full(len(FEATURE_NAMES), np.nan)
    look(features[0], book[0], out)
    return dict(zip(FEATURE_NAMES, out.tolist(), strict=True))


def test_touch_imbalance_is_bids_minus_asks_over_both() -> None:
    book = book_at(S, bid_size=3.0, ask_size=1.0)
    assert looked(seen(book), book)["touch_imbalance"] == pytest.approx(0.5)
    book = book_at(S, bid_size=1.0, ask_size=4.0)
    assert looked(seen(book), book)["touch_imbalance"] == pytest.approx(-0.6)


def test_depth_imbalance_counts_the_five_best_levels_that_hold_anything() -> None:
    book = book_at(S, bid_size=1.0, ask_size=1.0)
    for level, tick in enumerate((998, 990, 980, 970, 960)):
        book["bid"][0, tick] = 10.0 if level == 4 else 1.0
    assert looked(seen(book), book)["depth_imbalance"] == pytest.approx((5 - 1) / (5 + 1)), "the sixth does not count"


def test_near_imbalances_count_what_lies_within_1_and_3_bp_of_each_touch() -> None:
    """At 10,000 ticks a tick is 1 bp."""
    book = book_at(S, 10_000, 10_001, 1.0, 1.0)
    book["low"] = 8000
    book["bid"][0, [9999 & 8191, 9997 & 8191, 9996 & 8191]] = 2.0, 4.0, 100.0
    vector = looked(seen(book), book)
    assert vector["near_imbalance_1bp"] == pytest.approx((3 - 1) / (3 + 1))
    assert vector["near_imbalance_3bp"] == pytest.approx((7 - 1) / (7 + 1))


def test_depth_never_reads_beyond_the_window() -> None:
    """The ring of ticks is read only where it holds this side: what lies a whole window away is another price."""
    book = book_at(S, 8190, 8192, 1.0, 1.0)
    book["low"] = 8189
    book["bid"][0, 8188 & 8191] = 50.0
    assert looked(seen(book), book)["depth_imbalance"] == 0.0


def test_near_levels_go_on_where_the_ring_of_ticks_begins_anew_and_the_stale_count() -> None:
    """At 8193 ticks 3 bp are 2 ticks: the levels lie at the places 1, 0 and 8191 of the ring."""
    book = book_at(S, 8193, 8194, 1.0, 1.0)
    book["low"], book["bid"][0, 0], book["bid"][0, 8191], book["bid"][0, 8190] = 8000, -2.0, 4.0, 100.0
    book["ask"][0, [3, 4]] = np.nan
    assert looked(seen(book), book)["near_imbalance_3bp"] == pytest.approx((7 - 1) / (7 + 1))


def test_signed_flow_is_net_over_gross_positive_when_takers_buy_and_forgets_within_seconds() -> None:
    book = book_at(S)
    features = seen(book)
    on_print(features[0], S, 3.0, BUY)
    on_print(features[0], S, 1.0, SELL)
    assert looked(features, book)["signed_flow_1s"] == pytest.approx(0.5)
    on_print(features[0], 3 * S, 1.0, SELL)
    kept = math.exp(-2)
    assert looked(features, book)["signed_flow_1s"] == pytest.approx((2 * kept - 1) / (4 * kept + 1))


def test_late_print_counts_fully_and_does_not_turn_back_the_clock() -> None:
    book = book_at(S)
    features = seen(book)
    on_print(features[0], 3 * S, 1.0, BUY)
    on_print(features[0], 2 * S, 1.0, SELL)
    assert looked(features, book)["signed_flow_1s"] == pytest.approx(0.0)
    assert features["print_ts"][0] == 3 * S


def test_no_prints_give_no_flow() -> None:
    book = book_at(S)
    assert looked(seen(book), book)["signed_flow_1s"] == 0.0


def test_spread_is_the_logarithm_of_bps_of_the_mid_within_bounds() -> None:
    book = book_at(S, 995, 1005)
    assert looked(seen(book), book)["log_spread_bps"] == pytest.approx(4.0), "100 bp is beyond the bound"
    book = book_at(S, 10_000, 10_001)
    assert looked(seen(book), book)["log_spread_bps"] == pytest.approx(math.log(1e4 / 10_000.5))


def test_sigma_is_the_root_of_the_variance_of_a_minute_and_decays() -> None:
    first, second = book_at(S, 1000, 1002), book_at(2 * S, 1001, 1003)
    features = seen(first, second)
    sigma_bps = math.log(100.2 / 100.1) / math.sqrt(60) * 1e4
    assert looked(features, second)["log_sigma_bps"] == pytest.approx(math.log(sigma_bps))
    later = book_at(62 * S, 1001, 1003)
    assert looked(features, later)["log_sigma_bps"] == pytest.approx(math.log(sigma_bps) - 0.5)


def test_sigma_is_at_its_lower_bound_before_the_first_return() -> None:
    book = book_at(S)
    assert looked(seen(book), book)["log_sigma_bps"] == -3.0


def test_repeated_mid_changes_nothing() -> None:
    once, again = seen(book_at(S)), seen(book_at(S), book_at(2 * S), book_at(3 * S))
    assert once.tobytes() == again.tobytes()


def test_gap_makes_the_next_mid_a_beginning_not_a_return() -> None:
    features = seen(book_at(S, 1000, 1002))
    on_gap(features[0])
    far = book_at(60 * S, 2000, 2002)
    on_top(features[0], far[0])
    assert looked(features, far)["log_sigma_bps"] == -3.0


def test_vector_is_zero_while_the_book_has_no_two_sides_and_after_a_gap() -> None:
    features = seen(book_at(S))
    assert set(looked(features, new_book()).values()) == {0.0}
    assert set(looked(features, book_at(S, 1005, 1000)).values()) == {0.0}
    on_gap(features[0])
    assert set(looked(features, book_at(S)).values()) == {0.0}


def test_an_order_faces_what_leans_against_it_as_positive() -> None:
    vector, out = np.array([0.5, 0.4, 0.3, 0.2, 0.1, 1.0, 2.0, 3.0]), np.zeros(9)
    facing(vector, BUY, out)
    assert out == pytest.approx([1, -0.5, -0.4, -0.3, -0.2, -0.1, 1, 2, 3]), "bids that outweigh asks speak for a bid"
    facing(vector, SELL, out)
    assert out == pytest.approx([1, 0.5, 0.4, 0.3, 0.2, 0.1, 1, 2, 3])
