"""Runs of this machine: noted while they go on, found by other commands, and no longer when they were killed."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from papertrader.cli import runs
from papertrader.cli.connection import broker_of, log_of
from papertrader.cli.runs import NOTE, NoRunError, Run, chosen, living, noted, page_of, run_list

NOTING = """
import sys, pathlib
from papertrader.cli.runs import noted
with noted(pathlib.Path(sys.argv[1]), sys.argv[2], "http://127.0.0.1:1", "tape a.gz"):
    print("noted", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user of one's own, and nobody's settings."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("PAPER_SETTINGS", raising=False)


@pytest.fixture
def other(tmp_path: Path) -> "subprocess.Popen[str]":
    """A run in a process of its own."""
    directory = tmp_path / "other"
    directory.mkdir()
    command = [sys.executable, "-c", NOTING, str(directory), "nats://127.0.0.1:7"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "noted\n"
    return process


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_run_is_found_while_it_goes_on(tmp_path: Path) -> None:
    with noted(tmp_path, "nats://127.0.0.1:5", "http://127.0.0.1:6", "synthetic") as run:
        assert living() == [run]
        assert chosen(None) == chosen(str(os.getpid())) == chosen(str(tmp_path)) == run
        assert msgspec.json.decode((tmp_path / NOTE).read_bytes(), type=Run) == run
        assert page_of(None, None) == "http://127.0.0.1:6"
        assert broker_of(None, None, None).url == "nats://127.0.0.1:5"
        assert log_of(None, None, None, None) == (None, "nats://127.0.0.1:5")
    assert living() == []
    assert not (tmp_path / NOTE).exists()


def test_log_of_a_run_with_its_own_broker_is_its_directory(tmp_path: Path) -> None:
    (tmp_path / "nats").mkdir()
    with noted(tmp_path, "nats://127.0.0.1:5", "http://127.0.0.1:6", "synthetic"):
        assert log_of(None, None, None, None) == (tmp_path.resolve(), None)


def test_what_is_named_goes_before_the_run(tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('[bus]\nurl = "nats://elsewhere:4222"\n')
    with noted(tmp_path, "nats://127.0.0.1:5", "http://127.0.0.1:6", "synthetic"):
        assert broker_of("nats://named:1", None, None).url == "nats://named:1"
        assert broker_of(None, None, settings).url == "nats://elsewhere:4222"
        assert broker_of(None, str(tmp_path), settings).url == "nats://127.0.0.1:5"
        assert page_of("http://named:2", None) == "http://named:2"


def test_killed_run_is_no_run(other: "subprocess.Popen[str]") -> None:
    assert [run.pid for run in living()] == [other.pid]
    end(other)
    assert living() == []
    assert not list(run_list().iterdir())


def test_of_several_runs_one_has_to_be_named(tmp_path: Path, other: "subprocess.Popen[str]") -> None:
    with noted(tmp_path, "nats://127.0.0.1:5", "http://127.0.0.1:6", "synthetic"):
        with pytest.raises(NoRunError, match=rf"--run PID or --run DIRECTORY:\n(.*\n)*.*{other.pid}  tape a.gz"):
            chosen(None)
        assert chosen(str(other.pid)).broker == "nats://127.0.0.1:7"
        with pytest.raises(NoRunError, match="no run nowhere goes on"):
            chosen("nowhere")
    end(other)


def test_without_a_run_the_text_says_how_to_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("papertrader.cli.connection._listens", lambda _url: False)
    with pytest.raises(NoRunError, match="start one with `papertrader run`"):
        broker_of(None, None, None)
    assert page_of(None, None) == runs.DEFAULT_URL


def test_home_that_cannot_be_written_to_does_not_stop_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with noted(tmp_path, "nats://127.0.0.1:5", "http://127.0.0.1:6", "synthetic"):
        assert (tmp_path / NOTE).exists()
