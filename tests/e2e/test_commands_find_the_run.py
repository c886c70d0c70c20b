"""Beside `papertrader run`, as the README shows it: every command finds the run and says what came of it."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from papertrader.cli.runs import living
from tests.e2e.running import wait_until
from tests.runs import PAPERTRADER, papertrader


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A run of the synthetic market with an embedded broker, whose port nobody was told; its data directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PAPER_MONITOR_PORT", "0")
    directory = tmp_path / "data"
    command = [str(PAPERTRADER), "run", "--assets", "SYN1", "--data-dir", str(directory), "--duration", "280"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        assert wait_until(lambda: bool(living()), 120)
        yield directory
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert living() == []


@pytest.mark.slow
def test_commands_work_beside_a_run(run: Path, tmp_path: Path) -> None:
    assert f"synthetic SYN1  {living()[0].page}  {run}" in papertrader("runs").stdout
    assert wait_until(lambda: json.loads(papertrader("account", "--json").stdout or "{}").get("accounts"), 120)

    paused = papertrader("control", "pause")
    assert (paused.returncode, "paused, no order is live" in paused.stdout) == (0, True), paused.stderr
    resumed = papertrader("control", "resume", "synthetic.SYN1")
    assert (resumed.returncode, "quotes again" in resumed.stdout) == (0, True), resumed.stderr
    flat = papertrader("control", "flatten", "synthetic.SYN1")
    assert (flat.returncode, "position 0, 0 orders live" in flat.stdout) == (0, True), flat.stderr
    afresh = papertrader("control", "reset", "synthetic.SYN1")
    assert (afresh.returncode, "what was learned stays" in afresh.stdout) == (0, True), afresh.stderr
    wrong = papertrader("control", "pause", "synthetic.SYN")
    assert (wrong.returncode, "did you mean synthetic.SYN1" in wrong.stderr) == (2, True)

    tail = subprocess.Popen([str(PAPERTRADER), "tail", "md.*.*.round", "--json"], stdout=subprocess.PIPE, text=True)
    assert tail.stdout is not None
    assert json.loads(tail.stdout.readline())["subject"] == "md.synthetic.SYN1.round"
    os.kill(tail.pid, signal.SIGINT)
    tail.communicate(timeout=30)

    assert "synthetic.SYN1 main" in papertrader("doctor").stdout
    assert papertrader("report", tmp_path / "report.html").returncode == 0
    exported = papertrader("export", tmp_path / "run.log.gz")
    assert exported.returncode == 0, exported.stderr
    verified = json.loads(papertrader("verify", "--json").stdout)
    assert verified["same"]
