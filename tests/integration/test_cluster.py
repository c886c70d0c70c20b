"""The log on three servers, of which the leading one is killed: nothing is lost or doubled, and the run goes on."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from papertrader.cli.supervisor import Supervisor
from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.writes import Write
from tests.e2e.running import SAID, finished, metric, read_all, wait_until
from tests.integration.clustered import SERVERS, Cluster, until
from tests.integration.wire import bounded
from tests.runs import papertrader

BLOWS = int(os.environ.get("CLUSTER_BLOWS", "10"))
SPEED = 4.0
SERVED_AGAIN_S = 3.0
"""After an election."""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three servers that have agreed on a leader."""
    found = Cluster(tmp_path / "cluster")
    for number in range(SERVERS):
        found.start(number)
    try:
        until(found.agrees)
        yield found
    finally:
        found.stop()


async def _created(bus: Bus) -> None:
    """Make the log; servers that have just agreed on a leader may not know each other's places yet."""
    for _ in range(4):
        with contextlib.suppress(BusError):
            return await bus.create_stream(2**26, replicas=3)
    return await bus.create_stream(2**26, replicas=3)


def test_log_on_three_servers_takes_rounds_whole(cluster: Cluster) -> None:
    """Every message of a round is acknowledged before it counts as published; one that is refused is seen."""

    async def work() -> None:
        bus = await Bus.connect(cluster.url, "test")
        await _created(bus)
        config = (await bus.jetstream.stream_info("PAPER")).config
        assert config.num_replicas == 3
        messages = [(f"md.test.BTC.m{number}", b"{}") for number in range(20)]
        assert await bus.append_once(messages, Write("md.test.BTC.round", b"{}", "1"))
        assert await bus.extent() == (1, 21)
        unheard = [*messages, ("nobody.keeps.this", b"{}")]
        assert not await bus.append_once(unheard, Write("md.test.BTC.round", b"{}", "2"))
        await bus.close()

    bounded(work())


def test_more_replicas_than_servers_are_refused_with_what_to_change(cluster: Cluster) -> None:
    async def work() -> None:
        bus = await Bus.connect(cluster.url, "test")
        with pytest.raises(BusError, match=r"on 5 of its servers: .*set \[bus\] replicas"):
            await bus.create_stream(2**26, replicas=5)
        await bus.close()

    bounded(work())


def _tables(seconds: float, replicas: int = 3, speed: float = SPEED) -> dict[str, Any]:
    feed = {"source": "synthetic", "assets": ["SYN1"], "speed": speed, "duration_s": seconds}
    return {
        "feed": {**feed, "synthetic": {"duration_s": seconds}},
        "bus": {"replicas": replicas, "max_bytes": 2**30},
        "monitor": {"port": 0},
        "gateway": {"enabled": False},
    }


def _undisturbed(directory: Path, seconds: float) -> dict[str, list[tuple[str, bytes]]]:
    supervisor = Supervisor(directory, _tables(seconds, replicas=1, speed=0), None, {})
    supervisor.start()
    return finished(supervisor)


def _struck(directory: Path, cluster: Cluster, seconds: float, blows: int) -> list[float]:
    """Run while the leading server is killed so often; for how long nothing was folded after each election, s."""
    supervisor = Supervisor(directory, _tables(seconds), cluster.url, {})
    supervisor.start()
    stood_s = []
    try:
        assert wait_until(lambda: _published(supervisor) > 10, 120), supervisor.feed.log_tail()
        for _ in range(blows):
            until(cluster.whole)
            assert supervisor.feed.exit_code is None, "the source has ended before the last blow"
            victim = cluster.leads()
            assert victim is not None
            cluster.kill(victim)
            until(lambda: cluster.leads() is not None)
            stood_s.append(_standstill_s(supervisor))
            cluster.start(victim)
        assert wait_until(lambda: supervisor.feed.exit_code is not None, 300), supervisor.feed.log_tail()
        assert supervisor.feed.exit_code == 0, supervisor.feed.log_tail()
    finally:
        supervisor.stop()
    return stood_s


def _published(supervisor: Supervisor) -> float:
    return metric(supervisor.feed.metrics_port, "paper_feed_messages_total")


def _standstill_s(supervisor: Supervisor) -> float:
    started, before = time.monotonic(), _published(supervisor)
    assert wait_until(lambda: _published(supervisor) > before, 30), supervisor.feed.log_tail()
    return time.monotonic() - started


def _compared(tmp_path: Path, cluster: Cluster, blows: int) -> list[float]:
    seconds = SPEED * 20.0 * (blows + 1)
    expected: list[dict[str, Any]] = []
    calm = threading.Thread(target=lambda: expected.append(_undisturbed(tmp_path / "calm", seconds)))
    calm.start()
    stood_s = _struck(tmp_path / "struck", cluster, seconds, blows)
    calm.join()
    until(cluster.whole)
    read = {name: asyncio.run(read_all(tmp_path / "struck", cluster.url, name)) for name in SAID}
    found = {name: sorted(messages, key=lambda item: item[0]) for name, messages in read.items()}
    assert found["fills.>"]
    for name in SAID:
        if name != "checks.>":
            assert found[name] == expected[0][name], name
    done = papertrader("verify", "--nats", cluster.url, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return stood_s


@pytest.mark.slow
def test_leader_is_killed_and_nothing_is_lost_or_doubled(tmp_path: Path, cluster: Cluster) -> None:
    _compared(tmp_path, cluster, 1)


@pytest.mark.long
def test_leader_is_killed_ten_times_and_is_missed_for_seconds(tmp_path: Path, cluster: Cluster) -> None:
    stood_s = _compared(tmp_path, cluster, BLOWS)
    assert max(stood_s) < SERVED_AGAIN_S, stood_s
