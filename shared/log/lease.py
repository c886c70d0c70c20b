"""Which worker of a service folds which market: a lease per market, spread over the living workers.

Members and leases are keys in a bucket of the broker. A member's key has a time to live and is renewed all the time; a
lease names its holder, and holds as long as the holder is a living member, so that many markets cost no more than one.

Who should own a market is said in `ownership`. A lease says who should write; that nobody else can is the business of
the fenced append.
"""

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from typing import Final, NamedTuple

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import api
from nats.js.errors import APIError, NotFoundError

from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.consumers import create
from papertrader.shared.log.ownership import rightful_owners
from papertrader.shared.log.subjects import Market
from papertrader.shared.log.tasks import ended
from papertrader.shared.log.writes import Refusal, pub_ack

log = logging.getLogger(__name__)

BUCKET: Final = "PAPER_LEASES"
TTL_S: Final = 3
RENEW_S: Final = 0.75
SILENT_S: Final = 2 * TTL_S
"""A member that was not renewed for so long is gone, whatever the broker says."""
CATCH_UP_S: Final = 5.0
MARKER_TTL_S: Final = 60


_WORKER: Final = re.compile(rb"[A-Za-z0-9_-]{1,128}")
_PLACE: Final = re.compile(r"\$JS\.ACK\.[^.]+\.[^.]+\.\d+\.(\d+)\.\d+\.\d+\.(\d+)")


class _Entry(NamedTuple):
    revision: int
    holder: str  # empty once released or expired
    heard_at: float

    @property
    def renewed(self) -> bool:
        """Whether it is held and was heard of lately.

        Our own clock must agree with the broker's: a broker that was killed may find entries again that had expired
        long before, and never lets them expire.
        """
        return bool(self.holder) and time.monotonic() - self.heard_at < SILENT_S


async def create_bucket(bus: Bus) -> None:
    """Create the bucket of the leases. It is kept on disk, so that it is still there after a broker restart."""
    config = api.KeyValueConfig(
        bucket=BUCKET,
        storage=api.StorageType.FILE,
        history=1,
        limit_marker_ttl=MARKER_TTL_S,
        replicas=bus.replicas,
    )
    await bus.jetstream.create_key_value(config)


