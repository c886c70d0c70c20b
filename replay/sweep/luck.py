"""How far to believe the best of many: what luck alone would have given it, and what it earned where it was not chosen.

The best of many variants is lucky, the more the more there were and the less alike they are. White's reality check
(2000): take from every variant its own mean, so that none earns anything; draw minutes anew, the same ones for all
variants, so that variants which trade alike stay alike; and look how much the best of them seems to earn.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from papertrader.replay.sweep.outcomes import S_PER_HOUR, Outcome, per_hour
from papertrader.replay.sweep.variants import Variant
from papertrader.services.monitor.report.statistics import (
    LEAST_BLOCKS,
    RESAMPLES,
    Interval,
    joined_starts,
)

AT_ONCE: Final = 4_000_000
"""Numbers that are held at once."""

Minutes = npt.NDArray[np.float64]
"""PnL by variant and minute."""


class Luck(NamedTuple):
    """What the best of so many variants would seem to earn if none did, PnL per hour: in the mean, and in 95 of 100
    such worlds at most. `p_value` is the share of these worlds in which luck gave at least what the best one earned;
    `best` what that is, `deflated` what is left of it without the luck to be expected."""

    variants: int
    best: float
    expected: float
    high: float
    deflated: float
    p_value: float


class Step(NamedTuple):
    """One part of the time, traded with what was best in all parts before it. PnL per hour."""

    start_ts: int
    variant: Variant
    before: float
    after: float


class WalkForward(NamedTuple):
    """What it earned to choose anew at each step: PnL per hour outside of what was chosen by, with its 95 % interval;
    what the chosen ones had earned before; and in hindsight the best single variant over the same time."""

    pnl_per_hour: Interval
    before: float
    hindsight: float
    steps: list[Step]


def comparable(outcomes: Sequence[Outcome]) -> tuple[Minutes, npt.NDArray[np.int64]] | None:
    """PnL by variant and minute, and the seconds of each; None unless all were replayed over the same minutes."""
    if not outcomes or len({item.blocks.times for item in outcomes}) > 1:
        return None
    return np.array([item.blocks.pnl for item in outcomes]), np.array(outcomes[0].blocks.seconds)


def luck(outcomes: Sequence[Outcome], resamples: int = RESAMPLES, seed: int = 0) -> Luck | None:
    """What the best owes to luck; None for fewer than two variants or five minutes, or if they saw other minutes."""
    found = comparable(outcomes)
    if found is None or len(outcomes) < 2 or len(found[1]) < LEAST_BLOCKS:
        return None
    pnl, seconds = _joined(*found)
    rates = pnl.sum(axis=1) / seconds.sum()
    idle = pnl - rates[:, None] * seconds
    best_of = S_PER_HOUR * _best_of_idle(idle, seconds, resamples, seed)
    best, expected = S_PER_HOUR * float(rates.max()), float(best_of.mean())
    return Luck(
        variants=len(outcomes),
        best=best,
        expected=expected,
        high=float(np.percentile(best_of, 95.0)),
        deflated=best - expected,
        p_value=float((best_of >= best).mean()),
    )


def _joined(pnl: Minutes, seconds: npt.NDArray[np.int64]) -> tuple[Minutes, npt.NDArray[np.int64]]:
    """At most a hundred blocks: neighbours are joined, as for the intervals of each variant."""
    joined = joined_starts(len(seconds))
    return np.add.reduceat(pnl, joined, axis=1), np.add.reduceat(seconds, joined)


def _best_of_idle(idle: Minutes, seconds: npt.NDArray[np.int64], resamples: int, seed: int) -> npt.NDArray[np.float64]:
    """What the best of the idle variants seems to earn per second, in each resample."""
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = random.integers(0, len(seconds), size=(resamples, len(seconds)))
    times = np.array([np.bincount(row, minlength=len(seconds)) for row in drawn], dtype=np.float64)
    step = max(AT_ONCE // len(idle), 1)
    best = [(times[start : start + step] @ idle.T).max(axis=1) for start in range(0, resamples, step)]
    per_second: npt.NDArray[np.float64] = np.concatenate(best) / (times @ seconds)
    return per_second


def walk_forward(outcomes: Sequence[Outcome], steps: int) -> WalkForward | None:
    """Cut the time in `steps` + 1 parts; trade each but the first with what was best until then.

    A variant's replay runs through, so a part begins with the position and the learning that its variant had.
    None if there are fewer minutes than parts, or if variants saw other minutes.
    """
    found = comparable(outcomes)
    if found is None or len(found[1]) < steps + 1:
        return None
    pnl, seconds = found
    cuts = np.linspace(0, len(seconds), steps + 2).round().astype(int)
    chosen, taken = [], np.zeros(0)
    for start, end in pairwise(cuts[1:]):
        rates = pnl[:, :start].sum(axis=1) / seconds[:start].sum()
        place = int(rates.argmax())
        after = pnl[place, start:end]
        taken = np.concatenate((taken, after))
        rate = S_PER_HOUR * float(after.sum() / seconds[start:end].sum())
        start_ts = outcomes[0].blocks.start_ts[start]
        chosen.append(Step(start_ts, outcomes[place].variant, S_PER_HOUR * float(rates[place]), rate))
    tested = seconds[cuts[1] :]
    return WalkForward(
        pnl_per_hour=per_hour(taken, tested),
        before=float(np.mean([step.before for step in chosen])),
        hindsight=S_PER_HOUR * float(pnl[:, cuts[1] :].sum(axis=1).max() / tested.sum()),
        steps=chosen,
    )
