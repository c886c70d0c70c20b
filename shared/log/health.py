"""What a service says of itself once a second, outside the log."""

import os
import socket
from typing import Final

import msgspec

HEARTBEAT_EVERY_S: Final = 1.0
FOLDS: Final = ("fill-sim", "quoter", "estimator", "outcome-tracker", "calibration", "monitor")
"""The services that are folds: each a folder under `services`, a user of the bus and a section of the settings."""

SERVICES: Final = ("feed", *FOLDS, "gateway", "archive", "broker-exporter")
"""All services."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Code of the user's that raised: how often so far, at last when (event time, ns), what, and where in his file."""

    count: int
    ts: int
    text: str
    traceback: str


class MarketHealth(msgspec.Struct, frozen=True, kw_only=True):
    """One owned market: the last round folded, its event time, the newest checkpoint and what was refused.

    `failures` are those of the accounts' own code since the service was started.
    """

    round: int
    ts: int
    checkpoint_ts: int
    checkpoint_loads: bool
    checkpoints: int
    bad: dict[str, int]
    failures: dict[str, Failure] = {}


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """`service` on `worker` is alive; `markets` are those it owns, by `<venue>.<asset>`."""

    service: str
    worker: str
    markets: dict[str, MarketHealth]


def section_of(service: str) -> str:
    """What a service's folder and its section of the settings are called."""
    return service.replace("-", "_")


def worker_name() -> str:
    """What this process is called among the workers of its service."""
    return f"{socket.gethostname()}-{os.getpid()}"


def heartbeat_subject(service: str, worker: str) -> str:
    """Where a worker's heartbeat is heard."""
    return f"health.{service}.{worker}"


def progress_subject(service: str, market: object) -> str:
    """Where a fold reports the last round that it folded."""
    return f"progress.{service}.{market}"
