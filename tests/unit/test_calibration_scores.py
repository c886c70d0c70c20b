"""Scores of forecasts by hand."""

import math

import numpy as np
import pytest

from papertrader.services.calibration import forecasts as fills
from papertrader.services.calibration import scores as scoring
from papertrader.shared.market.records import record_of
from tests.unit.learning import MS, S, ack, fill


@pytest.fixture
def scores():
    return np.zeros(1, dtype=scoring.SCORES)[0]


@pytest.fixture
def forecasts():
    return np.zeros(1, dtype=fills.FORECASTS)[0]


def test_scores_are_unknown_without_forecasts(scores):
    for function in (scoring.brier, scoring.skill, scoring.log_loss, scoring.expected_calibration_error):
        assert math.isnan(function(scores))


def test_brier_skill_and_log_loss_by_hand(scores):
    for forecast, happened in ((0.8, True), (0.4, False), (0.6, True), (0.2, True)):
        scoring.score(scores, forecast, happened)
    brier = (0.04 + 0.16 + 0.16 + 0.64) / 4
    assert scoring.brier(scores) == pytest.approx(brier)
    assert scoring.skill(scores) == pytest.approx(1 - brier / (0.75 * 0.25))
    assert scoring.log_loss(scores) == pytest.approx(-(math.log(0.8) + 2 * math.log(0.6) + math.log(0.2)) / 4)


def test_skill_of_perfect_forecasts_is_one_and_of_the_base_rate_zero(scores):
    base = np.zeros(1, dtype=scoring.SCORES)[0]
    for happened in (True, False, False, False):
        scoring.score(scores, float(happened), happened)
        scoring.score(base, 0.25, happened)
    assert scoring.skill(scores) == 1.0
    assert scoring.skill(base) == pytest.approx(0.0)


def test_skill_is_unknown_while_everything_or_nothing_happened(scores):
    scoring.score(scores, 0.5, False)
    assert math.isnan(scoring.skill(scores))


def test_log_loss_of_a_certain_and_wrong_forecast_is_clamped(scores):
    scoring.score(scores, 1.0, False)
    assert scoring.log_loss(scores) == pytest.approx(-math.log(1e-6))


def test_calibration_error_weighs_bins_by_count(scores):
    for forecast, happened in ((0.15, True), (0.11, False), (0.95, True), (1.0, True)):
        scoring.score(scores, forecast, happened)
    assert list(np.flatnonzero(scores["bin_count"])) == [1, 9]
    expected = 2 / 4 * abs(0.13 - 0.5) + 2 / 4 * abs(0.975 - 1.0)
    assert scoring.expected_calibration_error(scores) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("end_s", "first_fill_s", "forecast", "happened"),
    [
        (3.0, 3.0, 0.4, 1),  # filled in time
        (10.0, 10.0, 0.4, 1),  # exactly at the horizon
        (25.0, 10.001, 0.4, 0),  # filled too late
        (30.0, None, 0.4, 0),  # unfilled for the whole horizon
        (10.0, None, 0.4, 0),
        (2.5, None, 1 - 0.6**0.25, 0),  # cancelled after a quarter of it
        (0.0, None, 0.0, 0),
    ],
)
def test_fill_forecast_is_judged_by_the_order_s_life(forecasts, end_s, first_fill_s, forecast, happened):
    live, scores = 100 * S, forecasts["scores"]
    fills.judge(forecasts, 0.4, live, live + int(end_s * S), live + int(first_fill_s * S) if first_fill_s else 0)
    assert scores["bin_forecast"].sum() == pytest.approx(forecast)
    assert (scores["count"], scores["happened"]) == (1, happened)


