"""A real broker for every test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from papertrader.shared.log.broker import Broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running nats-server with an empty log, on a free port."""
    server = Broker(tmp_path / "nats")
    server.start()
    yield server
    server.stop()
