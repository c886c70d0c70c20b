"""The process of one service: started, watched, started again, and stopped."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from papertrader.shared.log.ports import RESERVED, ReservedPort
from papertrader.shared.service.config import ENVIRONMENT_PREFIX

RESTART_WAIT_S: Final = 0.5
DEATHS: Final = 5
DEATHS_WITHIN_S: Final = 600.0
"""What died so often within this time is not started again: something is wrong that a restart does not mend."""
LOG_TAIL: Final = 2_000


class Deaths:
    """When something died, and of what at last."""

    def __init__(self) -> None:
        self.cause = ""
        self._times: deque[float] = deque(maxlen=DEATHS)

    def note(self, code: int) -> None:
        """Remember a death."""
        self._times.append(time.monotonic())
        self.cause = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    @property
    def too_many(self) -> bool:
        """Whether to start it once more would not help."""
        return len(self._times) == DEATHS and self._times[-1] - self._times[0] < DEATHS_WITHIN_S

    def __str__(self) -> str:
        """How often it died, and of what at last."""
        return f"died {DEATHS} times within {DEATHS_WITHIN_S / 60:.0f} minutes, at last {self.cause}"


class ServiceProcess:
    """One service's process; its log is a file. It ends with this process, however that ends."""

    def __init__(self, name: str, worker: int, settings: Path, log: Path, port: ReservedPort) -> None:
        self.name = name
        self.label = name if worker == 0 else f"{name}-{worker + 1}"
        self.metrics_port = port.number
        self.restarts = 0
        self.deaths = Deaths()
        self.reserved = [port]
        self.inherited: tuple[int, ...] = ()
        self.overrides: dict[str, str] = {}
        self.spawn: Callable[..., Any] = subprocess.Popen
        """What makes the process, as `subprocess.Popen` does."""
        self._settings = settings
        self.log = log / f"{self.label}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._restart_at = 0.0

    def start(self) -> None:
        """Start the process; the settings file is all that it knows, whatever this environment says."""
        self._close()
        environment = {key: value for key, value in os.environ.items() if not key.startswith(ENVIRONMENT_PREFIX)}
        environment |= {"PAPER_BUS_METRICS_PORT": str(self.metrics_port), **self.overrides}
        environment[RESERVED] = ",".join(str(port.number) for port in self.reserved)
        module = f"papertrader.services.{self.name.replace('-', '_')}"
        with self.log.open("ab") as log:
            self._process = self.spawn(
                [sys.executable, "-P", "-m", module, "--settings", str(self._settings), "--with-parent"],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=self.inherited,
            )

    def _close(self) -> None:
        """Wait for a process that has ended or is about to."""
        if self._process is not None:
            self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()

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
            self.deaths.note(self.exit_code or 0)
            self._restart_at = time.monotonic() + RESTART_WAIT_S
        if time.monotonic() < self._restart_at:
            return False
        self._restart_at = 0.0
        self.restarts += 1
        self.start()
        return True

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
        self._close()

    def log_tail(self) -> str:
        """The end of the process's log."""
        with contextlib.suppress(OSError):
            return self.log.read_text(errors="replace")[-LOG_TAIL:]
        return ""
