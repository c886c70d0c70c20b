"""A broker as the containers have it: the configuration that is deployed, with the users of the bootstrap step."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from nats.js import api

from papertrader.cli.bootstrap import create_log, make_keys
from papertrader.shared.log.broker import executable, free_port
from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.config import Settings
from tests.conftest import ROOT

LOG_BYTES: Final = 2**30


class Guarded(NamedTuple):
    """A broker with one user per service, where their seeds lie, its monitoring port and what it says."""

    url: str
    keys: Path
    monitoring: str
    log: Path

    def seed(self, user: str) -> str:
        """The file with a user's seed."""
        return str(self.keys / user / "seed")


class Watched:
    """A bus whose complaints of the broker are kept."""

    def __init__(self, bus: Bus) -> None:
        self.bus = bus
        self.refusals: list[str] = []
        self.bus.client._error_cb = self._on_error

    async def _on_error(self, error: Exception) -> None:
        self.refusals.append(str(error).lower())

    async def refused(self, name: str, payload: bytes = b"{}") -> bool:
        """Whether the broker refuses to take a message on this subject."""
        self.refusals.clear()
        await self.bus.client.publish(name, payload)
        await self.bus.client.flush()
        await asyncio.sleep(0.02)
        return any("permissions violation for publish" in refusal for refusal in self.refusals)


async def login(broker: Guarded, user: str) -> Watched:
    """A connection with a user's key."""
    return Watched(await Bus.connect(broker.url, user, nkeys_seed=broker.seed(user)))


@contextmanager
def guarded_broker(directory: Path) -> Iterator[Guarded]:
    """The broker, running, with the log and the bucket of the leases."""
    make_keys(directory / "keys")
    port, monitoring = free_port(), free_port()
    text = (ROOT / "deploy" / "nats.conf").read_text()
    for said, here in (
        ("port: 4222\n", f"host: 127.0.0.1\nport: {port}\n"),
        ("http: 8222", f'http: "127.0.0.1:{monitoring}"'),
        ("store_dir: /data", f'store_dir: "{directory}/js"'),
        ('"/var/log/nats/nats-server.log"', f'"{directory}/nats-server.log"'),
        ("users/users.conf", "keys/nats/users.conf"),
    ):
        assert said in text, said
        text = text.replace(said, here)
    (directory / "nats.conf").write_text(text)
    with (directory / "errors").open("wb") as errors:
        server = subprocess.Popen([executable(), "-c", str(directory / "nats.conf")], stderr=errors)
    broker = Guarded(
        f"nats://127.0.0.1:{port}", directory / "keys", f"http://127.0.0.1:{monitoring}", directory / "nats-server.log"
    )
    try:
        _make_log(broker, directory)
        yield broker
    finally:
        server.terminate()
        server.wait(10)


def _make_log(broker: Guarded, directory: Path) -> None:
    seed, data_dir = broker.seed("bootstrap"), str(directory / "data")
    config = BusConfig(url=broker.url, nkey_seed_file=seed, max_bytes=LOG_BYTES, data_dir=data_dir)
    deadline = time.monotonic() + 10
    while True:
        try:
            asyncio.run(create_log(config, Settings({})))
            return
        except BusError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def delivering(subject: str, **more: Any) -> api.ConsumerConfig:
    """A consumer of everything that is there, to a subject of somebody else."""
    return api.ConsumerConfig(
        deliver_subject=subject,
        ack_policy=api.AckPolicy.NONE,
        deliver_policy=api.DeliverPolicy.ALL,
        mem_storage=True,
        inactive_threshold=30.0,
        **more,
    )
