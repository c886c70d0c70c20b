"""Which of four regimes the market is in: a hidden Markov model filtered once per second (Hamilton 1989).

Each second is described by the logarithms of short volatility, spread and trade rate. A regime expects them at a
multiple of their reference, which is the median of the first minute and then follows the market slowly; so the
regimes are quiet or volatile by the standards of this market, and ready after a minute.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.mathematics import exp, halved, log, logs
from papertrader.shared.market.records import Record
from papertrader.shared.messages import REGIMES

STATES: Final = len(REGIMES)
WARM_UP_S: Final = 60
SIGNALS: Final = 3
START: Final = np.array([0.1, 0.6, 0.25, 0.05])
EXPECTED: Final = logs([[0.5, 0.9, 0.6], [1.0, 1.0, 1.0], [2.0, 1.3, 1.8], [4.0, 2.0, 3.0]])  # quiet to extreme
"""Of volatility, spread and trade rate, relative to the reference, in logarithms; shape (4, 3)."""
SPREAD: Final = np.array([0.35, 0.8, 1.2])
"""Standard deviations of the three around what is expected: volatility decides, the others support."""
STEP: Final = 0.25
"""Each regime farther away is a quarter as probable to be the next."""
LEAVE: Final = np.array(
    [
        [0, 1, STEP, STEP**2],
        [1, 0, 1, STEP],
        [STEP, 1, 0, 1],
        [STEP**2, STEP, 1, 0],
    ]
) / np.array([[1 + STEP + STEP**2], [2 + STEP], [2 + STEP], [1 + STEP + STEP**2]])
"""Where a regime goes when it ends, shape (4, 4): each row sums to 1."""
FARTHEST: Final = 2.0
"""A signal beyond the outermost regimes tells no more than one this far (e-folds) from the reference."""
LOWEST_SIGMA_BPS: Final = 0.01
LOWEST_SPREAD_BPS: Final = 0.01
LOWEST_RATE: Final = 0.05
RATE_HALF_LIFE_S: Final = 10.0

REGIME: Final = np.dtype(
    [
        ("observed", "i8"),
        ("state", "i8"),
        ("changes", "i8"),
        ("probabilities", "f8", (STATES,)),
        ("seconds", "f8", (STATES,)),
        ("rate", "f8"),
        ("rate_weight", "f8"),
        ("signal", "f8", (SIGNALS,)),
        ("reference", "f8", (SIGNALS,)),
        ("first_minute", "f8", (SIGNALS, WARM_UP_S)),
        ("next", "f8", (STATES,)),  # room for the computation
    ],
    align=True,
)


@njit(cache=True)
def start(regime: Record) -> None:
    """The belief before anything is known: probably normal."""
    regime.probabilities[:] = START
    regime.state = 1


@njit(cache=True)
def on_second(
    regime: Record, sigma_bps: float, spread_bps: float, prints: int, stay: float, reference_half_life_s: float
) -> None:
    """Fold one second; a second without a spread is not observed."""
    keep = halved(1 / RATE_HALF_LIFE_S)
    regime.rate = regime.rate * keep + prints
    regime.rate_weight = regime.rate_weight * keep + 1.0
    if np.isnan(spread_bps):
        return
    regime.signal[0] = log(max(sigma_bps, LOWEST_SIGMA_BPS))
    regime.signal[1] = log(max(spread_bps, LOWEST_SPREAD_BPS))
    regime.signal[2] = log(max(regime.rate / regime.rate_weight, LOWEST_RATE))
    if regime.observed < WARM_UP_S:
        _warm_up(regime)
    else:
        _filter(regime, stay)
        drift = 1.0 - halved(1 / reference_half_life_s)
        for signal in range(SIGNALS):
            regime.reference[signal] += drift * (regime.signal[signal] - regime.reference[signal])
    regime.observed += 1
    regime.seconds[regime.state] += 1.0


@njit(cache=True)
def _warm_up(regime: Record) -> None:
    for signal in range(SIGNALS):
        regime.first_minute[signal, regime.observed] = regime.signal[signal]
        if regime.observed == WARM_UP_S - 1:
            regime.reference[signal] = np.median(regime.first_minute[signal])


@njit(cache=True)
def _filter(regime: Record, stay: float) -> None:
    """p_j ∝ f_j(signal) Σ_i p_i a_ij, and the most probable state."""
    total = 0.0
    for j in range(STATES):
        prior = 0.0
        for i in range(STATES):
            prior += regime.probabilities[i] * transition(i, j, stay)
        regime.next[j] = prior * _likelihood(regime, j)
        total += regime.next[j]
    best = 0
    for j in range(STATES):
        regime.probabilities[j] = regime.next[j] / total
        if regime.probabilities[j] > regime.probabilities[best]:
            best = j
    if best != regime.state:
        regime.state = best
        regime.changes += 1


@njit(cache=True)
def transition(i: int, j: int, stay: float) -> float:
    """Probability to go from i to j within a second."""
    if i == j:
        return stay
    return (1.0 - stay) * LEAVE[i, j]


@njit(cache=True)
def _likelihood(regime: Record, state: int) -> float:
    exponent = 0.0
    for signal in range(SIGNALS):
        relative = regime.signal[signal] - regime.reference[signal]
        relative = min(max(relative, -FARTHEST), FARTHEST)
        exponent += ((relative - EXPECTED[state, signal]) / SPREAD[signal]) ** 2
    return exp(-0.5 * exponent)
