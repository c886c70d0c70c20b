"""Workers join and leave while the system runs; markets move by themselves and nothing is lost or doubled."""

import asyncio
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from nats.aio.msg import Msg

from cli.supervisor import ServiceProcess, Supervisor
from shared.broker import free_port
from shared.bus import Bus
from tests.e2e.running import logged, verify

TABLES: dict[str, Any] = {
    "feed": {
        "source": "synthetic",
        "speed": 5,
        "duration_s": 200.0,
        "barrier_timeout_s": 120.0,
        "synthetic": {
            "assets": [
                {"name": f"S{number}", "price": 100.0 * (number + 1), "tick_size": 0.01, "lot_size": 0.001}
                for number in range(4)
            ]
        },
    },
    "monitor": {"port": 0},
}
LONGEST_HANDOVER_S = 1.0


class Progress:
    """When each market's fill-sim reported a round, and from which process."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = defaultdict(list)
        self.owners: dict[str, str] = {}

    async def listen(self, url: str, until: asyncio.Event) -> None:
        """Follow progress and heartbeats until told."""
        bus = await Bus.connect(url, "watcher")
        await bus.subscribe("progress.fill-sim.>", self._on_progress)
        await until.wait()
        await bus.close()

    async def _on_progress(self, message: Msg) -> None:
        self.times[message.subject].append(time.monotonic())

    def longest_gaps_s(self) -> dict[str, float]:
        """The longest time without a folded round, by market; one that never moved shows what the machine did."""
        return {name: max(b - a for a, b in pairwise(times)) for name, times in self.times.items()}


def _run(directory: Path, scale: bool) -> tuple[Progress, list[tuple[str, bytes]]]:
    supervisor = Supervisor(directory, TABLES, None, {})
    supervisor.start()
    progress = Progress()
    try:
        asyncio.run(_watch(supervisor, progress, scale))
        assert supervisor.feed.exit_code == 0, supervisor.feed.log_tail()
    finally:
        supervisor.stop()
    return progress, logged(directory, "fills.>")


async def _watch(supervisor: Supervisor, progress: Progress, scale: bool) -> None:
    ended = asyncio.Event()
    assert supervisor.broker is not None
    listening = asyncio.create_task(progress.listen(supervisor.broker.url, ended))
    if scale:
        await _scale_out_and_in(supervisor)
    while supervisor.feed.exit_code is None:  # noqa: ASYNC110 - a process has no event
        await asyncio.sleep(0.1)
    ended.set()
    await listening


async def _scale_out_and_in(supervisor: Supervisor) -> None:
    await asyncio.sleep(10)
    logs = supervisor.directory / "logs"
    more = [ServiceProcess("fill-sim", number, supervisor.settings, logs, free_port()) for number in (1, 2)]
    for process in more:
        process.start()
    try:
        for _ in range(600):
            if any("owns" in process.log_tail() for process in more):
                break
            await asyncio.sleep(0.1)
        assert any("owns" in process.log_tail() for process in more), [process.log_tail() for process in more]
        await asyncio.sleep(3)
    finally:
        for process in more:
            process.signal_stop()
            await asyncio.to_thread(process.wait_stopped, 10)
    assert all("gave up" in process.log_tail() for process in more if "owns" in process.log_tail())


@pytest.mark.long
def test_scaling_out_and_in_moves_markets_without_loss(tmp_path: Path) -> None:
    """1 → 3 → 1 workers of fill-sim: the hand-over takes less than a second and the fills are the same."""
    _, alone = _run(tmp_path / "alone", scale=False)
    progress, scaled = _run(tmp_path / "scaled", scale=True)
    assert alone
    assert scaled == alone
    gaps = progress.longest_gaps_s()
    print("longest time without a folded round, s:", gaps)  # noqa: T201
    assert max(gaps.values()) < LONGEST_HANDOVER_S, gaps
    verify(tmp_path / "scaled")
