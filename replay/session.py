"""A market's session as one event array, and its cache: to parse a tape takes seconds, to map its array microseconds.

A cache file is one line of JSON, padded to whole pages, and then the EVENT rows as they lie in memory. Its name holds
the session and a fingerprint of the sources that made it, so that a changed tape, cut or parser never meets an old
array.
"""

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from platformdirs import user_cache_path

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.market_source import MarketSource
from papertrader.services.feed.session_rounds import until
from papertrader.services.feed.sources import sources
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.event_rows import market_events
from papertrader.shared.market.events import EVENT, ROUND, RULES, Events, Grid
from papertrader.shared.messages import Instrument
from papertrader.shared.whole_file import settle

PAGE: Final = 4096
NS_PER_S: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
SOURCES: Final = (
    "services/feed",
    "shared/market/events.py",
    "shared/market/event_rows.py",
    "shared/messages",
    "shared/market/tape.py",
)
"""What decides how a tape becomes events."""


class Session(NamedTuple):
    """One market's whole session: events with their ROUND rows, and what the feed refused.

    `changes` are the instruments that follow the first one; a RULES row says where.
    """

    market: Market
    instrument: Instrument
    session: str
    events: Events
    bad: dict[str, int]
    changes: tuple[Instrument, ...] = ()

    @property
    def rounds(self) -> int:
        """How many rounds it has."""
        return int(np.count_nonzero(self.events["kind"] == ROUND))


class _Header(msgspec.Struct):
    market: tuple[str, str]
    instrument: Instrument
    session: str
    rows: int
    bad: dict[str, int]
    changes: tuple[Instrument, ...]
    checksum: int
    """CRC-32 of the rows."""


def sessions(
    config: FeedConfig, directory: Path | None = None, progress: Callable[[str, int], None] | None = None
) -> Iterator[Session]:
    """The sessions of the markets that the settings name, from the cache where it holds them.

    `progress` is told the market and the rows so far. Raises what `sources` raises.
    """
    directory = cache_directory() if directory is None else directory
    for source in sources(config):
        path = directory / f"{source.market}-{source.session}-{config.duration_s:g}-{fingerprint()}.events"
        found = _mapped(path, source)
        if found is None:
            found = _parsed(source, config, progress)
            _keep(found, path)
        yield found


def cache_directory() -> Path:
    """Where event arrays are kept: `papertrader` below the user's cache directory."""
    return user_cache_path("papertrader")


@cache
def fingerprint() -> str:
    """A short hash of the sources that turn tapes into events."""
    root, digest = Path(__file__).parent.parent, hashlib.sha256()
    for name in SOURCES:
        path = root / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _parsed(source: MarketSource, config: FeedConfig, progress: Callable[[str, int], None] | None) -> Session:
    told, parts, rows = list[Instrument](), list[Events](), 0
    rounds = (round_.messages for round_ in source.rounds())
    for market_data, end in until(rounds, int(config.duration_s * NS_PER_S), config.round_ms * NS_PER_MS):
        for instrument in (message for message in market_data if isinstance(message, Instrument)):
            told.append(instrument)
            parts.append(_rules_row(instrument, len(told) - 1))
        part = market_events((*market_data, end), Grid(told[-1] if told else source.instrument))
        parts.append(part)
        rows += len(part)
        if progress is not None:
            progress(str(source.market), rows)
    events = np.concatenate(parts[1:]) if parts else np.zeros(0, dtype=EVENT)
    first, *changes = told or [source.instrument]
    return Session(source.market, first, source.session, events, dict(source.bad), tuple(changes))


def _rules_row(instrument: Instrument, number: int) -> Events:
    row = np.zeros(1, dtype=EVENT)
    row["ts"], row["kind"], row["id"], row["last"] = instrument.ts, RULES, number, 1
    return row


def _keep(session: Session, path: Path) -> None:
    """Write the cache file; where that is not possible there is none."""
    header = _Header(
        market=(session.market.venue, session.market.asset),
        instrument=session.instrument,
        session=session.session,
        rows=len(session.events),
        bad=session.bad,
        changes=session.changes,
        checksum=_checksum(session.events),
    )
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with partial.open("wb") as file:
            content = msgspec.json.encode(header)
            file.write(content.ljust(-(-(len(content) + 1) // PAGE) * PAGE - 1) + b"\n")
            session.events.tofile(file)
        settle(partial, path)
    except OSError:
        partial.unlink(missing_ok=True)


def _checksum(events: Events) -> int:
    return zlib.crc32(np.ascontiguousarray(events).view(np.uint8).data)


def _mapped(path: Path, source: MarketSource) -> Session | None:
    """The session of a source from its cache file; None if that is not there, not whole or of another market."""
    try:
        with path.open("rb") as file:
            content = file.readline()
        header = msgspec.json.decode(content, type=_Header)
        if (header.market, header.session) != (tuple(source.market), source.session):
            return None
        if path.stat().st_size != len(content) + header.rows * EVENT.itemsize:
            return None
        # copy-on-write: private to this process, shared with others as long as nobody writes
        events: Any = np.memmap(path, dtype=EVENT, mode="c", offset=len(content), shape=(header.rows,))
    except (OSError, msgspec.DecodeError, ValueError):
        return None
    if _checksum(events) != header.checksum:
        return None
    return Session(source.market, header.instrument, header.session, np.asarray(events), header.bad, header.changes)
