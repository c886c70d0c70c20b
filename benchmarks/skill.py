"""`python -m benchmarks.skill TAPE...`: what the forecasts of the default quoter are worth on recorded sessions.

Each tape is replayed with the default settings (`--settings FILE` for others) and gives one row of a Markdown table.
All forecasts were made before their outcomes. Intervals are 95 %, from the blocks of time that the estimator keeps:
bootstrap over blocks for forecasts, over minutes for fills.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from papertrader.replay.replay import Replayed, replay
from papertrader.replay.session import sessions
from papertrader.services.estimator.service import Estimator
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.market.records import Records
from papertrader.shared.messages import LABEL_HORIZON_S
from papertrader.shared.service.config import Settings, load

DRAWS: Final = 1000
HEADER: Final = (
    "| session | sweeps | toxicity 5 s: AUC, 2nd half | skill, 2nd half | AUC 1 s | p_fill skill, left alone |"
    " own orders | fills/h | adverse | markout 5 s, bp, free of fees |\n|---|---|---|---|---|---|---|---|---|---|"
)
Floats = npt.NDArray[np.float64]


def auc(happened: Floats, not_happened: Floats) -> float:
    """Of counts by bin from the lowest forecast: the share of pairs in the right order, ties half."""
    pairs = happened.sum() * not_happened.sum()
    below = np.cumsum(not_happened) - not_happened
    return float((happened * (below + not_happened / 2)).sum() / pairs) if pairs else np.nan


def brier_skill(happened: float, not_happened: float, squared_error: float) -> float:
    """1 − Brier/(ō(1 − ō))."""
    count = happened + not_happened
    return 1 - squared_error * count / (happened * not_happened) if happened * not_happened else np.nan


def with_interval(blocks: int, value_of: Callable[[Any], float], seed: int = 1) -> str:
    """A value and its bootstrap interval over blocks; `value_of` takes the blocks' numbers, with repetitions."""
    random = np.random.Generator(np.random.PCG64(seed))
    values = [value_of(random.integers(0, blocks, blocks)) for _ in range(DRAWS)] if blocks else [np.nan]
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return f"{value_of(np.arange(blocks)):.3f} [{low:.3f}, {high:.3f}]"


def forecasts(judged: Any, second_half: bool = False) -> tuple[str, str]:
    """AUC and skill of a SKILL record, each with its interval."""
    first, end = (judged["open"] + 1) // 2 if second_half else 0, judged["open"] + 1
    yes, no = judged["happened"][first:end].astype(float), judged["not_happened"][first:end].astype(float)
    error = judged["squared_error"][first:end]
    return (
        with_interval(end - first, lambda rows: auc(yes[rows].sum(0), no[rows].sum(0))),
        with_interval(end - first, lambda rows: brier_skill(yes[rows].sum(), no[rows].sum(), error[rows].sum())),
    )


def moments_of(replayed: Replayed) -> Records:
    """What became of own fills after 5 s, one of each moment: a side at an instant."""
    markouts = replayed.records("markouts")
    labels = markouts[(markouts["horizon_s"] == LABEL_HORIZON_S) & (markouts["filled"] == 1)]
    labels = labels[labels["resolved"] == 1]
    _, first = np.unique(labels[["fill_ts", "side"]], return_index=True)
    return labels[first]


def own_fills(replayed: Replayed) -> tuple[float, str, str]:
    """Moments per hour, and their adverse share and markout at 5 s with intervals."""
    moments, events = moments_of(replayed), replayed.session.events
    hours = (events["ts"][-1] - events["ts"][0]) / 3.6e12
    minutes = np.unique(moments["fill_ts"] // 60_000_000_000, return_inverse=True)[1]
    blocks = [np.flatnonzero(minutes == minute) for minute in range(minutes.max(initial=-1) + 1)]

    def mean(values: Any) -> str:
        return with_interval(
            len(blocks), lambda rows: float(np.mean(values[np.concatenate([blocks[i] for i in rows])]))
        )

    if not blocks:
        return 0.0, "none", "none"
    return len(moments) / hours, mean(moments["adverse"].astype(float)), mean(moments["markout_bps"])


def rows(tapes: list[Path], settings: Settings) -> Iterator[str]:
    """One row of the table for each market of the tapes."""
    for session in sessions(FeedConfig(source="tape", tapes=tuple(tapes))):
        replayed = replay(session, settings)
        estimator = replayed.folds["estimator"]
        assert isinstance(estimator, Estimator)
        market = estimator.market_state[0]
        fills, shadows = market["touch_fills"], market["forecaster"]["shadows"]["judged"]
        own = estimator.estimators[0]["shadows"]["judged"]
        area, skill = forecasts(fills["skill_5s"], second_half=True)
        short, _ = forecasts(fills["skill_1s"], second_half=True)
        rate, adverse, markout = own_fills(replayed)
        columns = (session.market, int(fills["model_5s"]["outcomes"]), area, skill, short, forecasts(shadows)[1])
        last = (forecasts(own)[1], f"{rate:.0f}", adverse, markout)
        yield "| " + " | ".join(str(column) for column in (*columns, *last)) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tapes", type=Path, nargs="+", metavar="TAPE")
    parser.add_argument("--settings", type=Path, help="a TOML file of settings")
    arguments = parser.parse_args()
    sys.stdout.write(HEADER + "\n")
    for row in rows(arguments.tapes, load(arguments.settings) if arguments.settings else Settings({})):
        sys.stdout.write(row + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
