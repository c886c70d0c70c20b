"""The command as an operator starts it, and what of it is there."""

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.runs import PAPERTRADER

SLOW_MARKET = ("--source", "synthetic", "--speed", "20", "--duration", "3000")


@contextmanager
def started(*arguments: object) -> Iterator["subprocess.Popen[str]"]:
    """`papertrader …` while it runs; interrupted at the end if it still does."""
    process = subprocess.Popen(
        [str(PAPERTRADER), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def processes_of(directory: Path) -> list[str]:
    """The command lines of the processes that work in a run's directory, the command itself left out."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(directory) in line and "papertrader run" not in line and int(path.parent.name) != os.getpid():
            found.append(line.strip())
    return found


def until(condition: object, timeout_s: float) -> bool:
    """Whether a condition came true in time."""
    assert callable(condition)
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False


def folding(directory: Path) -> bool:
    """Whether every service of a run owns a market."""
    logs = list((directory / "logs").glob("*.log"))
    return sum("owns" in log.read_text(errors="replace") for log in logs) >= 6


def event_s(directory: Path) -> float:
    """How much event time the page of a run has seen, s; 0 before it answers."""
    try:
        port = json.loads((directory / "settings.json").read_bytes())["monitor"]["port"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/summary", timeout=2) as answer:
            markets = json.loads(answer.read())["markets"]
    except (OSError, ValueError):
        return 0.0
    return max((market["duration_s"] for market in markets), default=0.0)
