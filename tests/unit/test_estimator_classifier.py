"""The pre-fill classifier by hand: the market's score, recalibrated by own outcomes, or the base rate."""

import math

import numpy as np
import pytest

from papertrader.services.estimator import classifier as prefill
from papertrader.services.estimator import touch_fills
from papertrader.shared.market import logistic

BUY, SELL = 1, -1


@pytest.fixture
def classifier():
    record = np.zeros(1, dtype=prefill.CLASSIFIER)[0]
    prefill.start(record)
    return record


@pytest.fixture
def market():
    model = np.zeros(1, dtype=touch_fills.MODEL)[0]
    weights = np.array([-1.0, 2.0, 0, 0, 0, 0, 0, 0, 0])
    logistic.start(model, weights, np.full(9, 0.1))
    return model


def leaning(value):
    return np.array([value, 0, 0, 0, 0, 0, 0, 0.0])


def forecast(classifier, market, side, features, trusted=True):
    prefill.write_weights(classifier, market, trusted)
    return prefill.toxicity(classifier["weights"], features, side, np.zeros(9))


def test_base_rate_starts_at_the_markets_and_moves_to_that_of_own_outcomes(classifier, market):
    assert prefill.base_rate(classifier, market) == 0.5
    market["outcomes"], market["happened"] = 96, 18
    assert prefill.base_rate(classifier, market) == pytest.approx(0.2)
    for adverse in (True, True, False):
        prefill.record_outcome(classifier, market, BUY, leaning(0.0), adverse)
    assert prefill.base_rate(classifier, market) == pytest.approx((4 * 0.2 + 2) / (4 + 3))
    assert prefill.samples(classifier) == 3


def test_before_own_outcomes_the_forecast_is_the_markets(classifier, market):
    assert forecast(classifier, market, BUY, leaning(0.5)) == pytest.approx(1 / (1 + math.exp(2))), "-1 - 2·0.5"
    assert forecast(classifier, market, SELL, leaning(0.5)) == pytest.approx(0.5), "-1 + 2·0.5"


def test_without_trust_both_sides_get_the_base_rate(classifier, market):
    market["outcomes"], market["happened"] = 96, 18
    for side in (BUY, SELL):
        assert forecast(classifier, market, side, leaning(0.9), trusted=False) == pytest.approx(0.2)


def test_first_own_outcome_moves_the_forecast_as_the_formula_says(classifier, market):
    """Score 1 of an ask at leaning 1; prior (0, 1) with sd 0.7 and 0.3: variance 0.49 + 0.09 = 0.58."""
    prefill.record_outcome(classifier, market, SELL, leaning(1.0), False)
    variance = 0.58
    p = 1 / (1 + math.exp(-1 / math.sqrt(1 + math.pi * variance / 8)))
    gain = 1 / (1 + p * (1 - p) * variance)
    constant, slope = -gain * 0.49 * p, 1 - gain * 0.09 * p
    assert classifier["own"]["weights"] == pytest.approx([constant, slope], rel=1e-4)
    expected = 1 / (1 + math.exp(-(constant + slope)))
    assert forecast(classifier, market, SELL, leaning(1.0)) == pytest.approx(expected, rel=1e-4)


def test_every_own_outcome_moves_the_forecast_its_way(classifier, market):
    before = forecast(classifier, market, BUY, leaning(0.0))
    for adverse in (True, False) * 20:
        prefill.record_outcome(classifier, market, BUY, leaning(0.0), adverse)
        after = forecast(classifier, market, BUY, leaning(0.0))
        assert (after > before) == adverse
        before = after


def test_own_outcomes_bring_the_level_that_the_market_does_not_have(classifier, market):
    """Own fills are adverse twice as often as the market's score says: the forecast follows within a few dozen."""
    random = np.random.Generator(np.random.PCG64(1))
    assert forecast(classifier, market, BUY, leaning(0.0)) == pytest.approx(0.27, abs=0.01)
    for _ in range(200):
        prefill.record_outcome(classifier, market, BUY, leaning(0.0), bool(random.random() < 0.6))
    assert forecast(classifier, market, BUY, leaning(0.0)) == pytest.approx(0.6, abs=0.1)


def test_extreme_features_give_a_probability(classifier, market):
    for side in (BUY, SELL):
        assert 0 < forecast(classifier, market, side, np.full(8, 1e12)) <= 1
