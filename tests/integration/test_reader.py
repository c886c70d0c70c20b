import asyncio
from collections.abc import Awaitable, Callable

import pytest

from papertrader.shared.log import reader
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.reader import LogReader
from tests.integration.wire import become, bounded, connected, kill

SUBJECT = "fills.synthetic.SYN1.main"


class Heard:
    """Collects what a reader hands on: sequence and payload."""

    def __init__(self, pause: Callable[[int], Awaitable[None]] | None = None) -> None:
        self.sequences: list[int] = []
        self.payloads: list[bytes] = []
        self._pause = pause

    async def __call__(self, sequence: int, _subject: str, payload: bytes) -> None:
        if self._pause is not None:
            await self._pause(len(self.sequences))
        self.sequences.append(sequence)
        self.payloads.append(payload)


def reader_of(bus: Bus, heard: Heard, after: int = 0, subject: str = ">") -> LogReader:
    return LogReader(bus, [subject], after, heard)


async def append_many(bus: Bus, count: int, subject: str = SUBJECT, first: int = 1) -> None:
    """`count` messages holding their numbers, the last one acknowledged."""
    for number in range(first, first + count - 1):
        await bus.publish(subject, b"%d" % number)
    await bus.append(subject, b"%d" % (first + count - 1), f"{subject}-{first + count - 1}")


def numbers(first: int, last: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, last + 1)]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "HEARTBEAT_S", 0.2)
    monkeypatch.setattr(reader, "SILENCE_S", 0.5)


def test_several_publishers_are_read_in_the_order_of_the_log_without_a_hole(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker, "a") as one, connected(broker, "b") as other, connected(broker) as bus:
            heard, selected = Heard(), Heard()
            reader = reader_of(bus, heard)
            part = reader_of(bus, selected, subject="fills.*.SYN2.>")
            await reader.start()
            await part.start()
            await asyncio.gather(
                append_many(one, 1_500), append_many(other, 1_500, "fills.synthetic.SYN2.main", first=10_001)
            )
            await become(lambda: len(heard.sequences) == 3_000 and len(selected.sequences) == 1_500, "3000 messages")
            assert heard.sequences == list(range(1, 3_001))
            assert selected.payloads == numbers(10_001, 11_500)
            assert selected.sequences == sorted(set(selected.sequences))
            await reader.stop()
            await part.stop()

    bounded(work())


