"""Limits of the broker that many markets reach."""

from pathlib import Path

import pytest
from nats.js import api

from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.consumers import create
from papertrader.shared.log.subjects import STREAM
from tests import runs
from tests.integration.conftest import broker
from tests.integration.wire import bounded, connected
from tests.runs import papertrader

__all__ = ["broker"]
READERS = 1_050
"""172 markets of six services and more."""


def test_log_has_room_for_the_readers_of_many_markets(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            for number in range(READERS):
                config = api.ConsumerConfig(
                    deliver_subject=f"reader.{number}",
                    ack_policy=api.AckPolicy.NONE,
                    mem_storage=True,
                    num_replicas=1,
                    inactive_threshold=60.0,
                )
                await bus.jetstream.add_consumer(STREAM, config)
            assert (await bus.jetstream.stream_info(STREAM)).state.consumer_count == READERS

    bounded(work())


def test_reader_beyond_the_limit_is_refused_with_what_to_change(broker: Broker) -> None:
    async def work() -> None:
        bus = await Bus.connect(broker.url, "quoter")
        await bus.create_stream(2**20, 2)
        inbox = bus.client.new_inbox()
        config = api.ConsumerConfig(deliver_subject=inbox, ack_policy=api.AckPolicy.NONE, mem_storage=True)
        for _ in range(2):
            await create(bus, STREAM, config)
        with pytest.raises(BusError, match=r"raise \[bus\] max_readers"):
            await create(bus, STREAM, config)
        await bus.create_stream(2**20, 3)
        await create(bus, STREAM, config)
        await bus.close()

    bounded(work())


@pytest.mark.long
def test_run_whose_markets_cannot_all_be_read_is_red_and_says_why(tmp_path: Path) -> None:
    settings, directory = tmp_path / "settings.toml", tmp_path / "data"
    settings.write_text("[bus]\nmax_readers = 14\n[feed]\nbarrier_timeout_s = 5.0\n")
    assets = ("--assets", "SYN1,SYN2", "--duration", "60", "--speed", "20")
    done = papertrader("run", "--json", *assets, "--settings", settings, "--data-dir", directory)
    assert done.returncode in (1, 2), done.stderr
    logs = "".join(path.read_text() for path in (directory / "logs").glob("*.log"))
    assert "raise [bus] max_readers" in logs
    runs._verified.add(directory)  # what nobody folded cannot be proved
