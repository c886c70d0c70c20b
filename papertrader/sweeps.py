"""Search settings: variants replayed, ranked by PnL per hour, the best judged under every fill model and by luck.

    found = run_sweep({"quoter.levels": [1, 2, 3]}, tapes=["BTC.gz"])
    found.frame, found.models, found.outcomes[0].pnl_per_hour, found.bands[0].verdict, found.luck, found.run(0).fills

Processes are spawned: in a script, call it below `if __name__ == "__main__":`.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from papertrader.replay.settings import check_all, tables_of
from papertrader.replay.sweep.bands import Band
from papertrader.replay.sweep.luck import Luck, WalkForward
from papertrader.replay.sweep.outcomes import Outcome, outcomes_frame
from papertrader.replay.sweep.search import Plan, check_variants, search
from papertrader.replay.sweep.variants import Range, Variant, with_variant
from papertrader.replay.sweep.workers import WorkersError, workers_of
from papertrader.runs import Run, run_replay
from papertrader.shared.service.config import Tables

__all__ = ["Band", "Luck", "Outcome", "Range", "Sweep", "Variant", "WalkForward", "WorkersError", "run_sweep"]


@dataclass(frozen=True)
class Sweep:
    """What a search found: the outcome of every variant, best first, the best ones under every fill model, and what of
    it is luck. `front` are the places of those that no other beats in every objective."""

    outcomes: list[Outcome]
    bands: list[Band]
    settings: Tables
    luck: Luck | None = None
    walk_forward: WalkForward | None = None
    front: Sequence[int] = ()
    pruned: int = 0

    @property
    def frame(self) -> pl.DataFrame:
        """A row per variant, the best first: what was varied, and the columns of `columns("sweep")`."""
        return outcomes_frame(list(enumerate(self.outcomes)))

    @property
    def models(self) -> pl.DataFrame:
        """The best variants, a row for each under every fill model, with `fill_model` and the `verdict` over all."""
        parts = [
            outcomes_frame([(place, outcome)]).with_columns(fill_model=pl.lit(model), verdict=pl.lit(band.verdict))
            for place, band in enumerate(self.bands)
            for model, outcome in band.outcomes.items()
        ]
        return pl.concat(parts, how="diagonal")

    def run(self, place: int = 0) -> Run:
        """The variant at a place of the ranking as a whole run: it is replayed again."""
        return run_replay(settings=with_variant(self.settings, self.outcomes[place].variant))


def run_sweep(
    changes: Mapping[str, Sequence[Any] | Range],
    tapes: Sequence[Path | str] = (),
    *,
    strategy: str | None = None,
    settings: Path | str | Mapping[str, Any] | None = None,
    assets: Sequence[str] | None = None,
    duration_s: float | None = None,
    draw: int | None = None,
    trials: int | None = None,
    objectives: Sequence[str] = ("pnl",),
    storage: Path | str | None = None,
    walk_forward: int = 0,
    seed: int = 1,
    workers: int | None = None,
    scheduler: str | None = None,
    best: int = 1,
    same_orders: bool = False,
) -> Sweep:
    """Replay variants of `changes`, e.g. `{"quoter.levels": [1, 2], "quoter.half_spread_bps": Range(2.0, 20.0)}`, over
    tapes or the synthetic market: all combinations, `draw` random ones, or `trials` chosen by those before.

    `objectives` and `storage` are those of trials. `best` says how many are judged under every fill model: with
    `same_orders` every model hears the orders of the variant, so that a stricter one is a bound; without, each model
    quotes for itself. `walk_forward` cuts the time in so many parts and one. `workers` is the number of processes
    (default: one per core), `scheduler` the address of a Dask scheduler in their place. Raises SettingsError for the
    first variant that is wrong, WorkersError for workers that are not as this side.
    """
    feed = {"source": "tape" if tapes else None, "tapes": [str(Path(tape).resolve()) for tape in tapes] or None}
    feed |= {"assets": list(assets) if assets else None, "duration_s": duration_s}  # type: ignore[dict-item]
    tables = tables_of(settings, {"feed": feed, "quoter": {"strategy": strategy}})
    plan = Plan(
        axes={key: values if isinstance(values, Range) else list(values) for key, values in changes.items()},
        random=draw,
        trials=trials,
        objectives=tuple(objectives),
        storage=Path(storage) if storage else None,
        seed=seed,
        best=best,
        same_orders=same_orders,
        steps=walk_forward,
    )
    check_variants(tables, plan, check_all)
    with workers_of(tables, workers or os.cpu_count() or 1, scheduler) as those:
        found = search(tables, plan, those, lambda _name, _done, _total: None)
    return Sweep(found.outcomes, found.bands, tables, found.luck, found.walk_forward, tuple(found.front), found.pruned)
