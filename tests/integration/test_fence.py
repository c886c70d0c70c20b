"""A worker that was stopped and resumed and still believes that it owns its market cannot write to it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from papertrader.cli.supervisor import Supervisor
from papertrader.shared.log.broker import free_port
from tests.e2e.running import finished, metric, process_of, system, wait_until
from tests.integration.processes import ServiceProcess, settings_file

TABLES: dict[str, Any] = {
    "feed": {
        "source": "synthetic",
        "assets": ["SYN1"],
        "speed": 10,
        "barrier_timeout_s": 120.0,
        "synthetic": {"duration_s": 300.0},
    },
    "monitor": {"port": 0},
}
OUTPUTS = "paper_outputs_total"
FENCED_WRITES = "paper_fenced_writes_total"
FENCED = 'paper_lease_changes_total{reason="fenced"}'
LOST = 'paper_lease_changes_total{reason="lost"}'
ENOUGH = 20
"""Messages over three subjects: on one of them more than one, so that the last is not taken for one's own."""
PATIENCE_S = 60.0


@pytest.mark.slow
def test_frozen_worker_that_is_not_told_of_another_is_fenced_when_it_wakes(tmp_path: Path) -> None:
    """The other's leases are elsewhere, so the lease of the one that wakes is as good as ever: only the fence is left.

    That no message was lost or doubled is seen when the log is verified, as every run's is.
    """
    with system(tmp_path / "run", TABLES) as supervisor:
        owner = process_of(supervisor, "fill-sim")
        assert wait_until(lambda: metric(owner.metrics_port, OUTPUTS) >= ENOUGH, PATIENCE_S)
        assert metric(owner.metrics_port, FENCED_WRITES) == 0
        os.kill(owner.pid, signal.SIGSTOP)
        with worker_apart(supervisor, tmp_path) as port:
            assert wait_until(lambda: metric(port, OUTPUTS) >= ENOUGH, PATIENCE_S), "the other has not gone further"
            os.kill(owner.pid, signal.SIGCONT)
            assert wait_until(lambda: metric(owner.metrics_port, FENCED_WRITES) >= 1, PATIENCE_S), owner.log_tail()
        assert metric(owner.metrics_port, FENCED) >= 1
        assert metric(owner.metrics_port, LOST) == 0
        assert "gave up synthetic.SYN1" in owner.log_tail()
        assert finished(supervisor)["fills.>"]


@contextmanager
def worker_apart(supervisor: Supervisor, folder: Path) -> Iterator[int]:
    """Another fill-sim, with checkpoints of its own; the port of its metrics."""
    tables, port = msgspec.json.decode(supervisor.settings.read_bytes()), free_port()
    tables["bus"] |= {"data_dir": str(folder / "apart"), "metrics_port": port}
    process = ServiceProcess("tests.integration.apart", settings_file(folder, tables))
    try:
        yield port
        assert process.stop() == 0
    finally:
        process.kill()
