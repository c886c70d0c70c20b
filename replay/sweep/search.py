"""A whole search: which variants, replayed by whom, ranked, the best under every fill model, and how much was luck."""

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from papertrader.replay.session import sessions
from papertrader.replay.sweep.bands import Band, band_variants, bands, same_orders_band
from papertrader.replay.sweep.luck import Luck, WalkForward, luck, walk_forward
from papertrader.replay.sweep.outcomes import Outcome, outcome, ranked
from papertrader.replay.sweep.trials import OBJECTIVES, Search, session_parts, tried
from papertrader.replay.sweep.variants import Axes, Variant, variants_of, with_variant
from papertrader.replay.sweep.workers import Workers
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.service.config import Settings, SettingsError, Tables

Told = Callable[[str, int, int | None], None]
"""Hears what is done, how many of it are, and of how many if that is known."""

DATA: Final = "feed"
"""The section that says over which data variants are replayed."""


class Plan(NamedTuple):
    """What to search: all variants of `axes`, `random` ones of them, or `trials` chosen by what came of others.

    `best` of them are judged under every fill model, with the same orders or each with its own; `steps` walks forward.
    """

    axes: Axes
    random: int | None = None
    trials: int | None = None
    objectives: tuple[str, ...] = ("pnl",)
    storage: Path | None = None
    seed: int = 1
    best: int = 1
    same_orders: bool = False
    steps: int = 0


class Found(NamedTuple):
    """Outcomes by PnL per hour, the best first, and how far to believe it. `front` are the places of those that none
    beats in every objective; `pruned` ended early."""

    outcomes: list[Outcome]
    bands: list[Band]
    luck: Luck | None
    walk_forward: WalkForward | None
    front: list[int]
    pruned: int


def check(plan: Plan) -> None:
    """Raise SettingsError for a plan that cannot be carried out."""
    unknown = set(plan.objectives) - set(OBJECTIVES)
    if unknown or not plan.objectives or len(set(plan.objectives)) < len(plan.objectives):
        raise SettingsError(f"--objective: one or several of {', '.join(OBJECTIVES)}, each once")
    if plan.trials is None and (plan.storage or plan.objectives != ("pnl",)):
        raise SettingsError("--storage and --objective are for a search with --trials COUNT")
    if plan.trials is not None and plan.random is not None:
        raise SettingsError("--random draws variants and --trials chooses them: one or the other")
    if plan.trials is not None and not plan.axes:
        raise SettingsError("--trials has nothing to choose from: name axes with --set")
    if plan.trials is not None and any(key.split(".")[0] == DATA for key in plan.axes):
        raise SettingsError("--trials compares variants over the same data: [feed] cannot be varied")


def search(tables: Tables, plan: Plan, workers: Workers, told: Told, cache: Path | None = None) -> Found:
    """Carry out a plan. Sessions are parsed once here, before many workers want them."""
    feed = Settings(tables).section("feed", FeedConfig)
    parts = sum(1 for _ in sessions(feed, cache, lambda _market, rows: told("rows read", rows, None)))
    outcomes, pruned = _outcomes(tables, plan, parts, workers, told, cache)
    best_first = ranked(outcomes)
    chosen = [item.variant for item in best_first[: plan.best]]
    return Found(
        outcomes=best_first,
        bands=_bands(tables, chosen, plan.same_orders, workers, told, cache),
        luck=luck(best_first),
        walk_forward=walk_forward(best_first, plan.steps) if plan.steps else None,
        front=front(best_first, plan.objectives),
        pruned=pruned,
    )


def front(outcomes: Sequence[Outcome], objectives: Sequence[str]) -> list[int]:
    """The places of outcomes that no other one equals in every objective and beats in one."""
    if not outcomes:
        return []
    wanted = [OBJECTIVES[name] for name in objectives]
    signs = [1.0 if objective.direction == "maximize" else -1.0 for objective in wanted]
    worth = np.array([[sign * goal.of(item) for sign, goal in zip(signs, wanted, strict=True)] for item in outcomes])
    return [
        place for place, row in enumerate(worth) if not ((worth >= row).all(axis=1) & (worth > row).any(axis=1)).any()
    ]


def _outcomes(
    tables: Tables, plan: Plan, parts: int, workers: Workers, told: Told, cache: Path | None
) -> tuple[list[Outcome], int]:
    if plan.trials is None:
        variants = variants_of(plan.axes, plan.random, plan.seed)
        return _all(tables, variants, workers, partial(told, "variants"), cache), 0
    searched = Search(plan.axes, plan.objectives, plan.seed, parts, _asked(tables, plan))
    done = partial(told, "trials")
    replayed = session_parts(workers, tables, cache)
    return tried(searched, plan.trials, replayed, plan.storage, lambda number: done(number, plan.trials or 0))


def _asked(tables: Tables, plan: Plan) -> str:
    """What a kept search was of: everything but how many trials there are to be."""
    named: Any = (tables, plan.axes, plan.objectives, plan.seed)
    return hashlib.sha256(msgspec.json.encode(named, enc_hook=str, order="sorted")).hexdigest()


def _all(
    tables: Tables,
    variants: Sequence[Variant],
    workers: Workers,
    told: Callable[[int, int], None],
    cache: Path | None,
) -> list[Outcome]:
    """The outcomes of variants in their order."""
    found: dict[int, Outcome] = {}
    told(0, len(variants))
    for place, item in workers.each(partial(outcome, tables, cache=cache), variants):
        found[place] = item
        told(len(found), len(variants))
    return [found[place] for place in range(len(variants))]


def _bands(
    tables: Tables,
    chosen: Sequence[Variant],
    same: bool,
    workers: Workers,
    told: Told,
    cache: Path | None,
) -> list[Band]:
    """The best variants under every fill model: each model with its own loop, or all with the same orders."""
    if not same:
        models = [model for variant in chosen for model in band_variants(variant).values()]
        return bands(chosen, _all(tables, models, workers, partial(told, "bands"), cache))
    found: dict[int, Band] = {}
    for place, band in workers.each(partial(same_orders_band, tables, cache=cache), chosen):
        found[place] = band
        told("same orders", len(found), len(chosen))
    return [found[place] for place in range(len(chosen))]


def check_variants(tables: Tables, plan: Plan, right: Callable[[Settings], None]) -> None:
    """Let `right` raise for the first variant that is wrong; of trials, for the ends of their axes."""
    check(plan)
    tried_variants = variants_of(plan.axes, plan.random, plan.seed) if plan.trials is None else _corners(plan.axes)
    for variant in tried_variants:
        right(Settings(with_variant(tables, variant)))


def _corners(axes: Axes) -> list[Variant]:
    """Variants with every listed value and both ends of every range in one of them."""
    ends: dict[str, list[Any]] = {
        key: values if isinstance(values, list) else [_end(values.low, values.whole), _end(values.high, values.whole)]
        for key, values in axes.items()
    }
    longest = max(len(values) for values in ends.values())
    return [{key: values[place % len(values)] for key, values in ends.items()} for place in range(longest)]


def _end(value: float, whole: bool) -> float:
    return int(value) if whole else value
