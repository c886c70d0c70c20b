import math

import numpy as np
import pytest

from papertrader.shared.market.book import new_book
from papertrader.shared.market.features import freeze, new_features, on_gap, on_print, on_top
from papertrader.shared.market.records import Records
from papertrader.shared.messages import FEATURE_NAMES

S = 1_000_000_000
BUY, SELL = 1, -1


def book_at(ts: int, bid: int = 1000, ask: int = 1001, bid_size: float = 3.0, ask_size: float = 1.0) -> Records:
    book = new_book()
    book["tick_size"], book["ticks_per_unit"] = 0.1, 10.0
    book["ts"], book["low"], book["best_bid"], book["best_ask"] = ts, 1, bid, ask
    book["bid"][0, bid], book["ask"][0, ask] = bid_size, ask_size
    return book


def seen(*books: Records) -> Records:
    features = new_features()
    for book in books:
        on_top(features[0], book[0])
    return features


def frozen(features: Records, book: Records, ts: int, age_s: float = 0.0) -> dict[str, float]:
    out = np.full(len(FEATURE_NAMES), np.nan)
    freeze(features[0], book[0], ts, age_s, out)
    return dict(zip(FEATURE_NAMES, out.tolist(), strict=True))


def test_depth_imbalance_is_bid_minus_ask_over_both() -> None:
    book = book_at(S, bid_size=3.0, ask_size=1.0)
    assert frozen(seen(book), book, S)["depth_imbalance"] == pytest.approx(0.5)
    book = book_at(S, bid_size=1.0, ask_size=4.0)
    assert frozen(seen(book), book, S)["depth_imbalance"] == pytest.approx(-0.6)


def test_signed_flow_is_net_over_gross_positive_when_takers_buy() -> None:
    book = book_at(S)
    features = seen(book)
    on_print(features[0], S, 3.0, BUY)
    on_print(features[0], S, 1.0, SELL)
    vector = frozen(features, book, S)
    assert vector["signed_flow_1s"] == pytest.approx(0.5)
    assert vector["signed_flow_10s"] == pytest.approx(0.5)


def test_signed_flow_forgets_with_its_own_time_constant() -> None:
    book = book_at(S)
    features = seen(book)
    on_print(features[0], S, 1.0, BUY)
    on_print(features[0], 3 * S, 1.0, SELL)
    fast, slow = math.exp(-2), math.exp(-0.2)
    vector = frozen(features, book, 3 * S)
    assert vector["signed_flow_1s"] == pytest.approx((fast - 1) / (fast + 1))
    assert vector["signed_flow_10s"] == pytest.approx((slow - 1) / (slow + 1))


def test_late_print_counts_fully_and_does_not_turn_back_the_clock() -> None:
    book = book_at(S)
    features = seen(book)
    on_print(features[0], 3 * S, 1.0, BUY)
    on_print(features[0], 2 * S, 1.0, SELL)
    assert frozen(features, book, 3 * S)["signed_flow_1s"] == pytest.approx(0.0)
    assert features["print_ts"][0] == 3 * S


def test_no_prints_give_no_flow() -> None:
    book = book_at(S)
    vector = frozen(seen(book), book, S)
    assert (vector["signed_flow_1s"], vector["signed_flow_10s"]) == (0.0, 0.0)


def test_momentum_is_the_mid_above_its_one_second_average_in_bps_and_fades() -> None:
    first, second = book_at(S, 1000, 1002), book_at(2 * S, 1010, 1012)
    features = seen(first, second)
    step = (101.1 - 100.1) / 101.1 * 1e4
    assert frozen(features, second, 2 * S)["momentum_1s_bps"] == pytest.approx(step)
    assert frozen(features, second, 3 * S)["momentum_1s_bps"] == pytest.approx(step * math.exp(-1))


def test_momentum_of_two_moves_adds_what_is_left_of_the_first() -> None:
    first, second, third = book_at(S, 1000, 1002), book_at(2 * S, 1010, 1012), book_at(4 * S, 1000, 1002)
    features = seen(first, second, third)
    average = 101.1 - 1.0 * math.exp(-2)
    assert frozen(features, third, 4 * S)["momentum_1s_bps"] == pytest.approx((100.1 - average) / 100.1 * 1e4)


def test_momentum_is_negative_when_the_market_falls() -> None:
    first, second = book_at(S, 1010, 1012), book_at(2 * S, 1000, 1002)
    assert frozen(seen(first, second), second, 2 * S)["momentum_1s_bps"] < 0


def test_spread_is_in_bps_of_the_mid() -> None:
    book = book_at(S, 995, 1005)
    assert frozen(seen(book), book, S)["spread_bps"] == pytest.approx(1.0 / 100.0 * 1e4)


def test_sigma_ratio_is_one_before_the_first_return() -> None:
    book = book_at(S)
    assert frozen(seen(book), book, S)["sigma_ratio"] == 1.0


def test_sigma_ratio_of_a_single_return_is_the_root_of_the_horizons_and_decays() -> None:
    first, second = book_at(S, 1000, 1002), book_at(2 * S, 1010, 1012)
    features = seen(first, second)
    assert frozen(features, second, 2 * S)["sigma_ratio"] == pytest.approx(math.sqrt(300 / 10))
    decayed = math.sqrt(30 * math.exp(-30 / 10) / math.exp(-30 / 300))
    assert frozen(features, second, 32 * S)["sigma_ratio"] == pytest.approx(decayed)


def test_sigma_ratio_of_a_constant_pace_is_one() -> None:
    books = [book_at(second * S, 1000 + second % 2, 1002 + second % 2) for second in range(1, 3000)]
    ratio = frozen(seen(*books), books[-1], 2999 * S)["sigma_ratio"]
    assert ratio == pytest.approx(1.0, abs=0.06)


def test_log_age_is_log_of_one_plus_seconds_and_never_negative() -> None:
    book = book_at(S)
    assert frozen(seen(book), book, S, age_s=math.e - 1)["log_age"] == pytest.approx(1.0)
    assert frozen(seen(book), book, S, age_s=-5.0)["log_age"] == 0.0


def test_repeated_mid_changes_nothing() -> None:
    once, again = seen(book_at(S)), seen(book_at(S), book_at(2 * S), book_at(3 * S))
    assert once.tobytes() == again.tobytes()


def test_gap_makes_the_next_mid_a_beginning_not_a_return() -> None:
    features = seen(book_at(S, 1000, 1002))
    on_gap(features[0])
    far = book_at(60 * S, 2000, 2002)
    on_top(features[0], far[0])
    vector = frozen(features, far, 60 * S)
    assert vector["momentum_1s_bps"] == 0.0
    assert vector["sigma_ratio"] == 1.0


def test_vector_is_zero_while_the_book_has_no_two_sides() -> None:
    features = seen(book_at(S))
    assert set(frozen(features, new_book(), S, age_s=5.0).values()) == {0.0}
    crossed = book_at(S, 1005, 1000)
    assert set(frozen(features, crossed, S, age_s=5.0).values()) == {0.0}


def test_vector_is_zero_after_a_gap_until_the_mid_is_known_again() -> None:
    book = book_at(S)
    features = seen(book)
    on_gap(features[0])
    assert set(frozen(features, book, S, age_s=5.0).values()) == {0.0}
