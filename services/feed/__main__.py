"""The feed process: publishes every market of its source, round by round."""

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from papertrader.services.feed.config import LIVE_SOURCES, FeedConfig
from papertrader.services.feed.market_source import MarketSource
from papertrader.services.feed.publisher import SessionError
from papertrader.services.feed.service import Feed
from papertrader.services.feed.sources import sources
from papertrader.services.feed.venues.live import LiveError
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.tasks import STOP_LIMIT_S, ended, leave_within
from papertrader.shared.market.tape import TapeError
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.config import Settings
from papertrader.shared.service.process import Work, enter, stop_on_signals

log = logging.getLogger("feed")


async def _serve(config: FeedConfig, bus_config: BusConfig, recorded: Sequence[MarketSource]) -> None:
    stop = stop_on_signals()
    bus = await Bus.connect(bus_config.url, "feed", data_dir=Path(bus_config.data_dir), **bus_config.login())
    await bus.create_stream(*bus_config.limits)
    started = time.monotonic()
    work, stopped = asyncio.ensure_future(_work(bus, config, bus_config, recorded)), asyncio.ensure_future(stop.wait())
    done, pending = await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
    leave_within(STOP_LIMIT_S)
    await asyncio.gather(*map(ended, pending))
    await bus.close()
    for task in done:
        task.result()
    log.info("published for %.1f s", time.monotonic() - started)


async def _work(bus: Bus, config: FeedConfig, bus_config: BusConfig, recorded: Sequence[MarketSource]) -> None:
    if config.source not in LIVE_SOURCES:
        await _publish(Feed(bus, config, recorded), bus_config)
        return
    from papertrader.services.feed.live.session import live_session
    from papertrader.services.feed.venues.registry import live_venue

    async with live_session(config, live_venue(config)) as session:
        await _publish(Feed(bus, config, live=session), bus_config)


async def _publish(feed: Feed, bus_config: BusConfig) -> None:
    """Publish until every market has ended."""
    status = feed.status_server(bus_config)
    status.start()
    tasks = [asyncio.ensure_future(task) for task in (feed.run(), feed.beat())]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await asyncio.gather(*map(ended, tasks))
        status.stop()


def _prepared(settings: Settings) -> Work:
    config, bus_config = settings.section("feed", FeedConfig), settings.section("bus", BusConfig)
    recorded = () if config.source in LIVE_SOURCES else sources(config)
    return lambda: _serve(config, bus_config, recorded)


def main() -> None:
    """Publish until the source ends or a signal comes; how it ends `enter` says."""
    enter("feed", _prepared, refused=(SessionError, LiveError, TapeError))


if __name__ == "__main__":
    main()
