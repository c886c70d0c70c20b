"""`papertrader judge`: fill models scored on order-by-order data."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from papertrader.replay.judge.judge import Judged


def judge(
    files: Annotated[list[Path], typer.Argument(help="order-by-order files; of a LOBSTER pair the message file")],
    file_format: Annotated[
        str | None, typer.Option("--format", help="databento, lobster, itch or bitstamp; by the name if not given")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="ITCH: which symbol; Databento: which instrument id, else the busiest")
    ] = None,
    horizon: Annotated[float | None, typer.Option(min=0.1, help="seconds that a shadow order waits")] = None,
    models: Annotated[str | None, typer.Option(help="only these models, separated by commas")] = None,
    shadows: Annotated[int, typer.Option(min=1, help="judge at most so many shadow orders of a file")] = 200_000,
    settings: Annotated[Path | None, typer.Option(help="settings file: its [fill_sim] is judged")] = None,
    orders: Annotated[
        bool, typer.Option(help="hl tells how many orders stand at its levels, as Hyperliquid does")
    ] = True,
    report: Annotated[Path | None, typer.Option(help="write the HTML report here")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object on standard output")] = False,
) -> None:
    """Score fill models on order-by-order data: shadow orders whose exact fate is known, seen through three feeds."""
    from papertrader.replay.judge import judge as judging
    from papertrader.replay.judge.orders import JudgeError
    from papertrader.replay.judge.report import report_html
    from papertrader.services.fill_sim.config import FillSimConfig
    from papertrader.shared.service.config import SettingsError, load

    console = Console(stderr=True)
    try:
        config = load(settings).section("fill_sim", FillSimConfig)
        with console.status("judging") as status:
            judged = judging.judge(
                files,
                config,
                file_format,
                symbol,
                horizon,
                _names(models),
                shadows,
                progress=status.update,
                orders=orders,
            )
        if report is not None:
            report.write_text(report_html(judged))
    except (JudgeError, SettingsError, OSError) as error:
        console.print(f"papertrader: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(judging.pooled(judged)) + b"\n")
        sys.stdout.flush()
        return
    from papertrader.replay.judge.report import said_of

    out = Console()
    for item in judged:
        out.print(_table(item))
        out.print(said_of(item.odds), highlight=False)


def _names(models: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in models.split(",")) if models else None


def _table(item: "Judged") -> Table:
    from papertrader.replay.judge.report import COLUMNS

    table = Table(title=f"{item.name}: {len(item.market.shadows):,} shadows, {item.horizon_s:g} s")
    for name in ("feed", "model", *(title for _, title, _ in COLUMNS)):
        table.add_column(name, justify="left" if name in ("feed", "model") else "right")
    for feed, models in item.scores.items():
        for model, scored in models.items():
            cells = ("-" if scored[name] is None else f"{scored[name]:.{digits}f}" for name, _, digits in COLUMNS)
            table.add_row(feed, model, *cells)
        table.add_section()
    return table
