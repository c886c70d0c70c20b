"""The `papertrader` command: thin, every answer also as JSON."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import orjson
import typer
from rich.console import Console

from papertrader.cli import show
from papertrader.cli.judge import judge
from papertrader.cli.kernels import PARTS, compile_parts, ensure_compiled
from papertrader.cli.monitor_client import DEFAULT_URL, MonitorError, fetch, fetch_json
from papertrader.replay.settings import check_all, tables_of
from papertrader.services.feed.config import SOURCES, FeedConfig
from papertrader.services.feed.venues import registry
from papertrader.shared.service.config import Settings, SettingsError, load

app = typer.Typer(
    name="papertrader",
    help="Paper trading for market makers: simulated fills on real market data, and proof that the system learns.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
errors = Console(stderr=True)
RECORDED = [venue.name for venue in registry.recorded()]

SettingsFile = Annotated[Path | None, typer.Option("--settings", help="settings file, TOML or JSON")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]
Strategy = Annotated[
    str | None, typer.Option(help="glft, or one's own: file.py:Class, or package.module:Class as Python imports it")
]
MonitorUrl = Annotated[str, typer.Option("--url", help="address of the monitor")]
VenueUrl = Annotated[str | None, typer.Option(help="a server in place of the live venue, e.g. http://127.0.0.1:3002")]


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        Console().print(f"papertrader {version('papertrader')}", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    """Paper trading for market makers: simulated fills on real market data, and proof that the system learns."""


def _fail(error: object, code: int = 2) -> typer.Exit:
    errors.print(f"papertrader: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
    return typer.Exit(code)


@app.command()
def run(
    settings: SettingsFile = None,
    source: Annotated[str | None, typer.Option(help=", ".join(SOURCES))] = None,
    tape: Annotated[
        list[Path] | None, typer.Option(help="a recorded tape, or a directory of them; may be given several times")
    ] = None,
    assets: Annotated[
        str | None, typer.Option(help="assets, separated by commas; all of the source if not given")
    ] = None,
    speed: Annotated[float | None, typer.Option(help="event seconds per second; 0: as fast as possible")] = None,
    duration: Annotated[float | None, typer.Option(help="seconds of event time after which the run ends")] = None,
    seed: Annotated[int | None, typer.Option(help="seed of the synthetic market and of the fill coin")] = None,
    fill_model: Annotated[str | None, typer.Option(help="queue, flat or through")] = None,
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
    feed |= {"tapes": _paths(tape), "assets": _names(assets)}
    overrides = {"feed": feed, "fill_sim": {"seed": seed, "fill_model": fill_model}, "quoter": {"strategy": strategy}}
    try:
        tables = tables_of(settings, overrides)
        _check(tables)
        counts = _workers(workers or [])
    except SettingsError as error:
        raise _fail(error) from None
    ensure_compiled("services")
    raise typer.Exit(run_system(tables, data_dir, nats, counts, as_json))


def _names(assets: str | None) -> list[str] | None:
    return [name.strip() for name in assets.split(",")] if assets else None


def _paths(tapes: list[Path] | None) -> list[str] | None:
    return [str(path.resolve()) for path in tapes] if tapes else None


def _check(tables: dict[str, Any]) -> None:
    """Refuse wrong settings before any process starts; raises SettingsError."""
    check_all(Settings(tables))


def _workers(options: list[str]) -> dict[str, int]:
    from papertrader.shared.log.health import FOLDS

    counts = {}
    for option in options:
        name, _, count = option.partition("=")
        if name not in FOLDS or not count.isdigit() or int(count) < 1:
            raise SettingsError(f"--workers {option}: write SERVICE=COUNT with one of {', '.join(FOLDS)}")
        counts[name] = int(count)
    return counts


@app.command()
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
        _examine(settings, source, assets, venue_url, as_json)
        return
    try:
        summary = fetch_json(url, "/api/summary")
    except MonitorError as error:
        raise _fail(error) from None
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


def _examine(settings: Path | None, source: str, assets: str | None, venue_url: str | None, as_json: bool) -> None:
    from papertrader.cli.venues import diagnose

    try:
        config = _live_settings(settings, source, assets, venue_url)
        if not config.assets:
            config = msgspec.structs.replace(config, assets=(registry.venue(source).example,))
        sound = diagnose(config, as_json)
    except (SettingsError, ValueError) as error:
        raise _fail(error) from None
    if not sound:
        raise typer.Exit(1)


@app.command()
def record(
    output: Annotated[Path, typer.Option(help="directory of the tapes and their manifest")],
    source: Annotated[str, typer.Option(help=" or ".join(RECORDED))] = registry.DEFAULT,
    assets: Annotated[str | None, typer.Option(help="assets as the venue spells them, separated by commas")] = None,
    duration: Annotated[float | None, typer.Option(help="seconds after which the recording ends")] = None,
    venue_url: VenueUrl = None,
    settings: SettingsFile = None,
) -> None:
    """Record a live venue's raw frames into hourly tapes, until Ctrl-C; a kill loses less than a second."""
    from papertrader.cli.venues import record as record_venue

    try:
        record_venue(_live_settings(settings, source, assets, venue_url, duration), output)
    except (SettingsError, ValueError, OSError) as error:
        raise _fail(error) from None


