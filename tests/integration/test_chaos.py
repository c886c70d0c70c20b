"""Folds are killed and frozen at random; the log comes out as if nothing had happened."""

import asyncio
import os
import random
import signal
import threading
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from nats.aio.msg import Msg

from papertrader.cli.service_process import ServiceProcess
from papertrader.cli.supervisor import Supervisor
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.health import FOLDS
from tests.e2e.running import SAID, finished, metric, wait_until
from tests.runs import verify

BLOWS = int(os.environ.get("PAPER_CHAOS_BLOWS", "10"))
DURATION_S = 20.0 * BLOWS
SPEED = 5.0
"""So slow that the tape does not end before the last blow."""
STANDSTILL_S = 0.5
"""If no fold reports a round for so long, one has changed hands or was started again: the feed waits for all."""
COUNTED = ("paper_outputs_suppressed", "paper_fenced_writes", 'paper_lease_changes_total{reason="lost"}')


class Storm:
    """Kills or freezes a random fold every second or two; what died is started again at once."""

    def __init__(self, supervisor: Supervisor, chance: random.Random) -> None:
        self.counts: Counter[str] = Counter()
        self._supervisor = supervisor
        self._chance = chance
        self._heard: list[float] = []
        self._ended = threading.Event()

    def strike(self, blows: int) -> None:
        """Strike so often, while what the folds report is listened to."""
        listening = threading.Thread(target=lambda: asyncio.run(self._listen()))
        listening.start()
        try:
            for _ in range(blows):
                assert self._supervisor.feed.exit_code is None, "the tape has ended before the last blow"
                self._hit(self._chance.choice(self._supervisor.folds))
                for _ in range(10):
                    self._supervisor.revive()
                    time.sleep(0.1)
            for process in self._supervisor.folds:
                self._count(process)
        finally:
            self._ended.set()
            listening.join()

    def standstills_s(self) -> list[float]:
        """How long no fold reported a round, each time."""
        return [b - a for a, b in pairwise(self._heard) if b - a > STANDSTILL_S]

    def _hit(self, victim: ServiceProcess) -> None:
        if victim.exit_code is not None:
            return
        if self._chance.random() < 0.5:
            self._count(victim)
            os.kill(victim.pid, signal.SIGKILL)
            return
        os.kill(victim.pid, signal.SIGSTOP)
        time.sleep(self._chance.uniform(0.5, 4.5))  # at times longer than a lease lives
        os.kill(victim.pid, signal.SIGCONT)

    def _count(self, process: ServiceProcess) -> None:
        for name in COUNTED:
            self.counts[name] += int(metric(process.metrics_port, name))

    async def _listen(self) -> None:
        assert self._supervisor.broker is not None
        bus = await Bus.connect(self._supervisor.broker.url, "watcher")
        await bus.subscribe("progress.>", self._hear)
        await asyncio.to_thread(self._ended.wait)
        await bus.close()

    async def _hear(self, _message: Msg) -> None:
        self._heard.append(time.monotonic())


def _started(directory: Path, tape: Path, workers: int, speed: float) -> Supervisor:
    feed = {"source": "tape", "tapes": [str(tape)], "duration_s": DURATION_S, "barrier_timeout_s": 120.0}
    tables: dict[str, Any] = {"feed": {**feed, "speed": speed}, "monitor": {"port": 0}}
    supervisor = Supervisor(directory, tables, None, dict.fromkeys(FOLDS, workers))
    supervisor.start()
    return supervisor


def _everything_is_owned(supervisor: Supervisor) -> bool:
    return {process.name for process in supervisor.folds if "owns" in process.log_tail()} == set(FOLDS)


@pytest.mark.long
def test_killed_and_frozen_folds_lose_and_double_nothing(tmp_path: Path, tape_dir: Path) -> None:
    """Three workers of each fold on a real tape: every message once, byte for byte as undisturbed."""
    tape = tape_dir / "hyperliquid-20250904-WLFI.gz"
    calm = finished(_started(tmp_path / "calm", tape, 1, speed=0.0))
    supervisor = _started(tmp_path / "stormy", tape, 3, SPEED)
    storm = Storm(supervisor, random.Random(1))
    try:
        assert wait_until(lambda: _everything_is_owned(supervisor), 120), "somebody must have something to lose"
        storm.strike(BLOWS)
        stormy = finished(supervisor)
    finally:
        supervisor.stop()
    stood = storm.standstills_s() or [0.0]
    print(f"{BLOWS} blows; it stood still, s: {[round(gap, 2) for gap in sorted(stood)]}")  # noqa: T201
    print(dict(storm.counts))  # noqa: T201
    assert calm["fills.>"]
    for subject in SAID:
        assert stormy[subject] == calm[subject], subject
    assert verify(tmp_path / "stormy")["verified"]["fills"] == len(calm["fills.>"])
