"""Limits of the broker that many markets reach."""

from nats.js import api

from papertrader.shared.log.broker import Broker
from papertrader.shared.log.subjects import STREAM
from tests.integration.conftest import broker
from tests.integration.wire import bounded, connected

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
