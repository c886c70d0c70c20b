"""Orders as if they had been left alone, by hand: prints, the queue, the opposite touch, the horizon, gaps."""

import math
from typing import Any

import numpy as np
import pytest

from papertrader.services.estimator import shadows as following
from papertrader.shared.market import fill_forecast
from papertrader.shared.market.book import new_book
from papertrader.shared.market.events import EVENT, PRINT
from papertrader.shared.market.features import new_features
from papertrader.shared.market.records import record_dtype
from papertrader.shared.messages import Ack

S = 1_000_000_000
BUY, SELL = 1, -1


def book_at(bid: int = 1000, ask: int = 1002, size: float = 3.0) -> Any:
    book = new_book()
    book["tick_size"], book["ticks_per_unit"], book["low"] = 0.1, 10.0, 1
    book["best_bid"], book["best_ask"] = bid, ask
    book["bid"][0, bid - 50 : bid + 1] = size
    book["ask"][0, ask : ask + 50] = size
    return book[0]


def new_forecaster() -> Any:
    forecaster = np.zeros(1, dtype=following.FORECASTER)[0]
    following.start_forecaster(forecaster)
    return forecaster


def shadow_at(tick: int, side: int = BUY, ahead: float = 3.0, order_id: int = 7) -> tuple[Any, Any]:
    forecaster = new_forecaster()
    following.place(forecaster["shadows"], order_id, side, tick, 10 * S, ahead, 0.0)
    return forecaster, forecaster["shadows"]


def print_at(tick: int, size: float, aggressor: int, second: float = 11.0) -> Any:
    event = np.zeros(1, dtype=EVENT)[0]
    event["kind"], event["tick"], event["size"], event["side"] = PRINT, tick, size, aggressor
    event["ts"] = int(second * S)
    return event


def is_filled(shadows: Any) -> bool:
    return bool(shadows["rows"]["filled"][0])


def test_print_beyond_the_price_fills_of_either_taker() -> None:
    for aggressor in (BUY, SELL):
        _, shadows = shadow_at(1000)
        following.on_print(shadows, book_at(), print_at(999, 0.1, aggressor))
        assert is_filled(shadows)


def test_prints_at_the_price_use_up_what_is_ahead_first() -> None:
    _, shadows = shadow_at(1000, ahead=3.0)
    book = book_at(size=3.0)
    following.on_print(shadows, book, print_at(1000, 2.0, SELL))
    assert (is_filled(shadows), shadows["rows"]["ahead"][0]) == (False, 1.0)
    following.on_print(shadows, book, print_at(1000, 1.0, SELL))
    assert not is_filled(shadows), "exactly what was ahead: nothing is left for the order"
    following.on_print(shadows, book, print_at(1000, 0.1, SELL))
    assert is_filled(shadows)


def test_cancels_bring_the_front_only_as_near_as_the_level_shows() -> None:
    _, shadows = shadow_at(1000, ahead=10.0)
    following.on_print(shadows, book_at(size=4.0), print_at(1000, 2.0, SELL))
    assert shadows["rows"]["ahead"][0] == 4.0, "4 displayed after a print of 2: at most 6 were ahead of it"


@pytest.mark.parametrize(
    ("tick", "aggressor", "second"), [(1001, SELL, 11.0), (1000, BUY, 11.0), (999, SELL, 10.0), (999, SELL, 20.1)]
)
def test_print_that_does_not_reach_or_meet_or_is_not_in_the_ten_seconds_changes_nothing(
    tick: int, aggressor: int, second: float
) -> None:
    _, shadows = shadow_at(1000, ahead=0.5)
    following.on_print(shadows, book_at(), print_at(tick, 5.0, aggressor, second))
    assert (is_filled(shadows), shadows["rows"]["ahead"][0]) == (False, 0.5)


def test_opposite_touch_at_the_price_fills() -> None:
    _, shadows = shadow_at(1000)
    following.on_top(shadows, book_at(998, 1001), 11 * S)
    assert not is_filled(shadows)
    following.on_top(shadows, book_at(998, 1000), 11 * S)
    assert is_filled(shadows)
    _, shadows = shadow_at(1002, side=SELL)
    following.on_top(shadows, book_at(1003, 1005), 11 * S)
    assert is_filled(shadows)


def test_own_order_that_was_cancelled_early_is_followed_to_its_end_and_judged() -> None:
    forecaster, shadows = shadow_at(1000)
    assert not following.settle(shadows, 20 * S, forecaster["model"])
    following.on_print(shadows, book_at(), print_at(999, 1.0, SELL, second=19.0))
    assert following.settle(shadows, 20 * S + 1, forecaster["model"])
    assert (shadows["count"], shadows["filled"], shadows["expected"]) == (0, 1, 0.5)
    assert shadows["judged"]["squared_error"].sum() == pytest.approx(0.25)
    assert forecaster["model"]["outcomes"] == 0, "the forecast learns from hypothetical orders only"


