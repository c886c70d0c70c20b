"""What every fold service has in common: discover markets, run their folds, export metrics, stop cleanly."""

import asyncio
import gc
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import nats.errors
from nats.js.errors import APIError
from prometheus_client import CollectorRegistry

from papertrader.shared.log.bus import Bus
from papertrader.shared.log.health import HEARTBEAT_EVERY_S, Heartbeat, heartbeat_subject, worker_name
from papertrader.shared.log.kinds import Kind, decode
from papertrader.shared.log.lease import Leases
from papertrader.shared.log.reader import LogReader
from papertrader.shared.log.segments import matches
from papertrader.shared.log.subjects import Market, address, subject
from papertrader.shared.log.tasks import STOP_LIMIT_S, ended, leave_within
from papertrader.shared.service.bases import base_of
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.checkpoint import CheckpointStore
from papertrader.shared.service.compiled import release_compiler_memory, warm
from papertrader.shared.service.config import Settings
from papertrader.shared.service.continuation import StateError, round_end
from papertrader.shared.service.epoch import Epoch, current
from papertrader.shared.service.fold import Fold
from papertrader.shared.service.metrics import MARKET, FoldCollector, Metric, Sample, registry_of
from papertrader.shared.service.process import Work, enter, stop_on_signals
from papertrader.shared.service.roll import Roll
from papertrader.shared.service.runner import Runner
from papertrader.shared.service.web import StatusServer

log = logging.getLogger(__name__)

LOOP_STALL_S: Final = 5.0
LOOK_EVERY_S: Final = 5.0


@dataclass(frozen=True)
class Service:
    """A fold service: what it hears, what folds it, what it exports."""

    name: str
    inputs: Collection[Kind]
    make_fold: Callable[[Settings, Market], Fold]
    metrics: Sequence[Metric]
    samples: Callable[[Market, Any], Iterable[Sample]]
    beside: "Callable[[Runtime], Awaitable[None]] | None" = None
    """A coroutine that runs beside the folds, until cancelled."""
    state_version: int = 1
    """Changes whenever what a number of the state means does: an older checkpoint is refused then."""

    def warm(self, settings: Settings) -> None:
        """Load (or compile) now every kernel that the folds and their metrics call."""
        market = Market("warm", "up")
        fold = self.make_fold(settings, market)
        warm(fold)
        deque(self.samples(market, fold), maxlen=0)


ROUNDS = Metric("paper_rounds_folded", "counter", "Rounds folded", MARKET)
OUTPUTS = Metric("paper_outputs", "counter", "Messages appended to the log", MARKET)
SUPPRESSED = Metric("paper_outputs_suppressed", "counter", "Messages that the log already held after a restart", MARKET)
BAD = Metric("paper_bad_messages", "counter", "Messages and checkpoints refused", (*MARKET, "reason"))
STEP = Metric("paper_step_seconds", "counter", "Time spent folding", MARKET)
LAG = Metric("paper_bus_lag_messages", "gauge", "Messages of the log that wait to be folded", MARKET)
RESETS = Metric("paper_bus_resets", "counter", "Times that reading had to begin anew", MARKET)
CHECKPOINT = Metric("paper_checkpoint_timestamp_seconds", "gauge", "Event time of the newest checkpoint", MARKET)
CLOCK = Metric("paper_event_clock_seconds", "gauge", "Event time of the last folded round", MARKET)
RUNTIME_METRICS: Final = (ROUNDS, OUTPUTS, SUPPRESSED, BAD, STEP, LAG, RESETS, CHECKPOINT, CLOCK)
BAD_REASONS: Final = ("unknown_account", "checkpoint_refused", "checkpoint_failed")
OWNED = Metric("paper_owned_markets", "gauge", "Markets that this worker folds", ())
DROPS = Metric("paper_slow_consumer_drops", "counter", "Times that the client dropped messages unread", ())
RECONNECTS = Metric("paper_bus_reconnects", "counter", "Reconnections to the broker", ())
LEASES = Metric(
    "paper_lease_changes",
    "counter",
    "Leases acquired, released, lost, fenced, failed; entries refused",
    ("reason",),
)
LEASE_REASONS: Final = ("acquired", "released", "lost", "fenced", "refused", "failed")
FENCED = Metric("paper_fenced_writes", "counter", "Writes refused because another worker was ahead", MARKET)
WORKER_METRICS: Final = (OWNED, DROPS, RECONNECTS, LEASES, FENCED)


