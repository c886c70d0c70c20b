"""A worker dies, freezes, or loses its broker in the middle of a run; another takes over and nothing is lost."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from papertrader.cli.service_process import ServiceProcess
from papertrader.cli.supervisor import Supervisor
from papertrader.shared.log.bus import Bus
from tests.e2e.running import Log, finished, metric, wait_until
from tests.integration.wire import kill

TABLES: dict[str, Any] = {
    "feed": {
        "source": "synthetic",
        "assets": ["SYN1"],
        "speed": 10,
        "barrier_timeout_s": 120.0,
        "synthetic": {"duration_s": 400.0},
    },
    "monitor": {"port": 0},
}
LONGEST_TAKEOVER_S = 5.0
DOWN_S = 2.0
LONGEST_OUTAGE_S = DOWN_S + 10.0


def started(directory: Path, workers: int) -> Supervisor:
    supervisor = Supervisor(directory, TABLES, None, {"fill-sim": workers})
    supervisor.start()
    assert wait_until(lambda: bool(owners(supervisor)), 120), "no fill-sim owns the market"
    return supervisor


def fill_sims(supervisor: Supervisor) -> list[ServiceProcess]:
    return [process for process in supervisor.processes if process.name == "fill-sim"]


def owners(supervisor: Supervisor) -> list[ServiceProcess]:
    return [process for process in fill_sims(supervisor) if metric(process.metrics_port, "paper_owned_markets") > 0]


class Watch:
    """Measures how long no round of the market is folded, from what fill-sim reports."""

    def __init__(self, supervisor: Supervisor) -> None:
        assert supervisor.broker is not None
        self._url = supervisor.broker.url
        self._supervisor = supervisor

    def silence_s(self, blow: Callable[[], None]) -> float:
        """Seconds from a blow to the first report that follows a silence of half a second or more."""
        return asyncio.run(asyncio.wait_for(self._silence(blow), 60))

    async def _silence(self, blow: Callable[[], None]) -> float:
        heard: list[float] = []

        async def on_progress(_message: object) -> None:
            heard.append(time.monotonic())

        bus = await Bus.connect(self._url, "watcher")
        await bus.subscribe("progress.fill-sim.>", on_progress)
        while len(heard) < 20:  # noqa: ASYNC110 - a subscription has no event
            await asyncio.sleep(0.05)
        struck = time.monotonic()
        await asyncio.to_thread(blow)
        while not _after_silence(heard, struck):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await bus.close()
        return _after_silence(heard, struck) - struck


def _after_silence(heard: list[float], struck: float) -> float:
    """When the first report came after half a second without any, 0 if there is none yet."""
    later = [struck, *(at for at in heard if at > struck)]
    return next((after for before, after in pairwise(later) if after - before > 0.5), 0.0)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Log:
    log = finished(started(tmp_path_factory.mktemp("calm"), 1))
    assert log["fills.>"]
    return log


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    found = started(tmp_path, 2)
    yield found
    for process in found.processes:
        if process.exit_code is None:
            os.kill(process.pid, signal.SIGCONT)
    found.stop()


@pytest.mark.long
def test_killed_worker_is_replaced_in_time(supervisor: Supervisor, calm: Log) -> None:
    (owner,) = owners(supervisor)
    gap = Watch(supervisor).silence_s(lambda: os.kill(owner.pid, signal.SIGKILL))
    print(f"kill -9 of a worker: taken over after {gap:.2f} s")  # noqa: T201
    assert gap < LONGEST_TAKEOVER_S
    assert finished(supervisor) == calm


@pytest.mark.long
def test_frozen_worker_is_replaced_and_cannot_write_when_it_wakes(supervisor: Supervisor, calm: Log) -> None:
    (owner,) = owners(supervisor)
    gap = Watch(supervisor).silence_s(lambda: os.kill(owner.pid, signal.SIGSTOP))
    print(f"kill -STOP of a worker: taken over after {gap:.2f} s")  # noqa: T201
    assert gap < LONGEST_TAKEOVER_S
    time.sleep(1)
    os.kill(owner.pid, signal.SIGCONT)
    refused = ('paper_lease_changes_total{reason="fenced"}', 'paper_lease_changes_total{reason="lost"}')
    assert wait_until(lambda: sum(metric(owner.metrics_port, name) for name in refused) >= 1, 15)
    print("when it woke:", {name: metric(owner.metrics_port, name) for name in refused})  # noqa: T201
    assert finished(supervisor) == calm


@pytest.mark.long
def test_broker_restarted_in_the_middle_loses_nothing(supervisor: Supervisor, calm: Log) -> None:
    broker = supervisor.broker
    assert broker is not None

    def restart() -> None:
        kill(broker)
        time.sleep(DOWN_S)
        broker.start()

    gap = Watch(supervisor).silence_s(restart)
    print(f"broker killed, back after {DOWN_S:g} s: without service for {gap:.2f} s")  # noqa: T201
    assert DOWN_S < gap < LONGEST_OUTAGE_S
    assert finished(supervisor) == calm
