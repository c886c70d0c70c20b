import asyncio
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.msg import Msg

from papertrader.shared.log.broker import Broker, free_port
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.health import Heartbeat
from papertrader.shared.log.subjects import subject
from papertrader.shared.messages import Control
from papertrader.shared.service.checkpoint import CheckpointStore
from tests.integration.counting import ACCOUNTS, NAME, POISON, Part, publish, session, undisturbed
from tests.integration.counting_runner import MARKET, forget_ids, orders_on
from tests.integration.processes import ServiceProcess, settings_file
from tests.integration.wire import become, bounded, connected

MODULE = "tests.integration.counting"


@contextmanager
def service(broker: Broker, folder: Path, **bus: Any) -> Iterator[ServiceProcess]:
    settings = settings_file(folder, {"bus": {"url": broker.url, "data_dir": str(folder), **bus}})
    process = ServiceProcess(MODULE, settings)
    try:
        yield process
    finally:
        process.kill()


def store(folder: Path) -> CheckpointStore:
    return CheckpointStore(folder / "checkpoints", NAME)


class Progress:
    """The last round that the service reported."""

    def __init__(self) -> None:
        self.round = -1

    async def hear(self, message: Msg) -> None:
        self.round = int(message.data)


async def watched(bus: Bus) -> Progress:
    progress = Progress()
    await bus.subscribe(f"progress.{NAME}.{MARKET}", progress.hear)
    return progress


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except urllib.error.URLError:
        return 0, ""


async def publish_slowly(bus: Bus, parts: list[Part]) -> None:
    for place in range(0, len(parts), 20):
        await publish(bus, MARKET, parts[place : place + 20])
        await asyncio.sleep(0.05)


def test_process_killed_in_the_middle_goes_on_without_loss_or_double(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts = session(600)
        async with connected(broker) as bus:
            await forget_ids(bus)
            progress = await watched(bus)
            publishing = asyncio.create_task(publish_slowly(bus, parts))
            for number in (50, 333):
                with service(broker, tmp_path) as process:
                    await become(lambda number=number: progress.round >= number, f"round {number}")
                    process.kill()
            with service(broker, tmp_path) as process:
                await publishing
                await become(lambda: progress.round == 600, "the end")
                assert await orders_on(bus) == undisturbed(parts)[0]
                assert process.stop() == 0

    bounded(work())


def test_process_asked_to_leave_checkpoints_its_last_round(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts = session(57)
        async with connected(broker) as bus:
            progress = await watched(bus)
            await publish(bus, MARKET, parts)
            with service(broker, tmp_path) as process:
                await become(lambda: progress.round == 57, "the last round")
                assert await asyncio.to_thread(process.stop) == 0
            position = store(tmp_path).newest(MARKET)
            assert (position.round, position.ts) == (57, parts[-1].end.ts)

    bounded(work())


def test_process_whose_fold_fails_ends_with_the_error_and_keeps_the_checkpoint(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await publish(bus, MARKET, session(40))
            poison = msgspec.json.encode(Control(ts=1, action=POISON))
            await bus.append(subject("control", MARKET, "main"), poison, "poison")
            await publish(bus, MARKET, session(20, first=41))
            with service(broker, tmp_path) as process:
                code, said = await asyncio.to_thread(process.ended)
            assert code == 1
            assert "a control that this fold cannot take" in said
            assert store(tmp_path).newest(MARKET).round <= 40
            assert await orders_on(bus) == undisturbed(session(40))[0]

    bounded(work())


def test_metrics_probes_and_heartbeats_tell_how_far_a_process_is(broker: Broker, tmp_path: Path) -> None:
    beats: list[Heartbeat] = []

    async def on_beat(message: Msg) -> None:
        beats.append(msgspec.json.decode(message.data, type=Heartbeat))

    async def work() -> None:
        parts, port = session(40), free_port()
        where, reason = f'asset="{MARKET.asset}",venue="{MARKET.venue}"', ',reason="unknown_account",'
        async with connected(broker) as bus:
            progress = await watched(bus)
            await bus.subscribe(f"health.{NAME}.*", on_beat)
            await bus.append(subject("control", MARKET, "nobody"), b'{"ts":1,"action":"pause"}', "stranger")
            await publish(bus, MARKET, parts)
            with service(broker, tmp_path, metrics_port=port) as process:
                await become(lambda: progress.round == 40, "the last round")
                await become(lambda: beats and str(MARKET) in beats[-1].markets, "a heartbeat with the market")
                assert (await asyncio.to_thread(get, port, "/readyz")) == (200, "ok\n")
                assert (await asyncio.to_thread(get, port, "/healthz")) == (200, "ok\n")
                lines = (await asyncio.to_thread(get, port, "/metrics"))[1].splitlines()
                messages = sum(len(part.market_data) for part in parts)
                outputs = sum(len(said) for said in undisturbed(parts)[0].values())
                for line in (
                    f"paper_rounds_folded_total{{{where}}} 40.0",
                    f"paper_outputs_total{{{where}}} {outputs:.1f}",
                    f"paper_outputs_suppressed_total{{{where}}} 0.0",
                    f"paper_counter_messages_total{{{where}}} {messages:.1f}",
                    f"paper_bus_lag_messages{{{where}}} 0.0",
                    f"paper_event_clock_seconds{{{where}}} {parts[-1].end.ts * 1e-9}",
                    f"paper_bad_messages_total{{{where.replace(',', reason)}}} 1.0",
                    "paper_owned_markets 1.0",
                ):
                    assert line in lines
                health = beats[-1].markets[str(MARKET)]
                assert (health.round, health.ts, health.checkpoint_loads) == (40, parts[-1].end.ts, True)
                assert health.bad == {"unknown_account": 1}
                assert process.running

    bounded(work())


def test_market_is_offered_only_once_an_instrument_of_it_can_be_read(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            progress = await watched(bus)
            for payload in (b"{}", b"not JSON", b'{"ts":1,"tick_size":"much","lot_size":1}'):
                await bus.append("md.synthetic.NONE.instrument", payload, f"garbage-{payload!r}")
            await publish(bus, MARKET, session(10))
            port = free_port()
            with service(broker, tmp_path, metrics_port=port) as process:
                await become(lambda: progress.round == 10, "the last round")
                assert "paper_owned_markets 1.0" in (await asyncio.to_thread(get, port, "/metrics"))[1]
                assert process.running

    bounded(work())


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        ({"bus": {"urll": "x"}}, "counter: [bus]: unknown setting 'urll'; did you mean 'url'?"),
        ({"bus": {"max_bytes": 5}}, "counter: [bus]: Expected `int` >= 1048576"),
        ({"buss": {}}, "counter: unknown section [buss]"),
    ],
)
def test_wrong_settings_end_the_process_with_one_clear_line(
    tmp_path: Path, tables: dict[str, Any], expected: str
) -> None:
    code, said = ServiceProcess(MODULE, settings_file(tmp_path, tables)).ended()
    assert code == 2
    assert said.startswith(expected)
    assert "Traceback" not in said


def test_sessions_of_the_counting_fold_say_something_to_every_account() -> None:
    said, _ = undisturbed(session(40))
    assert all(len(said[account]) > 10 for account in ACCOUNTS)
