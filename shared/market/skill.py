"""How well probability forecasts hold out of sample, with an interval: Brier skill and area under the ROC curve.

Every forecast is judged after it was made and before it was learned from (Dawid 1984, prequential). Outcomes that are
near in time are not independent, so they are gathered in blocks of time, and intervals are the blocks' jackknife
(Quenouille 1956; Künsch 1989). When all blocks are in use two become one, so a session of any length fits.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.records import Record

BLOCKS: Final = 32
BINS: Final = 64
FARTHEST: Final = 4.0
"""Log-odds are told apart within ±4, in bins of 1/8."""
FIRST_BLOCK_NS: Final = 30_000_000_000
LEAST_BLOCKS: Final = 4
"""Fewer blocks give no interval."""
INTERVAL: Final = 1.96

SKILL: Final = np.dtype(
    [
        ("block_ns", "i8"),
        ("begin_ts", "i8"),  # of the first block, 0 before the first outcome
        ("open", "i8"),  # the block that is open
        ("happened", "i4", (BLOCKS, BINS)),
        ("not_happened", "i4", (BLOCKS, BINS)),
        ("squared_error", "f8", (BLOCKS,)),
        ("judged", "i8"),  # what the numbers below are of: outcomes of ended blocks
        ("skill", "f8"),
        ("skill_low", "f8"),
        ("skill_high", "f8"),
        ("auc", "f8"),
        ("auc_low", "f8"),
        ("auc_high", "f8"),
        ("count", "f8", (BLOCKS + 1, 2)),  # room for the computation: by block and in all, not happened and happened
        ("below", "f8", (BLOCKS + 1,)),
        ("pairs", "f8", (BLOCKS + 1,)),
        ("error", "f8", (BLOCKS + 1,)),
    ],
    align=True,
)


@njit(cache=True)
def start(skill: Record) -> None:
    """Nothing is known."""
    skill.block_ns = FIRST_BLOCK_NS
    skill.skill = skill.skill_low = skill.skill_high = np.nan
    skill.auc = skill.auc_low = skill.auc_high = np.nan


@njit(cache=True)
def judge(skill: Record, ts: int, score: float, forecast: float, happened: bool) -> None:
    """Judge one forecast, `score` being its log-odds; `ts` never goes back. A block that ended is reckoned with."""
    if skill.begin_ts == 0:
        skill.begin_ts = ts
    block = (ts - skill.begin_ts) // skill.block_ns
    if block > skill.open:
        compute(skill)
        while block >= BLOCKS:
            merge(skill)
            block = (ts - skill.begin_ts) // skill.block_ns
        skill.open = block
    place = int((min(max(score, -FARTHEST), FARTHEST) + FARTHEST) / (2 * FARTHEST) * BINS)
    place = min(place, BINS - 1)
    if happened:
        skill.happened[block, place] += 1
    else:
        skill.not_happened[block, place] += 1
    skill.squared_error[block] += (forecast - happened) ** 2


@njit(cache=True)
def merge(skill: Record) -> None:
    """Make one block of every two."""
    for block in range(BLOCKS):
        into, keeps = block // 2, block % 2
        skill.squared_error[into] = skill.squared_error[block] + (skill.squared_error[into] if keeps else 0.0)
        for place in range(BINS):
            skill.happened[into, place] = skill.happened[block, place] + (skill.happened[into, place] if keeps else 0)
            skill.not_happened[into, place] = skill.not_happened[block, place] + (
                skill.not_happened[into, place] if keeps else 0
            )
    for block in range(BLOCKS // 2, BLOCKS):
        skill.squared_error[block] = 0.0
        for place in range(BINS):
            skill.happened[block, place] = skill.not_happened[block, place] = 0
    skill.block_ns *= 2


@njit(cache=True)
def brier_skill(squared_error: float, not_happened: float, happened: float) -> float:
    """1 − Brier/(ō(1 − ō)) of sums: 0 is no better than always saying the base rate ō; NaN while ō is 0 or 1."""
    if not_happened == 0 or happened == 0:
        return np.nan
    return 1.0 - squared_error * (not_happened + happened) / (not_happened * happened)


@njit(cache=True)
def compute(skill: Record) -> None:
    """Skill and AUC of all ended blocks and their intervals, ± 1.96 times the jackknife's standard error.

    AUC is the share of pairs, one that happened and one that did not, whose forecasts are in the right order; pairs
    of one bin count half.
    """
    end = skill.open + 1
    tally(skill, 0, end)
    all_ = BLOCKS
    skill.judged = int(skill.count[all_, 0] + skill.count[all_, 1])
    skill.skill = brier_skill(skill.error[all_], skill.count[all_, 0], skill.count[all_, 1])
    pairs = skill.count[all_, 0] * skill.count[all_, 1]
    skill.auc = skill.pairs[all_] / pairs if pairs > 0 else np.nan
    skill.skill_low = skill.skill_high = skill.auc_low = skill.auc_high = np.nan
    used, skill_sum, skill_squares, auc_sum, auc_squares = 0, 0.0, 0.0, 0.0, 0.0
    for block in range(end):
        no, yes = skill.count[all_, 0] - skill.count[block, 0], skill.count[all_, 1] - skill.count[block, 1]
        if skill.count[block, 0] + skill.count[block, 1] == 0 or no == 0 or yes == 0:
            continue
        without = brier_skill(skill.error[all_] - skill.error[block], no, yes)
        auc = skill.pairs[block] / (no * yes)
        used += 1
        skill_sum, skill_squares = skill_sum + without, skill_squares + without**2
        auc_sum, auc_squares = auc_sum + auc, auc_squares + auc**2
    if used >= LEAST_BLOCKS and pairs > 0:
        half = INTERVAL * jackknife_error(used, skill_sum, skill_squares)
        skill.skill_low, skill.skill_high = skill.skill - half, skill.skill + half
        half = INTERVAL * jackknife_error(used, auc_sum, auc_squares)
        skill.auc_low, skill.auc_high = skill.auc - half, skill.auc + half


@njit(cache=True)
def jackknife_error(count: int, total: float, squares: float) -> float:
    """√((n − 1)/n · Σ (θ₋ᵢ − θ̄)²) of n values without one block each."""
    return np.sqrt(max(squares - total**2 / count, 0.0) * (count - 1) / count)


@njit(cache=True)
def tally(skill: Record, first: int, end: int) -> None:
    """Sums of the blocks [first, end): counts and errors of each and of all, and ordered pairs without each and of all.

    Bin by bin from the lowest forecast: what happened in this bin is above what did not happen in lower ones.
    """
    all_ = BLOCKS
    skill.count[:] = 0.0
    skill.below[:] = 0.0
    skill.pairs[:] = 0.0
    skill.error[all_] = 0.0
    for block in range(first, end):
        skill.error[block] = skill.squared_error[block]
        skill.error[all_] += skill.squared_error[block]
    for place in range(BINS):
        no, yes = 0.0, 0.0
        for block in range(first, end):
            no += skill.not_happened[block, place]
            yes += skill.happened[block, place]
        if no + yes == 0:
            continue
        skill.pairs[all_] += yes * (skill.below[all_] + 0.5 * no)
        skill.below[all_] += no
        for block in range(first, end):
            here_no, here_yes = skill.not_happened[block, place], skill.happened[block, place]
            skill.pairs[block] += (yes - here_yes) * (skill.below[block] + 0.5 * (no - here_no))
            skill.below[block] += no - here_no
            skill.count[block, 0] += here_no
            skill.count[block, 1] += here_yes
        skill.count[all_, 0] += no
        skill.count[all_, 1] += yes
