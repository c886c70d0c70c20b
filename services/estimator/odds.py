"""How likely a cancel is ahead of an own order over how likely it is behind it: w of the model `draws`, learned online.

With f the share of a level that is ahead of an own order, a cancel is ahead with probability w·f/(w·f + 1 − f). Of the
cancels that `arrivals` reads out of the levels that is known, so w has a posterior on a grid. The prior is what order
by order data of other markets say: ln w is normal about ln 0.15.

* Evidence counts where changes of levels are single orders: where the orders of a line are known, at least so large
  a share of its shrinks has to be as large as one of them, beyond what chance alone brings. Else the posterior is the
  prior.
* Cancels that are near in time are not independent: the likelihood is raised to the power Σ p(1 − p)/Σ U², U being a
  minute's sum of what happened less what was expected (the composite likelihood's magnitude adjustment).
* What is old is forgotten by the minute in which there was evidence.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.mathematics import exp, geometric, log, logs
from papertrader.shared.market.records import Record

PRIOR: Final = 0.15
PRIOR_SD: Final = 1.0
"""Of ln w: 95 % lie between 0.02 and 1.06. Measured order by order: 0.1 to 0.9."""
GRID: Final = geometric(0.005, 20.0, 96)
LOG_GRID: Final = logs(GRID.tolist())
BINS: Final = 48
FARTHEST: Final = 6.0
"""The share ahead is told apart by its log-odds within ±6, in bins of 1/4."""
CENTRES: Final = [-FARTHEST + (place + 0.5) * 2 * FARTHEST / BINS for place in range(BINS)]
SHARES: Final = np.array([1.0 / (1.0 + exp.py_func(-centre)) for centre in CENTRES])
LOG_TOTALS: Final = logs([[w * f + 1.0 - f for f in SHARES.tolist()] for w in GRID.tolist()])
"""ln(w·f + 1 − f), shape (GRID, BINS)."""
BLOCK_NS: Final = 60_000_000_000
KEPT: Final = 0.5 ** (1 / 120)
"""What a minute leaves of the evidence before it."""
ONE_IN: Final = 4.0
DOUBT: Final = 10.0
"""Before the minutes tell how independent cancels are, four count as one, as firmly as 10 of information say so."""
LEAST_TESTED: Final = 100.0
LEAST_SHARE: Final = 0.75
RESTS: Final = 30
"""Where evidence does not count one minute in so many is looked at."""

ODDS: Final = np.dtype(
    [
        ("block", "i8"),
        ("cancels", "i8"),  # never forgotten
        ("tested", "f8"),  # shrinks of lines whose orders are all known
        ("matched", "f8"),  # as large as one of them
        ("by_chance", "f8"),  # as large as an order of another line
        ("ahead", "f8"),
        ("seen", "f8", (BINS,)),  # cancels by the share that was ahead
        ("score", "f8"),  # of the open minute: what happened less what was expected
        ("squares", "f8"),  # of ended minutes' scores
        ("information", "f8"),  # Σ p(1 − p) of them
        ("open_information", "f8"),
        ("known", "i1"),  # evidence counts
        ("resting", "i1"),  # it does not, and most minutes are not looked at
        ("mean", "f8"),
        ("low", "f8"),
        ("high", "f8"),
        ("density", "f8", (len(GRID),)),  # room for the computation
    ],
    align=True,
)


@njit(cache=True)
def start(odds: Record) -> None:
    """The prior."""
    compute(odds)


@njit(cache=True)
def observe(odds: Record, share: float, ahead: bool, ts: int) -> None:
    """Learn from a cancel of a level of which `share` was ahead of an own order."""
    turn(odds, ts)
    w = odds.mean
    p = w * share / (w * share + 1.0 - share)
    odds.score += (1.0 if ahead else 0.0) - p
    odds.open_information += p * (1.0 - p)
    place = int((log(share / (1.0 - share)) + FARTHEST) * (BINS / (2.0 * FARTHEST)))
    odds.seen[min(max(place, 0), BINS - 1)] += 1.0
    odds.ahead += 1.0 if ahead else 0.0
    odds.cancels += 1


@njit(cache=True)
def examine(odds: Record, matched: bool, by_chance: bool, ts: int) -> None:
    """Hear whether a shrink is as large as an order of its line, all of which are known, and as one of another line."""
    turn(odds, ts)
    odds.tested += 1.0
    odds.matched += 1.0 if matched else 0.0
    odds.by_chance += 1.0 if by_chance else 0.0
    if odds.tested - 1.0 < LEAST_TESTED <= odds.tested:
        odds.resting = not (odds.known == 1 or is_known(odds))


@njit(cache=True)
def turn(odds: Record, ts: int) -> None:
    """End the open minute, if `ts` lies in another."""
    block = ts // BLOCK_NS
    if block == odds.block:
        return
    odds.squares = odds.squares * KEPT + odds.score**2
    odds.information = odds.information * KEPT + odds.open_information
    odds.score = odds.open_information = 0.0
    odds.ahead *= KEPT
    odds.tested *= KEPT
    odds.matched *= KEPT
    odds.by_chance *= KEPT
    for place in range(BINS):
        odds.seen[place] *= KEPT
    odds.block = block
    odds.known = is_known(odds)
    odds.resting = odds.known == 0 and odds.tested >= LEAST_TESTED
    compute(odds)


@njit(cache=True, forceinline=True)
def rests(odds: Record, ts: int) -> bool:
    """Whether nobody needs to look now: enough was tested, and evidence does not count."""
    return odds.resting == 1 and ts // BLOCK_NS % RESTS != 0


@njit(cache=True)
def single_share(odds: Record) -> float:
    """The share of shrinks that are as large as one of the line's orders, beyond chance: at most 1, NaN at first."""
    if odds.tested == 0:
        return np.nan
    chance = odds.by_chance / odds.tested
    return (odds.matched / odds.tested - chance) / (1.0 - chance) if chance < 1.0 else np.nan


