"""Options that several commands have, and how a command that cannot do its work ends: with one clear line."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from papertrader.replay.settings import check_all, tables_of
from papertrader.shared.service.config import Settings, SettingsError

errors = Console(stderr=True)

SettingsFile = Annotated[Path | None, typer.Option("--settings", help="settings file, TOML or JSON")]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object on standard output")]
Strategy = Annotated[
    str | None, typer.Option(help="glft, or one's own class or function: file.py:Name, or package.module:Name")
]
MonitorUrl = Annotated[str | None, typer.Option("--url", help="address of the page (default: that of the run)")]
WhichRun = Annotated[
    str | None, typer.Option("--run", help="the run that is meant: its process id or data directory; see `runs`")
]
VenueUrl = Annotated[str | None, typer.Option(help="a server in place of the live venue, e.g. http://127.0.0.1:3002")]
Nats = Annotated[str | None, typer.Option(help="URL of the broker (default: that of the run, or [bus] url)")]
Assets = Annotated[str | None, typer.Option(help="assets, separated by commas; all of the source if not given")]
Tapes = Annotated[list[Path] | None, typer.Argument(help="recorded tapes; none: the synthetic market")]
Seed = Annotated[int | None, typer.Option(help="seed of the synthetic market and of the fill coin")]
FillModel = Annotated[str | None, typer.Option(help="draws, fifo, flat or through")]


T = TypeVar("T")


def fail(error: object, code: int = 2) -> typer.Exit:
    """Say what is wrong; what is returned is to be raised."""
    errors.print(f"papertrader: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
    return typer.Exit(code)


def guarded(work: Callable[[], T]) -> T:
    """Do the work; what can go wrong with a log, a broker or settings becomes one clear line."""
    try:
        return work()
    except Exception as error:
        if not isinstance(error, _expected()):
            raise
        raise fail(_told(error)) from None


def _told(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        reason = str(error) or "timeout"
        return f"no answer came in time ({reason}): the broker or this machine has too much to do; try again"
    return str(error)


def _expected() -> tuple[type[Exception], ...]:
    """What a user can do something about; looked up when something went wrong, since it takes long to import."""
    from papertrader.cli.runs import NoRunError
    from papertrader.replay.log_file import LogError
    from papertrader.replay.replay import ReplayError
    from papertrader.replay.results import RunError
    from papertrader.replay.sweep.workers import WorkersError
    from papertrader.shared.kernel_cache import KernelCacheError
    from papertrader.shared.log.broker import BrokerError
    from papertrader.shared.log.bus import BusError
    from papertrader.shared.log.segments import SegmentError
    from papertrader.shared.market.tape import TapeError
    from papertrader.shared.service.data_directory import DataDirectoryError

    system = (KernelCacheError, BusError, BrokerError, DataDirectoryError, LogError, NoRunError, SegmentError)
    return (*system, ReplayError, RunError, TapeError, WorkersError, ValueError, OSError)


def names(assets: str | None) -> list[str] | None:
    """The names that an option holds, separated by commas."""
    return [name.strip() for name in assets.split(",")] if assets else None


def paths(tapes: list[Path] | None) -> list[str] | None:
    """The tapes as settings name them."""
    return [str(path.resolve()) for path in tapes] if tapes else None


def checked(settings: Path | None, overrides: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The settings with what the options say, every section checked before anything starts; exits if one is wrong."""
    try:
        tables = tables_of(settings, overrides)
        check_all(Settings(tables))
    except SettingsError as error:
        raise fail(error) from None
    return tables
