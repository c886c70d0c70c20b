"""Where a command finds what it speaks to: the broker and page that are named, else those of the run that goes on."""

import contextlib
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from papertrader.cli.runs import NO_RUN, NoRunError, run_of
from papertrader.shared.log.segments import FOLDER
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.config import Tables, load

CONNECT_TIMEOUT_S: Final = 3.0
"""A command does not wait for a broker to come up."""


USUAL: Final = BusConfig().url


class Broker(NamedTuple):
    """The broker of a command: its address and how to log in; and the settings of the run, where it is known."""

    url: str
    login: Mapping[str, Any]
    settings: Path | None


def broker_of(nats: str | None, run: str | None, settings: Path | None) -> Broker:
    """The broker that `--nats`, `--run` or the settings name, else that of the only run, else the default one.

    Raises NoRunError where no single run is meant, SettingsError for wrong settings.
    """
    given = load(settings)
    config = given.section("bus", BusConfig)
    if nats is not None:
        return Broker(nats, config.login(), None)
    found = None if run is None and _names_a_broker(given.tables) else run_of(run)
    if found is None:
        if config.url == USUAL and not _listens(USUAL):
            raise NoRunError(NO_RUN)
        return Broker(config.url, config.login(), None)
    return Broker(found.broker, config.login(), Path(found.directory) / "settings.json")


def log_of(
    log: Path | None, nats: str | None, run: str | None, settings: Path | None
) -> tuple[Path | None, str | None]:
    """The log that is meant, as a file or data directory, or else as the address of a broker."""
    if log is not None or nats is not None or (run is None and _names_a_broker(load(settings).tables)):
        return log, nats
    found = run_of(run)
    if found is None:
        return None, None
    directory = Path(found.directory)
    return (directory, None) if (directory / "nats").is_dir() or (directory / FOLDER).is_dir() else (None, found.broker)


def _names_a_broker(tables: Tables) -> bool:
    return str(tables.get("bus", {}).get("url", USUAL)) != USUAL


def _listens(url: str) -> bool:
    place = urlsplit(url)
    with contextlib.suppress(OSError), socket.create_connection((place.hostname, place.port), 1.0):
        return True
    return False