def _live_settings(
    settings: Path | None, source: str, assets: str | None, venue_url: str | None, duration: float | None = None
) -> FeedConfig:
    """The feed's settings for one of the commands that talk to a live venue; raises SettingsError."""
    feed = {"source": source, "assets": _names(assets), "venue_url": venue_url, "duration_s": duration}
    config = Settings(tables_of(settings, {"feed": feed})).section("feed", FeedConfig)
    if config.source not in RECORDED:
        raise SettingsError(f"--source {source}: known are {' and '.join(RECORDED)}")
    return config


@app.command()
def convert(
    tapes: Annotated[list[Path], typer.Argument(help="tapes, or directories of them")],
    to: Annotated[str, typer.Option(help="hftbacktest (npz) or tardis (csv.gz)")],
    output: Annotated[Path, typer.Option(help="directory to write to")] = Path(),
) -> None:
    """Write tapes in the format of another tool."""
    from papertrader.cli.venues import convert_tapes
    from papertrader.shared.market.tape import TapeError

    try:
        written = convert_tapes(tapes, to, output)
    except (TapeError, ValueError, OSError) as error:
        raise _fail(error) from None
    for path in written:
        Console().print(f"wrote {path}", highlight=False, soft_wrap=True)


@app.command()
def report(
    output: Annotated[Path, typer.Argument(help="the HTML file to write")] = Path("report.html"),
    url: MonitorUrl = DEFAULT_URL,
    as_json: AsJson = False,
) -> None:
    """Write one self-contained HTML report of the run so far; with --json the numbers behind it instead."""
    try:
        if as_json:
            sys.stdout.buffer.write(fetch(url, "/api/summary") + b"\n")
            return
        output.write_bytes(fetch(url, "/report"))
    except (MonitorError, OSError) as error:
        raise _fail(error) from None
    Console().print(f"wrote {output}")


