"""The broker's metrics, against a real broker."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from papertrader.services.broker_exporter import metrics
from papertrader.services.broker_exporter.refusals import REASONS, Refusals
from papertrader.shared.log.broker import executable, free_port
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.subjects import Market, subject

MARKET = Market("synthetic", "SYN1")
MAX_BYTES = 2**24


class Urls(NamedTuple):
    client: str
    monitoring: str
    log: Path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Urls]:
    port, monitoring = free_port(), free_port()
    command = [executable(), "--addr", "127.0.0.1", "--port", str(port), "--http_port", str(monitoring)]
    command += ["--jetstream", "--store_dir", str(tmp_path / "js"), "--log", str(tmp_path / "log")]
    server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not (_listens(port) and _listens(monitoring)) and time.monotonic() < deadline:
        time.sleep(0.05)
    yield Urls(f"nats://127.0.0.1:{port}", f"http://127.0.0.1:{monitoring}", tmp_path / "log")
    server.terminate()
    server.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _read(url: str, log: Path | None = None) -> dict[tuple[str, tuple[str, ...]], float]:
    found = metrics.samples(Market("", ""), metrics.Watched(url, None if log is None else Refusals(log)))
    return {(sample.metric.name, sample.labels): sample.value for sample in found if isinstance(sample.value, float)}


async def _append_three(url: str) -> None:
    bus = await Bus.connect(url, "test")
    await bus.create_stream(MAX_BYTES)
    for number in range(3):
        await bus.append(subject("fills", MARKET, "main"), b"{}", f"test-{number}")
    await bus.close()


def test_samples_of_a_living_broker_count_what_the_log_holds(broker: Urls) -> None:
    asyncio.run(_append_three(broker.client))
    values = _read(broker.monitoring)
    assert values["paper_broker_up", ()] == 1
    assert values["paper_broker_stream_messages", ("PAPER",)] == 3
    assert values["paper_broker_stream_max_bytes", ("PAPER",)] == MAX_BYTES
    assert 0 < values["paper_broker_stream_bytes", ("PAPER",)] == values["paper_broker_storage_bytes", ()]
    assert values["paper_broker_storage_limit_bytes", ()] > MAX_BYTES
    assert values["paper_broker_messages", ("in",)] >= 3
    assert values["paper_broker_slow_consumers", ()] == 0


def test_every_metric_has_a_sample_once_there_is_a_log(broker: Urls) -> None:
    asyncio.run(_append_three(broker.client))
    assert {name for name, _ in _read(broker.monitoring, broker.log)} == {metric.name for metric in metrics.METRICS}


def test_samples_of_a_dead_broker_say_that_it_is_down() -> None:
    assert _read(f"http://127.0.0.1:{free_port()}") == {("paper_broker_up", ()): 0.0}


def test_refusals_are_counted_in_the_brokers_log_over_its_rotation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("[1] [ERR] 127.0.0.1 - cid:1 - Publish Violation - before this began\n")
    counter = Refusals(path)
    nothing = dict.fromkeys(REASONS, 0)
    assert counter.counted() == nothing
    with path.open("a") as log:
        log.write('[1] [ERR] cid:2 - Publish Violation - Subject "fills.a"\n[1] [ERR] cid:2 - Subscription Viol')
    assert counter.counted() == {**nothing, "publish": 1}
    with path.open("a") as log:
        log.write('ation - Subject ">"\n[1] [ERR] cid:3 - maximum payload exceeded: 9 vs 8\n')
    path.rename(tmp_path / "log.1")
    path.write_text("[1] [ERR] cid:4 - authentication error\n")
    assert counter.counted() == {**nothing, "publish": 1, "subscribe": 1, "payload": 1, "login": 1}
