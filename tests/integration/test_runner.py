import asyncio
import contextlib
import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest

from papertrader.shared.log import bus as log_bus
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.subjects import subject
from papertrader.shared.messages import Cancel, RoundEnd
from papertrader.shared.service.checkpoint import CheckpointStore
from tests.integration.counting import (
    NAME,
    Counting,
    publish,
    publisher_of,
    say,
    session,
    undisturbed,
)
from tests.integration.counting_runner import (
    CONTEXT,
    MARKET,
    ORDERS,
    ROUND,
    expect,
    folded_up_to,
    orders_on,
    running,
    same_state,
)
from tests.integration.wire import become, bounded, connected, entries


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "full"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    mounted = subprocess.run(command, capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"NO TINY DISK: mounting needs root: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_is_counted_and_the_fold_goes_on(broker: Broker, full_disk: Path) -> None:
    async def work() -> None:
        parts = session(100)
        async with connected(broker) as bus, running(bus, full_disk) as runner:
            await publish(bus, MARKET, parts[:10])
            await folded_up_to(runner, 10)
            saved = runner.checkpoint_ts
            (full_disk / "filler").write_bytes(b"x" * 4096)
            with contextlib.suppress(OSError), (full_disk / "more").open("wb") as file:
                file.write(b"x" * 16_384)
            await publish(bus, MARKET, parts[10:60])
            await folded_up_to(runner, 60)
            failures = runner.bad["checkpoint_failed"]
            assert 20 <= failures <= 40, "tried again every ten seconds once it is due"
            assert runner.checkpoint_ts == saved
            (full_disk / "more").unlink()
            (full_disk / "filler").unlink()
            await publish(bus, MARKET, parts[60:])
            await expect(bus, runner, parts)
            assert runner.bad["checkpoint_failed"] == failures
            assert runner.checkpoint_ts > saved
            assert CheckpointStore(full_disk, NAME).newest(MARKET).ts == runner.checkpoint_ts

    bounded(work())


def test_directory_that_cannot_be_written_is_counted_and_the_fold_goes_on(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts = session(10)
        (tmp_path / "file").write_text("not a directory")
        async with connected(broker) as bus, running(bus, tmp_path / "file") as runner:
            await publish(bus, MARKET, parts)
            await expect(bus, runner, parts)
            assert runner.bad["checkpoint_failed"] >= 1
            assert runner.checkpoints == 0

    bounded(work())


def test_incomplete_round_is_refused_until_it_comes_again_whole(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts = session(20)
        async with connected(broker) as bus, running(bus, tmp_path) as runner:
            await publish(bus, MARKET, parts[:10])
            broken = parts[10]
            assert len(broken.market_data) == 3
            await say(bus, MARKET, broken)
            await bus.append(CONTEXT, msgspec.json.encode(broken.market_data[0]), "")
            await bus.append(ROUND, msgspec.json.encode(broken.end), "incomplete")
            await become(lambda: runner.bad["incomplete_round"], "the refusal")
            assert runner.position.round == 10
            await publisher_of(bus, MARKET).publish(broken.market_data, broken.end)
            await publish(bus, MARKET, parts[11:])
            await expect(bus, runner, parts)
            assert runner.bad == {"incomplete_round": 1}

    bounded(work())


def test_discarded_and_repeated_market_data_is_folded_once(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts = session(20)
        async with connected(broker) as bus, running(bus, tmp_path) as runner:
            await publish(bus, MARKET, parts[:11])
            await bus.append(CONTEXT, msgspec.json.encode(parts[11 + 2].market_data[0]), "")
            assert await publisher_of(bus, MARKET).resume() == 11, "a restarted feed discards what it had begun"
            await publish(bus, MARKET, parts[11:])
            again = parts[-1]
            for message in again.market_data:
                await bus.append(CONTEXT, msgspec.json.encode(message), "")
            await bus.append(ROUND, msgspec.json.encode(again.end), "the same round again")
            more = session(1, first=21)
            await publish(bus, MARKET, more)
            await expect(bus, runner, parts + more)
            assert runner.bad == {}

    bounded(work())


class CuttingProxy:
    """Stands between a client and the broker and cuts each connection after a number of bytes, wherever that is."""

    def __init__(self, broker: Broker, budgets: Iterator[int]) -> None:
        self.cuts = 0
        self._port = broker.port
        self._budgets = budgets

    async def start(self) -> str:
        """The URL to connect to."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"nats://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self._port)
        back = asyncio.create_task(self._copy(upstream_reader, writer))
        budget = next(self._budgets)
        while budget > 0 and (content := await reader.read(4_096)):
            upstream.write(content[:budget])
            budget -= len(content)
        self.cuts += budget <= 0
        await upstream.drain()
        upstream.close()
        await back
        writer.close()

    @staticmethod
    async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while content := await reader.read(4_096):
                writer.write(content)


@pytest.mark.parametrize("seed", [1, 2])
def test_connection_cut_anywhere_never_marks_a_torn_round(
    broker: Broker, tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fold that hears no market data, such as calibration, folds at the first marker: it has to be the right one."""
    monkeypatch.setattr(log_bus, "ACK_TIMEOUT_S", 0.3)

    async def work() -> None:
        parts = [part._replace(controls=()) for part in session(300)]
        random = Random(seed)
        budgets = (random.randint(3_000, 12_000) if cut < 10 else 2**40 for cut in itertools.count())
        proxy = CuttingProxy(broker, budgets)
        async with connected(broker) as bus, running(bus, tmp_path) as runner:
            feed = await Bus.connect(await proxy.start(), "feed")
            publisher = publisher_of(feed, MARKET)
            for part in parts:
                await publisher.publish(part.market_data, part.end)
            await expect(bus, runner, parts)
            assert proxy.cuts == 10
            assert publisher.repeats > 0
            assert runner.bad == {}
            found = 0
            for entry in await entries(bus, f"md.{MARKET}.>"):
                if entry.subject != ROUND:
                    found += 1
                    continue
                end = msgspec.json.decode(entry.payload, type=RoundEnd)
                assert end.discard or end.messages == found, "a marker that is not discarded closes a whole round"
                found = 0
            await feed.close()
            proxy.stop()

    bounded(work())


ABSURD = [
    (ORDERS, b'{"type":"cancel","ts":1,"order_id":1}', None),  # not an input of this fold
    (subject("control", MARKET, "main"), b"", "malformed_control"),
    (subject("control", MARKET, "main"), b"\xff\xfe{", "malformed_control"),
    (subject("control", MARKET, "main"), b'{"ts":1,"action":"explode"}', "malformed_control"),
    (subject("control", MARKET, "main"), b'{"ts":1,"action":"pause","more":1}', "malformed_control"),
    (subject("control", MARKET, "main"), b'{"ts":1e99,"action":"pause"}', "malformed_control"),
    (subject("control", MARKET, "main"), b'{"ts":99999999999999999999,"action":"pause"}', "malformed_control"),
    (subject("control", MARKET, "main"), b'{"ts":' + b"9" * 5_000 + b',"action":"pause"}', "malformed_control"),
    (subject("control", MARKET, "main"), b"[" * 10_000, "malformed_control"),
    (subject("control", MARKET, "nobody"), b'{"ts":1,"action":"pause"}', "unknown_account"),
    (subject("control", MARKET, "*"), None, None),
    (CONTEXT, b"nonsense", "malformed_ctx"),
    (ROUND, b"{}", "malformed_round"),
    (f"md.{MARKET}.weather", b"{}", "unknown_subject"),
    (f"md.{MARKET}.book.deep.down", b"{}", "unknown_subject"),
]


def test_malformed_unknown_and_absurd_messages_are_counted_and_disturb_nothing(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts = session(40)
        async with connected(broker) as bus, running(bus, tmp_path) as runner:
            for place, part in enumerate(parts):
                name, payload, _ = ABSURD[place % len(ABSURD)]
                if payload is not None:
                    await bus.append(name, payload, f"absurd-{place}")
                await publish(bus, MARKET, [part])
            said, fold = undisturbed(parts)
            await folded_up_to(runner, 40)
            expected: dict[str, int] = {}
            for place in range(len(parts)):
                reason = ABSURD[place % len(ABSURD)][2]
                if reason is not None:
                    expected[reason] = expected.get(reason, 0) + 1
            assert runner.bad == expected
            assert await orders_on(bus) == said
            assert isinstance(runner.fold, Counting)
            assert same_state(runner.fold, fold)

    bounded(work())


def test_foreign_writer_takes_turns_on_the_same_subject(broker: Broker, tmp_path: Path) -> None:
    async def foreign(bus: Bus) -> None:
        for number in range(150):
            cancel = msgspec.json.encode(Cancel(ts=number, order_id=number + 1))
            await bus.append(ORDERS, cancel, f"trader|{MARKET}|{number}|0")

    async def work() -> None:
        parts = session(100)
        async with connected(broker) as bus, connected(broker, "trader") as trader, running(bus, tmp_path) as runner:
            await asyncio.gather(publish(bus, MARKET, parts), foreign(trader))
            await expect(bus, runner, parts)
            assert not runner.fenced
            theirs = [entry for entry in await entries(bus, ORDERS) if entry.message_id.startswith("trader|")]
            assert len(theirs) == 150

    bounded(work())


def test_forged_id_of_a_foreign_writer_is_not_taken_for_ones_own(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts = session(4)
        async with connected(broker) as bus, running(bus, tmp_path) as runner:
            for number, forged in enumerate((f"{NAME}|{MARKET}|x|y", f"{NAME}|{MARKET}|7", f"{NAME}|other|9|9", "|||")):
                await bus.append(ORDERS, b"{}", forged)
                await publish(bus, MARKET, [parts[number]])
                await folded_up_to(runner, number + 1)
            said, _ = undisturbed(parts)
            own = {payload for payloads in said.values() for payload in payloads}
            on_log = [entry.payload for entry in await entries(bus, ORDERS) if entry.payload in own]
            assert on_log == said["main"]

    bounded(work())
