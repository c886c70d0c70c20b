"""A run that has ended, read from its data directory: what the monitor knew at its last checkpoint."""

import asyncio
import signal
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from rich.console import Console

from papertrader.cli.monitor_client import fetch
from papertrader.replay.composition import MEMBERS
from papertrader.services.monitor.page.web import app, serve
from papertrader.services.monitor.report.report import report_html
from papertrader.services.monitor.report.summary import summary
from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.checkpoint import CheckpointStore
from papertrader.shared.service.config import Settings, SettingsError, load
from papertrader.shared.service.data_directory import holder_of
from papertrader.shared.service.fold import Fold
from papertrader.shared.service.roll import Roll


def report_of(directory: Path) -> bytes:
    """The report of the run in a directory; of one that goes on, its monitor is asked. Raises SettingsError."""
    if (holder := holder_of(directory)) is not None and holder.page:
        return fetch(holder.page, "/report")
    monitors, settings = _restored(directory)
    return report_html(summary(monitors, settings.tables), monitors, settings.tables).encode()


def summary_of(directory: Path) -> dict[str, Any]:
    """The numbers behind the report. Raises SettingsError."""
    monitors, settings = _restored(directory)
    return dict(summary(monitors, settings.tables))


def open_page(directory: Path, port: int) -> None:
    """Serve the page of an ended run until Ctrl-C; raises SettingsError or PortError."""
    if (holder := holder_of(directory)) is not None and holder.page:
        raise SettingsError(f"the run in {directory} goes on: its page is {holder.page}")
    monitors, settings = _restored(directory)
    asyncio.run(_serve(monitors, settings, port))


async def _serve(monitors: list[Monitor], settings: Settings, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    page = await serve(app(lambda: monitors, settings=settings.tables), port)
    Console(stderr=True).print(f"page     http://127.0.0.1:{page.addresses[0][1]}  (Ctrl-C ends it)", highlight=False)
    await stop.wait()
    await page.cleanup()


def _monitor_of(market: Market, settings: Settings) -> Fold:
    return MEMBERS["monitor"].make_fold(settings, market)


def _restored(directory: Path) -> tuple[list[Monitor], Settings]:
    file = directory / "settings.json"
    if not file.exists():
        raise SettingsError(f"{directory} is not the --data-dir of a run: it has no settings.json")
    settings = load(file, {})
    store = CheckpointStore(directory / "checkpoints", "monitor")
    monitors = []
    for path in sorted((directory / "checkpoints" / "monitor").glob("*.checkpoint")):
        venue, _, asset = unquote(path.stem).partition(".")
        market = Market(venue, asset)
        roll = Roll(settings, partial(_monitor_of, market))
        position, complaints = store.restore_as(market, roll.restored)
        if position is None:
            raise SettingsError(f"the monitor's checkpoint of {market} cannot be read: {'; '.join(complaints)}")
        assert isinstance(roll.fold, Monitor)
        monitors.append(roll.fold)
    if not monitors:
        raise SettingsError(f"the run in {directory} ended before its first checkpoint: there is nothing to report")
    return monitors, settings
