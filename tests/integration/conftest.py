"""A real broker for every test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from papertrader.shared.log.broker import Broker
from tests.integration.guarded import Guarded, guarded_broker


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A running nats-server with an empty log, on a free port."""
    server = Broker(tmp_path / "nats")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A running broker with the users of an installation, for all tests of a module."""
    with guarded_broker(tmp_path_factory.mktemp("guarded")) as broker:
        yield broker
