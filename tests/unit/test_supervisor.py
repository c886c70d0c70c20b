"""What the supervisor does when the feed dies, with a feed that dies as it is told."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from papertrader.cli import service_process
from papertrader.cli.run import _watch
from papertrader.cli.service_process import DEATHS, ServiceProcess
from papertrader.cli.supervisor import RunError, Supervisor
from papertrader.shared.log.broker import Broker, BrokerError
from papertrader.shared.log.tasks import REFUSED
from tests import runs

_started: list[Supervisor] = []
_broker: list[Broker] = []
folds: list[str] = []
"""The program of every fold, none if it is empty."""


@pytest.fixture(autouse=True)
def broker(tmp_path: Path) -> Iterator[Broker]:
    server = Broker(tmp_path / "broker")
    server.start()
    _broker[:] = [server]
    yield server
    server.stop()


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The program of every feed that is started; the last one again and again. The folds are not started."""
    programs: list[str] = []
    folds.clear()

    def start(process: ServiceProcess) -> None:
        if process.name == "feed":
            program = programs.pop(0) if len(programs) > 1 else programs[0]
            process._process = subprocess.Popen([sys.executable, "-c", program])
        elif folds:
            process._process = subprocess.Popen([sys.executable, "-c", folds[0]])

    monkeypatch.setattr(ServiceProcess, "start", start)
    monkeypatch.setattr(service_process, "RESTART_WAIT_S", 0.0)
    monkeypatch.setattr("papertrader.cli.run.POLL_S", 0.02)
    yield programs
    while _started:
        _started.pop().stop()


def supervisor(directory: Path, **feed: Any) -> Supervisor:
    found = Supervisor(directory, {"feed": feed, "monitor": {"port": 0}}, _broker[0].url, {})
    _started.append(found)
    found.start()
    return found


def watch(directory: Path) -> Supervisor:
    found = supervisor(directory)
    _watch(found, lambda: False, quiet=True)
    return found


def test_feed_that_ends_by_itself_ends_the_run(tmp_path: Path, dying: list[str]) -> None:
    dying.append("")
    assert watch(tmp_path).feed.restarts == 0


