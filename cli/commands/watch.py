"""Commands that ask or command a run that goes on."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from papertrader.cli import gateway_doctor, show
from papertrader.cli.commands.venues import RECORDED, examine
from papertrader.cli.monitor_client import MonitorError, fetch, fetch_json
from papertrader.cli.options import AsJson, MonitorUrl, Nats, SettingsFile, VenueUrl, WhichRun, fail, guarded
from papertrader.cli.runs import NoRunError, living, page_of, run_of
from papertrader.shared.service.config import ACCOUNTS, Settings, SettingsError, load
from papertrader.shared.service.outside import traded_outside

OUTSIDE = "this account is traded from outside: what its program sends is still obeyed, pause the program itself"
NOTHING_YET = "No market data yet: is the feed running? Its log says what it waits for."


def runs(as_json: AsJson = False) -> None:
    """List the runs that go on on this machine: process, source, page and data directory."""
    found = living()
    if as_json:
        rows = [{name: getattr(run, name) for name in run.__struct_fields__} for run in found]
        sys.stdout.buffer.write(orjson.dumps({"runs": rows}) + b"\n")
        return
    out = Console()
    if not found:
        out.print("no run goes on: start one with `papertrader run`")
    for run in found:
        out.print(str(run), highlight=False, soft_wrap=True)


def doctor(
    run: WhichRun = None,
    url: MonitorUrl = None,
    source: Annotated[
        str | None, typer.Option(help=f"examine the connection to a live venue instead: {' or '.join(RECORDED)}")
    ] = None,
    assets: Annotated[str | None, typer.Option(help="with --source: the assets to ask for")] = None,
    venue_url: VenueUrl = None,
    gateway: Annotated[bool, typer.Option("--gateway", help="say why a bot does not get through instead")] = False,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the validation checklist with causes and remedies; exit code 1 if a check fails."""
    if gateway:
        _examine_gateway(url, run, settings, as_json)
        return
    if source is not None:
        examine(settings, source, assets, venue_url, as_json)
        return
    summary = summary_of(url, run)
    if as_json:
        kept = ("venue", "asset", "account", "checks")
        checks = [{key: market[key] for key in kept} for market in summary["markets"]]
        sys.stdout.buffer.write(orjson.dumps({"markets": checks}) + b"\n")
    else:
        Console().print(show.checklist(summary) if summary["markets"] else NOTHING_YET)
    if show.failed(summary) or not summary["markets"]:
        raise typer.Exit(1)


def _examine_gateway(url: str | None, run: str | None, settings: Path | None, as_json: bool) -> None:
    try:
        found = None if url is not None or settings is not None else run_of(run)
        tables = load(settings if found is None else Path(found.directory) / "settings.json").tables
    except (NoRunError, SettingsError) as error:
        raise fail(error) from None
    if not gateway_doctor.examine(url or gateway_doctor.url_of(tables), Console(), as_json):
        raise typer.Exit(1)


def summary_of(url: str | None, run: str | None) -> dict[str, Any]:
    """What the monitor of a run says; exits with a clear line if there is none."""
    try:
        return fetch_json(page_of(url, run), "/api/summary")
    except (MonitorError, NoRunError) as error:
        raise fail(error) from None


def report(
    output: Annotated[Path, typer.Argument(help="the HTML file to write")] = Path("report.html"),
    run: WhichRun = None,
    url: MonitorUrl = None,
    data_dir: Annotated[Path | None, typer.Option(help="of an ended run: its --data-dir")] = None,
    as_json: AsJson = False,
) -> None:
    """Write one self-contained HTML report of the run so far; with --json the numbers behind it instead."""
    from papertrader.cli import ended

    try:
        page = "" if data_dir is not None else page_of(url, run)
        if as_json:
            numbers = fetch(page, "/api/summary") if data_dir is None else orjson.dumps(ended.summary_of(data_dir))
            sys.stdout.buffer.write(numbers + b"\n")
            return
        output.write_bytes(fetch(page, "/report") if data_dir is None else ended.report_of(data_dir))
    except (MonitorError, NoRunError, SettingsError, OSError) as error:
        raise fail(error) from None
    Console().print(f"wrote {output}")


def tail(
    subject: Annotated[str, typer.Argument(help="a subject, wildcards allowed, e.g. 'fills.>'")] = ">",
    run: WhichRun = None,
    nats: Nats = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Print messages as they come: subject and content; with --json one JSON object a line."""
    from papertrader.cli.connection import broker_of
    from papertrader.cli.tail import follow

    def work() -> int:
        broker = broker_of(nats, run, settings)
        asyncio.run(follow(broker.url, subject, as_json, **broker.login))
        return 0

    guarded(work)


def _actions(incomplete: str) -> list[str]:
    from papertrader.cli.control import ACTIONS

    return [action for action in ACTIONS if action.startswith(incomplete)]


def control(
    action: Annotated[str, typer.Argument(help="pause, resume, flatten or reset", autocompletion=_actions)],
    market: Annotated[
        str | None, typer.Argument(help="<venue>.<asset>; may be left out where there is only one")
    ] = None,
    account: Annotated[str, typer.Option(help="paper account")] = "main",
    run: WhichRun = None,
    nats: Nats = None,
    settings: SettingsFile = None,
) -> None:
    """Pause, resume, flatten or reset a paper account, and say what came of it; exit code 1 if it did not come true."""
    from papertrader.cli.connection import broker_of
    from papertrader.cli.control import check_action, send

    def work() -> int:
        check_action(action)
        broker = broker_of(nats, run, settings)
        known = load(broker.settings, {}) if broker.settings else Settings({})
        accounts = known.tables.get(ACCOUNTS, {})
        outcome = asyncio.run(send(broker.url, action, market, account, accounts, **broker.login))
        console = Console(stderr=not outcome.done)
        console.print(outcome.text, style="" if outcome.done else "red", highlight=False, markup=False, soft_wrap=True)
        if account in traded_outside(known) and action in ("pause", "resume", "flatten"):
            Console(stderr=True).print(OUTSIDE, style="yellow", soft_wrap=True)
        return 0 if outcome.done else 1

    raise typer.Exit(guarded(work))