class Leases:
    """One worker's share of a service's markets.

    `gain` is awaited once a lease is held, `lose` before it is given back (`clean`) or after it was lost.
    """

    def __init__(
        self,
        bus: Bus,
        service: str,
        worker: str,
        gain: Callable[[Market], Awaitable[None]],
        lose: Callable[[Market, bool], Awaitable[None]],
    ) -> None:
        self.changes: Counter[str] = Counter()
        self.refusal = Refusal()
        """Apart from the log's: the broker may take one and not the other."""
        self._bus = bus
        self._service = service
        self._worker = worker.replace(".", "_")
        self._gain = gain
        self._lose = lose
        self._entries: dict[str, _Entry] = {}
        self._markets: set[Market] = set()
        self._held: dict[Market, int] = {}
        self._member_revision = 0
        self._wake = asyncio.Event()
        self._caught_up = asyncio.Event()
        self._subscription: Subscription | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Join the service's workers."""
        await self._find_bucket()
        await self._watch()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Leave, so that every market is another's by right, and give them back, each folded up to a checkpoint."""
        if self._task is not None:
            await ended(self._task)
        await self._purge(self._member_key)
        await asyncio.gather(*(self._release(market) for market in list(self._held)))
        if self._subscription is not None:
            await self._subscription.unsubscribe()

    @property
    def failure(self) -> BaseException | None:
        """What ended the keeping of the leases; every lease expires after it."""
        if self._task is None or not self._task.done() or self._task.cancelled():
            return None
        return self._task.exception()

    def offer(self, market: Market) -> None:
        """A market that some worker has to fold."""
        if market not in self._markets:
            self._markets.add(market)
            self._wake.set()

    async def surrender(self, market: Market) -> None:
        """Let go of a market that another worker writes; it is taken again if it is still ours by right."""
        self.changes["fenced"] += 1
        revision = self._held.pop(market, None)
        await self._lose(market, False)
        if revision is not None:
            await self._purge(self._lease_key(market), revision)

    @property
    def _member_key(self) -> str:
        return f"m.{self._service}.{self._worker}"

    def _lease_key(self, market: Market) -> str:
        return f"a.{self._service}.{market.venue}.{market.asset}".replace("/", "-slash-").replace(":", "-colon-")

    async def _find_bucket(self) -> None:
        """Wait for the bucket; make it where nobody else has and everybody may."""
        while True:
            try:
                try:
                    await self._bus.jetstream.stream_info(f"KV_{BUCKET}")
                except NotFoundError:
                    await create_bucket(self._bus)
                return
            except (TimeoutError, nats.errors.Error, APIError) as error:
                log.warning("leases: the bucket is not there yet: %s", str(error) or type(error).__name__)
                await asyncio.sleep(0.5)

    async def _watch(self) -> None:
        """Follow every member and lease of this service, their expiry included. All that is there is known then."""
        self._caught_up.clear()
        watched, self._subscription = self._subscription, None
        if watched is not None:
            await watched.unsubscribe()
        inbox = self._bus.client.new_inbox()
        self._subscription = await self._bus.client.subscribe(inbox, cb=self._on_entry)
        config = api.ConsumerConfig(
            deliver_subject=inbox,
            filter_subjects=[f"$KV.{BUCKET}.{kind}.{self._service}.>" for kind in ("m", "a")],
            deliver_policy=api.DeliverPolicy.LAST_PER_SUBJECT,
            ack_policy=api.AckPolicy.NONE,
            mem_storage=True,
            inactive_threshold=30.0,
        )
        _, pending = await create(self._bus, f"KV_{BUCKET}", config)
        if not pending:
            self._caught_up.set()
        await asyncio.wait_for(self._caught_up.wait(), CATCH_UP_S)

    async def _on_entry(self, message: Msg) -> None:
        place = _PLACE.fullmatch(message.reply or "")
        if place is None:
            return
        key = message.subject.removeprefix(f"$KV.{BUCKET}.")
        headers = message.headers or {}
        gone = "Nats-Marker-Reason" in headers or "KV-Operation" in headers
        revision, pending = int(place[1]), int(place[2])
        if not gone and not self._is_entry(key, message.data):
            self.changes["refused"] += 1
            known = self._entries.get(key) or _Entry(revision, "", time.monotonic())
            self._entries[key] = known._replace(revision=revision)  # which the next write of the key has to name
            log.warning("leases: refused what is neither a member nor a lease: %s", message.subject)
            if not pending:
                self._caught_up.set()
            return
        before = self._entries.get(key)
        if before is None or revision >= before.revision:
            self._entries[key] = _Entry(revision, "" if gone else message.data.decode(), time.monotonic())
            if before is None or before.holder != self._entries[key].holder:
                self._wake.set()
        if not pending:
            self._caught_up.set()

    def _is_entry(self, key: str, value: bytes) -> bool:
        """Whether a key of this service is a member that names itself, or a market's lease that names a worker."""
        kind, _, rest = key.partition(f".{self._service}.")
        if not _WORKER.fullmatch(value) or not rest:
            return False
        return rest.encode() == value if kind == "m" else kind == "a" and rest.count(".") == 1

    async def _run(self) -> None:
        reconnects = self._bus.reconnects
        while True:
            self._wake.clear()
            try:
                if self._bus.reconnects != reconnects:
                    now = self._bus.reconnects
                    await self._rejoin()
                    reconnects = now
                await self._renew_membership()
                await self._settle()
            except (TimeoutError, nats.errors.Error, APIError, BusError, OSError) as error:
                log.warning("leases: %s", str(error) or type(error).__name__)
            try:
                await asyncio.wait_for(self._wake.wait(), RENEW_S)
            except TimeoutError:
                continue

    async def _rejoin(self) -> None:
        """After a broker restart entries may have expired unseen, or the bucket may be a new one."""
        self._entries.clear()
        self._held = dict.fromkeys(self._held, 0)
        self._member_revision = 0
        await self._find_bucket()
        await self._watch()

    async def _renew_membership(self) -> None:
        revision = await self._put(self._member_key, self._member_revision, TTL_S)
        if revision is None:
            known = self._entries.get(self._member_key)
            self._member_revision = known.revision if known else 0
            revision = await self._put(self._member_key, self._member_revision, TTL_S)
        if revision is not None:
            self._member_revision = revision

    def _workers(self) -> list[str]:
        prefix = f"m.{self._service}."
        living = {
            key.removeprefix(prefix) for key, entry in self._entries.items() if key.startswith(prefix) and entry.renewed
        }
        return sorted(living | {self._worker})

    async def _settle(self) -> None:
        """Give up what was lost, give back what is another's by right, take what is free and ours."""
        workers = self._workers()
        for market, owner in rightful_owners(workers, self._markets).items():
            ours = owner == self._worker
            if market in self._held:
                if not await self._keep(market):
                    await self._on_lost(market)
                elif not ours:
                    await self._release(market)
            elif ours:
                try:
                    await self._acquire(market, workers)
                except (APIError, BusError) as error:  # of this market: the others are taken all the same
                    self.changes["failed"] += 1
                    log.error("leases: %s of %s cannot be taken, trying again: %s", market, self._service, error)

    async def _keep(self, market: Market) -> bool:
        """Whether a lease is still ours; one that the bucket does not know any more is written again."""
        entry = self._entries.get(self._lease_key(market))
        known = entry.revision if entry else 0
        if known < self._held[market]:
            return True  # what we wrote has not come round yet
        if entry is not None and entry.holder == self._worker:
            self._held[market] = known
            return True
        if entry is not None and entry.holder:
            return False
        revision = await self._put(self._lease_key(market), known)
        if revision is not None:
            self._held[market] = revision
        return revision is not None

    async def _on_lost(self, market: Market) -> None:
        log.warning("leases: %s of %s was lost", market, self._service)
        self.changes["lost"] += 1
        del self._held[market]
        await self._lose(market, False)

    async def _acquire(self, market: Market, workers: Collection[str]) -> None:
        entry = self._entries.get(self._lease_key(market))
        if entry is not None and entry.holder in workers and entry.holder != self._worker:
            return  # its holder gives it back, or dies
        revision = await self._put(self._lease_key(market), entry.revision if entry else 0)
        if revision is not None:
            self._held[market] = revision
            self.changes["acquired"] += 1
            try:
                await self._gain(market)
            except Exception:  # it is not folded, so it must not be held
                del self._held[market]
                await self._lose(market, False)
                raise

    async def _release(self, market: Market) -> None:
        await self._lose(market, True)
        revision = self._held.pop(market, None)
        self.changes["released"] += 1
        if revision is not None:
            await self._purge(self._lease_key(market), revision)

    async def _put(self, key: str, last_revision: int, ttl_s: int = 0) -> int | None:
        """Write a key if `last_revision` is its newest; the new revision, None if it is not.

        Raises BusError if the broker takes no message, TimeoutError if it does not answer.
        """
        headers = {"Nats-Expected-Last-Subject-Sequence": str(last_revision)}
        if ttl_s:
            headers["Nats-TTL"] = f"{ttl_s}s"
        subject, value = f"$KV.{BUCKET}.{key}", self._worker.encode()
        try:
            ack = pub_ack((await self._bus.client.request(subject, value, timeout=1.0, headers=headers)).data)
        except TimeoutError:
            self.refusal.note(None)
            raise
        self.refusal.note(ack)
        if ack.refused:
            raise BusError(f"the broker refuses {subject}: {ack.refused}")
        return None if ack.error else ack.seq

    async def _purge(self, key: str, revision: int | None = None) -> None:
        """Give a key up, unless somebody has written it since `revision`; unheard, it is given up with the member."""
        if not self._bus.client.is_connected:
            return
        headers = {"KV-Operation": "PURGE", "Nats-Rollup": "sub", "Nats-TTL": f"{MARKER_TTL_S}s"}
        if revision is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(revision)
        try:
            await self._bus.client.request(f"$KV.{BUCKET}.{key}", b"", timeout=1.0, headers=headers)
        except (TimeoutError, nats.errors.Error) as error:
            log.warning("leases: %s could not be given back: %s", key, error)
