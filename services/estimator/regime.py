"""Which of four regimes the market is in: a hidden Markov model filtered once per second (Hamilton 1989).

Each second is described by the logarithms of short volatility, spread and trade rate. A regime expects them at a
multiple of their reference, which is the median of what this market showed: so the regimes are quiet or volatile by
its own standards. Seconds in which nothing moved describe no market and are left out, old ones are forgotten, and
until ten minutes have been seen there is no reference and no regime is known: one minute says nothing about a market,
least of all the one with which a recording happens to begin.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.mathematics import exp, halved, log, logs
from papertrader.shared.market.records import Record, Row
from papertrader.shared.messages import REGIMES

STATES: Final = len(REGIMES)
REFERENCE_S: Final = 600
"""Seconds with movement that make a reference."""
UPDATE_S: Final = 60
SIGNALS: Final = 3
START: Final = np.array([0.1, 0.6, 0.25, 0.05])
EXPECTED: Final = logs([[0.5, 0.9, 0.6], [1.0, 1.0, 1.0], [2.0, 1.3, 1.8], [4.0, 2.0, 3.0]])  # quiet to extreme
"""Of volatility, spread and trade rate, relative to the reference, in logarithms; shape (4, 3)."""
SPREAD: Final = np.array([0.35, 0.8, 1.2])
"""Standard deviations of the three around what is expected: volatility decides, the others support."""
STEP: Final = 0.25
"""Each regime farther away is a quarter as probable to be the next."""
LEAVE: Final = np.array([[0, 1, STEP, STEP**2], [1, 0, 1, STEP], [STEP, 1, 0, 1], [STEP**2, STEP, 1, 0]]) / np.array(
    [[1 + STEP + STEP**2], [2 + STEP], [2 + STEP], [1 + STEP + STEP**2]]
)
"""Where a regime goes when it ends, shape (4, 4): each row sums to 1."""
FARTHEST: Final = 2.0
"""A signal beyond the outermost regimes tells no more than one this far (e-folds) from the reference."""
LOWEST: Final = np.array([0.01, 0.01, 0.05])
"""Less volatility, spread (bp) or trade rate (1/s) than this is not told apart."""
BINS: Final = 128
BIN: Final = 0.1
"""Histograms of the signals span 12.8 e-folds from the lowest, in bins of a tenth."""
RATE_HALF_LIFE_S: Final = 10.0
UNCHANGED_HALF_LIFE_S: Final = 1800.0
LOG_LOWEST: Final = logs(LOWEST.tolist())

REGIME: Final = np.dtype(
    [
        ("observed", "i8"),  # seconds with movement
        ("state", "i8"),
        ("changes", "i8"),
        ("unchanged", "i8"),  # seconds since the last change
        ("sigma_ratio", "f8"),  # 90 % over 10 % percentile of the short volatility in them, as of the last minute
        ("probabilities", "f8", (STATES,)),
        ("seconds", "f8", (STATES,)),
        ("rate", "f8"),
        ("rate_weight", "f8"),
        ("signal", "f8", (SIGNALS,)),
        ("reference", "f8", (SIGNALS,)),
        ("history", "f8", (SIGNALS, BINS)),  # seconds by signal, with forgetting
        ("since_change", "f8", (BINS,)),  # seconds by volatility since the last change, with forgetting
        ("next", "f8", (STATES,)),  # room for the computation
    ],
    align=True,
)


@njit(cache=True)
def start(regime: Record) -> None:
    """The belief before anything is known: probably normal."""
    regime.probabilities[:] = START
    regime.state = 1
    regime.sigma_ratio = 1.0


@njit(cache=True)
def is_known(regime: Record) -> bool:
    """Whether enough was seen to say what is normal here."""
    return regime.observed >= REFERENCE_S


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
    regime.signal[0] = log(max(sigma_bps, LOWEST[0]))
    regime.signal[1] = log(max(spread_bps, LOWEST[1]))
    regime.signal[2] = log(max(regime.rate / regime.rate_weight, LOWEST[2]))
    if sigma_bps > LOWEST[0]:
        _remember(regime, reference_half_life_s)
    if is_known(regime):
        _filter(regime, stay)
        regime.seconds[regime.state] += 1.0


@njit(cache=True)
def _remember(regime: Record, reference_half_life_s: float) -> None:
    """Count the second in the histograms; once a minute they forget, and the reference is read from them anew."""
    for signal in range(SIGNALS):
        regime.history[signal, _bin_of(regime, signal)] += 1.0
    regime.observed += 1
    if regime.observed % UPDATE_S > 0:
        return
    for signal in range(SIGNALS):
        regime.reference[signal] = LOG_LOWEST[signal] + BIN * _percentile(regime.history[signal], 0.5)
        _forget(regime.history[signal], halved(UPDATE_S / reference_half_life_s))


@njit(cache=True)
def _bin_of(regime: Record, signal: int) -> int:
    return min(int((regime.signal[signal] - LOG_LOWEST[signal]) / BIN), BINS - 1)


@njit(cache=True)
def _forget(histogram: Row, keep: float) -> None:
    for place in range(BINS):
        histogram[place] *= keep


@njit(cache=True)
def _percentile(histogram: Row, share: float) -> float:
    """The place, in bins from the lowest edge, below which a share of the seconds lies: straight within a bin."""
    target = share * histogram.sum()
    below, place = 0.0, 0
    while place < BINS - 1 and below + histogram[place] < target:
        below += histogram[place]
        place += 1
    inside = (target - below) / histogram[place] if histogram[place] > 0 else 0.0
    return place + min(inside, 1.0)


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
    _settle_on(regime, best)


@njit(cache=True)
def _settle_on(regime: Record, state: int) -> None:
    """Take over the most probable state, and follow the volatility while it stays the same."""
    if state != regime.state:
        regime.state = state
        regime.changes += 1
        regime.unchanged, regime.sigma_ratio = 0, 1.0
        regime.since_change[:] = 0.0
    regime.unchanged += 1
    regime.since_change[_bin_of(regime, 0)] += 1.0
    if regime.unchanged % UPDATE_S == 0:
        spread = _percentile(regime.since_change, 0.9) - _percentile(regime.since_change, 0.1)
        regime.sigma_ratio = exp(BIN * spread)
        _forget(regime.since_change, halved(UPDATE_S / UNCHANGED_HALF_LIFE_S))


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
