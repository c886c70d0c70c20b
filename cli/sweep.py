"""`papertrader sweep`: settings searched in parallel, ranked, and the best of them judged under every fill model."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from papertrader.replay.session import sessions
from papertrader.replay.sweep import (
    EARNS,
    FRAGILE,
    LOSES,
    Axes,
    Band,
    Outcome,
    Sweep,
    Variant,
    band_variants,
    bands,
    ranked,
    variants_of,
    with_variant,
)
from papertrader.services.feed.config import FeedConfig
from papertrader.services.monitor.report.statistics import Interval
from papertrader.shared.service.config import Settings

MEANING: Final = {
    EARNS: "the 95 % interval lies above 0 under every fill model",
    LOSES: "the 95 % interval lies below 0 under every fill model",
    FRAGILE: "whether it earns depends on the fill model, or cannot be told from chance",
}


CLOSED_LOOP: Final = (
    "Each model quotes for itself: what it is filled with changes what it quotes next, so these are no bounds of each "
    "other. --same-orders puts the same orders under every model."
)
SAME: Final = (
    "The same orders under every model. Of fifo, what `behind` fills, `pro rata` and `ahead` fill too; of draws, every "
    "setting lies between `draws behind` and `draws ahead`, and also fills what a book crosses. An order ends where "
    "the model that is set has filled it. What these fills earn need not be in the same order."
)


def run(
    tables: dict[str, Any],
    axes: Axes,
    random: int | None,
    seed: int,
    workers: int,
    best: int,
    same_orders: bool,
    as_json: bool,
) -> int:
    """Sweep, and print the ranking and the bands of the best variants; always 0."""
    variants = variants_of(axes, random, seed)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        _read(tables, variants[0], progress)
        with Sweep(tables, workers) as sweep:
            outcomes = ranked(_all(sweep, variants, progress, "variants"))
            chosen = [outcome.variant for outcome in outcomes[:best]]
            found = _bands(sweep, chosen, same_orders, progress)
    if as_json:
        result: dict[str, Any] = {
            "variants": [_plain(item) for item in outcomes],
            "bands": [_plain_band(band) for band in found],
        }
        result["same_orders"] = same_orders
        sys.stdout.buffer.write(orjson.dumps(result) + b"\n")
    else:
        out = Console()
        out.print(_ranking(outcomes, list(axes)))
        for band in found:
            out.print(_band(band))
        if found:
            out.print(SAME if same_orders else CLOSED_LOOP, style="dim")
    return 0


def _bands(sweep: Sweep, chosen: Sequence[Variant], same_orders: bool, progress: Progress) -> list[Band]:
    """The best variants under every fill model: each model with its own loop, or all with the same orders."""
    if not same_orders:
        under_models = [model for variant in chosen for model in band_variants(variant).values()]
        return bands(chosen, _all(sweep, under_models, progress, "bands"))
    task, found = progress.add_task("same orders", total=len(chosen)), {}
    for place, band in sweep.same_orders(chosen):
        found[place] = band
        progress.advance(task)
    return [found[place] for place in range(len(chosen))]


def _read(tables: Mapping[str, Any], variant: Variant, progress: Progress) -> None:
    """Parse the sessions once, before many processes want them."""
    task = progress.add_task("reading", total=None)
    config = Settings(with_variant(tables, variant)).section("feed", FeedConfig)
    for _ in sessions(config, None, lambda _market, rows: progress.update(task, completed=rows)):
        pass
    progress.remove_task(task)


def _all(sweep: Sweep, variants: Sequence[Variant], progress: Progress, name: str) -> list[Outcome]:
    outcomes: dict[int, Outcome] = {}
    task = progress.add_task(name, total=len(variants))
    for place, outcome in sweep.outcomes(variants):
        outcomes[place] = outcome
        progress.advance(task)
    return [outcomes[place] for place in range(len(variants))]


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {**outcome._asdict(), "pnl_per_hour": outcome.pnl_per_hour._asdict()}


def _plain_band(band: Band) -> dict[str, Any]:
    models = {name: _plain(outcome) for name, outcome in band.outcomes.items()}
    interval = {"low": band.low, "high": band.high}
    return {"variant": band.variant, "pnl_per_hour": interval, "verdict": band.verdict, "models": models}


def _ranking(outcomes: Sequence[Outcome], keys: Sequence[str]) -> Table:
    hours = outcomes[0].hours if outcomes else 0.0
    title = f"{len(outcomes)} variants over {hours:.2f} h each; PnL per hour with its 95 % block-bootstrap interval"
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    for key in keys:
        table.add_column(key)
    for name in ("PnL/h", "95 %", "fills", "5 s bp", "adverse", "drawdown"):
        table.add_column(name, justify="right", no_wrap=True)
    for outcome in outcomes:
        table.add_row(*(str(outcome.variant[key]) for key in keys), *_numbers(outcome))
    return table


def _band(band: Band) -> Table:
    name = ", ".join(f"{key}={value}" for key, value in band.variant.items()) or "the settings as they are"
    title = f"{name}\nPnL/h from {band.low:+.2f} to {band.high:+.2f}: {band.verdict}, {MEANING[band.verdict]}"
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    table.add_column("fill model")
    for column in ("PnL/h", "95 %", "fills", "5 s bp", "adverse", "drawdown"):
        table.add_column(column, justify="right", no_wrap=True)
    for model, outcome in band.outcomes.items():
        table.add_row(model, *_numbers(outcome))
    return table


def _numbers(outcome: Outcome) -> list[str]:
    return [
        f"{outcome.pnl_per_hour.value:+.2f}",
        _interval(outcome.pnl_per_hour),
        str(outcome.fills),
        "–" if outcome.markout_bps is None else f"{outcome.markout_bps:+.2f}",
        "–" if outcome.adverse_share is None else f"{outcome.adverse_share:.0%}",
        f"{outcome.max_drawdown:.2f}",
    ]


def _interval(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return "too short"
    return f"{interval.low:+.1f} … {interval.high:+.1f}"
