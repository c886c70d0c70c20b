"""Commands that start the system, or ask a running one."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from papertrader.cli import show
from papertrader.cli.commands.venues import RECORDED, examine
from papertrader.cli.kernels import ensure_compiled
from papertrader.cli.monitor_client import DEFAULT_URL, MonitorError, fetch, fetch_json
from papertrader.cli.options import (
    AsJson,
    Assets,
    FillModel,
    MonitorUrl,
    Nats,
    Seed,
    SettingsFile,
    Strategy,
    VenueUrl,
    checked,
    fail,
    names,
    paths,
)
from papertrader.services.feed.config import SOURCES
from papertrader.shared.log.health import FOLDS
from papertrader.shared.service.config import SettingsError, load


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
    from papertrader.cli.run import run as run_system

    feed: dict[str, Any] = {"source": source or ("tape" if tape else None), "speed": speed}
    feed |= {"duration_s": duration, "seed": seed, "venue_url": venue_url, "exchange": exchange}
    feed |= {"tapes": paths(tape), "assets": names(assets)}
    overrides = {"feed": feed, "fill_sim": {"seed": seed, "fill_model": fill_model}, "quoter": {"strategy": strategy}}
    tables, counts = checked(settings, overrides), _workers(workers or [])
    ensure_compiled("services")
    raise typer.Exit(run_system(tables, data_dir, nats, counts, as_json))


def _workers(options: list[str]) -> dict[str, int]:
    counts = {}
    for option in options:
        name, _, count = option.partition("=")
        if name not in FOLDS or not count.isdigit() or int(count) < 1:
            raise fail(f"--workers {option}: write SERVICE=COUNT with one of {', '.join(FOLDS)}")
        counts[name] = int(count)
    return counts


def doctor(
    url: MonitorUrl = DEFAULT_URL,
    source: Annotated[
        str | None, typer.Option(help=f"examine the connection to a live venue instead: {' or '.join(RECORDED)}")
    ] = None,
    assets: Annotated[str | None, typer.Option(help="with --source: the assets to ask for")] = None,
    venue_url: VenueUrl = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the validation checklist with causes and remedies; exit code 1 if a check fails."""
    if source is not None:
        examine(settings, source, assets, venue_url, as_json)
        return
    try:
        summary = fetch_json(url, "/api/summary")
    except MonitorError as error:
        raise fail(error) from None
    if as_json:
        checks = [
            {key: market[key] for key in ("venue", "asset", "account", "checks")} for market in summary["markets"]
        ]
        sys.stdout.buffer.write(orjson.dumps({"markets": checks}) + b"\n")
    elif summary["markets"]:
        Console().print(show.checklist(summary))
    else:
        Console().print("No market data yet: is the feed running? Its log says what it waits for.")
    if show.failed(summary) or not summary["markets"]:
        raise typer.Exit(1)


def report(
    output: Annotated[Path, typer.Argument(help="the HTML file to write")] = Path("report.html"),
    url: MonitorUrl = DEFAULT_URL,
    data_dir: Annotated[Path | None, typer.Option(help="of an ended run: its --data-dir")] = None,
    as_json: AsJson = False,
) -> None:
    """Write one self-contained HTML report of the run so far; with --json the numbers behind it instead."""
    from papertrader.cli import ended

    try:
        if as_json:
            numbers = fetch(url, "/api/summary") if data_dir is None else orjson.dumps(ended.summary_of(data_dir))
            sys.stdout.buffer.write(numbers + b"\n")
            return
        output.write_bytes(fetch(url, "/report") if data_dir is None else ended.report_of(data_dir))
    except (MonitorError, SettingsError, OSError) as error:
        raise fail(error) from None
    Console().print(f"wrote {output}")


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


def tail(
    subject: Annotated[str, typer.Argument(help="a subject, wildcards allowed, e.g. 'fills.>'")] = ">",
    nats: Nats = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Print messages as they come: subject and content; with --json one JSON object a line."""
    from papertrader.cli.tail import follow
    from papertrader.shared.log.bus import BusError
    from papertrader.shared.service.runtime import BusConfig

    try:
        config = load(settings).section("bus", BusConfig)
        asyncio.run(follow(nats or config.url, subject, as_json, **config.login()))
    except (SettingsError, BusError) as error:
        raise fail(error) from None


def control(
    action: Annotated[str, typer.Argument(help="pause, resume, flatten or reset")],
    market: Annotated[str, typer.Argument(help="<venue>.<asset>")],
    account: Annotated[str, typer.Option(help="paper account")] = "main",
    nats: Nats = None,
    settings: SettingsFile = None,
) -> None:
    """Pause, resume, flatten or reset a paper account."""
    from papertrader.cli.control import send
    from papertrader.shared.log.bus import BusError
    from papertrader.shared.service.runtime import BusConfig

    try:
        config = load(settings).section("bus", BusConfig)
        asyncio.run(send(nats or config.url, action, market, account, **config.login()))
    except (SettingsError, BusError, ValueError) as error:
        raise fail(error) from None
