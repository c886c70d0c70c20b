"""Search settings: every combination replayed, ranked by PnL per hour, the best judged under every fill model.

    found = run_sweep({"quoter.levels": [1, 2, 3]}, tapes=["BTC.gz"])
    found.frame, found.models, found.outcomes[0].pnl_per_hour, found.bands[0].verdict, found.run(0).fills

Processes are spawned: in a script, call it below `if __name__ == "__main__":`.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import polars as pl

from papertrader.replay.session import sessions
from papertrader.replay.settings import check_all, tables_of
from papertrader.replay.sweep import (
    Band,
    Outcome,
    Variant,
    band_variants,
    bands,
    outcomes_frame,
    ranked,
    variants_of,
    with_variant,
)
from papertrader.replay.sweep import Sweep as Pool
from papertrader.runs import Run, run_replay
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.service.config import Settings, Tables

__all__ = ["Band", "Outcome", "Sweep", "Variant", "run_sweep"]


@dataclass(frozen=True)
class Sweep:
    """What a search found: the outcome of every variant, best first, and the best ones under every fill model."""

    outcomes: list[Outcome]
    bands: list[Band]
    settings: Tables

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
    changes: Mapping[str, Sequence[Any]],
    tapes: Sequence[Path | str] = (),
    *,
    strategy: str | None = None,
    settings: Path | str | Mapping[str, Any] | None = None,
    assets: Sequence[str] | None = None,
    duration_s: float | None = None,
    draw: int | None = None,
    seed: int = 1,
    workers: int | None = None,
    best: int = 1,
    same_orders: bool = False,
) -> Sweep:
    """Replay every combination of `changes`, e.g. `{"quoter.levels": [1, 2]}`, over tapes or the synthetic market.

    `draw` takes so many combinations at random, `best` says how many are judged under every fill model, `workers` is
    the number of processes (default: one per core). With `same_orders` every model hears the orders of the variant, so
    that a stricter one is a bound; without, each model quotes for itself. Raises SettingsError for the first variant
    that is wrong.
    """
    feed = {"source": "tape" if tapes else None, "tapes": [str(Path(tape).resolve()) for tape in tapes] or None}
    feed |= {"assets": list(assets) if assets else None, "duration_s": duration_s}  # type: ignore[dict-item]
    tables = tables_of(settings, {"feed": feed, "quoter": {"strategy": strategy}})
    variants = variants_of({key: list(values) for key, values in changes.items()}, draw, seed)
    for variant in variants:
        check_all(Settings(with_variant(tables, variant)))
    for _ in sessions(Settings(tables).section("feed", FeedConfig)):
        pass  # parsed once, before many processes want them
    with Pool(tables, workers or os.cpu_count() or 1) as pool:
        outcomes = ranked(_in_order(pool, variants))
        chosen = [outcome.variant for outcome in outcomes[:best]]
        return Sweep(outcomes, _bands(pool, chosen, same_orders), tables)


def _bands(pool: Pool, chosen: Sequence[Variant], same_orders: bool) -> list[Band]:
    if same_orders:
        return [band for _, band in sorted(pool.same_orders(chosen), key=itemgetter(0))]
    models = [model for variant in chosen for model in band_variants(variant).values()]
    return bands(chosen, _in_order(pool, models))


def _in_order(pool: Pool, variants: Sequence[Variant]) -> list[Outcome]:
    found = dict(pool.outcomes(variants))
    return [found[place] for place in range(len(variants))]
