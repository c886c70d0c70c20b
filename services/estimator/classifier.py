"""The pre-fill classifier: will the mid move against us if this side is filled now?

One Bayesian logistic regression per side on standardised features, updated in closed form after every outcome
(Spiegelhalter & Lauritzen 1990, section 5): the weights' covariance is the learning rate and shrinks as outcomes
come in; the prior's is the regularisation. Forecasts are moderated by what is not known of the weights (MacKay 1992).
Signs are learned, none is assumed.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.mathematics import exp
from papertrader.shared.market.moments import MOMENTS
from papertrader.shared.market.records import Record, Row
from papertrader.shared.messages import FEATURES

WEIGHTS: Final = FEATURES + 1
"""The intercept comes first."""
INTERCEPT_PRIOR_SD: Final = 1.5
FARTHEST_SD: Final = 4.0
LOG_AGE: Final = FEATURES - 1
BASE_RATE_PRIOR: Final = 2.0
"""The base rate's prior is Beta(2, 2): one half."""

SIDE: Final = np.dtype(
    [
        ("outcomes", "i8"),
        ("adverse", "i8"),
        ("mean", "f8", (FEATURES,)),
        ("squares", "f8", (FEATURES,)),  # sum of squared deviations from the mean (Welford 1962)
        ("weights", "f8", (WEIGHTS,)),
        ("covariance", "f8", (WEIGHTS, WEIGHTS)),
        ("inputs", "f8", (WEIGHTS,)),  # room for the computation
        ("direction", "f8", (WEIGHTS,)),
    ],
    align=True,
)
CLASSIFIER: Final = np.dtype(
    [
        ("heard", "i8"),  # resolved labels; what is learned from are the moments among them
        ("moments", MOMENTS),
        ("bid", SIDE),
        ("ask", SIDE),
    ],
    align=True,
)


@njit(cache=True)
def start(side: Record, prior_sd: float) -> None:
    """The prior: no weight, independent, with sd `prior_sd`."""
    for i in range(WEIGHTS):
        side.covariance[i, i] = INTERCEPT_PRIOR_SD**2 if i == 0 else prior_sd**2


@njit(cache=True)
def base_rate(classifier: Record) -> float:
    """The share of adverse outcomes of both sides, under a Beta(2, 2) prior."""
    adverse = classifier.bid.adverse + classifier.ask.adverse
    return (BASE_RATE_PRIOR + adverse) / (2 * BASE_RATE_PRIOR + samples(classifier))


@njit(cache=True)
def samples(classifier: Record) -> int:
    """The outcomes learned from, both sides: one for each moment."""
    return classifier.bid.outcomes + classifier.ask.outcomes


@njit(cache=True)
def record_outcome(side: Record, features: Row, adverse: bool, prior_sd: float, memory_outcomes: float) -> None:
    """Learn from one outcome of this side: `features` are those frozen at the fill, shape (7,)."""
    side.outcomes += 1
    side.adverse += adverse
    for i in range(FEATURES):
        deviation = features[i] - side.mean[i]
        side.mean[i] += deviation / side.outcomes
        side.squares[i] += deviation * (features[i] - side.mean[i])
    _standardise(side, features)
    _forget(side, prior_sd, memory_outcomes)
    score, variance = _score(side)
    forecast = _moderated(score, variance)
    information = forecast * (1.0 - forecast)
    gain = 1.0 / (1.0 + information * variance)
    for i in range(WEIGHTS):
        side.weights[i] += gain * side.direction[i] * (adverse - forecast)
        for j in range(WEIGHTS):
            side.covariance[i, j] -= information * gain * side.direction[i] * side.direction[j]


@njit(cache=True)
def forecast(side: Record, features: Row) -> float:
    """P(adverse | filled now) of this side."""
    _standardise(side, features)
    score, variance = _score(side)
    return _moderated(score, variance)


@njit(cache=True)
def toxicity(classifier: Record, side: Record, features: Row, ready_outcomes: int, side_outcomes: int) -> float:
    """The forecast of a side; the base rate before there are enough outcomes in all and of this side."""
    if samples(classifier) < ready_outcomes or side.outcomes < side_outcomes:
        return base_rate(classifier)
    return forecast(side, features)


@njit(cache=True)
def _standardise(side: Record, features: Row) -> None:
    side.inputs[0] = 1.0
    for i in range(FEATURES):
        sd = np.sqrt(side.squares[i] / (side.outcomes - 1)) if side.outcomes > 1 else 0.0
        standard = (features[i] - side.mean[i]) / sd if sd > 1e-12 else 0.0
        side.inputs[i + 1] = min(max(standard, -FARTHEST_SD), FARTHEST_SD)


@njit(cache=True)
def _forget(side: Record, prior_sd: float, memory_outcomes: float) -> None:
    """Grow the covariance so that old outcomes weigh less, but never beyond the prior."""
    growth = 1.0 + 1.0 / memory_outcomes
    for i in range(1, WEIGHTS):
        if side.covariance[i, i] * growth > prior_sd**2:
            return
    for i in range(WEIGHTS):
        for j in range(WEIGHTS):
            side.covariance[i, j] *= growth


@njit(cache=True)
def _score(side: Record) -> tuple[float, float]:
    """Mean and variance of the log-odds; leaves covariance·inputs in `direction`."""
    score, variance = 0.0, 0.0
    for i in range(WEIGHTS):
        side.direction[i] = 0.0
        for j in range(WEIGHTS):
            side.direction[i] += side.covariance[i, j] * side.inputs[j]
        score += side.weights[i] * side.inputs[i]
        variance += side.direction[i] * side.inputs[i]
    return score, variance


@njit(cache=True)
def _moderated(score: float, variance: float) -> float:
    return 1.0 / (1.0 + exp(-score / np.sqrt(1.0 + np.pi * variance / 8.0)))
