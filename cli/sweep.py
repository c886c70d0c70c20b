"""`papertrader sweep`: settings searched in parallel, ranked, the best judged under every fill model and by luck."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from papertrader.replay.sweep.bands import EARNS, FRAGILE, LOSES, Band
from papertrader.replay.sweep.luck import Luck, WalkForward
from papertrader.replay.sweep.outcomes import Outcome
from papertrader.replay.sweep.search import Found, Plan, search
from papertrader.replay.sweep.workers import workers_of
from papertrader.services.monitor.report.statistics import Interval
from papertrader.shared.service.config import Tables

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


def run(tables: Tables, plan: Plan, processes: int, scheduler: str | None, as_json: bool) -> int:
    """Search, and print the ranking, the bands of the best variants and what luck did; always 0."""
    shown = Progress(console=Console(stderr=True), transient=True)
    with shown as progress, workers_of(tables, processes, scheduler) as workers:
        found = search(tables, plan, workers, _bar(progress))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(_told(found, plan)) + b"\n")
    else:
        _print(found, plan)
    return 0


def _bar(progress: Progress) -> Any:
    """Shows what the search tells: a bar for each thing that it does."""
    bars: dict[str, TaskID] = {}

    def told(name: str, done: int, total: int | None) -> None:
        if name not in bars:
            bars[name] = progress.add_task(name, total=total)
        progress.update(bars[name], completed=done)

    return told


def _told(found: Found, plan: Plan) -> dict[str, Any]:
    walked = found.walk_forward
    return {
        "variants": [_plain(item) for item in found.outcomes],
        "front": found.front,
        "pruned": found.pruned,
        "luck": found.luck._asdict() if found.luck else None,
        "walk_forward": walked
        and walked._asdict()
        | {"pnl_per_hour": walked.pnl_per_hour._asdict(), "steps": [step._asdict() for step in walked.steps]},
        "bands": [_plain_band(band) for band in found.bands],
        "same_orders": plan.same_orders,
    }


def _print(found: Found, plan: Plan) -> None:
    out = Console()
    out.print(_ranking(found.outcomes, list(plan.axes), found.front if len(plan.objectives) > 1 else []))
    if found.pruned:
        out.print(f"{found.pruned} more trials ended early, below the median of those before them.", style="dim")
    out.print(_luck(found.luck))
    if plan.steps:
        out.print(_walked(found.walk_forward))
    for band in found.bands:
        out.print(_band(band))
    if found.bands:
        out.print(SAME if plan.same_orders else CLOSED_LOOP, style="dim")


def _luck(luck: Luck | None) -> str:
    if luck is None:
        return "What the best owes to luck is not known: one variant, less than five minutes, or not the same minutes."
    return (
        f"Expect the best of {luck.variants} to be lucky: if none earned anything it would seem to earn "
        f"{luck.expected:+.2f} per hour, and up to {luck.high:+.2f} in 95 of 100 such worlds. The best has "
        f"{luck.best:+.2f}: {luck.deflated:+.2f} without that luck, p = {luck.p_value:.3f}."
    )


def _walked(walked: WalkForward | None) -> Table | str:
    if walked is None:
        return "No walk forward: fewer minutes than parts, or variants over different ones."
    title = (
        f"Walking forward, each part with what was best before it: {walked.pnl_per_hour.value:+.2f} per hour "
        f"({_interval(walked.pnl_per_hour)}), chosen at {walked.before:+.2f}; in hindsight {walked.hindsight:+.2f}"
    )
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    for name in ("from (UTC)", "variant", "before", "after"):
        table.add_column(name, justify="right" if name in ("before", "after") else "left")
    for step in walked.steps:
        when = datetime.fromtimestamp(step.start_ts / 1e9, UTC).strftime("%Y-%m-%d %H:%M")
        table.add_row(when, _named(step.variant), f"{step.before:+.2f}", f"{step.after:+.2f}")
    return table


def _named(variant: dict[str, Any]) -> str:
    return ", ".join(f"{key}={_shown(value)}" for key, value in variant.items()) or "the settings as they are"


def _shown(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _plain(outcome: Outcome) -> dict[str, Any]:
    numbers = {name: value for name, value in outcome._asdict().items() if name != "blocks"}
    return {**numbers, "pnl_per_hour": outcome.pnl_per_hour._asdict()}


def _plain_band(band: Band) -> dict[str, Any]:
    models = {name: _plain(outcome) for name, outcome in band.outcomes.items()}
    interval = {"low": band.low, "high": band.high}
    return {"variant": band.variant, "pnl_per_hour": interval, "verdict": band.verdict, "models": models}


def _ranking(outcomes: Sequence[Outcome], keys: Sequence[str], front: Sequence[int]) -> Table:
    hours = outcomes[0].hours if outcomes else 0.0
    title = f"{len(outcomes)} variants over {hours:.2f} h each; PnL per hour with its 95 % block-bootstrap interval"
    table = Table(title=title, title_justify="left", box=None, header_style="bold")
    for key in keys:
        table.add_column(key)
    for name in ("PnL/h", "95 %", "fills", "5 s bp", "adverse", "drawdown"):
        table.add_column(name, justify="right", no_wrap=True)
    for place, outcome in enumerate(outcomes):
        style = "bold" if place in front else None  # none beats it in all that was asked for
        table.add_row(*(_shown(outcome.variant[key]) for key in keys), *_numbers(outcome), style=style)
    return table


def _band(band: Band) -> Table:
    span = f"PnL/h from {band.low:+.2f} to {band.high:+.2f}"
    title = f"{_named(band.variant)}\n{span}: {band.verdict}, {MEANING[band.verdict]}"
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