def test_fill_by_the_exchange_is_what_happened() -> None:
    _, shadows = shadow_at(1000)
    following.on_own_fill(shadows, 8, 11 * S)
    following.on_own_fill(shadows, 7, 21 * S)
    assert not is_filled(shadows), "another order, or too late"
    following.on_own_fill(shadows, 7, 12 * S)
    assert is_filled(shadows)


def ack_of(status: int, p_fill: float = 0.25) -> Any:
    ack = np.zeros(1, dtype=record_dtype(Ack))[0]
    ack["order_id"], ack["status"], ack["side"], ack["price"] = 7, status, BUY, 99.9
    ack["live_ts"], ack["queue_ahead"], ack["p_fill"] = 10 * S, 2.0, p_fill
    return ack


def test_accepted_order_with_a_forecast_is_followed_from_going_live_and_a_modified_one_no_longer() -> None:
    shadows = new_forecaster()["shadows"]
    following.on_ack(shadows, book_at(), ack_of(following.ACCEPTED))
    row = shadows["rows"][0]
    assert (shadows["count"], row["tick"], row["ts"], row["ahead"]) == (1, 999, 10 * S, 2.0)
    assert row["score"] == pytest.approx(math.log(1 / 3))
    following.on_ack(shadows, book_at(), ack_of(following.ACCEPTED, math.nan))
    assert shadows["count"] == 1
    following.on_ack(shadows, book_at(), ack_of(following.MODIFIED))
    assert (shadows["count"], shadows["dropped"]) == (0, 1)


def test_gap_drops_everybody_and_too_many_are_counted() -> None:
    shadows = new_forecaster()["shadows"]
    for number in range(following.ROWS + 2):
        following.place(shadows, number + 1, BUY, 1000, 10 * S, 0.0, 0.0)
    assert (shadows["count"], shadows["dropped"]) == (following.ROWS, 2)
    following.on_gap(shadows)
    assert (shadows["count"], shadows["dropped"]) == (0, following.ROWS + 2)
    assert not following.reaches(shadows, 1)


def test_every_second_places_a_hypothetical_order_behind_what_is_displayed_and_they_teach() -> None:
    forecaster, book, features = new_forecaster(), book_at(), new_features()[0]
    features["mid"], features["mid_ts"], features["variance"] = 100.1, 10 * S, 1e-8
    book["ts"] = 10 * S
    for second in range(10, 40):
        following.on_second(forecaster, features, book, second * S)
    shadows, model = forecaster["shadows"], forecaster["model"]
    assert shadows["placed"] == 30
    assert set(shadows["rows"]["side"][: shadows["count"]]) == {BUY, SELL}
    assert abs((shadows["rows"]["tick"][: shadows["count"]] <= 1000).sum() - shadows["count"] / 2) <= 0.5
    assert model["outcomes"] == shadows["judged"]["not_happened"].sum() == 19, "of the 19 seconds whose ten are over"
    assert model["weights"][0] < fill_forecast.PRIOR[0], "nothing ever filled"


def test_forecast_by_hand() -> None:
    """σ 1 bp per √s, 3.1623 bp from the mid: z = 1; the touch leans against the bid by 0.5, the near depth by 0.2."""
    vector = np.array([-0.5, 0, 0, -0.2, 0, 0.0, 0, 0])
    weights = np.array([0.5, -1.7, 0.2, 0.6, 0.4])
    score = 0.5 - 1.7 + 0.2 + 0.6 * 0.5 + 0.4 * 0.2
    by_hand = 1 / (1 + math.exp(-score))
    assert fill_forecast.p_fill(weights, math.sqrt(10), vector, BUY) == pytest.approx(by_hand)
    score -= 2 * (0.6 * 0.5 + 0.4 * 0.2)
    assert fill_forecast.p_fill(weights, math.sqrt(10), vector, SELL) == pytest.approx(1 / (1 + math.exp(-score)))
    inputs = np.zeros(5)
    fill_forecast.write_inputs(fill_forecast.distance_z(math.sqrt(10), 0.0), vector, BUY, inputs)
    assert inputs == pytest.approx([1, 1, 1, 0.5, 0.2])


def test_distance_is_at_most_6_and_an_order_beyond_the_mid_is_at_it() -> None:
    assert fill_forecast.distance_z(1e9, 0.0) == 6.0
    assert fill_forecast.distance_z(-5.0, 0.0) == 0.0
    assert fill_forecast.distance_z(math.sqrt(10) * 0.05, -30.0) == pytest.approx(1.0), "σ counts as 0.05 bp at least"
