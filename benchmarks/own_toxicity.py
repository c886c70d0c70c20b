"""`python -m benchmarks.own_toxicity TAPE...`: what toxicity, forecast before own fills, was worth on tapes.

Each tape is replayed with the default settings and several seeds of the exchange: other fills of the same market.
Prints a row of a Markdown table for each market, and two for all of them. A moment - a side at an instant - counts once
in a replay. Brier skill is against the base rate that a market turned out to have; of all together against those, so
that nothing is won by telling markets apart, and against one base rate for all. Intervals are 95 %, from a bootstrap
over minutes, each with the fills of every seed: seeds share their market, and are no further evidence.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from benchmarks.skill import moments_of, with_interval
from papertrader.replay.replay import replay
from papertrader.replay.session import Session, sessions
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.service.config import Settings

MINUTE_NS: Final = 60_000_000_000
HEADER: Final = "| market | moments | adverse | forecast | Brier skill |\n|---|---|---|---|---|"
Floats = npt.NDArray[np.float64]


def sums_of(session: Session, seeds: int) -> Floats:
    """By minute: moments, adverse ones, forecasts, squared errors of the forecasts; shape (minutes, 4)."""
    runs = [moments_of(replay(session, Settings({"fill_sim": {"seed": seed}}))) for seed in range(1, seeds + 1)]
    moments = np.concatenate(runs)
    forecast, adverse = moments["toxicity"], moments["adverse"].astype(float)
    minute = np.unique(moments["fill_ts"] // MINUTE_NS, return_inverse=True)[1]
    columns = (np.ones_like(forecast), adverse, forecast, (forecast - adverse) ** 2)
    return np.stack([np.bincount(minute, weights=column) for column in columns], axis=1)


def skill_of(sums: Floats, market: npt.NDArray[np.int64]) -> float:
    """1 − squared error of the forecasts / that of each market's base rate, over rows of `sums_of`."""
    by_market = np.array([sums[market == number].sum(axis=0) for number in np.unique(market)])
    count, adverse, _, error = by_market.T
    return float(1 - error.sum() / (adverse * (1 - adverse / count)).sum())


def row(name: str, sums: Floats, market: npt.NDArray[np.int64]) -> str:
    """A row of the table."""
    count, adverse, forecast, _ = sums.sum(axis=0)
    skill = with_interval(len(sums), lambda rows: skill_of(sums[rows], market[rows]))
    return f"| {name} | {count:.0f} | {adverse / count:.3f} | {forecast / count:.3f} | {skill} |\n"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tapes", type=Path, nargs="+", metavar="TAPE")
    parser.add_argument("--seeds", type=int, default=12)
    arguments = parser.parse_args()
    found = [
        (str(session.market), sums_of(session, arguments.seeds))
        for session in sessions(FeedConfig(source="tape", tapes=tuple(arguments.tapes)))
    ]
    sys.stdout.write(HEADER + "\n")
    for name, sums in found:
        sys.stdout.write(row(name, sums, np.zeros(len(sums), dtype=np.int64)))
    every = np.concatenate([sums for _, sums in found])
    market = np.repeat(np.arange(len(found)), [len(sums) for _, sums in found])
    sys.stdout.write(row("all, each against its own base rate", every, market))
    sys.stdout.write(row("all, against one base rate", every, np.zeros_like(market)))


if __name__ == "__main__":
    main()
