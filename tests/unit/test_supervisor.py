"""What the supervisor does when the feed dies, with a feed that dies as it is told."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from papertrader.cli import supervisor as supervising
from papertrader.cli.run import RunError, _watch
from papertrader.cli.supervisor import FEED_DEATHS, ServiceProcess, Supervisor
from papertrader.services.feed.config import REFUSED


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The program of every feed that is started; the last one again and again. The folds are not started."""
    programs: list[str] = []

    def start(process: ServiceProcess) -> None:
        if process.name == "feed":
            program = programs.pop(0) if len(programs) > 1 else programs[0]
            process._process = subprocess.Popen([sys.executable, "-c", program])

    monkeypatch.setattr(ServiceProcess, "start", start)
    monkeypatch.setattr(supervising, "RESTART_WAIT_S", 0.0)
    monkeypatch.setattr("papertrader.cli.run.POLL_S", 0.02)
    return programs


def supervisor(directory: Path, **feed: Any) -> Supervisor:
    found = Supervisor(directory, {"feed": feed, "monitor": {"port": 0}}, "nats://127.0.0.1:1", {})
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
    with pytest.raises(RunError, match=f"the feed died {FEED_DEATHS} times within 10 minutes, at last exit code 1"):
        watch(tmp_path)


def test_feed_that_dies_seldom_is_never_given_up(
    tmp_path: Path, dying: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "FEED_DEATHS_WITHIN_S", 0.0)
    dying += ["raise SystemExit(1)"] * 2 * FEED_DEATHS + [""]
    assert watch(tmp_path).feed.restarts == 2 * FEED_DEATHS


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