def runner_samples(market: Market, runner: Runner) -> Iterator[Sample]:
    """The metrics that every fold has."""
    values = {
        ROUNDS: runner.rounds,
        OUTPUTS: runner.outputs,
        SUPPRESSED: runner.suppressed,
        STEP: runner.step_seconds,
        LAG: runner.pending,
        RESETS: runner.resets,
        CHECKPOINT: runner.checkpoint_ts * 1e-9,
        CLOCK: runner.position.ts * 1e-9,
    }
    for metric, value in values.items():
        yield Sample(metric, tuple(market), float(value))
    for reason in {*BAD_REASONS, *runner.bad}:
        yield Sample(BAD, (*market, reason), float(runner.bad.get(reason, 0)))


class Runtime:
    """One worker process of a service."""

    def __init__(self, service: Service, settings: Settings, bus: Bus, config: BusConfig) -> None:
        self.service = service
        self.settings = settings
        self.bus = bus
        self.config = config
        self.runners: dict[Market, Runner] = {}
        self.fenced_writes: Counter[Market] = Counter()
        """Of every market that was ever owned: who is fenced gives the market up."""
        self.worker = worker_name()
        self.ready = False
        self.epoch: Epoch | None = None
        self._store = CheckpointStore(Path(config.data_dir) / "checkpoints", service.name, service.state_version)
        self._loop_seen = time.monotonic()
        self._look_again_at = 0.0
        self.leases = Leases(bus, service.name, self.worker, self._gain, self._lose)
        self._discovery = LogReader(bus, ["md.*.*.instrument"], bus.sealed.last, self._on_instrument)
        self.status = StatusServer(self._registry(), self._unhealthy, self._unready, config.host, config.metrics_port)

    def _registry(self) -> CollectorRegistry:
        service = self.service
        folds = lambda: {market: runner.fold for market, runner in list(self.runners.items())}  # noqa: E731
        return registry_of(
            FoldCollector(service.metrics, service.samples, folds),
            FoldCollector(RUNTIME_METRICS, runner_samples, lambda: dict(self.runners)),
            FoldCollector(WORKER_METRICS, self._worker_samples, lambda: {Market("", ""): self}),
        )

    def _worker_samples(self, _market: Market, _self: "Runtime") -> Iterator[Sample]:
        yield Sample(OWNED, (), float(len(self.runners)))
        yield Sample(DROPS, (), float(self.bus.slow_consumer_drops))
        yield Sample(RECONNECTS, (), float(self.bus.reconnects))
        for reason in LEASE_REASONS:
            yield Sample(LEASES, (reason,), float(self.leases.changes[reason]))
        for market, count in self.fenced_writes.items():
            yield Sample(FENCED, tuple(market), float(count))

    def _unhealthy(self) -> str:
        stalled = time.monotonic() - self._loop_seen
        return f"the event loop has stood still for {stalled:.1f} s" if stalled > LOOP_STALL_S else ""

    def _unready(self) -> str:
        if complaint := self.bus.refusal.complaint() or self.leases.refusal.complaint():
            return complaint
        if not self.ready:
            return "starting"
        return "" if self.bus.client.is_connected else "not connected to NATS"

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set or something fails."""
        self.status.start()
        beside = [self.service.beside(self)] if self.service.beside else []
        tasks = [asyncio.ensure_future(work) for work in (stop.wait(), self._work(), *beside)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self.ready = False
        await asyncio.gather(*map(ended, tasks))
        for task in done:
            task.result()

    async def leave(self) -> None:
        """Finish the round, checkpoint and leave."""
        await asyncio.gather(self._discovery.stop(), self.leases.stop())
        await self.bus.close()
        self.status.stop()

    async def _work(self) -> None:
        self.epoch = await current(self.bus)
        if self.epoch is not None:
            self._store.log = self.epoch.log
            self._store.base = base_of(Path(self.config.data_dir), self.epoch) / self.service.name
        await self.leases.start()
        await self._offer_known()
        await self._discovery.start()
        self.ready = True
        log.info("%s is ready; metrics on http://%s:%d/metrics", self.service.name, self.config.host, self.status.port)
        await self._beat()

    async def _offer_known(self) -> None:
        """Offer the markets whose instrument was told long ago: those that are sealed, and those of the checkpoints."""
        rounds = subject("round", Market("*", "*"))
        sealed = [address(name).market for name in self.bus.sealed.catalogue.latest if matches(rounds, name)]
        for market in dict.fromkeys((*sealed, *self._store.markets())):
            stored = await self.bus.last(subject("round", market))
            if stored is not None and round_end(stored.payload) is not None:
                self.leases.offer(market)

    async def _on_instrument(self, _sequence: int, name: str, payload: bytes) -> None:
        try:
            where = address(name)
            decode(where.kind, payload)
        except ValueError as error:
            log.warning("%s: %s is no instrument: %s", self.service.name, name, error)
            return
        self.leases.offer(where.market)

    async def _gain(self, market: Market) -> None:
        """Own a market: restore its fold and fold on."""
        roll = Roll(self.settings, lambda settings: self.service.make_fold(settings, market))
        runner = Runner(self.bus, self.service.name, market, roll, self.service.inputs, self._store)
        self.runners[market] = runner
        self.fenced_writes[market] += 0
        await runner.start()
        log.info("%s owns %s from sequence %d", self.service.name, market, runner.position.sequence)

    async def _lose(self, market: Market, clean: bool) -> None:
        """Stop folding a market; with a checkpoint only while nobody else can have gone further."""
        runner = self.runners.pop(market, None)
        if runner is not None:
            await runner.stop(checkpoint=clean)
            self.fenced_writes[market] += runner.fenced
            log.info("%s gave up %s at sequence %d", self.service.name, market, runner.position.sequence)

    def _raise_failure(self) -> None:
        """A fold that broke ends the process: it starts again from its checkpoint, and nobody overlooks it."""
        runners = (runner.failure for runner in self.runners.values())
        failures = [self._discovery.failure, self.leases.failure, *runners]
        for failure in failures:
            if failure is not None:
                raise failure

    async def _look_for_purges(self) -> None:
        """Tell of every market whose log was taken away behind it: nothing after its last round may be missing.

        What the broker let go of before it was read, and is sealed, is read there.
        """
        if self._loop_seen < self._look_again_at or not self.bus.client.is_connected:
            return
        self._look_again_at = self._loop_seen + LOOK_EVERY_S
        folded = {market: runner.position.sequence for market, runner in self.runners.items()}  # before it is asked
        try:
            first, last = await self.bus.held_extent()
        except (TimeoutError, nats.errors.Error, APIError) as error:
            log.warning("%s: the log does not tell how far it reaches: %s", self.service.name, error)
            return
        sealed = self.bus.sealed.last
        for market, sequence in folded.items():
            if market in self.runners and sealed >= first - 1:
                self.runners[market].catch_up(first)
            if market in self.runners and (first > max(sequence, sealed) + 1 > 1 or last < sequence):
                self.runners[market].bad["log_purged"] = 1
                log.error("the log of %s was taken away: it begins at sequence %d", market, first)

    async def _beat(self) -> None:
        name = heartbeat_subject(self.service.name, self.worker)
        while True:
            self._loop_seen = time.monotonic()
            self._raise_failure()
            await self._look_for_purges()
            for market in [market for market, runner in self.runners.items() if runner.fenced]:
                await self.leases.surrender(market)
            markets = {str(market): runner.health() for market, runner in self.runners.items()}
            beat = Heartbeat(service=self.service.name, worker=self.worker, markets=markets)
            await self.bus.publish(name, msgspec.json.encode(beat))
            await asyncio.sleep(HEARTBEAT_EVERY_S)


def main(service: Service) -> None:
    """Run a fold service until SIGTERM or SIGINT; how it ends `enter` says."""

    def prepared(settings: Settings) -> Work:
        config = settings.section("bus", BusConfig)
        service.warm(settings)
        release_compiler_memory()
        gc.freeze()  # what was loaded so far stays: no collection has to walk through it
        return lambda: _serve(service, settings, config)

    enter(service.name, prepared, refused=(StateError,))


async def _serve(service: Service, settings: Settings, config: BusConfig) -> None:
    stop = stop_on_signals()
    bus = await Bus.connect(config.url, service.name, data_dir=Path(config.data_dir), **config.login())
    await bus.create_stream(*config.limits)
    runtime = Runtime(service, settings, bus, config)
    try:
        await runtime.run(stop)
    finally:
        leave_within(STOP_LIMIT_S)
        await runtime.leave()
