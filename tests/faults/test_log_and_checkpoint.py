"""A fold goes on only on the log that its checkpoint belongs to, and only if nothing of it is missing."""

import shutil
from pathlib import Path

import pytest

from papertrader.cli.bootstrap import create_log
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.subjects import STREAM
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.checkpoint import CheckpointStore
from papertrader.shared.service.config import Settings
from papertrader.shared.service.continuation import StateError
from tests.integration.conftest import broker
from tests.integration.counting import NAME, publish, session
from tests.integration.counting_runner import MARKET, folded_up_to, runner_of, running
from tests.integration.wire import bounded, connected, entries

__all__ = ["broker"]


async def folded(bus: Bus, folder: Path, rounds: int = 40) -> None:
    """A session that was folded and left cleanly."""
    async with running(bus, folder) as runner:
        await publish(bus, MARKET, session(rounds))
        await folded_up_to(runner, rounds)


def test_log_that_was_purged_is_refused(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await folded(bus, tmp_path)
            await publish(bus, MARKET, session(2, first=41))
            await bus.jetstream.purge_stream(STREAM)
            with pytest.raises(StateError, match="was dropped or purged"):
                await runner_of(bus, tmp_path).start()

    bounded(work())


def test_log_that_was_emptied_is_refused(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await folded(bus, tmp_path)
            await bus.jetstream.delete_stream(STREAM)
            await bus.create_stream(2**20)
            with pytest.raises(StateError, match="is not on this log"):
                await runner_of(bus, tmp_path).start()

    bounded(work())


def test_checkpoint_beside_another_log_of_the_same_length_is_refused(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await folded(bus, tmp_path)
            await bus.jetstream.delete_stream(STREAM)
            await bus.create_stream(2**20)
            for number in range(300):
                await bus.append("control.other.market.main", b"{}", f"other|{number}")
            with pytest.raises(StateError, match="is not on this log"):
                await runner_of(bus, tmp_path).start()

    bounded(work())


def test_checkpoints_that_are_gone_and_a_log_without_beginning_are_refused(broker: Broker, tmp_path: Path) -> None:
    async def work() -> None:
        async with connected(broker) as bus:
            await folded(bus, tmp_path)
            shutil.rmtree(CheckpointStore(tmp_path, NAME).path(MARKET).parent)
            await bus.jetstream.purge_stream(STREAM, seq=20)
            with pytest.raises(StateError, match="what it was folded from is gone"):
                await runner_of(bus, tmp_path).start()

    bounded(work())


def test_epochs_that_are_gone_from_the_log_are_named(broker: Broker, tmp_path: Path) -> None:
    """Else the settings would seem to have changed again, and the remedy were one that does not help."""

    async def work() -> None:
        config = BusConfig(url=broker.url, data_dir=str(tmp_path))
        for model in ("draws", "fifo", "flat"):
            await create_log(config, Settings({"fill_sim": {"fill_model": model}}))
        async with connected(broker) as bus:
            written = [entry.sequence for entry in await entries(bus, "epochs.>")]
            assert len(written) == 3
            await bus.jetstream.delete_msg(STREAM, written[2])
            changed = await create_log(config, Settings({"fill_sim": {"fill_model": "flat"}}))
            assert changed == ["fill_sim.fill_model: fifo → flat"], "as after a death between directory and log"
            for entry in (await entries(bus, "epochs.>"))[1:]:
                await bus.jetstream.delete_msg(STREAM, entry.sequence)
            with pytest.raises(BusError, match=r"epoch 3 of .* is gone: its log was purged"):
                await create_log(config, Settings({"fill_sim": {"fill_model": "flat"}}))

    bounded(work())
