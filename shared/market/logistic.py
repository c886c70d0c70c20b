"""Bayesian logistic regression, one outcome at a time, in closed form.

The weights' covariance is the learning rate and shrinks as outcomes come in; the prior's is the regularisation
(Spiegelhalter & Lauritzen 1990, section 5).
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.mathematics import exp, log
from papertrader.shared.market.records import Record, Row

FARTHEST: Final = 30.0
"""Log-odds beyond this give a probability that is 0 or 1 to 13 digits."""


def logistic_dtype(inputs: int) -> np.dtype[np.void]:
    """The layout of a regression on so many inputs, the constant among them."""
    return np.dtype(
        [
            ("outcomes", "i8"),
            ("happened", "i8"),
            ("weights", "f8", (inputs,)),
            ("prior_variance", "f8", (inputs,)),
            ("covariance", "f8", (inputs, inputs)),
            ("direction", "f8", (inputs,)),  # room for the computation
        ],
        align=True,
    )


@njit(cache=True)
def probability(score: float) -> float:
    """1/(1 + e^−score)."""
    return 1.0 / (1.0 + exp(-min(max(score, -FARTHEST), FARTHEST)))


@njit(cache=True)
def log_odds(forecast: float) -> float:
    """ln(p/(1 − p)), within ±30: the inverse of `probability`."""
    bounded = min(max(forecast, 1e-13), 1.0 - 1e-13)
    return log(bounded / (1.0 - bounded))


@njit(cache=True)
def score_of(weights: Row, inputs: Row) -> float:
    """The log-odds Σ w_i x_i."""
    score = 0.0
    for i in range(len(weights)):
        score += weights[i] * inputs[i]
    return score


@njit(cache=True)
def start(model: Record, weights: Row, sds: Row) -> None:
    """The prior: these weights, independent, with these standard deviations."""
    for i in range(len(model.weights)):
        model.weights[i], model.prior_variance[i] = weights[i], sds[i] ** 2
        model.covariance[i, i] = sds[i] ** 2


@njit(cache=True)
def learn(model: Record, inputs: Row, happened: bool, memory_outcomes: float) -> None:
    """Learn from one outcome, forgetting over `memory_outcomes`.

    With p the forecast moderated by the variance v of the score (MacKay 1992) and d = covariance·inputs, the weights
    move by d (happened − p)/(1 + p(1 − p)v) and the covariance loses p(1 − p) d dᵀ/(1 + p(1 − p)v).
    """
    forget(model, memory_outcomes)
    score, variance, count = 0.0, 0.0, len(model.weights)
    for i in range(count):
        total = 0.0
        for j in range(count):
            total += model.covariance[i, j] * inputs[j]
        model.direction[i] = total
        score += model.weights[i] * inputs[i]
        variance += total * inputs[i]
    forecast = probability(score / np.sqrt(1.0 + np.pi * variance / 8.0))
    information = forecast * (1.0 - forecast)
    gain = 1.0 / (1.0 + information * variance)
    for i in range(count):
        model.weights[i] += gain * model.direction[i] * (happened - forecast)
        lost = information * gain * model.direction[i]
        for j in range(count):
            model.covariance[i, j] -= lost * model.direction[j]
    model.outcomes += 1
    model.happened += happened


@njit(cache=True)
def forget(model: Record, memory_outcomes: float) -> None:
    """Grow the covariance so that old outcomes weigh less, but never beyond the prior."""
    growth, count = 1.0 + 1.0 / memory_outcomes, len(model.weights)
    for i in range(count):
        if model.covariance[i, i] * growth > model.prior_variance[i]:
            return
    for i in range(count):
        for j in range(count):
            model.covariance[i, j] *= growth
