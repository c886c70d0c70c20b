"""Runs the whole system on this machine: the broker, one process per service, and their restarts."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from papertrader.services.feed.config import LIVE_SOURCES, REFUSED
from papertrader.shared.log.broker import Broker, free_port
from papertrader.shared.log.health import FOLDS
from papertrader.shared.service.config import ENVIRONMENT_PREFIX

SERVICES: Final = (*FOLDS, "feed")
STOP_TIMEOUT_S: Final = 10.0
RESTART_WAIT_S: Final = 0.5
FEED_DEATHS: Final = 5
FEED_DEATHS_WITHIN_S: Final = 600.0
"""A feed that died so often within this time is not started again: something is wrong that a restart does not mend."""
LOG_TAIL: Final = 2_000


class ServiceProcess:
    """One service's process; its log is a file."""

    def __init__(self, name: str, worker: int, settings: Path, log: Path, metrics_port: int) -> None:
        self.name = name
        self.label = name if worker == 0 else f"{name}-{worker + 1}"
        self.metrics_port = metrics_port
        self.restarts = 0
        self.deaths: deque[float] = deque(maxlen=FEED_DEATHS)
        self.cause = ""
        self.overrides: dict[str, str] = {}
        self._settings = settings
        self._log = log / f"{self.label}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._restart_at = 0.0

    def start(self) -> None:
        """Start the process; the settings file is all that it knows, whatever this environment says."""
        if self._process is not None:
            self._process.wait()
        environment = {key: value for key, value in os.environ.items() if not key.startswith(ENVIRONMENT_PREFIX)}
        environment |= {"PAPER_BUS_METRICS_PORT": str(self.metrics_port), **self.overrides}
        module = f"papertrader.services.{self.name.replace('-', '_')}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, "--settings", str(self._settings)],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def exit_code(self) -> int | None:
        """The exit code, None while the process runs."""
        return None if self._process is None else self._process.poll()

    @property
    def pid(self) -> int:
        """The process id."""
        return 0 if self._process is None else self._process.pid

    def revive(self) -> bool:
        """Start the process again if it has died, half a second later; whether it was started now."""
        if self.exit_code is None:
            return False
        if not self._restart_at:
            self.note_death()
            self._restart_at = time.monotonic() + RESTART_WAIT_S
        if time.monotonic() < self._restart_at:
            return False
        self._restart_at = 0.0
        self.restarts += 1
        self.start()
        return True

    def note_death(self) -> None:
        """Remember when and of what the process died."""
        code = self.exit_code or 0
        self.deaths.append(time.monotonic())
        self.cause = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    def signal_stop(self) -> None:
        """Ask the process to checkpoint and leave."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def wait_stopped(self, timeout_s: float) -> None:
        """Wait for the process to leave, and kill it when it does not."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_tail(self) -> str:
        """The end of the process's log."""
        with contextlib.suppress(OSError):
            return self._log.read_text(errors="replace")[-LOG_TAIL:]
        return ""


class Supervisor:
    """The broker (unless one is given) and all services, in a directory of their own."""

    def __init__(
        self, directory: Path, tables: Mapping[str, Any], nats: str | None, workers: Mapping[str, int]
    ) -> None:
        self.directory = directory
        self.broker = None if nats else Broker(directory / "nats")
        url = nats or (self.broker.url if self.broker else "")
        page_port = _port(int(tables.get("monitor", {}).get("port", 8080)))
        self.page = f"http://127.0.0.1:{page_port}"
        self.settings = directory / "settings.json"
        self._tables = {
            **tables,
            "bus": {**tables.get("bus", {}), "url": url, "data_dir": str(directory)},
            "monitor": {**tables.get("monitor", {}), "port": page_port},
        }
        logs = directory / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        names = [(name, worker) for name in SERVICES for worker in range(workers.get(name, 1))]
        self.processes = [
            ServiceProcess(name, worker, self.settings, logs, _port(9101 + index))
            for index, (name, worker) in enumerate(names)
        ]
        self.feed = self.processes[-1]
        self._started = 0.0

    def start(self) -> None:
        """Start the broker and every service."""
        self._started = time.monotonic()
        self.settings.write_bytes(orjson.dumps(self._tables, option=orjson.OPT_INDENT_2, default=str))
        if self.broker:
            self.broker.start()
        for process in self.processes:
            process.start()

    def revive(self) -> list[str]:
        """Restart what died; what was restarted now, and of what it had died. A feed that has ended stays so."""
        mortal = [process for process in self.processes if process is not self.feed or not self.ended]
        self.feed.overrides = self._rest_of_duration()
        return [f"{process.label} ({process.cause})" for process in mortal if process.revive()]

    @property
    def ended(self) -> bool:
        """Whether the feed has ended for good: its source has, or to start it once more would not help."""
        return self.feed.exit_code is not None and (self.feed.exit_code in (0, REFUSED) or self.gave_up)

    @property
    def gave_up(self) -> bool:
        """Whether the feed died too often."""
        deaths = self.feed.deaths
        return len(deaths) == FEED_DEATHS and deaths[-1] - deaths[0] < FEED_DEATHS_WITHIN_S

    def _rest_of_duration(self) -> dict[str, str]:
        """A live feed that is started again has only the rest of its time; a recorded one counts from its beginning."""
        feed = self._tables.get("feed", {})
        if feed.get("source") not in LIVE_SOURCES or not feed.get("duration_s"):
            return {}
        rest_s = float(feed["duration_s"]) - (time.monotonic() - self._started)
        return {"PAPER_FEED_DURATION_S": f"{max(rest_s, 1.0):.3f}"}

    @property
    def folds(self) -> list[ServiceProcess]:
        """Every process but the feed's."""
        return [process for process in self.processes if process is not self.feed]

    def stop(self) -> None:
        """Stop the feed, then the folds, then the broker."""
        for group in ([self.feed], self.folds):
            for process in group:
                process.signal_stop()
            for process in group:
                process.wait_stopped(STOP_TIMEOUT_S)
        if self.broker:
            self.broker.stop()


def _port(wanted: int) -> int:
    """The wanted port if nobody listens on it, else (and for 0) a free one."""
    if wanted == 0:
        return free_port()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
    return wanted