def test_reading_begins_after_a_sequence(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await append_many(bus, 100)
            heard = Heard()
            reader = reader_of(bus, heard, after=60)
            await reader.start()
            await become(lambda: len(heard.sequences) == 40, "40 messages")
            assert heard.payloads == numbers(61, 100)
            assert (reader.sequence, reader.pending) == (100, 0)
            await reader.stop()

    bounded(work())


def test_log_whose_beginning_is_gone_is_read_from_what_it_still_holds(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await append_many(bus, 100)
            await bus.jetstream.purge_stream("PAPER", keep=30)
            heard = Heard()
            reader = reader_of(bus, heard)
            await reader.start()
            await become(lambda: len(heard.sequences) == 30, "30 messages")
            assert heard.payloads == numbers(71, 100)
            await reader.stop()

    bounded(work())


def test_backlog_is_read_by_a_slow_callback_without_a_drop(broker: Broker) -> None:
    async def pause(count: int) -> None:
        if count % 10_000 == 0:
            await asyncio.sleep(0.3)

    async def work() -> None:
        async with connected(broker) as bus:
            await append_many(bus, 50_000)
            heard = Heard(pause)
            reader = reader_of(bus, heard)
            await reader.start()
            await become(lambda: len(heard.sequences) >= 50_000, "the backlog")
            assert heard.payloads == numbers(1, 50_000)
            assert (bus.slow_consumer_drops, reader.resets) == (0, 0)
            await reader.stop()

    bounded(work())


def test_large_backlog_waits_at_the_broker_while_the_callback_is_at_work(broker: Broker) -> None:
    """Flow control: what is not yet folded is not piled up in this process."""
    release = asyncio.Event()

    async def pause(count: int) -> None:
        if count == 0:
            await release.wait()

    async def work() -> None:
        async with connected(broker) as bus:
            for number in range(300):
                await bus.append(SUBJECT, b"%d " % number + b"x" * 150_000, f"id-{number}")
            heard = Heard(pause)
            reader = reader_of(bus, heard)
            await reader.start()
            await asyncio.sleep(1.0)
            assert 0 < sum(len(payload) for *_, payload in reader._waiting) < 40 * 2**20
            release.set()
            await become(lambda: len(heard.sequences) == 300, "300 messages")
            assert [int(payload.split()[0]) for payload in heard.payloads] == list(range(300))
            assert bus.slow_consumer_drops == 0
            await reader.stop()

    bounded(work())


def test_restarted_broker_leaves_no_hole_and_no_double(broker: Broker, impatient: None) -> None:
    async def work() -> None:
        async with connected(broker, "writer") as writer, connected(broker) as bus:
            heard = Heard()
            reader = reader_of(bus, heard)
            await reader.start()
            for number in range(1, 301):
                if number in (100, 200):
                    await become(lambda: len(heard.sequences) > 50, "the reader")  # it works, or works again
                    await asyncio.to_thread(kill, broker)
                    await asyncio.to_thread(broker.start)
                    heard.sequences.clear()
                await writer.append(SUBJECT, b"%d" % number, f"id-{number}")
            await become(lambda: len(heard.payloads) >= 300, "300 messages")
            assert heard.payloads == numbers(1, 300)
            assert reader.resets >= 2
            await reader.stop()

    bounded(work())


class LossyReader(LogReader):
    """Loses the messages with these places on their way, as a client that drops does."""

    lost: tuple[int, ...] = ()
    count = 0

    def _on_arrival(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        if subject == SUBJECT.encode():
            self.count += 1
            if self.count in self.lost:
                return
        super()._on_arrival(subject, reply, headers, payload)


@pytest.mark.parametrize("lost", [(1,), (7,), (7, 20, 21), (50,)], ids=["first", "one", "several", "last"])
def test_lost_message_is_asked_for_again(broker: Broker, impatient: None, lost: tuple[int, ...]) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await append_many(bus, 50)
            heard = Heard()
            reader = LossyReader(bus, [">"], 0, heard)
            reader.lost = lost
            await reader.start()
            await become(lambda: len(heard.sequences) >= 50, "50 messages")
            assert heard.payloads == numbers(1, 50)
            assert reader.resets >= 1
            await reader.stop()

    bounded(work())


def test_silence_makes_the_reader_ask_anew(broker: Broker, impatient: None) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            heard = Heard()
            reader = reader_of(bus, heard)
            await reader.start()
            await bus.jetstream.delete_consumer("PAPER", reader._consumer)
            await append_many(bus, 10)
            await become(lambda: len(heard.sequences) == 10, "10 messages")
            assert reader.resets == 1
            await reader.stop()

    bounded(work())


def test_quiet_log_is_no_silence(broker: Broker, impatient: None) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            reader = reader_of(bus, Heard())
            await reader.start()
            await asyncio.sleep(1.5)
            assert reader.resets == 0
            await reader.stop()

    bounded(work())


def test_long_callback_is_not_interrupted(broker: Broker, impatient: None) -> None:
    begun: list[int] = []

    async def pause(count: int) -> None:
        begun.append(count)
        if count == 1:
            await asyncio.sleep(1.5)

    async def work() -> None:
        async with connected(broker) as bus:
            await append_many(bus, 5)
            heard = Heard(pause)
            reader = reader_of(bus, heard)
            await reader.start()
            await become(lambda: len(heard.sequences) == 5, "5 messages")
            assert begun == [0, 1, 2, 3, 4]
            assert reader.resets == 0
            await reader.stop()

    bounded(work())


def test_stopping_lets_the_callback_end_and_begins_no_other(broker: Broker) -> None:
    begun: list[int] = []

    async def pause(count: int) -> None:
        begun.append(count)
        await asyncio.sleep(0.3)

    async def work() -> None:
        async with connected(broker) as bus:
            await append_many(bus, 5)
            heard = Heard(pause)
            reader = reader_of(bus, heard)
            await reader.start()
            await become(lambda: begun == [0, 1], "the second callback")
            await reader.stop()
            assert heard.payloads == numbers(1, 2)
            assert reader.sequence == 2
            await asyncio.sleep(0.5)
            assert begun == [0, 1]

    bounded(work())


def test_failing_callback_ends_the_reading_and_is_told(broker: Broker) -> None:
    async def pause(count: int) -> None:
        if count == 2:
            raise ZeroDivisionError("kernel")

    async def work() -> None:
        async with connected(broker) as bus:
            await append_many(bus, 5)
            heard = Heard(pause)
            reader = reader_of(bus, heard)
            await reader.start()
            await become(lambda: reader.failure, "the failure")
            await asyncio.sleep(0.1)
            assert isinstance(reader.failure, ZeroDivisionError)
            assert heard.payloads == numbers(1, 2)
            assert reader.sequence == 2
            await reader.stop()

    bounded(work())


def test_stopped_reader_leaves_no_consumer_behind(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            reader = reader_of(bus, Heard())
            await reader.start()
            assert (await bus.jetstream.stream_info("PAPER")).state.consumer_count == 1
            await reader.stop()
            assert (await bus.jetstream.stream_info("PAPER")).state.consumer_count == 0

    bounded(work())
