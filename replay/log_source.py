"""Where a recorded log is found: in a file, with a broker, or in the data directory of a run."""

import json
import socket
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from papertrader.replay.log_file import extent, read_file, read_log, read_settings
from papertrader.shared.log.broker import Broker, broker_name
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.segments import FOLDER, Entry
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.config import SettingsError, Tables, load
from papertrader.shared.service.data_directory import held
from papertrader.shared.service.epoch import check_sealed

ANSWER_TIMEOUT_S: Final = 1.0

Told = Callable[[int, int], None]
"""Told how many messages were read, and of how many; 0 if that is not known."""


class Source(NamedTuple):
    """Where a log is: a file of `papertrader export`, or a broker and the segments below a data directory; and the
    settings that it was made with, if known.

    `login` are the options of `Bus.connect` that log in.
    """

    path: Path | None
    url: str
    recorded: Tables | None
    data_dir: Path | None = None
    login: Mapping[str, Any] = MappingProxyType({})


@contextmanager
def opened(log: Path | None, nats: str | None, settings: Path | None) -> Iterator[Source]:
    """The log that the arguments name; raises SettingsError if there is none.

    The data directory of a run that goes on is read from its broker; an ended one gets a broker while it is read.
    """
    if log is not None and log.is_dir():
        with _of_run(log) as source:
            yield source
    elif log is not None:
        yield Source(log, "", read_settings(log))
    else:
        config = load(settings).section("bus", BusConfig)
        yield Source(None, nats or config.url, None, Path(config.data_dir), config.login())


@contextmanager
def _of_run(directory: Path) -> Iterator[Source]:
    own = (directory / "nats").is_dir()
    if not (own or (directory / FOLDER).is_dir()):
        raise SettingsError(f"{directory} holds no log: it is not the --data-dir of a run")
    file = directory / "settings.json"
    recorded = load(file, {}).tables if file.exists() else None
    url = str((recorded or {}).get("bus", {}).get("url", ""))
    if url and (not own or _server_name(url) == broker_name(directory / "nats")):
        yield Source(None, url, recorded, directory)
        return
    with held(directory, "papertrader, reading the log") as lock:
        broker = Broker(directory / "nats")
        broker.start([lock.descriptor])
        try:
            yield Source(None, broker.url, recorded, directory)
        finally:
            broker.stop()


def _server_name(url: str) -> str:
    """The name of the server that listens there, empty if none does. A NATS server speaks first."""
    place = urlsplit(url)
    try:
        with socket.create_connection((place.hostname, place.port), ANSWER_TIMEOUT_S) as connection:
            connection.settimeout(ANSWER_TIMEOUT_S)
            first_line = connection.makefile("rb").readline()
        return str(json.loads(first_line.removeprefix(b"INFO "))["server_name"])
    except (OSError, ValueError, KeyError):
        return ""


async def entries(source: Source, told: Told, whole: bool = False) -> AsyncGenerator[Entry, None]:
    """Every message of a log up to now; raises LogError or BusError if it cannot be read.

    A log whose beginning retention dropped is read from where it begins, unless it is needed `whole`. Who does not read
    to the end closes it.
    """
    if source.path is not None:
        for count, entry in enumerate(read_file(source.path), start=1):
            yield entry
            told(count, 0)
        return
    bus = await Bus.connect(source.url, "operator", data_dir=source.data_dir, **source.login)
    try:
        first, last = await extent(bus, whole)
        await check_sealed(bus)
        async with aclosing(read_log(bus, first, last)) as found:
            async for entry in found:
                yield entry
                told(entry.sequence - first + 1, last - first + 1)
    finally:
        await bus.close()
