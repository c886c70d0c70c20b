"""Readers and folds where the log goes from segments to broker: nothing is missed, nothing heard twice."""

import os
import signal
from pathlib import Path

import pytest

from papertrader.replay.log_file import LogError, extent, read_log
from papertrader.services.archive.store import Store
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.reader import LogReader
from tests.integration.archived import begun, on, sealed_to_the_end, whole
from tests.integration.counting import publish, session, undisturbed
from tests.integration.counting_runner import MARKET, folded_up_to, runner_of, same_state
from tests.integration.wire import become, bounded


def test_a_fold_that_the_broker_left_behind_reads_on_in_the_segments(broker: Broker, tmp_path: Path) -> None:
    """What is purged before it was delivered leaves no hole in what a consumer is told: only its sequences jump."""

    async def work() -> None:
        parts = session(60)
        async with on(broker, tmp_path) as bus:
            await begun(bus)
            runner = runner_of(bus, tmp_path)
            await runner.start()
            await publish(bus, MARKET, parts[:20])
            await folded_up_to(runner, 20)
            runner._reader._on_arrival = lambda *_message: None  # type: ignore[method-assign]  # nothing arrives
            await runner._reader._close()
            runner._reader._subscription = await bus.deliver("nowhere", runner._reader._on_arrival)
            await publish(bus, MARKET, parts[20:])
            sealed = await sealed_to_the_end(bus, tmp_path)
            first, last = await bus.held_extent()
            assert sealed + 1 == first <= last
            del runner._reader._on_arrival
            runner.catch_up(first)
            await folded_up_to(runner, 60)
            assert runner.failure is None
            assert same_state(runner.fold, undisturbed(parts)[1])  # type: ignore[arg-type]
            runner.catch_up(first)  # there is nothing left to read
            await runner.stop()

    bounded(work())


def test_a_slow_reader_goes_on_in_the_segments_when_the_broker_has_let_go(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with on(broker, tmp_path) as bus:
            await begun(bus)
            await publish(bus, MARKET, session(60))
            before = await whole(bus)
            found = []
            async for entry in read_log(bus, 1, len(before)):
                found.append(entry._replace(stored_ns=0))
                if entry.sequence == 1:
                    await sealed_to_the_end(bus, tmp_path)
            assert found == before

    bounded(work())


def test_a_log_that_was_read_is_read_though_the_broker_answers_no_more(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with on(broker, tmp_path) as bus:
            await begun(bus)
            await publish(bus, MARKET, session(3))
            first, last = await extent(bus)
            found = []
            try:
                async for entry in read_log(bus, first, last):
                    found.append(entry.sequence)
                    if entry.sequence == last:
                        os.kill(broker.pid, signal.SIGSTOP)
            finally:
                os.kill(broker.pid, signal.SIGCONT)
            assert found == list(range(first, last + 1))

    bounded(work())


def test_a_log_whose_beginning_was_dropped_is_read_from_where_it_begins(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with on(broker, tmp_path) as bus:
            await begun(bus)
            await publish(bus, MARKET, session(60))
            before = await whole(bus)
            await sealed_to_the_end(bus, tmp_path)
            store = Store(tmp_path)
            store.drop(store.catalogue.segments[:2])
            store.close()
            first, last = await extent(bus, whole=False)
            assert first == store.catalogue.segments[0].first > 1
            assert [entry._replace(stored_ns=0) async for entry in read_log(bus, first, last)] == before[first - 1 :]
            with pytest.raises(LogError, match=f"begins at sequence {first}"):
                await extent(bus)

    bounded(work())


def test_a_reader_hears_each_message_once_over_the_seam(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        heard: list[int] = []

        async def hear(sequence: int, _name: str, _payload: bytes) -> None:
            heard.append(sequence)

        async with on(broker, tmp_path) as bus:
            await begun(bus)
            await publish(bus, MARKET, session(60))
            await sealed_to_the_end(bus, tmp_path)
            _, last = await bus.held_extent()
            reader = LogReader(bus, [">"], 0, hear)
            await reader.start()
            await become(lambda: reader.sequence >= last or reader.failure, "the end of the log")
            await publish(bus, MARKET, session(5, first=61))
            _, last = await bus.held_extent()
            await become(lambda: reader.sequence >= last, "what came since")
            await reader.stop()
            assert heard == list(range(1, last + 1))

    bounded(work())
