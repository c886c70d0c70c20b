"""The client of a program outside, on a real broker; the exchange is played by what a test appends to the log."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from papertrader import Client, ClientError
from papertrader.messages import Ack, Command, Fill, Message, RoundEnd
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from tests.integration.wire import connected
from tests.messages import ack, fill

MARKET = "synthetic.SYN1"
LIMIT_S = 30.0


async def append(bus: Bus, kind: str, message: Message, account: str = ".main") -> None:
    """A message of the market on the log."""
    name = f"md.{MARKET}.{kind}" if kind in ("round", "bbo") else f"{kind}.{MARKET}{account}"
    await bus.append(name, msgspec.json.encode(message), "")


def marker(ts: int) -> RoundEnd:
    return RoundEnd(ts=ts, recv_ts=0, round=ts, frame=0, session="s")


@asynccontextmanager
async def fed(broker: Broker) -> Any:
    """A bus to a log in which a round of the market has ended at 1,000."""
    async with connected(broker) as bus:
        await append(bus, "round", marker(1_000))
        yield bus


async def orders(bus: Bus) -> list[Command]:
    """The orders on the log."""
    found, after = [], 0
    while (stored := await bus.next(f"orders.{MARKET}.main", after)) is not None:
        found.append(msgspec.json.decode(stored.payload, type=Command))
        after = stored.sequence
    return found


def run(work: Any) -> None:
    asyncio.run(asyncio.wait_for(work, LIMIT_S))


def test_what_is_placed_modified_and_cancelled_stands_on_the_log_at_the_markets_time(broker: Broker) -> None:
    async def work() -> None:
        async with fed(broker) as bus, Client(MARKET, url=broker.url) as client:
            first = await client.place("buy", 99.5, 2.0, p_fill=0.25)
            second = await client.place("sell", 100.5, 1.0, time_in_force="ioc")
            await client.modify(first, 99.4, 1.0)
            await client.cancel(first)
            placed, other, modified, cancelled = await orders(bus)
            assert (first < second, client.clock_ts, placed.ts, placed.p_fill) == (True, 1_000, 1_000, 0.25)
            assert (placed.order_id, placed.price, placed.size, placed.time_in_force) == (first, 99.5, 2.0, "post_only")
            assert (other.order_id, other.side, other.time_in_force) == (second, "sell", "ioc")
            assert (modified.order_id, modified.price, modified.size) == (first, 99.4, 1.0)
            assert (cancelled.order_id, type(cancelled).__name__) == (first, "Cancel")

    run(work())


def test_acks_and_fills_of_the_account_come_typed_and_in_order(broker: Broker) -> None:
    async def work() -> None:
        async with fed(broker) as bus, Client(MARKET, url=broker.url) as client:
            await append(bus, "acks", ack(None, 1, order_id=5))
            await append(bus, "fills", fill(2, order_id=6), ".somebody")
            await bus.append(f"fills.{MARKET}.main", b'{"ts":"then"}', "malformed")
            await append(bus, "round", marker(2_000))
            await append(bus, "fills", fill(3, order_id=7))
            heard = [message async for message in taken(client, 2)]
            assert [(type(message), message.order_id) for message in heard] == [(Ack, 5), (Fill, 7)]
            assert (client.clock_ts, client.refused) == (2_000, 1)

    run(work())


async def taken(client: Client, count: int) -> Any:
    """The first messages that a client hears."""
    async for message in client:
        yield message
        count -= 1
        if not count:
            return


def test_nothing_is_lost_or_doubled_over_a_restart_of_the_broker_and_of_the_client(broker: Broker) -> None:
    async def work() -> None:
        async with fed(broker) as bus:
            async with Client(MARKET, url=broker.url, hear=("fills",)) as client:
                await append(bus, "fills", fill(1, fill_id=1))
                heard = [message async for message in taken(client, 1)]
                await asyncio.to_thread(broker.stop)
                placing = asyncio.create_task(client.place("buy", 99.0, 1.0))
                await asyncio.to_thread(broker.start)
                await placing
                await append(bus, "fills", fill(2, fill_id=2))
                heard += [message async for message in taken(client, 1)]
                reached = client.sequence
            await append(bus, "fills", fill(3, fill_id=3))
            async with Client(MARKET, url=broker.url, hear=("fills",), after=reached) as client:
                heard += [message async for message in taken(client, 1)]
            assert [message.fill_id for message in heard] == [1, 2, 3]
            assert len(await orders(bus)) == 1

    run(work())


def test_iteration_ends_when_the_client_is_left(broker: Broker) -> None:
    async def work() -> None:
        async with fed(broker):
            async with Client(MARKET, url=broker.url) as client:
                hearing = asyncio.create_task(anext(aiter(client), None))
                await asyncio.sleep(0)
            assert await hearing is None

    run(work())


def test_what_cannot_be_traded_is_said_at_once(broker: Broker) -> None:
    async def work() -> None:
        with pytest.raises(ClientError, match=r"nobody has told anything of synthetic\.SYN1"):
            async with Client(MARKET, url=broker.url):
                pass
        async with fed(broker):
            with pytest.raises(ClientError, match=r"nobody has told anything of synthetic\.SYN2"):
                async with Client("synthetic.SYN2", url=broker.url):
                    pass

    run(work())
    with pytest.raises(ClientError, match=r"write <venue>\.<asset>"):
        Client("BTC")
    with pytest.raises(ClientError, match=r"nothing is called 'fill'"):
        Client(MARKET, hear=("fill",))


def test_without_a_broker_the_client_says_what_is_missing() -> None:
    async def work() -> None:
        async with Client(MARKET, url="nats://127.0.0.1:1", timeout_s=0.5):
            pass

    with pytest.raises(ClientError, match=r"no NATS server answers at nats://127\.0\.0\.1:1"):
        run(work())


def test_client_finds_the_broker_of_a_run_by_its_data_directory(broker: Broker, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(f'{{"bus": {{"url": "{broker.url}"}}}}')

    async def work() -> None:
        async with fed(broker), Client(MARKET, run=tmp_path) as client:
            assert client.clock_ts == 1_000

    run(work())
    with pytest.raises(ClientError, match="is not the --data-dir of a run"):
        Client(MARKET, run=tmp_path / "other")
