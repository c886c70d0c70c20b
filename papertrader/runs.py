"""Runs as data: replay a market, or load what was recorded. Everything is a Polars frame.

    run = run_replay(["BTC.gz"], strategy="mine.py:Mine")
    run = load("data/monday")       # the --data-dir of `papertrader run`, a file of `export`, or what `run.save` wrote
    run.fills.filter(side="buy")["price"], run.markouts.to_pandas(), columns("fills")

The columns are in the reference, docs/reference/columns.md.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from papertrader.replay.columns import Column, columns
from papertrader.replay.judgement import judged
from papertrader.replay.replay import Replayed, replay
from papertrader.replay.results import Run, RunError, load, replayed_run
from papertrader.replay.session import sessions
from papertrader.replay.settings import check_all, tables_of
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.messages import Checklist
from papertrader.shared.service.config import Settings, SettingsError

__all__ = ["Column", "Run", "RunError", "SettingsError", "columns", "load", "run_replay"]


def run_replay(
    tapes: Sequence[Path | str] = (),
    *,
    strategy: str | type[Any] | Callable[..., None] | None = None,
    settings: Path | str | Mapping[str, Any] | None = None,
    assets: Sequence[str] | None = None,
    duration_s: float | None = None,
    seed: int | None = None,
    fill_model: str | None = None,
) -> Run:
    """Replay tapes, or the synthetic market if there are none, with the numbers of a run on the bus.

    `strategy` is `glft`, `file.py:Name`, `package.module:Name` or a class or function that can be imported; `settings`
    a file or its tables; `duration_s` is event time. Raises SettingsError, StrategyError, TapeError or ReplayError,
    each saying what to change.
    """
    feed = {"source": "tape" if tapes else None, "tapes": [str(Path(tape).resolve()) for tape in tapes] or None}
    feed |= {"assets": list(assets) if assets else None, "duration_s": duration_s, "seed": seed}  # type: ignore[dict-item]
    fill_sim = {"seed": seed, "fill_model": fill_model}
    tables = tables_of(settings, {"feed": feed, "fill_sim": fill_sim, "quoter": {"strategy": name_of(strategy)}})
    chosen = Settings(tables)
    check_all(chosen)
    found = sessions(chosen.section("feed", FeedConfig))
    return replayed_run((_with_checklist(replay(session, chosen), chosen) for session in found), tables)


def _with_checklist(replayed: Replayed, settings: Settings) -> tuple[Replayed, Callable[[str], Checklist]]:
    return replayed, judged(replayed, settings).checklist


def name_of(strategy: str | type[Any] | Callable[..., None] | None) -> str | None:
    """A strategy's name as the settings have it; a class or a function is named by its module."""
    if strategy is None or isinstance(strategy, str):
        return strategy
    return f"{strategy.__module__}:{strategy.__qualname__}"
