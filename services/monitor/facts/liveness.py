"""What the wall side knows of the services: heartbeats, progress and checkpoints, as seen for one market."""

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from papertrader.services.monitor.config import MonitorConfig
from papertrader.shared.log.health import FOLDS, Failure

FEED: Final = "feed"
FILL_SIM: Final = "fill-sim"
QUOTER: Final = "quoter"
ESTIMATOR: Final = "estimator"
OUTCOME_TRACKER: Final = "outcome-tracker"
CALIBRATION: Final = "calibration"
MONITOR: Final = "monitor"
ARCHIVE: Final = "archive"
"""Is no fold and may not run: only what was heard of it is judged."""
NO_WRITES: Final = "broker_refuses_writes"
"""What a service says for how long, in seconds, the broker has taken none of its messages."""
PURGED: Final = "the log was purged, or emptied, or taken away behind the run"
CHECKPOINT_FAILING: Final = "checkpoint_failing"
"""What a service says while its newest checkpoint could not be written."""
ARCHIVE_FAILING: Final = "archive_failing"
"""What the archive says while it cannot seal the log."""
LOG_MISSING: Final = "log_missing"
"""How many messages were gone before the archive could seal them."""
DISK_FULL: Final = "disk_full_within_days"
"""What the archive says when the disk is soon full."""
STATEFUL: Final = FOLDS
"""The services that are folds and so write checkpoints."""


class ServiceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One service as seen from outside, for one market. Ages are wall time in s; `None` means never.

    `round` is the last round that it folded (the feed: published), `round_age_s` the time since that last moved.
    `failures` says for each account what its strategy raised, `paused` why the quoter does not quote; `final`, of the
    feed, that the source has ended.
    """

    heartbeat_age_s: float | None = None
    uptime_s: float = 0.0
    round: int = 0
    round_age_s: float | None = None
    checkpoint_age_s: float | None = None
    checkpoint_loads: bool = True
    checkpoints: int = 0
    bad_messages: dict[str, int] = {}
    paused: dict[str, str] = {}
    failures: dict[str, Failure] = {}
    final: bool = False
    unowned_s: float | None = None
    """For how long no worker of a living service has owned the market; None while one does."""


Liveness: TypeAlias = Mapping[str, ServiceHealth]
"""Health by service name; empty when only the log is known."""


def alive(health: ServiceHealth, config: MonitorConfig) -> bool:
    """Whether the service's heartbeat is fresh."""
    return health.heartbeat_age_s is not None and health.heartbeat_age_s <= config.heartbeat_limit_s


def ended(liveness: Liveness) -> bool:
    """Whether the source of the market has ended: nothing more is to be expected."""
    return FEED in liveness and liveness[FEED].final


def broken(liveness: Liveness, config: MonitorConfig) -> dict[str, str]:
    """The services that are down or stuck, each with a sentence that says so. Nothing is broken once the source ended.

    * no writes: the broker takes nothing; whatever else stands still does so because of that.
    * down: no heartbeat for `heartbeat_limit_s`; a monitor that is younger than that may not have heard one yet.
    * without owner: alive, but for `silence_s` no worker of it has owned the market.
    * stuck: alive, but its folded round stays behind the feed's for `silence_s`.
    * the feed is silent: alive, nothing else broken, and no new round for `silence_s`.
    """
    if ended(liveness):
        return {}
    if FEED in liveness and (seconds := liveness[FEED].bad_messages.get(NO_WRITES)):
        return {FEED: f"the broker has taken no message for {seconds} s: its disk may be full, or it needs a restart"}
    young = MONITOR in liveness and liveness[MONITOR].uptime_s < config.heartbeat_limit_s
    found = {
        name: _down(name, health)
        for name, health in liveness.items()
        if not alive(health, config) and not (young and health.heartbeat_age_s is None)
    }
    feed = liveness.get(FEED)
    if feed is None:
        return found
    for name, health in liveness.items():
        if name not in found and health.unowned_s is not None and health.unowned_s > config.silence_s:
            found[name] = f"{name} is alive but no worker of it has owned this market for {health.unowned_s:.0f} s"
    for name, health in liveness.items():
        if name not in found and name not in (FEED, ARCHIVE) and _behind(health, feed, config):
            found[name] = f"{name} is alive but stuck at round {health.round}, the feed is at {feed.round}"
    if not found and feed.round_age_s is not None and feed.round_age_s > config.silence_s:
        found[FEED] = f"no market data for {feed.round_age_s:.0f} s: the feed is alive but its source is silent"
    return found


def _down(name: str, health: ServiceHealth) -> str:
    age_s = health.heartbeat_age_s
    seen = "it never sent a heartbeat" if age_s is None else f"no heartbeat for {age_s:.0f} s"
    if name == FEED:
        silent = "" if health.round_age_s is None else f" for {health.round_age_s:.0f} s"
        return f"no market data{silent}: the feed is down, {seen}"
    return f"{name} is down: {seen}"


def _behind(health: ServiceHealth, feed: ServiceHealth, config: MonitorConfig) -> bool:
    return health.round < feed.round and health.round_age_s is not None and health.round_age_s > config.silence_s
