"""Bayesian logistic regression by hand, and against a fit of all outcomes at once."""

import math

import numpy as np
import pytest

from papertrader.shared.market import logistic


def model_of(weights, sds):
    model = np.zeros(1, dtype=logistic.logistic_dtype(len(weights)))[0]
    logistic.start(model, np.array(weights, dtype=float), np.array(sds, dtype=float))
    return model


def test_probability_is_the_logistic_function_and_never_leaves_0_and_1():
    assert logistic.probability(0.0) == 0.5
    assert logistic.probability(math.log(3)) == pytest.approx(0.75)
    assert 0 < logistic.probability(-1e300) < 1e-12
    assert 1 - 1e-12 < logistic.probability(1e300) <= 1


def test_first_outcome_moves_the_weights_as_the_formula_says():
    """Prior 0 with sd 1 and 0.5, inputs (1, 2): variance 1 + 0.25·4 = 2, forecast one half, information 1/4."""
    model = model_of([0, 0], [1, 0.5])
    logistic.learn(model, np.array([1.0, 2.0]), True, 1e12)
    gain = 1 / (1 + 0.25 * 2)
    assert model["weights"] == pytest.approx([gain * 1 * 0.5, gain * 0.5 * 0.5])
    assert model["covariance"][0] == pytest.approx([1 - 0.25 * gain, -0.25 * gain * 0.5])
    assert (model["outcomes"], model["happened"]) == (1, 1)


def test_forecast_that_is_learned_from_is_moderated_by_what_is_not_known():
    model = model_of([2.0], [1.0])
    logistic.learn(model, np.array([1.0]), False, 1e12)
    moderated = 1 / (1 + math.exp(-2 / math.sqrt(1 + math.pi / 8)))
    gain = 1 / (1 + moderated * (1 - moderated))
    assert model["weights"][0] == pytest.approx(2 - gain * moderated)


def test_learning_one_by_one_comes_near_the_fit_of_all_at_once():
    random = np.random.Generator(np.random.PCG64(5))
    truth = np.array([-0.5, 1.0, -0.7])
    inputs = np.c_[np.ones(4000), random.normal(size=(4000, 2))]
    happened = random.random(4000) < 1 / (1 + np.exp(-inputs @ truth))
    model = model_of([0, 0, 0], [1, 1, 1])
    for row, outcome in zip(inputs, happened, strict=True):
        logistic.learn(model, row, bool(outcome), 1e12)
    weights = np.zeros(3)
    for _ in range(20):
        p = 1 / (1 + np.exp(-inputs @ weights))
        hessian = (inputs * (p * (1 - p))[:, None]).T @ inputs + np.eye(3)
        weights += np.linalg.solve(hessian, inputs.T @ (happened - p) - weights)
    assert model["weights"] == pytest.approx(weights, abs=0.05)


def test_forgetting_never_makes_less_certain_than_the_prior_and_follows_a_change():
    model = model_of([0, 0], [1, 1])
    random = np.random.Generator(np.random.PCG64(7))
    for sign in (1, -1):
        for value in random.normal(size=2000):
            logistic.learn(model, np.array([1.0, value]), bool(sign * value > 0), 100)
        assert sign * model["weights"][1] > 1
        assert (np.diag(model["covariance"]) <= 1 + 1e-12).all()
