"""The feed at work: publishes every market of its source round by round, and says how it is."""

import asyncio
import logging
from collections.abc import Sequence

import msgspec
from nats.aio.msg import Msg

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.market import LiveMarket
from papertrader.services.feed.live.session import LiveSession
from papertrader.services.feed.market_source import MarketSource
from papertrader.services.feed.metrics import CONNECTION_METRICS, METRICS, connection_samples, samples
from papertrader.services.feed.publisher import Barrier, Pace, Publisher
from papertrader.services.feed.session_rounds import marker_of, settling, until
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.health import HEARTBEAT_EVERY_S, Heartbeat, MarketHealth, heartbeat_subject, worker_name
from papertrader.shared.log.subjects import Market, address
from papertrader.shared.log.writes import REFUSING_AFTER_S
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.metrics import FoldCollector, registry_of
from papertrader.shared.service.web import StatusServer

log = logging.getLogger("feed")

NS_PER_S = 1_000_000_000


class Feed:
    """All markets of one source on one connection to the log; `live` if the source is a venue."""

    def __init__(
        self, bus: Bus, config: FeedConfig, recorded: Sequence[MarketSource] = (), live: LiveSession | None = None
    ) -> None:
        self.barrier = Barrier(config.barrier, config.barrier_timeout_s, config.first_barrier_timeout_s)
        self.bus = bus
        self.config = config
        self.recorded = recorded
        self.live = live
        self.markets: list[MarketSource | LiveMarket] = [*recorded, *(live.markets.values() if live else ())]
        self.publishers = {
            found.market: Publisher(bus, found.market, found.session, self.barrier) for found in self.markets
        }
        self.pace = Pace(config.speed)
        self.connected = False
        self._round_ns = config.round_ms * 1_000_000
        self._duration_ns = int(config.duration_s * NS_PER_S)

    async def run(self) -> None:
        """Publish until every market has ended; raises SessionError if the log cannot take one of them."""
        await self.bus.subscribe("progress.>", self.barrier.on_progress)
        await self.bus.subscribe("health.>", self.barrier.on_heartbeat)
        resumes = {found.market: await self.publishers[found.market].resume() for found in self.markets}
        self.connected = True
        if self.live is not None:
            await self.bus.subscribe("orders.>", self._on_command)
        if self.live is None:
            await asyncio.gather(*(self._publish(source, resumes[source.market]) for source in self.recorded))
        else:
            await self._run_live(self.live, resumes)

    async def _on_command(self, message: Msg) -> None:
        """A command is answered when a round ends: in a quiet market too that is soon."""
        assert self.live is not None
        market = address(message.subject).market
        for found in self.live.markets.values():
            if found.market == market:
                found.command(self.live.clock.now_ns())

    async def _publish(self, source: MarketSource, after: int) -> None:
        publisher = self.publishers[source.market]
        await publisher.settled()
        rounds = (round_.messages for round_ in source.rounds())
        for market_data, end in until(rounds, self._duration_ns, self._round_ns):
            if end.round > after:
                await self.pace.wait(end.ts)
                await publisher.publish(market_data, end)
        log.info("%s has ended after %d rounds", source.market, publisher.rounds)

    async def _run_live(self, session: LiveSession, resumes: dict[Market, int]) -> None:
        for market in session.markets.values():
            number = resumes[market.market]
            if number >= 0:
                market.resume(number, self.publishers[market.market].last_ts)
        publishing = asyncio.gather(*(self._publish_live(market) for market in session.markets.values()))
        following = asyncio.ensure_future(session.run())
        try:
            done, _ = await asyncio.wait((publishing, following), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            publishing.cancel()
            following.cancel()
            await asyncio.gather(publishing, following, return_exceptions=True)

    async def _publish_live(self, market: LiveMarket) -> None:
        publisher = self.publishers[market.market]
        first_ts, end = 0, None
        while end is None or not self._duration_ns or end.ts - first_ts < self._duration_ns:
            if not market.backlog:
                market.arrived.clear()
                await market.arrived.wait()
            *market_data, marker = market.backlog[0].messages
            end = marker_of(marker)
            first_ts = first_ts or end.ts
            await publisher.publish(market_data, end)
            market.backlog.popleft()
        for nothing, settled in settling(end, self._round_ns):
            await publisher.publish(nothing, settled)
        log.info("%s has ended after %d rounds", market.market, publisher.rounds)

    async def beat(self) -> None:
        """Say once a second that the feed is alive, how far it is and what it refused; a last time when cancelled."""
        try:
            while True:
                await self._say_alive()
                await asyncio.sleep(HEARTBEAT_EVERY_S)
        finally:
            await self._say_alive()

    async def _say_alive(self) -> None:
        worker = worker_name()
        markets = {str(found.market): self._health(found) for found in self.markets}
        beat = Heartbeat(service="feed", worker=worker, markets=markets)
        await self.bus.publish(heartbeat_subject("feed", worker), msgspec.json.encode(beat))

    def _health(self, found: MarketSource | LiveMarket) -> MarketHealth:
        publisher = self.publishers[found.market]
        bad = dict(found.bad)
        if absences := self.barrier.absences_of[str(found.market)]:
            bad["fold_not_waited_for"] = absences  # from there on another run may differ
        if (seconds := int(self.bus.refusal.seconds)) >= REFUSING_AFTER_S:
            bad["broker_refuses_writes"] = seconds
        return MarketHealth(
            round=publisher.last_round,
            ts=publisher.last_ts,
            checkpoint_ts=0,
            checkpoint_loads=True,
            checkpoints=0,
            bad=bad,
        )

    def status_server(self, config: BusConfig) -> StatusServer:
        """The metrics and probes of this process."""
        collectors = [FoldCollector(METRICS, samples, lambda: {found.market: found for found in self.markets})]
        if self.live is not None:
            owned = {Market(self.live.venue.name, ""): self.live}
            collectors.append(FoldCollector(CONNECTION_METRICS, connection_samples, lambda: owned))
        return StatusServer(registry_of(*collectors), lambda: "", self._unready, config.host, config.metrics_port)

    def _unready(self) -> str:
        if complaint := self.bus.refusal.complaint():
            return complaint
        return "" if self.connected and self.bus.client.is_connected else "not connected to NATS"