@app.command()
def tail(
    subject: Annotated[str, typer.Argument(help="a subject, wildcards allowed, e.g. 'fills.>'")] = ">",
    nats: Annotated[str | None, typer.Option(help="URL of the broker (default: [bus] url)")] = None,
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
        raise _fail(error) from None


@app.command()
def control(
    action: Annotated[str, typer.Argument(help="pause, resume, flatten or reset")],
    market: Annotated[str, typer.Argument(help="<venue>.<asset>")],
    account: Annotated[str, typer.Option(help="paper account")] = "main",
    nats: Annotated[str | None, typer.Option(help="URL of the broker (default: [bus] url)")] = None,
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
        raise _fail(error) from None


@app.command()
def export(
    output: Annotated[Path, typer.Argument(help="the file to write, e.g. run.log.gz")],
    data_dir: Annotated[Path | None, typer.Option(help="take the log of an ended run from its --data-dir")] = None,
    nats: Annotated[str | None, typer.Option(help="URL of the broker (default: [bus] url)")] = None,
    settings: SettingsFile = None,
) -> None:
    """Write the recorded log, and the settings it was made with, to a file that `verify` reads."""
    from papertrader.cli import verify as log

    count = _guarded(lambda: log.export(output, data_dir, nats, settings))
    Console(stderr=True).print(f"wrote {count} messages to {output}")


@app.command()
def verify(
    log: Annotated[
        Path | None, typer.Argument(help="a file of `export`, or the --data-dir of an ended run; else the broker's log")
    ] = None,
    nats: Annotated[str | None, typer.Option(help="URL of the broker (default: [bus] url)")] = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Fold a recorded log again; exit code 1 if any message does not come out byte for byte the same.

    Exit code 2 if there was nothing to verify.
    """
    from papertrader.cli import verify as log_commands

    ensure_compiled("services")
    raise typer.Exit(_guarded(lambda: log_commands.verify(log, nats, settings, as_json)))


def _guarded(work: Callable[[], int]) -> int:
    """Do the work; what can go wrong with a log, a broker or settings becomes one clear line."""
    from papertrader.replay.log_file import LogError
    from papertrader.replay.replay import ReplayError
    from papertrader.shared.kernel_cache import KernelCacheError
    from papertrader.shared.log.broker import BrokerError
    from papertrader.shared.log.bus import BusError
    from papertrader.shared.market.tape import TapeError

    try:
        return work()
    except (KernelCacheError, BusError, BrokerError, LogError, ReplayError, TapeError, ValueError, OSError) as error:
        raise _fail(error) from None


@app.command()
def replay(
    tapes: Annotated[list[Path] | None, typer.Argument(help="recorded tapes; none: the synthetic market")] = None,
    settings: SettingsFile = None,
    source: Annotated[str | None, typer.Option(help="synthetic or tape")] = None,
    assets: Annotated[
        str | None, typer.Option(help="assets, separated by commas; all of the source if not given")
    ] = None,
    duration: Annotated[float | None, typer.Option(help="seconds of event time after which the replay ends")] = None,
    seed: Annotated[int | None, typer.Option(help="seed of the synthetic market and of the fill coin")] = None,
    fill_model: Annotated[str | None, typer.Option(help="queue, flat or through")] = None,
    strategy: Strategy = None,
    report: Annotated[Path | None, typer.Option(help="write the HTML report here")] = None,
    as_json: AsJson = False,
) -> None:
    """Replay tapes as fast as the machine allows, with the numbers of a run; exit code 1 if a check failed."""
    from papertrader.cli.replay import run as run_replay

    feed: dict[str, Any] = {"source": source or ("tape" if tapes else None), "duration_s": duration, "seed": seed}
    feed |= {"tapes": _paths(tapes), "assets": _names(assets)}
    overrides = {"feed": feed, "fill_sim": {"seed": seed, "fill_model": fill_model}, "quoter": {"strategy": strategy}}
    try:
        tables = tables_of(settings, overrides)
        _check(tables)
    except SettingsError as error:
        raise _fail(error) from None
    ensure_compiled("replay")
    raise typer.Exit(_guarded(lambda: run_replay(tables, report, as_json)))


@app.command()
def order(
    tapes: Annotated[list[Path], typer.Argument(help="a recorded tape, an array of hftbacktest, files of Tardis")],
    place: Annotated[
        list[str] | None, typer.Option(help='"TS_MS SIDE PRICE SIZE TIF" of an order; the N-th is order N')
    ] = None,
    cancel: Annotated[list[str] | None, typer.Option(help='"TS_MS N": cancel order N')] = None,
    account: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE, a setting of [fill_sim], e.g. fill_model=flat")
    ] = None,
    assets: Annotated[str | None, typer.Option(help="the asset, where the tape holds several")] = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """What would have happened to an order: when it was live, its queue, its fills or why none, the money after it."""
    from papertrader.cli.order import run as run_order

    feed: dict[str, Any] = {"source": "tape", "tapes": _paths(tapes), "assets": _names(assets)}
    try:
        tables = tables_of(settings, {"feed": feed})
        _check(tables)
    except SettingsError as error:
        raise _fail(error) from None
    raise typer.Exit(_guarded(lambda: run_order(tables, place or [], cancel or [], account or [], as_json)))


@app.command()
def sweep(
    tapes: Annotated[list[Path] | None, typer.Argument(help="recorded tapes; none: the synthetic market")] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="values to try, e.g. quoter.levels=1,2,3; may be given several times"),
    ] = None,
    settings: SettingsFile = None,
    assets: Annotated[
        str | None, typer.Option(help="assets, separated by commas; all of the source if not given")
    ] = None,
    duration: Annotated[float | None, typer.Option(help="seconds of event time after which each replay ends")] = None,
    random: Annotated[
        int | None, typer.Option(min=1, help="draw so many variants at random, not the whole grid")
    ] = None,
    seed: Annotated[int, typer.Option(help="seed of the random draw")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, help="processes (default: one per core)")] = None,
    best: Annotated[
        int, typer.Option(min=0, help="so many of the best variants are judged under every fill model")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Search settings over tapes: PnL per hour with its uncertainty, and whether it survives other fill models."""
    import os

    from papertrader.cli.sweep import run as run_sweep
    from papertrader.replay.sweep import axes_of, variants_of, with_variant

    feed: dict[str, Any] = {"source": "tape" if tapes else None, "duration_s": duration}
    feed |= {"tapes": _paths(tapes), "assets": _names(assets)}
    try:
        tables = tables_of(settings, {"feed": feed})
        axes = axes_of(change or [])
        for variant in variants_of(axes, random, seed):
            _check(with_variant(tables, variant))
    except SettingsError as error:
        raise _fail(error) from None
    count = workers or os.cpu_count() or 1
    ensure_compiled("replay")
    raise typer.Exit(_guarded(lambda: run_sweep(tables, axes, random, seed, count, best, as_json)))


app.command()(judge)


@app.command()
def warm(
    parts: Annotated[list[str] | None, typer.Argument(help="services, replay; both if not given")] = None,
) -> None:
    """Compile every kernel now, so that services start in seconds."""
    from papertrader.shared.kernel_cache import KernelCacheError

    try:
        compile_parts(parts or list(PARTS))
    except KernelCacheError as error:
        raise _fail(error) from None


if __name__ == "__main__":
    app()
