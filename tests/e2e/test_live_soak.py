"""Half an hour of three live markets at 20 times their pace, a fault every ten seconds, with the whole system behind.

A live feed takes what comes when it comes: it has no speed of its own. A server that plays 20 times as fast makes the
event clock, which follows the frames, run 20 times as fast as the wall clock. What the feed measures in wall time - how
long it waits for late data, when a silence is a gap, pings, reconnections - is then 20 times as long in event time,
so it is set 20 times shorter. Nobody waits for the folds: they must keep up, or what they say comes late in the log.
"""

import itertools
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from papertrader.shared.log.health import FOLDS, section_of
from papertrader.shared.messages import Gap
from tests.e2e.running import logged, server_status, venue_server, wait_until
from tests.runs import PAPERTRADER
from tools.venue_server.faults import KINDS, Fault

pytestmark = pytest.mark.long

SPEED = 20.0
EVENT_S = 1_800.0
FAULT_EVERY_S = 10.0
WARM_UP_S = 6.0
"""Wall time until every service works."""
ASSETS = ("BTC", "ETH", "SOL")
SETTINGS = """
[archive]
segment_bytes = 500_000
[feed]
source = "hyperliquid"
assets = ["BTC", "ETH", "SOL"]
round_ms = 250
gap_after_ms = 400
venue_url = "{url}"
duration_s = {duration_s}

[feed.live]
ping_s = 0.1
receive_timeout_s = 0.4
data_timeout_s = 1.0
reconnect_base_s = 0.02
reconnect_cap_s = 0.2
idle_ms = 50
grace_ms = 3

[monitor]
port = 0
"""
MAX_GROWTH_BYTES = 8 * 2**20
"""From the end of the first third to the end, of any service."""
MAX_BROKER_GROWTH_BYTES = 32 * 2**20
"""The broker caches what it has stored last."""


def script() -> list[Fault]:
    """A fault every ten seconds of event time, given in wall time."""
    draw = random.Random(11)
    times = itertools.takewhile(lambda at: at < EVENT_S - 6 * FAULT_EVERY_S, itertools.count(0.0, FAULT_EVERY_S))
    return [
        Fault(
            WARM_UP_S + at / SPEED,
            draw.choice(KINDS),
            draw.choice((0.0, 1.0, 3.0, 12.0)) / SPEED,
            draw.choice((-30_000, 5_000, 60_000)),
        )
        for at in times
    ]


def children(pid: int) -> Iterator[tuple[str, int]]:
    """What a process has started, by what it runs."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except (OSError, ValueError):
            continue
        if parent == pid and len(words) > 2:  # one that has ended has no words
            module = words[words.index("-m") + 1] if "-m" in words else Path(words[0]).name
            yield module.removeprefix("papertrader.services."), int(entry.name)


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


class Watched:
    """Memory and open files of a run's processes over time."""

    def __init__(self, run: "subprocess.Popen[str]") -> None:
        self.run = run
        self.memory: dict[str, list[int]] = {}
        self.files: dict[str, list[int]] = {}
        self.clients = 0

    def until_the_end(self, url: str) -> None:
        while self.run.poll() is None:
            time.sleep(1.0)
            for name, pid in children(self.run.pid):
                try:
                    memory, files = resident_bytes(pid), open_files(pid)
                except OSError:
                    continue
                self.memory.setdefault(name, []).append(memory)
                self.files.setdefault(name, []).append(files)
            self.clients = max(self.clients, server_status(url).get("clients", 0))

    def growth(self) -> dict[str, int]:
        return {name: max(taken[-3:]) - taken[len(taken) // 3] for name, taken in self.memory.items()}


def soak(directory: Path) -> tuple[dict[str, Any], Watched, dict[str, int]]:
    faults = directory / "faults.json"
    faults.write_bytes(msgspec.json.encode(script()))
    served = ("--speed", SPEED, "--duration", EVENT_S, "--delay", EVENT_S, "--script", faults, "--seed", 3)
    with venue_server(*served) as url:
        settings = directory / "settings.toml"
        settings.write_text(SETTINGS.format(url=url, duration_s=EVENT_S - 3 * FAULT_EVERY_S))
        command = [str(PAPERTRADER), "run", "--json", "--settings", str(settings), "--data-dir", str(directory / "run")]
        run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        watched = Watched(run)
        try:
            watched.until_the_end(url)
            out, said = run.communicate(timeout=60)
            assert wait_until(lambda: server_status(url)["clients"] == 0, 10), "a connection is left over"
            struck = server_status(url)["faults"]
        finally:
            if run.poll() is None:
                run.send_signal(signal.SIGINT)
                run.wait()
    assert run.returncode == 0, said
    return json.loads(out), watched, struck


def test_half_an_hour_of_faults_leaves_the_whole_system_sound(tmp_path: Path) -> None:
    started = time.monotonic()
    summary, watched, struck = soak(tmp_path)
    assert sum(struck.values()) == len(script())
    assert set(struck) == set(KINDS)
    assert time.monotonic() - started < 2 * EVENT_S / SPEED, "the folds did not keep up"
    gaps = [msgspec.json.decode(payload, type=Gap) for _, payload in logged(tmp_path / "run", "md.*.*.gap")]
    assert {"disconnected", "silence"} <= {gap.reason for gap in gaps} <= {"disconnected", "silence"}
    assert len(summary["markets"]) == len(ASSETS)
    for market in summary["markets"]:
        assert market["fills"] == market["own_fills"] == market["controller_fills"] > 30
        assert market["outcomes_unresolved"] > 0
        assert abs(market["pnl_residual"]) < 1e-6
        states = {name: check["state"] for name, check in market["checks"].items()}
        assert set(states.values()) == {"pass"}, states
    assert watched.clients <= 2
    assert set(watched.memory) >= {"archive", "feed", "nats-server", *map(section_of, FOLDS)}
    for name, taken in watched.files.items():
        assert taken[-3] <= taken[len(taken) // 3] + 2, name
    growth = watched.growth()
    assert growth.pop("nats-server") < MAX_BROKER_GROWTH_BYTES
    assert max(growth.values()) < MAX_GROWTH_BYTES, growth
