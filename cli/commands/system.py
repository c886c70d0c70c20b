"""Commands that start the system, and write what it is started with."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from papertrader.cli.kernels import ensure_compiled
from papertrader.cli.options import (
    AsJson,
    Assets,
    FillModel,
    Seed,
    SettingsFile,
    Strategy,
    VenueUrl,
    checked,
    fail,
    guarded,
    names,
    paths,
)
from papertrader.services.feed.config import SOURCES
from papertrader.shared.log.health import FOLDS
from papertrader.shared.service.config import SettingsError


def run(
    settings: SettingsFile = None,
    source: Annotated[str | None, typer.Option(help=", ".join(SOURCES))] = None,
    tape: Annotated[
        list[Path] | None, typer.Option(help="a recorded tape, or a directory of them; may be given several times")
    ] = None,
    assets: Assets = None,
    speed: Annotated[float | None, typer.Option(help="event seconds per second; 0: as fast as possible")] = None,
    duration: Annotated[float | None, typer.Option(help="seconds of event time after which the run ends")] = None,
    seed: Seed = None,
    fill_model: FillModel = None,
    strategy: Strategy = None,
    exchange: Annotated[str | None, typer.Option(help="with --source ccxt: the exchange, e.g. okx")] = None,
    venue_url: VenueUrl = None,
    data_dir: Annotated[Path | None, typer.Option(help="keep log and checkpoints here, and go on from them")] = None,
    nats: Annotated[str | None, typer.Option(help="URL of a broker to use instead of an embedded one")] = None,
    workers: Annotated[list[str] | None, typer.Option(help="workers of a service, e.g. fill-sim=3")] = None,
    as_json: AsJson = False,
) -> None:
    """Run everything on this machine; exit code 1 if a check of the validation checklist failed."""
    from papertrader.cli.beforehand import look
    from papertrader.cli.run import run as run_system

    feed: dict[str, Any] = {"source": source or ("tape" if tape else None), "speed": speed}
    feed |= {"duration_s": duration, "seed": seed, "venue_url": venue_url, "exchange": exchange}
    feed |= {"tapes": paths(tape), "assets": names(assets)}
    overrides = {"feed": feed, "fill_sim": {"seed": seed, "fill_model": fill_model}, "quoter": {"strategy": strategy}}
    tables, counts = checked(settings, overrides), _workers(workers or [])
    ensure_compiled("services")
    guarded(lambda: look(tables))
    raise typer.Exit(run_system(tables, data_dir, nats, counts, as_json))


def _workers(options: list[str]) -> dict[str, int]:
    counts = {}
    for option in options:
        name, _, count = option.partition("=")
        if name not in FOLDS or not count.isdigit() or int(count) < 1:
            raise fail(f"--workers {option}: write SERVICE=COUNT with one of {', '.join(FOLDS)}")
        counts[name] = int(count)
    return counts


def init(
    output: Annotated[Path, typer.Argument(help="the file to write")] = Path("papertrader.toml"),
    force: Annotated[bool, typer.Option("--force", help="write over a file that is there")] = False,
) -> None:
    """Write a settings file with every setting, its meaning and its default."""
    from papertrader.replay.settings_file import settings_file

    if output.exists() and not force:
        raise fail(f"{output} is there already: name another file, or write over it with --force")
    try:
        output.write_text(settings_file())
    except OSError as error:
        raise fail(f"{output} cannot be written: {error.strerror}") from None
    Console().print(
        f"wrote {output}: change it, then `papertrader run --settings {output}`", highlight=False, soft_wrap=True
    )


def open_run(
    data_dir: Annotated[Path, typer.Argument(help="the --data-dir of an ended run")],
    port: Annotated[int, typer.Option(help="port of the page, 0 for a free one")] = 0,
) -> None:
    """Show the page of a run that has ended, until Ctrl-C."""
    from papertrader.cli.ended import open_page
    from papertrader.shared.log.ports import PortError

    try:
        open_page(data_dir, port)
    except (SettingsError, PortError) as error:
        raise fail(error) from None