@pytest.mark.parametrize(
    ("end_s", "first_fill_s", "share"), [(4.0, None, 0.4), (4.0, 2.0, 0.2), (30.0, None, 1.0), (30.0, 20.0, 1.0)]
)
def test_expected_fills_are_the_hazard_that_an_order_was_exposed_to(forecasts, end_s, first_fill_s, share):
    live = 100 * S
    fills.judge(forecasts, 0.4, live, live + int(end_s * S), live + int(first_fill_s * S) if first_fill_s else 0)
    assert forecasts["expected_fills"] == pytest.approx(-math.log(0.6) * share)
    assert forecasts["filled"] == (first_fill_s == 2.0)


def hear(forecasts, message):
    return fills.on_ack(forecasts, record_of(message))


def test_each_order_is_scored_once(forecasts):
    hear(forecasts, ack(10 * S, "accepted", p_fill=0.3))
    fills.on_fill(forecasts, record_of(fill(12 * S)))
    fills.on_fill(forecasts, record_of(fill(13 * S)))
    hear(forecasts, ack(14 * S, "cancelled", filled_size=0.5, live_ts=10 * S, first_fill_ts=12 * S, p_fill=0.3))
    assert (forecasts["scores"]["count"], forecasts["scores"]["happened"], forecasts["waiting"]) == (1, 1, 0)


def test_terminal_ack_that_comes_before_its_fill_knows_of_it(forecasts):
    hear(forecasts, ack(10 * S, "accepted", p_fill=0.3))
    hear(forecasts, ack(12 * S, "filled", filled_size=1.0, live_ts=10 * S, first_fill_ts=12 * S, p_fill=0.3))
    fills.on_fill(forecasts, record_of(fill(12 * S)))
    assert (forecasts["scores"]["count"], forecasts["scores"]["happened"]) == (1, 1)


def test_order_without_fill_is_settled_when_no_fill_can_be_under_way(forecasts):
    hear(forecasts, ack(10 * S, "accepted", p_fill=0.3))
    assert not fills.on_round(forecasts, 22 * S)
    assert fills.on_round(forecasts, 22 * S + 1)
    assert (forecasts["scores"]["count"], forecasts["scores"]["happened"]) == (1, 0)
    assert not hear(forecasts, ack(40 * S, "cancelled", live_ts=10 * S))


def test_several_orders_can_be_settled_at_once(forecasts):
    for order_id, live_s in ((1, 10), (2, 30), (3, 11), (4, 12)):
        hear(forecasts, ack(live_s * S, "accepted", order_id=order_id, p_fill=0.3))
    fills.on_round(forecasts, 25 * S)
    assert forecasts["scores"]["count"] == 3
    assert forecasts["orders"]["order_id"][0] == 2


def test_modified_order_is_judged_until_the_change(forecasts):
    hear(forecasts, ack(10 * S, "accepted", p_fill=0.4))
    hear(forecasts, ack(15 * S, "modified", live_ts=10 * S, p_fill=0.4))
    assert forecasts["scores"]["bin_forecast"].sum() == pytest.approx(1 - 0.6**0.5)
    assert forecasts["waiting"] == 0


@pytest.mark.parametrize("status", ["rejected", "refused", "cancelled", "expired", "filled"])
def test_order_that_never_went_live_is_not_scored(forecasts, status):
    assert not hear(forecasts, ack(10 * S, status, p_fill=0.3))
    assert forecasts["scores"]["count"] == 0


def test_refused_command_does_not_settle_the_order(forecasts):
    hear(forecasts, ack(10 * S, "accepted", p_fill=0.3))
    hear(forecasts, ack(11 * S, "refused"))
    assert forecasts["waiting"] == 1


def test_order_without_a_forecast_is_not_watched(forecasts):
    hear(forecasts, ack(10 * S, "accepted"))
    assert forecasts["waiting"] == 0


def test_orders_beyond_the_table_are_counted(forecasts):
    for order_id in range(70):
        hear(forecasts, ack(10 * S + MS, "accepted", order_id=order_id, p_fill=0.3))
    assert (forecasts["waiting"], forecasts["dropped"]) == (64, 6)
