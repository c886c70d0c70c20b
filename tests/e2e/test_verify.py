"""`papertrader verify` on the logs of brokers, and that no run of a test escapes it."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.messages import Instrument
from tests import runs
from tests.e2e.running import logged, run_json
from tests.integration.counting import publish, session
from tests.integration.counting_runner import MARKET
from tests.integration.wire import connected
from tests.runs import papertrader, verify_runs


@pytest.mark.slow
def test_run_with_a_message_too_many_is_found_wherever_it_lies(tmp_path: Path) -> None:
    run = tmp_path / "some" / "where"
    assert run_json(run, "--duration", 20, "--speed", 0)[0] == 0
    (name, payload), *_ = logged(run, "account.>")
    asyncio.run(_append(run, name, payload, f"fill-sim|{'.'.join(name.split('.')[1:3])}|7|0"))
    done = papertrader("verify", run)
    assert done.returncode == 1
    assert "The log holds a message that the fold does not say" in done.stdout
    with pytest.raises(AssertionError, match="does not say"):
        verify_runs(tmp_path)
    shutil.rmtree(run)


@pytest.mark.slow
def test_log_whose_beginning_retention_has_dropped_is_proved_from_what_was_saved(tmp_path: Path) -> None:
    """What folds save at 300 s is kept at one of the archive's turns, every 2 s: the run goes on for nearly 4."""
    run, settings = tmp_path / "run", tmp_path / "settings.toml"
    settings.write_text("[archive]\nsegment_bytes = 65536\nkeep_bytes = 600000\n[feed.synthetic]\nduration_s = 450.0\n")
    market = ("--settings", settings, "--assets", "SYN1", "--duration", 450, "--speed", 40)
    assert run_json(run, *market, timeout_s=600)[0] == 0
    with running_broker(run) as broker:
        sealed = asyncio.run(_let_go(run, broker))
    done = papertrader("verify", run, "--json", timeout_s=600)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert 1 < found["first_sequence"] < found["proved_from"] < sealed
    assert found["same"]
    assert found["before"] > 0
    assert {"orders", "acks", "account", "estimate", "calibration", "checks"} <= set(found["verified"])
    assert "what was before was dropped" in papertrader("verify", run, timeout_s=600).stdout
    shutil.rmtree(run / "segments" / "bases")
    shutil.rmtree(run / "epochs")
    refused = papertrader("verify", run)
    assert refused.returncode == 2
    assert "its beginning was dropped" in refused.stderr
    runs._verified.add(run)


async def _let_go(run: Path, broker: Broker) -> int:
    """Let the broker forget what is sealed, as it does after an hour."""
    bus = await Bus.connect(broker.url, "archive", data_dir=run)
    await bus.let_go(bus.sealed.last)
    await bus.close()
    return bus.sealed.last


async def _append(run: Path, name: str, payload: bytes, message_id: str) -> None:
    with running_broker(run) as broker:
        bus = await Bus.connect(broker.url, "forger")
        await bus.append(name, payload, message_id)
        await bus.close()


NOTHING = [(None, "nothing has run"), (0, "log is empty"), (-1, "no whole round"), (1, "no service has said")]


@pytest.mark.parametrize(("rounds", "why"), NOTHING)
def test_verify_of_a_log_with_nothing_to_compare_says_so_and_fails(
    tmp_path: Path, rounds: int | None, why: str
) -> None:
    """No log, an empty one, market data without a marker, and a round that nobody has folded."""
    with running_broker(tmp_path) as broker:
        if rounds is not None:
            asyncio.run(_fill(broker, rounds))
    done = papertrader("verify", tmp_path)
    assert done.returncode == 2
    assert why in done.stdout + done.stderr
    assert "no difference" not in done.stdout


async def _fill(broker: Broker, rounds: int) -> None:
    async with connected(broker) as bus:
        if rounds < 0:
            rules = Instrument(ts=1, tick_size=0.1, lot_size=0.001)
            await bus.append("md.a.b.instrument", msgspec.json.encode(rules), "1")
        await publish(bus, MARKET, session(max(rounds, 0)))


@contextmanager
def running_broker(run: Path) -> Iterator[Broker]:
    broker = Broker(run / "nats")
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
