"""Somebody has the key of a user of the broker: no number changes, nothing stands still, every refusal is counted."""

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from papertrader.cli.monitor_client import MonitorError, fetch_json
from papertrader.cli.supervisor import Supervisor
from papertrader.replay.log_file import extent, read_log
from papertrader.services.broker_exporter.refusals import Refusals
from papertrader.shared.log.kinds import KINDS, decode
from papertrader.shared.log.segments import Entry
from papertrader.shared.log.subjects import address
from papertrader.shared.service.permissions import USERS
from tests.conftest import ROOT
from tests.e2e.running import metric, process_of, wait_until
from tests.integration.guarded import LOG_BYTES, Guarded, guarded_broker, login

KEYS = ("trader", "operator", "exporter")
"""Whom a stranger can be: the keys that programs of one's own have, and the port that the exporter reads."""
LONGEST_GAP_S = 5.0
SPEED = 4.0
QUIET_S = 4.0
LONGEST_S = 3_600.0
START_S = 300.0
COMPARED = ("fills", "acks", "orders", "account", "markouts", "estimate", "calibration")


class Seen(NamedTuple):
    """What a run left: the words of its services by subject, the longest time that its clock stood, malformed orders on
    the log and those that were counted."""

    said: dict[str, list[bytes]]
    gap_s: float
    malformed: int
    counted: int


def _run(directory: Path, broker: Guarded, seconds: float, neighbours: Sequence["subprocess.Popen[str]"] = ()) -> Seen:
    """Run a market on a guarded broker, every service with its own key, until its source ends, and the neighbours."""
    feed = {"source": "synthetic", "assets": ["SYN1"], "speed": SPEED, "duration_s": SPEED * seconds}
    tables = {
        "feed": {**feed, "synthetic": {"duration_s": SPEED * seconds}},
        "bus": {"nkey_seed_file": broker.seed("bootstrap"), "max_bytes": LOG_BYTES},
        "monitor": {"port": 0},
        "gateway": {"enabled": False},
    }
    supervisor = Supervisor(directory, tables, broker.url, {})
    for process in supervisor.processes:
        process.overrides = {"PAPER_BUS_NKEY_SEED_FILE": broker.seed(process.name)}
    supervisor.start()
    try:
        gap_s = _followed(supervisor, seconds)
        for neighbour in neighbours:
            assert neighbour.poll() is None, "the neighbour has gone before the run ended"
            neighbour.terminate()
        counted = _counted(process_of(supervisor, "fill-sim").metrics_port)
    finally:
        supervisor.stop()
    entries = asyncio.run(_entries(broker))
    malformed = sum(entry.subject == "orders.synthetic.SYN1.main" and not _decodes(entry) for entry in entries)
    malformed += sum(entry.subject == "orders.synthetic.SYN1.stranger" and not _decodes(entry) for entry in entries)
    return Seen(_said(entries), gap_s, malformed, counted)


def _followed(supervisor: Supervisor, seconds: float) -> float:
    """Follow a run to its end; for how long its clock stood still at the longest, s."""
    assert wait_until(lambda: _clock_s(supervisor) > 0, START_S), supervisor.feed.log_tail()
    gap_s, clock_s, moved_at = 0.0, 0.0, time.monotonic()
    deadline = time.monotonic() + 4 * seconds + START_S
    while supervisor.feed.exit_code is None:
        assert time.monotonic() < deadline, "the run does not end"
        if (now_s := _clock_s(supervisor)) > clock_s:
            clock_s, moved_at = now_s, time.monotonic()
        gap_s = max(gap_s, time.monotonic() - moved_at)
        time.sleep(0.1)
    assert supervisor.feed.exit_code == 0, supervisor.feed.log_tail()
    assert wait_until(lambda: _final(supervisor), START_S), "not folded to the end"
    return gap_s


def _counted(port: int) -> int:
    """How many orders a service has refused as malformed, once nobody sends any more."""
    before, since = -1, time.monotonic()
    while time.monotonic() - since < QUIET_S:
        now = int(metric(port, 'paper_bad_messages_total{asset="SYN1",reason="malformed_orders"'))
        if now != before:
            before, since = now, time.monotonic()
        time.sleep(0.2)
    return before


def _clock_s(supervisor: Supervisor) -> float:
    return max((market["duration_s"] for market in _markets(supervisor)), default=0.0)


def _final(supervisor: Supervisor) -> bool:
    return all(market["final"] for market in _markets(supervisor) or [{"final": False}])


