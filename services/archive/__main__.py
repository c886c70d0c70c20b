"""The archive's process: wiring only."""

import asyncio
from pathlib import Path

from papertrader.services.archive.config import ArchiveConfig
from papertrader.services.archive.metrics import METRICS, samples
from papertrader.services.archive.service import Archive
from papertrader.services.archive.store import Store, StoreError
from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.segments import SegmentError
from papertrader.shared.log.subjects import Market
from papertrader.shared.log.tasks import STOP_LIMIT_S, ended, leave_within
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.config import Settings
from papertrader.shared.service.epoch import check_sealed, current
from papertrader.shared.service.metrics import FoldCollector, registry_of
from papertrader.shared.service.process import Work, enter, stop_on_signals
from papertrader.shared.service.web import StatusServer


async def _serve(config: ArchiveConfig, bus_config: BusConfig) -> None:
    stop = stop_on_signals()
    data_dir = Path(bus_config.data_dir)
    bus = await Bus.connect(bus_config.url, "archive", data_dir=data_dir, **bus_config.login())
    store = Store(data_dir)
    await check_sealed(bus)
    made_by = await current(bus)
    if made_by is None:
        raise BusError("the log names no epoch yet: it has to be prepared first, as `papertrader run` does")
    archive = Archive(bus, config, bus_config, store, made_by)
    registry = registry_of(FoldCollector(METRICS, samples, lambda: {Market("", ""): archive}))
    status = StatusServer(registry, lambda: "", archive.unready, bus_config.host, bus_config.metrics_port)
    status.start()
    tasks = [asyncio.ensure_future(work) for work in (stop.wait(), archive.run(), archive.beat())]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    leave_within(STOP_LIMIT_S)
    await asyncio.gather(*map(ended, pending))
    await archive.leave()
    await bus.close()
    status.stop()
    for task in done:
        task.result()


def _prepared(settings: Settings) -> Work:
    config, bus_config = settings.section("archive", ArchiveConfig), settings.section("bus", BusConfig)
    return lambda: _serve(config, bus_config)


def main() -> None:
    """Seal until SIGTERM or SIGINT; how it ends `enter` says."""
    enter("archive", _prepared, refused=(StoreError, SegmentError), mendable=(OSError,))


if __name__ == "__main__":
    main()
