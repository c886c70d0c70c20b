"""Runs the product's own processes for the end-to-end tests, and reads what they left on the log."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from papertrader.cli.monitor_client import MonitorError, fetch_json
from papertrader.cli.service_process import ServiceProcess
from papertrader.cli.supervisor import Supervisor
from papertrader.shared.log.broker import Broker, free_port
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.reader import LogReader
from tests.conftest import ROOT
from tests.runs import papertrader

SAID = ("orders.>", "acks.>", "fills.>", "account.>", "markouts.>", "params.>", "checks.>")
"""What folds say."""

Log = dict[str, list[tuple[str, bytes]]]
"""What was said on each of `SAID`."""


def run_json(directory: Path, *arguments: object, timeout_s: float = 240) -> tuple[int, dict[str, Any]]:
    """`papertrader run --json` in a directory: the exit code and the one JSON object on standard output."""
    done = papertrader("run", "--json", "--data-dir", directory, *arguments, timeout_s=timeout_s)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def logged(directory: Path, subject: str) -> list[tuple[str, bytes]]:
    """Every message of a finished run's log, by subject and within one in order; subjects are written independently."""
    broker = Broker(directory / "nats")
    broker.start()
    try:
        return sorted(asyncio.run(read_all(directory, broker.url, subject)), key=lambda item: item[0])
    finally:
        broker.stop()


def finished(supervisor: Supervisor) -> Log:
    """Let the feed run to its end, whatever dies started again, stop everything and read what was said."""
    try:
        while supervisor.feed.exit_code is None:
            supervisor.revive()
            time.sleep(0.1)
        assert supervisor.feed.exit_code == 0, supervisor.feed.log_tail()
    finally:
        supervisor.stop()
    return {subject: logged(supervisor.directory, subject) for subject in SAID}


async def read_all(directory: Path, url: str, subject: str) -> list[tuple[str, bytes]]:
    """Every message of a subject in the order of the log."""
    found: list[tuple[str, bytes]] = []

    async def keep(_sequence: int, name: str, payload: bytes) -> None:
        found.append((name, payload))

    bus = await Bus.connect(url, "test", data_dir=directory)
    last = await bus.last(subject)
    reader = LogReader(bus, [subject], 0, keep)
    await reader.start()
    while last is not None and reader.sequence < last.sequence:  # noqa: ASYNC110 - the reader has no such event
        await asyncio.sleep(0.02)
    await reader.stop()
    await bus.close()
    return found


@contextmanager
def system(directory: Path, tables: dict[str, Any]) -> Iterator[Supervisor]:
    """The whole system, started; nothing is revived, so that a test decides what is down."""
    supervisor = Supervisor(directory, tables, None, {})
    supervisor.start()
    try:
        yield supervisor
    finally:
        for process in supervisor.processes:
            if process.exit_code is None:
                os.kill(process.pid, signal.SIGCONT)
        supervisor.stop()


def metric(port: int, name: str) -> float:
    """The sum over its labels of a metric that a service answers with, 0 while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=0.5) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def process_of(supervisor: Supervisor, name: str) -> ServiceProcess:
    """The process of a service."""
    return next(process for process in supervisor.processes if process.name == name)


def checks(supervisor: Supervisor, account: str = "main") -> dict[str, Any]:
    """The checklist of an account in the first market, empty while nobody answers."""
    try:
        markets = fetch_json(supervisor.page, "/api/summary")["markets"]
    except MonitorError:
        return {}
    found: list[dict[str, Any]] = [market["checks"] for market in markets if market["account"] == account]
    return found[0] if found else {}


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False


@contextmanager
def venue_server(*arguments: object) -> Iterator[str]:
    """`python -m tools.venue_server` as a process of its own; its address."""
    port = free_port()
    command = [sys.executable, "-m", "tools.venue_server", "--port", str(port), *map(str, arguments)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        assert wait_until(lambda: bool(server_status(url)), 30), "the venue server does not answer"
        yield url
    finally:
        process.terminate()
        process.wait()


def server_status(url: str) -> dict[str, Any]:
    """What a venue server says of itself, empty while it does not answer."""
    try:
        return dict(fetch_json(url, "/control"))
    except MonitorError:
        return {}


def strike(url: str, fault: str, duration_s: float = 0.0) -> None:
    """Let a venue server fail."""
    body = json.dumps({"fault": fault, "duration_s": duration_s}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{url}/control", body), timeout=5).close()