@njit(cache=True)
def by_chance(odds: Record) -> float:
    """The share of shrinks that are as large as an order of another line, NaN at first."""
    return odds.by_chance / odds.tested if odds.tested > 0 else np.nan


@njit(cache=True)
def is_known(odds: Record) -> bool:
    """Whether evidence counts: the share less twice its standard error is large enough."""
    share = single_share(odds)
    if odds.tested < LEAST_TESTED or not share <= 1.0:
        return False
    matched, chance = odds.matched / odds.tested, odds.by_chance / odds.tested
    error = np.sqrt(matched * (1.0 - matched) / odds.tested) / (1.0 - chance)
    return share - 2.0 * error >= LEAST_SHARE


@njit(cache=True)
def power_of(odds: Record) -> float:
    """What the likelihood is raised to: how many independent cancels one is worth, at most 1."""
    return min((odds.information + DOUBT) / (odds.squares + ONE_IN * DOUBT), 1.0)


@njit(cache=True)
def compute(odds: Record) -> None:
    """Mean and 95 % interval of w: those of ln w, by its posterior on the grid."""
    power = power_of(odds) if odds.known == 1 else 0.0
    for point in range(len(GRID)):
        z = (LOG_GRID[point] - log(PRIOR)) / PRIOR_SD
        total = odds.ahead * LOG_GRID[point]
        for place in range(BINS if power > 0 else 0):
            total -= odds.seen[place] * LOG_TOTALS[point, place]
        odds.density[point] = power * total - 0.5 * z * z
    highest, weight, first = odds.density.max(), 0.0, 0.0
    for point in range(len(GRID)):
        odds.density[point] = exp(odds.density[point] - highest)
        weight += odds.density[point]
        first += odds.density[point] * LOG_GRID[point]
    odds.mean = exp(first / weight)
    odds.low, odds.high = quantile(odds.density, 0.025 * weight), quantile(odds.density, 0.975 * weight)


@njit(cache=True)
def quantile(density: Record, target: float) -> float:
    """The w below which so much of the density lies, between the points as ln w."""
    below = 0.0
    for point in range(len(GRID)):
        if below + density[point] >= target:
            step = LOG_GRID[1] - LOG_GRID[0]
            return exp(LOG_GRID[point] + ((target - below) / density[point] - 0.5) * step)
        below += density[point]
    return GRID[len(GRID) - 1]
