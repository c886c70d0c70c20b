"""The log leaves the broker and stays one log: for folds that restart, for fences, for who reads it whole."""

import asyncio
import shutil
import threading
import time
from pathlib import Path

import pytest
from nats.js import api

from papertrader.replay.log_file import LogError, extent
from papertrader.services.archive.config import ArchiveConfig
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.lease import create_bucket
from papertrader.shared.log.reader import LogReader
from papertrader.shared.log.segments import FOLDER
from papertrader.shared.log.subjects import STREAM
from papertrader.shared.log.writes import Write
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.checkpoint import CheckpointStore
from papertrader.shared.service.config import Settings
from papertrader.shared.service.continuation import StateError
from papertrader.shared.service.epoch import check_sealed
from papertrader.shared.service.runtime import Runtime
from tests.integration.archived import LATER_NS, archive_of, begun, on, sealed_to_the_end, whole
from tests.integration.counting import NAME, SERVICE, publish, session, undisturbed
from tests.integration.counting_runner import MARKET, folded_up_to, forget_ids, runner_of, same_state
from tests.integration.wire import MAX_BYTES, PATIENCE_S, become, bounded, connected
from tests.runs import papertrader


def test_the_log_is_the_same_before_and_after_it_left_the_broker(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with on(broker, tmp_path) as bus:
            await begun(bus)
            await publish(bus, MARKET, session(60))
            before = await whole(bus)
            assert await sealed_to_the_end(bus, tmp_path) > len(before) // 2
            assert await whole(bus) == before
            await publish(bus, MARKET, session(20, first=61))
            after = await whole(bus)
            assert after[: len(before)] == before
            assert [entry.sequence for entry in after] == list(range(1, len(after) + 1))

    bounded(work())


@pytest.mark.parametrize("checkpoints", ["kept", "lost"])
def test_a_fold_goes_on_over_segments_and_broker(broker: Broker, tmp_path: Path, checkpoints: str) -> None:
    """With its checkpoint, or without: then it folds all segments and says nothing twice."""

    async def work() -> None:
        parts = session(100)
        async with on(broker, tmp_path) as bus:
            await begun(bus)
            first = runner_of(bus, tmp_path)
            await first.start()
            await publish(bus, MARKET, parts[:70])
            await folded_up_to(first, 70)
            await first.stop()
            await sealed_to_the_end(bus, tmp_path)
            await forget_ids(bus)
            if checkpoints == "lost":
                shutil.rmtree(CheckpointStore(tmp_path, NAME).path(MARKET).parent)
            second = runner_of(bus, tmp_path)
            await second.start()
            await publish(bus, MARKET, parts[70:])
            await folded_up_to(second, 100)
            assert second.failure is None
            assert not second.fenced
            assert second.rounds == (30 if checkpoints == "kept" else 100)
            said, fold = undisturbed(parts)
            assert same_state(second.fold, fold)  # type: ignore[arg-type]
            found: dict[str, list[bytes]] = {account: [] for account in said}
            for entry in await whole(bus):
                if entry.message_id.startswith(f"{NAME}|"):
                    found[entry.subject.split(".")[-1]].append(entry.payload)
            assert found == said
            await second.stop()

    bounded(work())


def test_a_running_fold_writes_on_where_the_broker_has_forgotten_the_subject(broker: Broker, tmp_path: Path) -> None:
    """Its fence names a message that the broker does not hold any more; nobody else has written since."""

    async def work() -> None:
        parts = session(60)
        async with on(broker, tmp_path) as bus:
            await begun(bus)
            runner = runner_of(bus, tmp_path)
            await runner.start()
            await publish(bus, MARKET, parts[:30])
            await folded_up_to(runner, 30)
            await sealed_to_the_end(bus, tmp_path, let_go=False)
            _, last = await bus.held_extent()
            await publish(bus, MARKET, parts[30:31])
            await folded_up_to(runner, 31)
            archive = archive_of(bus, tmp_path, await begun(bus), ArchiveConfig(segment_bytes=1))
            await archive._reader.start()
            await become(lambda: archive.store.last > last, "the rest to be sealed")
            await archive._release(time.time_ns() + LATER_NS)
            assert await bus.held(f"orders.{MARKET}.bold") is None
            await publish(bus, MARKET, parts[31:])
            await folded_up_to(runner, 60)
            assert not runner.fenced
            said, fold = undisturbed(parts)
            assert same_state(runner.fold, fold)  # type: ignore[arg-type]
            own = [entry for entry in await whole(bus) if entry.message_id.startswith(f"{NAME}|")]
            assert len(own) == sum(map(len, said.values()))
            await runner.stop()
            await archive.leave()

    bounded(work())


def test_an_archive_that_was_killed_goes_on_without_hole_or_double(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with on(broker, tmp_path) as bus:
            made_by = await begun(bus)
            await publish(bus, MARKET, session(40))
            before = await whole(bus)
            async with on(broker, tmp_path, "doomed") as doomed:
                archive = archive_of(doomed, tmp_path, made_by)
                await archive._reader.start()
                await become(lambda: len(archive.store.catalogue.segments) >= 2, "two segments")
                await archive._reader.stop()  # what it has read and not sealed is lost with it
                await doomed.client.close()
                archive.store.close()
            (tmp_path / FOLDER / "half.partial").write_bytes(b"a segment that was not finished")
            await publish(bus, MARKET, session(20, first=41))
            await sealed_to_the_end(bus, tmp_path)
            found = await whole(bus)
            assert found[: len(before)] == before
            assert [entry.sequence for entry in found] == list(range(1, len(found) + 1))
            assert bus.sealed.catalogue.missing == 0

    bounded(work())


def test_a_market_is_found_again_when_its_instrument_has_left_the_broker(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with on(broker, tmp_path) as bus:
            await begun(bus)
            await publish(bus, MARKET, session(60))
            await sealed_to_the_end(bus, tmp_path)
            assert await bus.held(f"md.{MARKET}.instrument") is None
        async with on(broker, tmp_path, NAME) as bus:
            await create_bucket(bus)
            runtime = Runtime(SERVICE, Settings({}), bus, BusConfig(url=broker.url, data_dir=str(tmp_path)))
            stop = asyncio.Event()
            running = asyncio.create_task(runtime.run(stop))
            await become(lambda: MARKET in runtime.runners, "the market")
            runner = runtime.runners[MARKET]
            await folded_up_to(runner, 60)
            stop.set()
            await asyncio.wait_for(running, PATIENCE_S)
            assert same_state(runner.fold, undisturbed(session(60))[1])  # type: ignore[arg-type]

    bounded(work())


def test_a_full_broker_refuses_and_takes_again_once_its_log_is_sealed(broker: Broker, tmp_path: Path) -> None:
    """Nothing that is not sealed is ever dropped: not by age, not by size."""

    async def work() -> None:
        async with on(broker, tmp_path) as bus:
            await begun(bus)
            await bus.create_stream(200_000)
            config = (await bus.jetstream.stream_info(STREAM)).config
            assert (config.discard, config.max_age) == (api.DiscardPolicy.NEW, 0)
            count = 0
            while await bus.append_once([], _large(count)):
                count += 1
            assert "maximum bytes" in bus.refusal.text
            first, last = await bus.held_extent()
            assert (first, last) == (1, count + 1)
            await sealed_to_the_end(bus, tmp_path)
            assert await bus.append_once([], _large(count))
            assert len(await whole(bus)) == count + 2

    bounded(work())


def _large(number: int) -> Write:
    return Write("control.synthetic.SYN1.main", b"x" * 5_000, f"large|{number}")


def test_segments_of_another_log_are_refused(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with on(broker, tmp_path) as bus:
            await begun(bus)
            await publish(bus, MARKET, session(40))
            await sealed_to_the_end(bus, tmp_path)
            await check_sealed(bus)
            await bus.jetstream.delete_stream(STREAM)
            await bus.create_stream(MAX_BYTES)
            await publish(bus, MARKET, session(2))
            with pytest.raises(BusError, match="put back the broker's files"):
                await check_sealed(bus)

    bounded(work())


def test_verify_of_a_log_without_beginning_says_so_in_one_line(broker: Broker) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await publish(bus, MARKET, session(60))
            await bus.jetstream.purge_stream(STREAM, seq=30)

    bounded(work())
    refused = papertrader("verify", "--nats", broker.url)
    assert refused.returncode != 0
    assert refused.stderr.count("the log begins at sequence 30") == 1
    assert "Traceback" not in refused.stderr


def test_without_its_segments_a_log_without_beginning_is_refused(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with on(broker, tmp_path) as bus:
            await begun(bus)
            await publish(bus, MARKET, session(60))
            await sealed_to_the_end(bus, tmp_path)
        shutil.rmtree(tmp_path / FOLDER)
        async with connected(broker) as bus:
            with pytest.raises(LogError, match="the log begins at sequence"):
                await extent(bus)
            with pytest.raises(StateError, match="what it was folded from is gone"):
                await _spoken(bus, tmp_path)

    async def _spoken(bus: Bus, folder: Path) -> None:
        await bus.append(f"orders.{MARKET}.main", b'{"type":"cancel","ts":1,"order_id":1}', f"{NAME}|{MARKET}|1|0")
        await runner_of(bus, folder).start()

    bounded(work())


@pytest.mark.parametrize("config", [ArchiveConfig(), ArchiveConfig(segment_bytes=1)], ids=["waiting", "sealed"])
def test_a_log_that_somebody_purged_is_told_at_once(broker: Broker, tmp_path: Path, config: ArchiveConfig) -> None:
    async def work() -> None:
        async with on(broker, tmp_path) as bus:
            archive = archive_of(bus, tmp_path, await begun(bus), config)
            await publish(bus, MARKET, session(10))
            _, purged = await bus.held_extent()
            await bus.jetstream.purge_stream(STREAM, seq=purged)
            await archive._reader.start()
            await become(lambda: archive._reader.sequence == purged, "what is left")
            assert (archive.missing, archive._health()) == (0, {str(MARKET): archive._health()[str(MARKET)]})
            await archive._reader.stop()
            await publish(bus, MARKET, session(10, first=11))
            _, last = await bus.held_extent()
            await bus.jetstream.purge_stream(STREAM, seq=last)
            archive._reader = LogReader(bus, [">"], archive._reader.sequence, archive._take)
            reached = archive._reader.sequence
            await archive._reader.start()
            await become(lambda: archive._reader.sequence == last, "the rest")
            assert archive.missing == last - reached - 1 > 0
            assert archive._health()[str(MARKET)].bad == {"log_missing": archive.missing}
            await archive.leave()

    bounded(work())


def test_what_comes_while_a_segment_is_written_misses_nothing(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with on(broker, tmp_path) as bus:
            archive = archive_of(bus, tmp_path, await begun(bus), ArchiveConfig())
            await publish(bus, MARKET, session(10))
            _, first = await bus.held_extent()
            await archive._reader.start()
            await become(lambda: archive._reader.sequence == first, "what there is")
            may_end = threading.Event()
            seal = archive.store.seal
            archive.store.seal = lambda *given: (may_end.wait(PATIENCE_S), seal(*given))[1]  # type: ignore[method-assign]
            sealing = asyncio.ensure_future(archive._seal())
            await publish(bus, MARKET, session(10, first=11))
            _, last = await bus.held_extent()
            await become(lambda: archive._reader.sequence == last, "what came meanwhile")
            assert archive.missing == 0
            may_end.set()
            await sealing
            await archive._seal()
            assert (archive.missing, archive.store.last) == (0, last)
            await archive.leave()

    bounded(work())


def test_a_log_that_somebody_purged_is_told_though_all_of_it_is_sealed(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with on(broker, tmp_path) as bus:
            await begun(bus)
            await publish(bus, MARKET, session(60))
            archive = archive_of(bus, tmp_path, await begun(bus))
            await archive._reader.start()
            _, last = await bus.held_extent()
            await become(lambda: archive._reader.sequence == last, "all of it")
            await archive._release(time.time_ns())
            await archive._release(time.time_ns() + LATER_NS)
            await archive._release(time.time_ns() + LATER_NS)
            assert archive.released > 1
            assert archive._health()[str(MARKET)].bad == {}
            await bus.jetstream.purge_stream(STREAM)
            await archive._release(time.time_ns())
            assert archive._health()[str(MARKET)].bad == {"log_purged": 1}
            await archive.leave()

    bounded(work())
