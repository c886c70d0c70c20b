"""Folds are killed and frozen at random; the log comes out as if nothing had happened."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from cli.supervisor import ServiceProcess, Supervisor
from shared.health import FOLDS
from tests.e2e.running import SAID, Log, finished
from tests.runs import verify

BLOWS = int(os.environ.get("PAPER_CHAOS_BLOWS", "10"))
DURATION_S = 12.0 * BLOWS


def _run(directory: Path, tables: dict[str, Any], workers: int, blows: int) -> Log:
    supervisor = Supervisor(directory, tables, None, dict.fromkeys(FOLDS, workers))
    supervisor.start()
    try:
        _strike(supervisor, random.Random(1), blows)
        return finished(supervisor)
    finally:
        supervisor.stop()


def _strike(supervisor: Supervisor, chance: random.Random, blows: int) -> None:
    """Kill or freeze a random fold every second or two; what died is started again at once."""
    if blows:
        time.sleep(6)  # somebody must have something to lose
    folds = [process for process in supervisor.processes if process is not supervisor.feed]
    for _ in range(blows):
        if supervisor.feed.exit_code is not None:
            return
        victim = chance.choice(folds)
        if victim.exit_code is None:
            _hit(victim, chance)
        for _ in range(10):
            supervisor.revive()
            time.sleep(0.1)


def _hit(victim: ServiceProcess, chance: random.Random) -> None:
    if chance.random() < 0.5:
        os.kill(victim.pid, signal.SIGKILL)
        return
    os.kill(victim.pid, signal.SIGSTOP)
    time.sleep(chance.uniform(0.5, 4.5))  # at times longer than a lease lives
    os.kill(victim.pid, signal.SIGCONT)


@pytest.mark.long
def test_killed_and_frozen_folds_lose_and_double_nothing(tmp_path: Path, tape_dir: Path) -> None:
    """Three workers of each fold on a real tape: every message once, byte for byte as undisturbed."""
    tables = {
        "feed": {
            "source": "tape",
            "tapes": [str(tape_dir / "hyperliquid-20250904-WLFI.gz")],
            "speed": 0,
            "duration_s": DURATION_S,
            "barrier_timeout_s": 120.0,
        },
        "monitor": {"port": 0},
    }
    calm = _run(tmp_path / "calm", tables, workers=1, blows=0)
    stormy = _run(tmp_path / "stormy", tables, workers=3, blows=BLOWS)
    assert calm["fills.>"]
    for subject in SAID:
        assert stormy[subject] == calm[subject], subject
    assert verify(tmp_path / "stormy")["verified"]["fills"] == len(calm["fills.>"])
