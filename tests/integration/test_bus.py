import asyncio
import socket
import time

import pytest

from papertrader.shared.log.broker import Broker, BrokerError, free_port
from papertrader.shared.log.bus import Bus, BusError, FencedError
from papertrader.shared.log.subjects import STREAM
from papertrader.shared.log.writes import Write
from tests.integration.wire import bounded, connected, entries, kill

SUBJECT = "orders.synthetic.SYN1.main"
SEVERAL = ("acks.a.B.main", "fills.a.B.main", "account.a.B.main")


def test_connecting_to_nobody_is_refused_in_time_with_a_remedy() -> None:
    async def work() -> None:
        url = f"nats://127.0.0.1:{free_port()}"
        with pytest.raises(BusError, match=rf"no NATS server answers at {url}.*set \[bus\] url"):
            await Bus.connect(url, "test", timeout_s=0.6)

    started = time.monotonic()
    bounded(work())
    assert time.monotonic() - started < 10


def test_connecting_waits_for_a_broker_that_starts_a_little_later(broker: Broker) -> None:
    broker.stop()

    async def work() -> None:
        connecting = asyncio.create_task(Bus.connect(broker.url, "test"))
        await asyncio.sleep(0.5)
        await asyncio.to_thread(broker.start)
        await (await connecting).close()

    bounded(work())


def test_creating_the_log_again_brings_its_limits_up_to_date(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await bus.append(SUBJECT, b"{}", "a")
            await bus.create_stream(2**21)
            info = await bus.jetstream.stream_info(STREAM)
            assert (info.config.max_bytes, info.config.max_age, info.state.messages) == (2**21, 0, 1)

    bounded(work())


def test_log_larger_than_the_disk_is_refused_with_a_remedy(broker: Broker) -> None:
    async def work() -> None:
        bus = await Bus.connect(broker.url, "test")
        with pytest.raises(BusError, match=r"refuses a log of .* MiB on 1 of its servers: .*lower \[bus\] max_bytes"):
            await bus.create_stream(2**60)
        await bus.close()

    bounded(work())


def test_append_returns_the_sequence_and_an_id_is_written_once(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            assert await bus.append(SUBJECT, b"1", "a") == 1
            assert await bus.append(SUBJECT, b"2", "b") == 2
            assert await bus.append(SUBJECT, b"again", "a") == 1
            assert [entry.payload for entry in await entries(bus)] == [b"1", b"2"]

    bounded(work())


def test_fenced_append_is_refused_once_somebody_else_has_written(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker, "one") as one, connected(broker, "other") as other:
            first = await one.append(SUBJECT, b"1", "one-1", 0)
            assert await other.append("orders.synthetic.SYN1.bold", b"elsewhere", "x", 0) == first + 1
            second = await other.append(SUBJECT, b"2", "other-1", first)
            with pytest.raises(FencedError) as caught:
                await one.append(SUBJECT, b"3", "one-2", first)
            stored = caught.value.stored
            assert stored is not None
            assert (stored.sequence, stored.message_id, stored.payload) == (second, "other-1", b"2")
            assert [entry.payload for entry in await entries(one, SUBJECT)] == [b"1", b"2"]

    bounded(work())


def test_messages_of_several_subjects_are_under_way_together_each_fenced_for_itself(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker, "one") as one, connected(broker, "other") as other:
            await other.append("fills.a.B.main", b"foreign", "other-1")
            writes = [Write(name, b"%d" % number, f"one-{number}", 0) for number, name in enumerate(SEVERAL)]
            begun = zip(writes, one.begin_all(writes), strict=True)
            found = await asyncio.gather(*(one.settle(*each) for each in begun), return_exceptions=True)
            assert isinstance(found[1], FencedError)
            assert found[1].stored == (1, "other-1", b"foreign")
            logged = {entry.subject: entry for entry in await entries(one)}
            assert (logged["acks.a.B.main"].sequence, logged["account.a.B.main"].sequence) == (found[0], found[2])
            assert [logged[name].payload for name in SEVERAL] == [b"0", b"foreign", b"2"]

    bounded(work())


@pytest.mark.parametrize("restart", [False, True], ids=["same broker", "broker killed between"])
def test_append_whose_acknowledgement_was_lost_is_not_written_twice(broker: Broker, restart: bool) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            before = await bus.append(SUBJECT, b"1", "one-1", 0)
            headers = {"Nats-Msg-Id": "one-2", "Nats-Expected-Last-Subject-Sequence": str(before)}
            await bus.client.request(SUBJECT, b"2", headers=headers, timeout=2)  # nobody looks at this answer
            if restart:
                await asyncio.to_thread(kill, broker)
                await asyncio.to_thread(broker.start)
            assert await bus.append(SUBJECT, b"2", "one-2", before) == before + 1
            assert [entry.message_id for entry in await entries(bus)] == ["one-1", "one-2"]

    bounded(work())


def test_append_outlasts_a_broker_that_is_down(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            assert await bus.append(SUBJECT, b"1", "a", 0) == 1
            await asyncio.to_thread(kill, broker)
            appending = asyncio.create_task(bus.append(SUBJECT, b"2", "b", 1))
            await asyncio.sleep(2.5)
            assert not appending.done()
            await asyncio.to_thread(broker.start)
            assert await appending == 2
            assert [entry.payload for entry in await entries(bus)] == [b"1", b"2"]
            assert (bus.disconnects, bus.reconnects) == (1, 1)

    bounded(work())


def test_last_and_next_find_messages_by_subject(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            assert await bus.last(SUBJECT) is None
            assert await bus.next(SUBJECT, 0) is None
            for number in range(1, 5):
                await bus.append(SUBJECT if number % 2 else "fills.synthetic.SYN1.main", b"%d" % number, f"id-{number}")
            last = await bus.last(SUBJECT)
            assert last == (3, "id-3", b"3")
            assert await bus.next(SUBJECT, 0) == (1, "id-1", b"1")
            assert await bus.next(SUBJECT, 1) == last
            assert await bus.next(SUBJECT, 3) is None
            assert await bus.next("fills.synthetic.>", 0) == (2, "id-2", b"2")

    bounded(work())


def test_broker_on_a_port_that_is_taken_says_so(broker: Broker) -> None:
    second = Broker(broker.directory.parent / "second", broker.port)
    with pytest.raises(BrokerError, match=f"(?s)did not start on port {broker.port}.*address already in use"):
        second.start()


def test_broker_keeps_the_log_over_a_restart_on_the_same_port(broker: Broker) -> None:
    async def work(expected: int) -> None:
        async with connected(broker) as bus:
            assert await bus.append(SUBJECT, b"x", f"id-{expected}") == expected

    bounded(work(1))
    broker.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", broker.port)) != 0
    broker.start()
    bounded(work(2))
