"""The pre-fill classifier by hand: base rate, one update, sides, readiness."""

import numpy as np
import pytest

from papertrader.services.estimator import classifier as prefill

PRIOR_SD, MEMORY = 0.5, 1e7


@pytest.fixture
def classifier():
    record = np.zeros(1, dtype=prefill.CLASSIFIER)[0]
    prefill.start(record["bid"], PRIOR_SD)
    prefill.start(record["ask"], PRIOR_SD)
    return record


def learn(side, features, adverse):
    prefill.record_outcome(side, np.asarray(features, dtype=float), adverse, PRIOR_SD, MEMORY)


def random_features(seed, count):
    return np.random.Generator(np.random.PCG64(seed)).normal(size=(count, 7))


def test_base_rate_starts_at_one_half_and_counts_both_sides(classifier):
    assert prefill.base_rate(classifier) == 0.5
    learn(classifier["bid"], np.zeros(7), True)
    learn(classifier["ask"], np.zeros(7), False)
    learn(classifier["ask"], np.zeros(7), False)
    assert prefill.base_rate(classifier) == pytest.approx((2 + 1) / (4 + 3))
    assert prefill.samples(classifier) == 3


def test_first_outcome_moves_the_intercept_as_the_formula_says(classifier):
    """With one outcome no feature has a spread, so only the intercept learns: variance 2.25, forecast one half."""
    learn(classifier["bid"], np.ones(7), True)
    gain = 1 / (1 + 0.25 * 2.25)
    assert classifier["bid"]["weights"][0] == pytest.approx(gain * 2.25 * 0.5)
    assert classifier["bid"]["covariance"][0, 0] == pytest.approx(2.25 - 0.25 * gain * 2.25**2)
    assert classifier["bid"]["weights"][1:] == pytest.approx(0)


def test_second_outcome_standardises_by_the_mean_and_sd_so_far(classifier):
    learn(classifier["bid"], np.zeros(7), False)
    learn(classifier["bid"], np.full(7, 2.0), True)
    side = classifier["bid"]
    assert side["mean"] == pytest.approx(1.0)
    assert side["squares"] == pytest.approx(2.0)
    assert side["inputs"][1:] == pytest.approx(1 / np.sqrt(2))


def test_sides_learn_apart(classifier):
    for row in random_features(2, 100):
        learn(classifier["bid"], row, bool(row[0] < 0))
        learn(classifier["ask"], row, bool(row[0] > 0))
    assert classifier["bid"]["weights"][1] < -0.5
    assert classifier["ask"]["weights"][1] > 0.5
    up = np.array([2.0, 0, 0, 0, 0, 0, 0])
    assert prefill.forecast(classifier["bid"], up) < 0.3
    assert prefill.forecast(classifier["ask"], up) > 0.7


def test_toxicity_is_the_base_rate_before_there_are_enough_outcomes(classifier):
    up = np.array([2.0, 0, 0, 0, 0, 0, 0])
    for row in random_features(3, 29):
        learn(classifier["bid"], row, bool(row[0] > 0))
    assert prefill.toxicity(classifier, classifier["bid"], up, 30, 10) == prefill.base_rate(classifier)
    learn(classifier["ask"], up, True)
    assert prefill.toxicity(classifier, classifier["bid"], up, 30, 10) > 0.6
    assert prefill.toxicity(classifier, classifier["ask"], up, 30, 10) == prefill.base_rate(classifier)


def test_forgetting_lets_the_classifier_follow_a_change_of_sign(classifier):
    side = classifier["bid"]
    rows = random_features(4, 6000)
    for index, row in enumerate(rows):
        toxic = row[0] > 0 if index < 3000 else row[0] < 0
        prefill.record_outcome(side, row, bool(toxic), PRIOR_SD, 200.0)
    assert side["weights"][1] < -0.5


def test_forgetting_never_makes_less_certain_than_the_prior(classifier):
    side = classifier["bid"]
    for _ in range(5000):
        prefill.record_outcome(side, np.ones(7), True, PRIOR_SD, 50.0)
    assert np.all(np.diag(side["covariance"]) <= np.array([1.5**2] + [PRIOR_SD**2] * 7) + 1e-9)
    assert np.all(np.isfinite(side["weights"]))


def test_extreme_features_give_a_probability(classifier):
    for row in random_features(5, 50):
        learn(classifier["bid"], row * 1e6, bool(row[1] > 0))
    assert 0 < prefill.forecast(classifier["bid"], np.full(7, 1e12)) < 1
