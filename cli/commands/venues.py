"""Commands that talk to a live venue, or turn its tapes into something else."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from papertrader.cli.options import SettingsFile, VenueUrl, fail, names
from papertrader.replay.settings import tables_of
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.venues import registry
from papertrader.shared.service.config import Settings, SettingsError

RECORDED = [venue.name for venue in registry.recorded()]


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
        raise fail(error) from None


def probe(
    source: Annotated[str, typer.Option(help=" or ".join(RECORDED))] = registry.DEFAULT,
    assets: Annotated[str | None, typer.Option(help="asset whose data is listened to, as the venue spells it")] = None,
    duration: Annotated[float, typer.Option(min=5, help="seconds to listen; half an hour tells of bursts")] = 60.0,
    write_settings: Annotated[Path | None, typer.Option(help="file for the settings that this implies")] = None,
    json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    venue_url: VenueUrl = None,
    settings: SettingsFile = None,
) -> None:
    """Measure how far away a venue is, and print the latencies that this implies for the paper exchange."""
    import aiohttp

    from papertrader.cli.probe import run

    try:
        config = _live_settings(settings, source, assets, venue_url)
        if not config.assets:
            config = msgspec.structs.replace(config, assets=(registry.venue(config.source).example,))
        run(config, duration, write_settings, json)
    except (SettingsError, ValueError, OSError, aiohttp.ClientError) as error:
        raise fail(error) from None


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
        raise fail(error) from None
    for path in written:
        Console().print(f"wrote {path}", highlight=False, soft_wrap=True)


def examine(settings: Path | None, source: str, assets: str | None, venue_url: str | None, as_json: bool) -> None:
    """Print every step of the way to a venue's data; exit code 1 if one fails."""
    from papertrader.cli.venues import diagnose

    try:
        config = _live_settings(settings, source, assets, venue_url)
        if not config.assets:
            config = msgspec.structs.replace(config, assets=(registry.venue(source).example,))
        sound = diagnose(config, as_json)
    except (SettingsError, ValueError) as error:
        raise fail(error) from None
    if not sound:
        raise typer.Exit(1)


def _live_settings(
    settings: Path | None, source: str, assets: str | None, venue_url: str | None, duration: float | None = None
) -> FeedConfig:
    """The feed's settings for one of the commands that talk to a live venue; raises SettingsError."""
    feed = {"source": source, "assets": names(assets), "venue_url": venue_url, "duration_s": duration}
    config = Settings(tables_of(settings, {"feed": feed})).section("feed", FeedConfig)
    if config.source not in RECORDED:
        raise SettingsError(f"--source {source}: known are {' and '.join(RECORDED)}")
    return config
