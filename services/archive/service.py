"""The archive at work: seals the log into segments, lets the broker forget what is sealed, keeps the disk in sight."""

import asyncio
import logging
import time
from pathlib import Path
from typing import Final

import msgspec
import nats.errors
from nats.js.errors import APIError

from papertrader.services.archive.config import ArchiveConfig
from papertrader.services.archive.kernel import Growth, base_due, days_left, dropped, forecast, growth, releasable
from papertrader.services.archive.store import Store
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.health import HEARTBEAT_EVERY_S, Heartbeat, MarketHealth, heartbeat_subject, worker_name
from papertrader.shared.log.reader import LogReader
from papertrader.shared.log.segments import Entry, matches
from papertrader.shared.log.subjects import STREAM, Market, address, subject
from papertrader.shared.service import epoch
from papertrader.shared.service.bases import forget_before, keep_beside, newest_beside
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.epoch import Epoch

log = logging.getLogger("archive")

TURN_S: Final = 2.0
AGAIN_S: Final = 2.0
FIRST_SEGMENT_S: Final = 300.0
FULL: Final = 0.5
"""A broker that is fuller than this lets go of what is sealed before its time."""
ROUNDS: Final = subject("round", Market("*", "*"))


class Archive:
    """Seals what the broker holds. What is not sealed stays with the broker, so that a death costs nothing."""

    def __init__(self, bus: Bus, config: ArchiveConfig, bus_config: BusConfig, store: Store, made_by: Epoch) -> None:
        self.config = config
        self.store = store
        self.failing = ""
        """Why nothing can be sealed now; empty while it can."""
        self.failures = 0
        self.released = 0
        """The sequence up to which the broker was told to let go."""
        self.growth: Growth | None = None
        self._bus = bus
        self._data_dir = Path(bus_config.data_dir)
        self._held_s = bus_config.max_age_s
        self._max_bytes = bus_config.max_bytes
        self._epoch = made_by
        self._waiting: list[Entry] = []
        self._bytes = 0
        self._taken = store.last
        self._gone = 0
        self._held_from = 0
        self._purged = False
        self._sealing = asyncio.Lock()
        self._told_days = float("inf")
        self._markets = {str(address(name).market) for name in store.catalogue.latest if matches(ROUNDS, name)}
        self._reader = LogReader(bus, [">"], store.last, self._take)

    @property
    def _longest_s(self) -> float:
        """How long a message may wait; the first segment comes early, so that it is soon known how the log grows."""
        return self.config.segment_s if self.store.last else min(self.config.segment_s, FIRST_SEGMENT_S)

    @property
    def missing(self) -> int:
        """Messages that were gone before they could be sealed, beside those before the first that was had."""
        return self.store.catalogue.missing + self._gone

    @property
    def unsealed(self) -> int:
        """Messages of the log that are in no segment yet."""
        return len(self._waiting) + self._reader.pending

    @property
    def days_left(self) -> float:
        """In how many days the disk is full; infinite if it never is, or if that is not known."""
        if self.growth is None:
            return float("inf")
        return days_left(self.store.free_bytes(), self.store.kept_bytes, self.growth, self.config)

    async def run(self) -> None:
        """Seal until cancelled; raises what breaks the reading of the log."""
        await self._reader.start()
        while True:
            if self._reader.failure is not None:
                raise self._reader.failure
            now = time.time_ns()
            if self._waiting and now - self._waiting[0].stored_ns >= self._longest_s * 1e9:
                await self._seal()
            try:
                await self._release(now)
                await self._drop(now)
            except (OSError, TimeoutError, nats.errors.Error, APIError) as error:
                log.warning("the broker's part or an old segment could not be let go: %s", error)
            self._measure(now)
            await asyncio.sleep(TURN_S)

    async def leave(self) -> None:
        """Read no more. What is not sealed stays with the broker."""
        await self._reader.stop()
        self.store.close()

    async def _take(self, sequence: int, name: str, payload: bytes) -> None:
        before, self._taken = self._taken, sequence
        if before and sequence > before + 1:
            self._gone += sequence - before - 1
            log.error("%d messages after sequence %d are gone: somebody purged the log", sequence - before - 1, before)
        self._waiting.append(Entry(sequence, name, self._reader.message_id, payload, self._reader.stored_ns))
        self._bytes += len(payload)
        if matches(ROUNDS, name):
            self._markets.add(str(address(name).market))
        if name == epoch.SUBJECT:
            self._epoch = await epoch.current(self._bus) or self._epoch
        if self._bytes >= self.config.segment_bytes:
            await self._seal()

    async def _seal(self) -> None:
        """Seal what waits, however often that takes: the broker holds it meanwhile."""
        async with self._sealing:
            entries, self._waiting, self._bytes, gone = self._waiting, [], 0, self._gone
            while entries and entries[-1].sequence > self.store.last:
                try:
                    segment = await asyncio.to_thread(self.store.seal, entries, self._epoch.log, self._epoch.number)
                except OSError as error:
                    self._fail(error)
                    await asyncio.sleep(AGAIN_S)
                    continue
                self.failing, self._gone = "", self._gone - gone
                missing = f"; {segment.missing} before them were not there any more" if segment.missing else ""
                log.info(
                    "sealed %d messages up to %d, %.1f MiB as %.1f%s",
                    segment.messages,
                    segment.last,
                    segment.payload_bytes / 2**20,
                    segment.file_bytes / 2**20,
                    missing,
                )

    def _fail(self, error: OSError) -> None:
        before, self.failing = (
            self.failing,
            f"nothing can be sealed into {self.store.folder}: {error.strerror or error}",
        )
        self.failures += 1
        if self.failing != before:
            log.error("%s; trying again every %g s", self.failing, AGAIN_S)

    async def _release(self, now_ns: int) -> None:
        """Let the broker forget what is sealed and was there long enough, earlier if it fills up."""
        async with self._sealing:
            self.store.save()
            sealed = list(self.store.catalogue.segments)
        info = (await self._bus.jetstream.stream_info(STREAM)).state
        self._look_for_purges(info.first_seq)
        held_s = 0.0 if info.bytes > FULL * self._max_bytes else self._held_s
        sequence = releasable(sealed, now_ns, held_s)
        if sequence > self.released and sequence >= info.first_seq:
            await self._bus.let_go(sequence)
            log.info("the broker was let go of everything up to %d, %.1f MiB before", sequence, info.bytes / 2**20)
        self.released = max(self.released, sequence)

    def _look_for_purges(self, first: int) -> None:
        """The broker lets go of nothing by itself: what it was not told to let go of here, somebody else took away."""
        if self._held_from and first > max(self._held_from, self.released + 1):
            self._purged = True
            log.error("somebody purged the log up to sequence %d: a fold may not have read it", first - 1)
        self._held_from = first

    async def _drop(self, now_ns: int) -> None:
        """Drop what retention says, and tell of it."""
        async with self._sealing:
            await asyncio.to_thread(self._keep_base, now_ns)
            gone = dropped(self.store.catalogue.segments, now_ns, self.config)
            if gone:
                self.store.drop(gone)
        if gone:
            text = "dropped %d segments by [archive] keep_days or keep_bytes: the log begins at sequence %d now"
            log.warning(text, len(gone), self.store.catalogue.segments[0].first)

    def _keep_base(self, now_ns: int) -> None:
        """Where the beginning will be dropped, what folds have saved is kept from time to time: to prove what is left.

        Raises OSError.
        """
        segments = self.store.catalogue.segments
        if base_due(segments, newest_beside(self._data_dir), now_ns, self.config):
            keep_beside(self._data_dir, self._epoch, segments[-1].last)
        if segments and self.store.catalogue.dropped_segments:
            forget_before(self._data_dir, segments[0].first)

    def _measure(self, now_ns: int) -> None:
        """How fast the log grows; told when it is known, and when less time is left than there should be."""
        first = self.growth is None
        segments = self.store.catalogue.segments
        self.growth = growth(segments, now_ns)
        if self.growth is None:
            return
        days = self.days_left
        if first or (days < self.config.warn_days and days < self._told_days / 2):
            self._told_days = days
            log.info("%s", forecast(segments, now_ns, self.store.free_bytes(), self.config))

    async def beat(self) -> None:
        """Say once a second that the archive is alive, and what is wrong with it, for every market."""
        worker = worker_name()
        while True:
            beat = Heartbeat(service="archive", worker=worker, markets=self._health())
            await self._bus.publish(heartbeat_subject("archive", worker), msgspec.json.encode(beat))
            await asyncio.sleep(HEARTBEAT_EVERY_S)

    def _health(self) -> dict[str, MarketHealth]:
        bad = {"log_missing": self.missing} if self.missing else {}
        if self._purged:
            bad["log_purged"] = 1
        if self.failing:
            bad["archive_failing"] = self.failures
        if (days := self.days_left) < self.config.warn_days:
            bad["disk_full_within_days"] = int(days) + 1
        health = MarketHealth(round=0, ts=0, checkpoint_ts=0, checkpoint_loads=True, checkpoints=0, bad=bad)
        return dict.fromkeys(sorted(self._markets), health)

    def unready(self) -> str:
        """What is wrong, empty if nothing is."""
        return self.failing or ("" if self._bus.client.is_connected else "not connected to NATS")
