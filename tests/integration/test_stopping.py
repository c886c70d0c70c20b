"""A service that is asked to leave leaves, whatever has become of its broker."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from papertrader.cli.supervisor import Supervisor
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.tasks import LEFT_UNCLEAN, STOP_LIMIT_S, ended
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.config import Settings
from papertrader.shared.service.runtime import Runtime
from tests.e2e.running import finished, wait_until
from tests.integration.counting import SERVICE
from tests.integration.wire import MAX_BYTES, bounded

TABLES: dict[str, Any] = {
    "feed": {"source": "synthetic", "speed": 10, "duration_s": 200.0, "barrier_timeout_s": 120.0},
    "monitor": {"port": 0},
}
SLACK_S = 3.0
"""What a loaded machine may take to notice a signal and to end a process."""


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def freeze(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)


@pytest.mark.slow
@pytest.mark.parametrize("blow", [kill, freeze])
def test_services_leave_in_time_when_the_broker_is_gone_for_good(tmp_path: Path, blow: Callable[[int], None]) -> None:
    """In the middle of their work, with messages that they can never append; what comes after loses nothing."""
    supervisor = Supervisor(tmp_path, TABLES, None, {})
    supervisor.start()
    try:
        assert wait_until(lambda: all("owns" in process.log_tail() for process in supervisor.folds), 60)
        assert supervisor.broker is not None
        blow(supervisor.broker.pid)
        codes, took_s = _leave(supervisor)
        print("left with", codes, f"after {took_s:.1f} s")  # noqa: T201
        assert set(codes.values()) <= {0, LEFT_UNCLEAN}
        assert took_s < STOP_LIMIT_S + SLACK_S
        kill(supervisor.broker.pid)
        supervisor.broker.stop()
        supervisor.start()
    finally:
        log = finished(supervisor)
    assert log["fills.>"]


def _leave(supervisor: Supervisor) -> tuple[dict[str, int | None], float]:
    """The exit codes after SIGTERM, and how long the slowest took."""
    started = time.monotonic()
    for process in supervisor.processes:
        process.signal_stop()
    wait_until(lambda: all(process.exit_code is not None for process in supervisor.processes), 2 * STOP_LIMIT_S)
    return {process.label: process.exit_code for process in supervisor.processes}, time.monotonic() - started


def test_worker_that_still_waits_for_the_leases_leaves_when_asked(broker: Broker, tmp_path: Path) -> None:
    """The broker went away before the worker could join: it would look for the leases for ever."""

    async def work() -> None:
        bus = await Bus.connect(broker.url, "counter")
        await bus.create_stream(MAX_BYTES)
        await asyncio.to_thread(broker.stop)
        runtime = Runtime(SERVICE, Settings({}), bus, BusConfig(url=broker.url, data_dir=str(tmp_path)))
        stop = asyncio.Event()
        stop.set()
        async with asyncio.timeout(STOP_LIMIT_S):
            await runtime.run(stop)
            await runtime.leave()

    bounded(work())


def test_task_that_swallows_its_cancellation_is_cancelled_again() -> None:
    swallowed = 0

    async def stubborn() -> None:
        nonlocal swallowed
        while swallowed < 2:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                swallowed += 1
        raise ValueError("seen by nobody")

    async def work() -> None:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        await ended(task)
        assert task.done()

    bounded(work(), 10)
