"""The feed process: publishes every market of its source, round by round."""

import asyncio
import logging
import os
import socket
import sys
import time

import msgspec
import uvloop
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

from services.feed.config import FeedConfig
from services.feed.metrics import METRICS, samples
from services.feed.publisher import Barrier, Pace, Publisher, SessionError, until
from services.feed.service import MarketSource, sources
from shared.bus import Bus, BusError
from shared.config import SettingsError, load
from shared.health import HEARTBEAT_EVERY_S, Heartbeat, MarketHealth, heartbeat_subject
from shared.metrics import FoldCollector
from shared.runtime import BusConfig, parse_arguments, stop_on_signals
from shared.subjects import Market
from shared.tape import TapeError
from shared.web import StatusServer

log = logging.getLogger("feed")

NS_PER_S = 1_000_000_000


class Feed:
    """All markets of one source on one connection."""

    def __init__(self, bus: Bus, config: FeedConfig, found: list[MarketSource]) -> None:
        self.barrier = Barrier(config.barrier, config.barrier_timeout_s, config.first_barrier_timeout_s)
        self.bus = bus
        self.config = config
        self.sources = found
        self.publishers = {
            source.market: Publisher(bus, source.market, source.session, self.barrier) for source in found
        }
        self.pace = Pace(config.speed)
        self.connected = False

    async def run(self) -> None:
        """Publish until every market has ended."""
        await self.bus.subscribe("progress.>", self.barrier.on_progress)
        await self.bus.subscribe("health.>", self.barrier.on_heartbeat)
        resumes = {source.market: await self.publishers[source.market].resume() for source in self.sources}
        self.connected = True
        await asyncio.gather(*(self._publish(source, resumes[source.market]) for source in self.sources))

    async def _publish(self, source: MarketSource, after: int) -> None:
        publisher = self.publishers[source.market]
        rounds = (round_.messages for round_ in source.rounds())
        duration_ns = int(self.config.duration_s * NS_PER_S)
        for market_data, end in until(rounds, duration_ns, self.config.round_ms * 1_000_000):
            if end.round > after:
                await self.pace.wait(end.ts)
                await publisher.publish(market_data, end)
        log.info("%s has ended after %d rounds", source.market, publisher.rounds)

    async def beat(self) -> None:
        """Say so once a second, until cancelled."""
        while True:
            await self.say_alive()
            await asyncio.sleep(HEARTBEAT_EVERY_S)

    async def say_alive(self) -> None:
        """Say that the feed is alive, how far it is and what it refused."""
        worker = f"{socket.gethostname()}-{os.getpid()}"
        markets = {str(source.market): self._health(source) for source in self.sources}
        beat = Heartbeat(service="feed", worker=worker, markets=markets)
        await self.bus.publish(heartbeat_subject("feed", worker), msgspec.json.encode(beat))

    def _health(self, source: MarketSource) -> MarketHealth:
        publisher = self.publishers[source.market]
        return MarketHealth(
            round=publisher.last_round,
            ts=publisher.last_ts,
            checkpoint_ts=0,
            checkpoint_loads=True,
            checkpoints=0,
            bad=dict(source.bad),
        )

    def status_server(self, config: BusConfig) -> StatusServer:
        """The metrics and probes of this process."""
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        registry.register(FoldCollector(METRICS, samples, self._metered))
        ready = lambda: "" if self.connected and self.bus.client.is_connected else "not connected to NATS"  # noqa: E731
        return StatusServer(registry, lambda: "", ready, config.host, config.metrics_port)

    def _metered(self) -> dict[Market, MarketSource]:
        return {source.market: source for source in self.sources}


async def _serve(config: FeedConfig, bus_config: BusConfig, found: list[MarketSource]) -> None:
    stop = stop_on_signals()
    bus = await Bus.connect(bus_config.url, "feed", **bus_config.login())
    await bus.create_stream(bus_config.max_bytes, bus_config.max_age_s)
    feed = Feed(bus, config, found)
    status = feed.status_server(bus_config)
    status.start()
    started = time.monotonic()
    work, beats, stopped = (asyncio.ensure_future(task) for task in (feed.run(), feed.beat(), stop.wait()))
    done, pending = await asyncio.wait((work, beats, stopped), return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    await feed.say_alive()
    await bus.close()
    status.stop()
    for task in done:
        task.result()
    log.info("published for %.1f s", time.monotonic() - started)


def main() -> None:
    """Run the feed until its source ends or a signal comes."""
    arguments = parse_arguments("feed")
    try:
        settings = load(arguments.settings)
        config = settings.section("feed", FeedConfig)
        uvloop.run(_serve(config, settings.section("bus", BusConfig), sources(config)))
    except (SettingsError, SessionError, TapeError, BusError, ValueError) as error:
        sys.exit(f"feed: {error}")


if __name__ == "__main__":
    main()