def _markets(supervisor: Supervisor) -> list[dict[str, float]]:
    try:
        found: list[dict[str, float]] = fetch_json(supervisor.page, "/api/summary")["markets"]
    except MonitorError:
        return []
    return found


async def _entries(broker: Guarded) -> list[Entry]:
    operator = await login(broker, "operator")
    found = [entry async for entry in read_log(operator.bus, *await extent(operator.bus))]
    await operator.bus.close()
    return found


def _decodes(entry: Entry) -> bool:
    try:
        decode(address(entry.subject).kind, entry.payload)
    except ValueError:
        return False
    return True


def _said(entries: list[Entry]) -> dict[str, list[bytes]]:
    """The well-formed words of services for their account, by subject."""
    said: dict[str, list[bytes]] = {}
    for entry in entries:
        if entry.subject == "epochs.log" or not _decodes(entry):
            continue
        where = address(entry.subject)
        if where.kind in COMPARED and where.account == "main":
            said.setdefault(entry.subject, []).append(entry.payload)
    return said


def _with_neighbours(
    directory: Path, seconds: float, keys: tuple[str, ...]
) -> tuple[Seen, Counter[str], dict[str, int]]:
    """Run among neighbours, who are there from before it starts until after it has ended."""
    with guarded_broker(directory) as broker:
        counter = Refusals(broker.log)
        command = [sys.executable, "-m", "tests.faults.neighbour", broker.url, broker.monitoring]
        neighbours = [
            subprocess.Popen(
                [*command, key, broker.seed(key), str(LONGEST_S), key], cwd=ROOT, stdout=subprocess.PIPE, text=True
            )
            for key in keys
        ]
        try:
            seen = _run(directory / "run", broker, seconds, neighbours)
            told = [neighbour.communicate(timeout=60)[0] for neighbour in neighbours]
        finally:
            for neighbour in neighbours:
                neighbour.kill()
                neighbour.wait()
        refused: Counter[str] = sum((Counter(json.loads(text)) for text in told), Counter())
        return seen, refused, counter.counted()


def _undisturbed(directory: Path, seconds: float) -> Seen:
    with guarded_broker(directory) as broker:
        return _run(directory / "run", broker, seconds)


def _hold_out(tmp_path: Path, seconds: float, keys: tuple[str, ...] = KEYS) -> None:
    (tmp_path / "calm").mkdir()
    _hold_out_as(_undisturbed(tmp_path / "calm", seconds), tmp_path, seconds, keys)


def _hold_out_as(calm: Seen, tmp_path: Path, seconds: float, keys: tuple[str, ...]) -> None:
    """Among neighbours a run comes out as the one without, and nothing stands still; that one tells if the machine is
    too busy to say.
    """
    (tmp_path / "hostile").mkdir()
    seen, refused, counted = _with_neighbours(tmp_path / "hostile", seconds, keys)
    assert calm.said["fills.synthetic.SYN1.main"]
    assert seen.said == calm.said
    assert seen.gap_s < LONGEST_GAP_S, f"without neighbours the clock stood for {calm.gap_s:.1f} s"
    assert seen.malformed == seen.counted
    assert (seen.malformed > 0) == any(key in KINDS["orders"].writers for key in keys), "who may say orders"
    assert refused["publish"] > 50 or keys == ("exporter",), "who has no key is refused nothing"
    assert counted["publish"] >= refused["publish"]
    assert counted["subscribe"] >= refused["subscribe"]


@pytest.mark.slow
def test_neighbours_from_outside_change_no_number_and_are_counted(tmp_path: Path) -> None:
    _hold_out(tmp_path, 30.0)


@pytest.mark.long
def test_neighbours_from_outside_are_held_out_for_ten_minutes(tmp_path: Path) -> None:
    _hold_out(tmp_path, 600.0)


@pytest.fixture(scope="module")
def ten_calm_minutes(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return _undisturbed(tmp_path_factory.mktemp("calm"), 600.0)


@pytest.mark.long
@pytest.mark.parametrize("key", [*USERS, "exporter"])
def test_neighbour_with_any_one_key_is_held_out_for_ten_minutes(
    tmp_path: Path, ten_calm_minutes: Seen, key: str
) -> None:
    _hold_out_as(ten_calm_minutes, tmp_path, 600.0, (key,))


@pytest.mark.long
def test_neighbours_with_every_key_at_once_change_no_number(tmp_path: Path) -> None:
    _hold_out(tmp_path, 60.0, (*USERS, "exporter"))
