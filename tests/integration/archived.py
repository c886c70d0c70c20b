"""A log that is sealed into segments, for the tests that look at it."""

import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

from papertrader.replay.log_file import extent, read_log
from papertrader.services.archive.config import ArchiveConfig
from papertrader.services.archive.service import Archive
from papertrader.services.archive.store import Store
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.segments import Entry
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.config import Settings
from papertrader.shared.service.epoch import Epoch, begin, current, following
from tests.integration.wire import MAX_BYTES, become

SMALL: ArchiveConfig = ArchiveConfig(segment_bytes=2_000)
LATER_NS = 4_000 * 1_000_000_000


@contextlib.asynccontextmanager
async def on(broker: Broker, folder: Path, name: str = "test") -> AsyncIterator[Bus]:
    """A connection that knows the segments, too."""
    bus = await Bus.connect(broker.url, name, data_dir=folder)
    await bus.create_stream(MAX_BYTES)
    try:
        yield bus
    finally:
        await bus.close()


async def begun(bus: Bus) -> Epoch:
    """The epoch of the log; begins it."""
    made_by = await current(bus)
    if made_by is None:
        made_by = following(None, Settings({}), "test")
        await begin(bus, made_by)
    return made_by


def archive_of(bus: Bus, folder: Path, made_by: Epoch, config: ArchiveConfig = SMALL) -> Archive:
    return Archive(bus, config, BusConfig(data_dir=str(folder)), Store(folder), made_by)


async def sealed_to_the_end(bus: Bus, folder: Path, *, let_go: bool = True) -> int:
    """Seal what fills segments, let the broker go of it; the sequence up to which that is."""
    archive = archive_of(bus, folder, await begun(bus))
    _, last = await bus.held_extent()
    await archive._reader.start()
    await become(lambda: archive._reader.sequence >= last or archive._reader.failure, "the archive to read all")
    assert archive._reader.failure is None
    if let_go:
        await archive._release(time.time_ns() + LATER_NS)
        assert (await bus.held_extent())[0] == archive.store.last + 1
    await archive.leave()
    archive.store._lock.close()
    return archive.store.last


async def whole(bus: Bus) -> list[Entry]:
    """The log from its first message, as `verify` and `export` read it."""
    return [entry._replace(stored_ns=0) async for entry in read_log(bus, *await extent(bus))]
