import asyncio
import itertools
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from papertrader.shared.log.broker import Broker
from papertrader.shared.log.subjects import subject
from papertrader.shared.messages import Control
from papertrader.shared.service.checkpoint import CheckpointStore
from tests.integration.counting import (
    NAME,
    POISON,
    publish,
    session,
    undisturbed,
)
from tests.integration.counting_runner import (
    MARKET,
    ORDERS,
    crash,
    expect,
    folded_up_to,
    forget_ids,
    orders_on,
    runner_of,
    running,
)
from tests.integration.wire import PATIENCE_S, become, bounded, connected, kill


def test_session_on_the_bus_is_the_fold_of_it(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts = session(100)
        async with connected(broker) as bus, running(bus, tmp_path) as runner:
            await publish(bus, MARKET, parts)
            await expect(bus, runner, parts)
            assert runner.rounds == 100
            assert runner.outputs == sum(len(said) for said in undisturbed(parts)[0].values())
            assert runner.suppressed == 0
            assert runner.bad == {}
            assert runner.checkpoints >= 4
            assert runner.health().checkpoint_loads

    bounded(work())


@pytest.mark.parametrize("rounds_before", [1, 45, 100], ids=["first round", "middle", "last round"])
@pytest.mark.parametrize("foreign", [False, True], ids=["alone", "foreign message last"])
def test_fold_that_crashed_goes_on_without_loss_or_double(
    broker: Broker, tmp_path: Path, rounds_before: int, foreign: bool
) -> None:
    async def work() -> None:
        parts = session(100)
        async with connected(broker) as bus:
            async with connected(broker, "doomed") as doomed:
                first = runner_of(doomed, tmp_path)
                await first.start()
                await publish(bus, MARKET, parts[:rounds_before])
                await folded_up_to(first, rounds_before)
                await crash(doomed)
            if foreign:
                await bus.append(ORDERS, b'{"type":"cancel","ts":1,"order_id":1}', "somebody-else")
            await forget_ids(bus)
            async with running(bus, tmp_path) as runner:
                await publish(bus, MARKET, parts[rounds_before:])
                await expect(bus, runner, parts)
                assert runner.rounds < 100 if rounds_before > 1 else runner.rounds >= 99
                refolded = parts[len(parts) - runner.rounds : rounds_before]
                assert (runner.suppressed > 0) == any(part.end.round % 5 for part in refolded)

    bounded(work())


@pytest.mark.parametrize("said_before", [1, 2, 41, 90])
def test_fold_that_crashed_between_two_messages_of_a_round_goes_on_after_the_first(
    broker: Broker, tmp_path: Path, said_before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing more is sent after so many messages, wherever in a round that is."""

    async def work() -> None:
        parts, said, crashed = session(100), itertools.count(1), asyncio.Event()
        async with connected(broker) as bus:
            await publish(bus, MARKET, parts)
            async with connected(broker, "doomed") as doomed:
                send = doomed.client.send

                def send_until_the_crash(frames: Iterable[bytes]) -> None:
                    (frame,) = frames
                    if frame.startswith(b"HPUB orders.") and next(said) > said_before:
                        crashed.set()
                    if not crashed.is_set():
                        send([frame])

                monkeypatch.setattr(doomed.client, "send", send_until_the_crash)
                await runner_of(doomed, tmp_path).start()
                await asyncio.wait_for(crashed.wait(), PATIENCE_S)
                await crash(doomed)
            await forget_ids(bus)
            async with running(bus, tmp_path) as runner:
                await expect(bus, runner, parts)

    bounded(work())


def test_fold_that_stopped_speaks_after_a_foreign_program_had_the_last_word_before_its_last_round(
    broker: Broker, tmp_path: Path
) -> None:
    """In round 5 it says nothing: what it has folded lies behind the foreign word when it speaks again."""

    async def work() -> None:
        parts = session(10)
        async with connected(broker) as bus:
            async with running(bus, tmp_path) as runner:
                await publish(bus, MARKET, parts[:4])
                await folded_up_to(runner, 4)
            await bus.append(ORDERS, b"not even JSON", "somebody-else")
            async with running(bus, tmp_path) as runner:
                await publish(bus, MARKET, parts[4:])
                await folded_up_to(runner, 10)
                assert await orders_on(bus) == undisturbed(parts)[0]

    bounded(work())


def test_fold_that_stopped_goes_on_from_its_checkpoint_without_folding_anything_again(
    broker: Broker, tmp_path: Path
) -> None:
    async def work() -> None:
        parts = session(60)
        async with connected(broker) as bus:
            async with running(bus, tmp_path) as first:
                await publish(bus, MARKET, parts[:40])
                await folded_up_to(first, 40)
            async with running(bus, tmp_path) as second:
                assert second.position == first.position
                await publish(bus, MARKET, parts[40:])
                await expect(bus, second, parts)
                assert (second.rounds, second.suppressed) == (20, 0)

    bounded(work())


@pytest.mark.parametrize("corrupt", ["newest", "both"])
def test_corrupt_checkpoint_costs_time_but_changes_nothing(broker: Broker, tmp_path: Path, corrupt: str) -> None:
    async def work() -> None:
        parts = session(100)
        async with connected(broker) as bus:
            async with running(bus, tmp_path) as first:
                await publish(bus, MARKET, parts[:70])
                await folded_up_to(first, 70)
            newest = CheckpointStore(tmp_path, NAME).path(MARKET)
            for path in [newest] if corrupt == "newest" else [newest, newest.with_suffix(".previous")]:
                content = bytearray(path.read_bytes())
                content[-1] ^= 1
                path.write_bytes(content)
            await forget_ids(bus)
            async with running(bus, tmp_path) as second:
                assert second.bad["checkpoint_refused"] == (1 if corrupt == "newest" else 2)
                await publish(bus, MARKET, parts[70:])
                await expect(bus, second, parts)
                assert second.rounds == (39 if corrupt == "newest" else 100)
                assert second.suppressed > 0

    bounded(work())


def test_worker_that_fell_behind_another_of_its_service_is_fenced(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts = session(60)
        async with connected(broker) as bus, connected(broker, "other") as other_bus:
            slow = runner_of(bus, tmp_path / "slow")
            await slow.start()
            await publish(bus, MARKET, parts[:10])
            await folded_up_to(slow, 10)
            await slow.stop()
            async with running(other_bus, tmp_path / "other") as ahead:
                await publish(bus, MARKET, parts[10:])
                await folded_up_to(ahead, 60)
                stale = runner_of(bus, tmp_path / "slow")
                await forget_ids(bus)
                await stale._last_said_on(ORDERS)
                stale._cursors[ORDERS] = stale._cursors[ORDERS]._replace(round=10, place=0, sequence=1)
                await stale.start()
                await become(lambda: stale.fenced, "the fence")
                assert stale.position.round == 10
                await expect(bus, ahead, parts)
                await stale.stop()

    bounded(work())


def test_two_workers_of_a_service_at_once_never_say_anything_twice(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts = session(80)
        async with connected(broker) as bus, connected(broker, "one") as one, connected(broker, "two") as two:
            await forget_ids(bus)
            first, second = runner_of(one, tmp_path / "one"), runner_of(two, tmp_path / "two")
            await first.start()
            await second.start()
            await publish(bus, MARKET, parts)
            await folded_up_to(first, 80)
            await folded_up_to(second, 80)
            assert not (first.fenced and second.fenced)
            assert await orders_on(bus) == undisturbed(parts)[0]
            await first.stop()
            await second.stop()

    bounded(work())


def test_fold_that_fails_stops_and_leaves_its_last_good_checkpoint(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts = session(50)
        async with connected(broker) as bus:
            runner = runner_of(bus, tmp_path)
            await runner.start()
            await publish(bus, MARKET, parts[:40])
            await folded_up_to(runner, 40)
            saved = CheckpointStore(tmp_path, NAME).newest(MARKET)
            poison = msgspec.json.encode(Control(ts=1, action=POISON))
            await bus.append(subject("control", MARKET, "main"), poison, "poison")
            await publish(bus, MARKET, parts[40:])
            await become(lambda: runner.failure, "the failure")
            assert isinstance(runner.failure, ZeroDivisionError)
            assert runner.position.round == 40
            await runner.stop()
            assert CheckpointStore(tmp_path, NAME).newest(MARKET) == saved
            assert await orders_on(bus) == undisturbed(parts[:40])[0]

    bounded(work())


def test_broker_killed_in_the_middle_changes_nothing(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        parts = session(60)
        async with connected(broker) as bus, connected(broker, "feed") as feed, running(bus, tmp_path) as runner:
            publishing = asyncio.create_task(publish(feed, MARKET, parts))
            await folded_up_to(runner, 20)
            await asyncio.to_thread(kill, broker)
            await asyncio.to_thread(broker.start)
            await publishing
            await expect(bus, runner, parts)
            assert runner.resets >= 1

    bounded(work())
