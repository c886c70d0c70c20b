"""Workers join and leave while the system runs; markets move by themselves and nothing is lost or doubled."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.msg import Msg

from papertrader.cli.service_process import ServiceProcess
from papertrader.cli.supervisor import Supervisor
from papertrader.shared.log.broker import free_port
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.health import Heartbeat
from tests.e2e.running import logged

MARKETS = 4
TABLES: dict[str, Any] = {
    "feed": {
        "source": "synthetic",
        "speed": 5,
        "duration_s": 250.0,
        "barrier_timeout_s": 120.0,
        "synthetic": {
            "assets": [
                {"name": f"S{number}", "price": 100.0 * (number + 1), "tick_size": 0.01, "lot_size": 0.001}
                for number in range(MARKETS)
            ]
        },
    },
    "monitor": {"port": 0},
}
LONGEST_HANDOVER_S = 1.0
PATIENCE_S = 60.0
_beat = msgspec.json.Decoder(Heartbeat)


class Progress:
    """When each market's fill-sim reported a round, and which workers have owned it."""

    def __init__(self) -> None:
        self.times: dict[str, list[float]] = defaultdict(list)
        self.owners: dict[str, set[str]] = defaultdict(set)

    async def listen(self, url: str, until: asyncio.Event) -> None:
        """Follow progress and heartbeats until told."""
        bus = await Bus.connect(url, "watcher")
        await bus.subscribe("progress.fill-sim.>", self._on_progress)
        await bus.subscribe("health.fill-sim.*", self._on_heartbeat)
        await until.wait()
        await bus.close()

    async def _on_progress(self, message: Msg) -> None:
        self.times[message.subject.split(".", 2)[2]].append(time.monotonic())

    async def _on_heartbeat(self, message: Msg) -> None:
        beat = _beat.decode(message.data)
        for market in beat.markets:
            self.owners[market].add(beat.worker)

    def longest_gaps_s(self, moved: bool) -> dict[str, float]:
        """The longest time without a folded round, by market; one that never moved shows what the machine did."""
        return {
            name: max(b - a for a, b in pairwise(times))
            for name, times in self.times.items()
            if (len(self.owners[name]) > 1) is moved
        }


def _run(directory: Path, scale: bool) -> tuple[Progress, list[tuple[str, bytes]]]:
    tables = TABLES if scale else {**TABLES, "feed": {**TABLES["feed"], "speed": 0}}
    supervisor = Supervisor(directory, tables, None, {})
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
    (first,) = (process for process in supervisor.processes if process.name == "fill-sim")
    await _until(lambda: first.log_tail().count("owns") == MARKETS)
    logs = supervisor.directory / "logs"
    more = [ServiceProcess("fill-sim", number, supervisor.settings, logs, free_port()) for number in (1, 2)]
    for process in more:
        process.start()
    try:
        await _until(lambda: all("owns" in process.log_tail() for process in more))
        await asyncio.sleep(3)
    finally:
        for process in more:
            process.signal_stop()
            await asyncio.to_thread(process.wait_stopped, 10)
    assert all("gave up" in process.log_tail() for process in more)


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 - a log file has no event
            await asyncio.sleep(0.1)


@pytest.mark.long
def test_scaling_out_and_in_moves_markets_without_loss(tmp_path: Path) -> None:
    """1 → 3 → 1 workers of fill-sim: the hand-over takes less than a second and the fills are the same."""
    _, alone = _run(tmp_path / "alone", scale=False)
    progress, scaled = _run(tmp_path / "scaled", scale=True)
    assert alone
    assert scaled == alone
    moved, stayed = progress.longest_gaps_s(moved=True), progress.longest_gaps_s(moved=False)
    print("longest time without a folded round, s: of markets that moved", moved, "and that stayed", stayed)  # noqa: T201
    assert len(moved) >= 2
    assert max((moved | stayed).values()) < LONGEST_HANDOVER_S, (moved, stayed)
