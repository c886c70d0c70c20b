"""Three real servers on loopback that keep the log together."""

import json
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

from papertrader.shared.log.broker import executable, free_port
from papertrader.shared.log.subjects import STREAM

CONFIG = """
server_name: {name}
listen: 127.0.0.1:{port}
http: 127.0.0.1:{monitoring}
log_file: "{directory}/server.log"
jetstream {{ store_dir: "{directory}" }}
cluster {{ name: paper, listen: 127.0.0.1:{route}, routes: [{routes}] }}
"""
SERVERS = 3


class Cluster:
    """The servers by number; each has its place on disk, and comes back there."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        ports = [[free_port() for _ in range(SERVERS)] for _ in range(3)]
        self._ports, self._monitoring, routes = ports
        named = ", ".join(f"nats://127.0.0.1:{port}" for port in routes)
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * SERVERS
        for number in range(SERVERS):
            place = directory / f"n{number}"
            place.mkdir(parents=True)
            text = CONFIG.format(
                name=f"n{number}",
                port=self._ports[number],
                monitoring=self._monitoring[number],
                route=routes[number],
                routes=named,
                directory=place,
            )
            (place / "nats.conf").write_text(text)

    @property
    def url(self) -> str:
        """Of all servers."""
        return ",".join(f"nats://127.0.0.1:{port}" for port in self._ports)

    def start(self, number: int) -> None:
        """Start a server, or start it again."""
        command = [executable(), "-c", str(self._directory / f"n{number}" / "nats.conf")]
        self._processes[number] = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self, number: int) -> None:
        """As a power cut does."""
        process, self._processes[number] = self._processes[number], None
        assert process is not None
        process.send_signal(signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """End all servers."""
        for number, process in enumerate(self._processes):
            if process is not None:
                self.kill(number)

    def leads(self) -> int | None:
        """The server that leads the log; None while nobody does."""
        for number, process in enumerate(self._processes):
            if process is not None and self._leader_as_seen_by(number) == f"n{number}":
                return number
        return None

    def agrees(self) -> bool:
        """Whether all servers name the same leader: before, no stream can be made."""
        led = [self._asked(number, "jsz").get("meta_cluster", {}).get("leader") for number in range(SERVERS)]
        return None not in led and len(set(led)) == 1

    def whole(self) -> bool:
        """Whether every server has all of the log."""
        leader = self.leads()
        if leader is None:
            return False
        found = self._log_as_seen_by(leader).get("cluster", {})
        replicas = found.get("replicas", [])
        return len(replicas) == SERVERS - 1 and all(one.get("current") and not one.get("offline") for one in replicas)

    def _leader_as_seen_by(self, number: int) -> str:
        found: str = self._log_as_seen_by(number).get("cluster", {}).get("leader", "")
        return found

    def _log_as_seen_by(self, number: int) -> dict[str, dict[str, str]]:
        for account in self._asked(number, "jsz?streams=1").get("account_details", []):
            for stream in account.get("stream_detail", []):
                if stream["name"] == STREAM:
                    return dict(stream)
        return {}

    def _asked(self, number: int, what: str) -> dict[str, dict[str, str]]:
        url = f"http://127.0.0.1:{self._monitoring[number]}/{what}"
        try:
            with urllib.request.urlopen(url, timeout=1.0) as answer:
                return dict(json.load(answer))
        except OSError:
            return {}


def until(condition: object, timeout_s: float = 60.0) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + timeout_s
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, condition
        time.sleep(0.1)
