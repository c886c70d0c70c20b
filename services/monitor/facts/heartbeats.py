"""From heartbeats to the health of every service, per market. Pure: the caller says what time it is."""

from collections.abc import Collection
from typing import Final

import msgspec

from papertrader.services.monitor.facts.liveness import (
    ARCHIVE,
    FEED,
    MONITOR,
    PURGED,
    STATEFUL,
    Liveness,
    ServiceHealth,
)
from papertrader.shared.log.health import Heartbeat, MarketHealth
from papertrader.shared.log.subjects import Market

FORGET_WORKER_S: Final = 60.0
NS_PER_S: Final = 1_000_000_000
NOTHING: Final = MarketHealth(round=-1, ts=0, checkpoint_ts=0, checkpoint_loads=True, checkpoints=0, bad={})


class _Worker(msgspec.Struct):
    service: str
    first_s: float
    last_s: float
    markets: dict[str, MarketHealth]
    moved_s: dict[str, float]


class Heartbeats:
    """What was last heard of each worker. Times are the caller's monotonic seconds."""

    def __init__(self) -> None:
        self._workers: dict[str, _Worker] = {}
        self._unowned_since: dict[tuple[str, str], float] = {}

    def hear(self, beat: Heartbeat, now_s: float) -> None:
        """Take a heartbeat."""
        worker = self._workers.get(beat.worker)
        if worker is None:
            worker = self._workers[beat.worker] = _Worker(beat.service, now_s, now_s, {}, {})
        for market, health in beat.markets.items():
            before = worker.markets.get(market, NOTHING)
            if market not in worker.moved_s or health.round != before.round:
                worker.moved_s[market] = now_s
        worker.last_s, worker.markets = now_s, beat.markets

    def liveness(self, market: Market, now_s: float, final: bool) -> Liveness:
        """The health of every service as seen for one market."""
        self._forget(now_s)
        self._note_owners(str(market), now_s)
        clock = max((worker.markets.get(str(market), NOTHING).ts for worker in self._workers.values()), default=0)
        heard = {worker.service for worker in self._workers.values()}
        names = (FEED, *STATEFUL, *({ARCHIVE} & heard))
        return {name: self._health(name, str(market), now_s, clock, final) for name in names}

    def _note_owners(self, market: str, now_s: float) -> None:
        """Note since when a market that the feed tells has no owner among a service's workers."""
        told = any(worker.service == FEED and market in worker.markets for worker in self._workers.values())
        owned = {worker.service for worker in self._workers.values() if market in worker.markets}
        for service in STATEFUL:
            if not told or service in owned:
                self._unowned_since.pop((service, market), None)
            else:
                self._unowned_since.setdefault((service, market), now_s)

    def unwatched(self, watched: Collection[Market]) -> dict[str, str]:
        """The markets that a feed tells and no living monitor owns, beside those that are watched here, each with what
        another service knows to be the cause, empty if none does.
        """
        told = {market for worker in self._workers.values() if worker.service == FEED for market in worker.markets}
        owned = {market for worker in self._workers.values() if worker.service == MONITOR for market in worker.markets}
        return {market: self._cause(market) for market in sorted(told - owned - {str(market) for market in watched})}

    def _cause(self, market: str) -> str:
        known = (worker.markets.get(market, NOTHING).bad for worker in self._workers.values())
        return PURGED if any(bad.get("log_purged") for bad in known) else ""

    def _forget(self, now_s: float) -> None:
        """A service that came back under another name has no use for its old one."""
        for name, worker in list(self._workers.items()):
            younger = any(w.service == worker.service and w.last_s > worker.last_s for w in self._workers.values())
            if younger and now_s - worker.last_s > FORGET_WORKER_S:
                del self._workers[name]

    def _health(self, service: str, market: str, now_s: float, clock: int, final: bool) -> ServiceHealth:
        workers = [worker for worker in self._workers.values() if worker.service == service]
        if not workers:
            return ServiceHealth(final=final and service == FEED)
        latest = max(workers, key=lambda worker: worker.last_s)
        owners = [worker for worker in workers if market in worker.markets]
        owner = max(owners, key=lambda worker: worker.last_s, default=latest)
        health = owner.markets.get(market, NOTHING)
        moved_s = owner.moved_s.get(market)
        checkpoint_age_s = max(clock - health.checkpoint_ts, 0) / NS_PER_S if health.checkpoint_ts else None
        return ServiceHealth(
            heartbeat_age_s=now_s - latest.last_s,
            uptime_s=latest.last_s - latest.first_s,
            round=health.round,
            round_age_s=None if moved_s is None else now_s - moved_s,
            checkpoint_age_s=checkpoint_age_s,
            checkpoint_loads=health.checkpoint_loads,
            checkpoints=health.checkpoints,
            bad_messages=health.bad,
            failures=health.failures,
            final=final and service == FEED,
            unowned_s=self._unowned_s(service, market, now_s),
        )

    def _unowned_s(self, service: str, market: str, now_s: float) -> float | None:
        since = self._unowned_since.get((service, market))
        return None if since is None else now_s - since