def test_feed_that_dies_is_started_again_and_the_cause_is_said(
    tmp_path: Path, dying: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    dying += ["import os; os.kill(os.getpid(), 9)", "raise SystemExit(1)", ""]
    assert watch(tmp_path).feed.restarts == 2
    said = capsys.readouterr().err
    assert "feed (killed by SIGKILL) had died and was started again" in said
    assert "feed (exit code 1) had died" in said


def test_feed_that_refuses_what_it_was_asked_for_is_not_started_again(tmp_path: Path, dying: list[str]) -> None:
    dying.append(f"raise SystemExit({REFUSED})")
    with pytest.raises(RunError, match="the feed ended with an error"):
        watch(tmp_path)


def test_feed_that_dies_again_and_again_is_given_up_with_a_clear_text(tmp_path: Path, dying: list[str]) -> None:
    dying.append("raise SystemExit(1)")
    with pytest.raises(RunError, match=f"the feed died {DEATHS} times within 10 minutes, at last exit code 1"):
        watch(tmp_path)


def test_feed_that_dies_seldom_is_never_given_up(
    tmp_path: Path, dying: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_process, "DEATHS_WITHIN_S", 0.0)
    dying += ["raise SystemExit(1)"] * 2 * DEATHS + [""]
    assert watch(tmp_path).feed.restarts == 2 * DEATHS


@pytest.mark.parametrize(("source", "rest_s"), [("hyperliquid", 50.0), ("tape", None)])
def test_live_feed_started_again_has_the_rest_of_its_duration(
    tmp_path: Path, dying: list[str], source: str, rest_s: float | None
) -> None:
    dying.append("")
    found = supervisor(tmp_path, source=source, duration_s=60.0)
    found._started = time.monotonic() - 10.0
    found.revive()
    found.feed.wait_stopped(10)
    assert found.feed.overrides.keys() == ({"PAPER_FEED_DURATION_S"} if rest_s else set())
    assert not rest_s or float(found.feed.overrides["PAPER_FEED_DURATION_S"]) == pytest.approx(rest_s, abs=1.0)


def test_fold_that_dies_again_and_again_ends_the_run_with_its_last_words(tmp_path: Path, dying: list[str]) -> None:
    dying.append("import time; time.sleep(60)")
    folds.append("raise SystemExit(1)")
    with pytest.raises(RunError, match=f"died {DEATHS} times within 10 minutes, at last exit code 1"):
        watch(tmp_path)


def test_fold_that_refuses_what_it_was_asked_for_ends_the_run_at_once(tmp_path: Path, dying: list[str]) -> None:
    dying.append("import time; time.sleep(60)")
    folds.append(f"raise SystemExit({REFUSED})")
    with pytest.raises(RunError, match="ended with an error"):
        watch(tmp_path)
    assert all(process.restarts == 0 for process in _started[-1].folds)


def test_broker_that_was_killed_is_started_again_on_its_port(tmp_path: Path, dying: list[str]) -> None:
    dying.append("import time; time.sleep(60)")
    found = Supervisor(tmp_path / "own", {"monitor": {"port": 0}}, None, {})
    _started.append(found)
    found.start()
    runs._verified.add(tmp_path / "own")  # nothing was said in it
    assert found.broker is not None
    before, url = found.broker.pid, found.broker.url
    os.kill(before, signal.SIGKILL)
    found.broker._process.wait()  # type: ignore[union-attr]
    assert found.revive() == ["the broker (killed by SIGKILL)"]
    assert found.broker.pid != before
    assert found.broker.url == url


def test_broker_that_does_not_start_at_once_is_tried_again(
    tmp_path: Path, dying: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    dying.append("import time; time.sleep(60)")
    monkeypatch.setattr("papertrader.cli.supervisor.LOOK_EVERY_S", 0.05)
    found = Supervisor(tmp_path / "run", {"feed": {}, "monitor": {"port": 0}}, None, {})
    _started.append(found)
    found.start()
    assert found.broker is not None
    start, tries = found.broker.start, []

    def slowly(inherited: tuple[int, ...] = ()) -> None:
        tries.append(1)
        if len(tries) < 3:
            found.broker.stop()
            raise BrokerError("nats-server did not start")
        start(inherited)

    monkeypatch.setattr(found.broker, "start", slowly)
    os.kill(found.broker.pid, signal.SIGKILL)
    said: list[str] = []
    deadline = time.monotonic() + 30
    while len(tries) < 3 and time.monotonic() < deadline:
        said += found.revive()
        time.sleep(0.01)
    assert os.kill(found.broker.pid, 0) is None
    assert not found.lost
    assert [line.count("it does not start") for line in said if line.startswith("the broker")] == [1, 1, 0]
    runs._verified.add(tmp_path / "run")  # nobody has folded anything


@pytest.mark.parametrize("noticed_by", ["feed", "fill-sim"])
@pytest.mark.parametrize(
    ("answer", "log", "again"),
    [
        ("insufficient resources", "", True),
        ("no answer", "[ERR] JetStream failed to store a msg: no space left on device", True),
        ("no answer", "", False),
    ],
)
def test_broker_that_takes_no_message_is_started_again_whoever_notices_unless_it_is_only_slow(
    tmp_path: Path,
    dying: list[str],
    monkeypatch: pytest.MonkeyPatch,
    noticed_by: str,
    answer: str,
    log: str,
    again: bool,
) -> None:
    dying.append("import time; time.sleep(60)")
    found = Supervisor(tmp_path / "run", {"feed": {}, "monitor": {"port": 0}}, None, {})
    _started.append(found)
    found.start()
    runs._verified.add(tmp_path / "run")  # nobody has folded anything
    assert found.broker is not None
    complaining = next(process for process in found.processes if process.name == noticed_by)
    said = {complaining.metrics_port: f"the broker takes no message for 5 s: {answer}"}
    with found.broker.log.open("a") as file:
        file.write(log)
    monkeypatch.setattr("papertrader.cli.supervisor._complaint", lambda port: said.get(port, ""))
    before = found.broker.pid
    assert found.revive() == []
    assert (found.broker.pid != before) is again
    assert any("takes no message" in note and note.endswith("was started again") for note in found.notes) is again
