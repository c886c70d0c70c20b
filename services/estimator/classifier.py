"""The pre-fill classifier: will the mid move against us if this side is filled now?

Its log-odds are a + b·s: s is the score that every market sweep has taught (`touch_fills`), a and b recalibrate it by
the outcomes of own fills (Platt 1999), learned one by one. Where there is no skill out of sample - or not enough
outcomes to tell - it says the base rate.
"""

from typing import Final

import numpy as np

from papertrader.services.estimator.touch_fills import INPUTS
from papertrader.shared.kernels import njit
from papertrader.shared.market import logistic
from papertrader.shared.market.features import facing
from papertrader.shared.market.moments import MOMENTS
from papertrader.shared.market.records import Record, Row

RECALIBRATION_PRIOR: Final = np.array([0.0, 1.0])
RECALIBRATION_SD: Final = np.array([0.7, 0.3])
"""Before the first own outcome the market's score is taken as it is."""
MEMORY_OUTCOMES: Final = 2_000.0
"""Own outcomes over which the recalibration forgets."""
BASE_RATE_PRIOR: Final = 4.0
"""Own outcomes that the market's adverse share is worth."""

CLASSIFIER: Final = np.dtype(
    [
        ("heard", "i8"),  # resolved labels; what is learned from are the moments among them
        ("moments", MOMENTS),
        ("own", logistic.logistic_dtype(2)),
        ("inputs", "f8", (INPUTS,)),  # room for the computation
        ("own_inputs", "f8", (2,)),
        ("weights", "f8", (INPUTS,)),  # of the forecast, as last said
    ],
    align=True,
)


@njit(cache=True)
def start(classifier: Record) -> None:
    """The prior: the market's score as it is."""
    logistic.start(classifier.own, RECALIBRATION_PRIOR, RECALIBRATION_SD)


@njit(cache=True)
def samples(classifier: Record) -> int:
    """The own outcomes learned from, both sides: one for each moment."""
    return classifier.own.outcomes


@njit(cache=True)
def base_rate(classifier: Record, market: Record) -> float:
    """The share of adverse outcomes: own ones, and four at the rate of market sweeps, which starts at one half."""
    market_rate = (2.0 + market.happened) / (4.0 + market.outcomes)
    own = classifier.own
    return (BASE_RATE_PRIOR * market_rate + own.happened) / (BASE_RATE_PRIOR + own.outcomes)


@njit(cache=True)
def record_outcome(classifier: Record, market: Record, side: int, features: Row, adverse: bool) -> None:
    """Learn from one own outcome of an order of `side`: `features` are those frozen at its fill, shape (7,)."""
    facing(features, side, classifier.inputs)
    classifier.own_inputs[0] = 1.0
    classifier.own_inputs[1] = logistic.score_of(market.weights, classifier.inputs)
    logistic.learn(classifier.own, classifier.own_inputs, adverse, MEMORY_OUTCOMES)


@njit(cache=True)
def write_weights(classifier: Record, market: Record, trusted: bool) -> None:
    """The weights that give the forecast's log-odds: recalibrated, or those of the base rate where it has no skill."""
    classifier.weights[:] = 0.0
    if not trusted:
        rate = base_rate(classifier, market)
        classifier.weights[0] = logistic.log_odds(rate)
        return
    own = classifier.own.weights
    for i in range(INPUTS):
        classifier.weights[i] = own[1] * market.weights[i]
    classifier.weights[0] += own[0]


@njit(cache=True)
def toxicity(weights: Row, features: Row, side: int, inputs: Row) -> float:
    """P(adverse | an order of this side is filled now) under these weights; `inputs` is room, shape (8,)."""
    facing(features, side, inputs)
    return logistic.probability(logistic.score_of(weights, inputs))
