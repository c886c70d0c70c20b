"""Whoever sends what cannot be read is told why, where he can hear it."""

from pathlib import Path

import msgspec
import pytest
from nats.aio.msg import Msg

from papertrader import Client
from papertrader.messages import Refusal
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.refusals import refusal_subject
from papertrader.shared.log.subjects import subject
from papertrader.shared.service.checkpoint import CheckpointStore
from papertrader.shared.service.config import Settings
from papertrader.shared.service.roll import Roll
from papertrader.shared.service.runner import Runner
from tests.integration.counting import Counting, publish, session
from tests.integration.counting_runner import MARKET, folded_up_to
from tests.integration.wire import become, bounded, connected

ORDER = '{"type":"place","ts":1,"order_id":7,"side":"buy","price":1.5,"size":1.0}'


def exchange(bus: Bus, folder: Path) -> Runner:
    """A runner under the exchange's name, which is who answers."""
    inputs = ("md", "orders", "control")
    roll = Roll(Settings({}), lambda _: Counting())
    return Runner(bus, "fill-sim", MARKET, roll, inputs, CheckpointStore(folder, "fill-sim"))


@pytest.mark.parametrize(
    ("kind", "account", "payload", "reason", "order_id"),
    [
        ("orders", "main", ORDER.replace('"buy"', '"long"'), "Invalid enum value 'long' - at `$.side`", 7),
        ("orders", "main", ORDER.replace("1.5", '"1.5"'), "Expected `float`, got `str` - at `$.price`", 7),
        ("orders", "main", ORDER.replace('"ts"', '"sneaky":1,"ts"'), "unknown field `sneaky`", 7),
        ("orders", "main", ORDER.replace('"order_id":7,', ""), "missing required field `order_id`", None),
        ("orders", "main", ORDER.replace("place", "plaec"), "Invalid value 'plaec'", 7),
        ("orders", "main", "[1]", "Expected `object`, got `array`", None),
        ("orders", "main", "buy!", "JSON is malformed", None),
        ("orders", "mian", ORDER, "no account 'mian'; there are bold, main", 7),
        ("control", "main", '{"ts":1,"action":"explode"}', "Invalid enum value 'explode'", None),
    ],
)
def test_sender_hears_why_whatever_is_wrong(
    broker: Broker, tmp_path: Path, kind: str, account: str, payload: str, reason: str, order_id: int | None
) -> None:
    async def work() -> None:
        heard: list[Refusal] = []
        async with connected(broker) as bus:

            async def hear(message: Msg) -> None:
                heard.append(msgspec.json.decode(message.data, type=Refusal))

            await bus.subscribe(refusal_subject(MARKET, account), hear)
            runner = exchange(bus, tmp_path)
            await runner.start()
            sequence = await bus.append(subject(kind, MARKET, account), payload.encode(), "from-outside")
            await publish(bus, MARKET, session(2))
            await folded_up_to(runner, 2)
            await become(lambda: heard, "the refusal")
            await runner.stop()
        assert [(told.sequence, told.kind, told.order_id) for told in heard] == [(sequence, kind, order_id)]
        assert reason in heard[0].reason

    bounded(work())


def test_client_hears_refusals_of_its_account(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await publish(bus, MARKET, session(2))
            runner = exchange(bus, tmp_path)
            await runner.start()
            await folded_up_to(runner, 2)
            async with Client(str(MARKET), url=broker.url) as client:
                await bus.append(subject("orders", MARKET, "main"), b'{"type":"place"}', "from-outside")
                async for message in client:
                    if isinstance(message, Refusal):
                        break
                assert "missing required field" in message.reason
            await runner.stop()

    bounded(work())
