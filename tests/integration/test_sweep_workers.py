"""Workers that die, processes of this machine and of a Dask cluster: each costs what it had begun, and nothing else."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from papertrader.replay.sweep.outcomes import outcome
from papertrader.replay.sweep.variants import variants_of
from papertrader.replay.sweep.workers import Cluster, Pool, WorkersError, files_of
from papertrader.shared.log.broker import free_port
from papertrader.shared.service.config import SettingsError

ASSET = {"name": "SYN", "price": 60_000.0, "tick_size": 1.0, "lot_size": 1e-5}
TABLES: dict[str, Any] = {"feed": {"synthetic": {"duration_s": 200.0, "assets": [ASSET]}}}
VARIANTS = variants_of({"quoter.levels": [1, 2, 3], "quoter.min_edge_bps": [0.5, 1.0]})


def dies_once(mark: Path, number: int) -> int:
    """Kill the process that has number 3, the first time."""
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def dies(_: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_process_that_dies_costs_its_work_only(tmp_path: Path) -> None:
    with Pool(2) as pool:
        found = dict(pool.each(partial(dies_once, tmp_path / "died"), range(8)))
    assert found == {number: number * number for number in range(8)}
    assert (tmp_path / "died").exists()


def test_work_that_kills_whoever_does_it_is_named() -> None:
    with Pool(1) as pool, pytest.raises(WorkersError, match="3 processes died of 5"):
        list(pool.each(dies, [5]))


@contextmanager
def cluster(workers: int, *options: str) -> Iterator[tuple[str, list["subprocess.Popen[bytes]"]]]:
    """A Dask scheduler and workers on loopback: its address and the workers' processes."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    bare = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-dashboard", "--no-nanny", *options]
    running = [subprocess.Popen([*bare, "--no-dashboard", "--no-show"], stderr=subprocess.DEVNULL)]
    try:
        running += [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(workers)]
        yield address, running[1:]
    finally:
        for process in running:
            process.kill()
            process.wait()


def joined(address: str, workers: int) -> None:
    from distributed import Client

    with Client(address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(workers, timeout=60)


@pytest.mark.slow
def test_cluster_ranks_as_this_machine_does_and_a_killed_worker_costs_its_work_only(tmp_path: Path) -> None:
    work = partial(outcome, TABLES, cache=tmp_path)
    with Pool(1) as pool:
        expected = dict(pool.each(work, VARIANTS))
    with cluster(2, "--nthreads", "1") as (address, workers):
        joined(address, 2)
        with Cluster(address, files_of(TABLES)) as those:
            found = {}
            for place, item in those.each(work, VARIANTS):
                found[place] = item
                if len(found) == 1:
                    workers[0].kill()
    assert found == expected
    assert len({item.pnl for item in found.values()}) == 3, "the variants differ"


@pytest.mark.slow
def test_workers_that_are_not_as_this_side_are_named(tmp_path: Path) -> None:
    with pytest.raises(WorkersError, match="no Dask scheduler answers at tcp://127"):
        Cluster(f"tcp://127.0.0.1:{free_port()}", [])
    with pytest.raises(SettingsError, match="does not exist"):
        files_of({"feed": {"tapes": [str(tmp_path / "no.gz")]}})
    tape = tmp_path / "tape.gz"
    tape.write_bytes(b"1234")
    with cluster(1, "--nthreads", "2") as (address, _):
        joined(address, 1)
        with pytest.raises(WorkersError, match="several threads: start it with --nthreads 1"):
            Cluster(address, files_of({"feed": {"tapes": [str(tape)]}}))
