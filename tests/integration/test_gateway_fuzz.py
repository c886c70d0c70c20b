"""A small share of `make fuzz`: broken bodies and frames change nothing, and nobody waits for an answer for ever."""

import asyncio

import pytest

from papertrader.shared.log.broker import Broker
from tests.fuzz.attack import attacked
from tests.integration.wire import bounded

FEW, MANY = 4_000, 200_000


def test_no_body_and_no_frame_breaks_a_gateway_or_changes_an_account(broker: Broker) -> None:
    async def work() -> None:
        counts = await attacked(broker, FEW, 1)
        assert min(counts[f"{door} {status}"] for door in ("info", "exchange") for status in (200, 422)) > FEW // 40

    bounded(work())


@pytest.mark.long
def test_many_do_neither(broker: Broker) -> None:
    asyncio.run(attacked(broker, MANY, 2))
