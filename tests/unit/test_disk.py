"""What an operator is told of the disk, and the unit that runs a month."""

import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import typer

from papertrader.cli import disk
from papertrader.cli.disk import Disk
from papertrader.cli.main import app
from papertrader.services.archive.config import ArchiveConfig
from papertrader.services.archive.store import Store
from papertrader.shared.service.bus_config import BusConfig
from tests.conftest import ROOT
from tests.unit.test_segments import entries

UNIT = ROOT / "deploy" / "systemd" / "papertrader@.service"
HOUR_NS = 3_600 * 1_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two segments of the last two hours."""
    found, now = Store(tmp_path), time.time_ns()
    for first, age in ((1, 2), (11, 1)):
        began = now - age * HOUR_NS
        batch = [entry._replace(stored_ns=began + place) for place, entry in enumerate(entries(first, first + 9))]
        found.seal(batch, "log", 1)
    found.close()
    return found


def test_a_new_run_is_told_only_of_a_disk_that_is_too_small(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert Disk(tmp_path, ArchiveConfig()).at_start(BusConfig(max_bytes=2**20)) == []
    (line,) = Disk(tmp_path, ArchiveConfig()).at_start(BusConfig(max_bytes=2 * free))
    assert "lower [bus] max_bytes or make room" in line


def test_a_run_that_goes_on_is_told_at_the_start_how_fast_it_grew_and_not_again(tmp_path: Path, store: Store) -> None:
    told = Disk(tmp_path, ArchiveConfig())
    (line,) = told.at_start(BusConfig(max_bytes=2**20))
    assert re.search(
        r"grows by [\d.]+ GiB a day, as segments [\d.]+; the disk has [\d.]+ GiB left: it is full in", line
    )
    assert told.news() == []


def test_a_new_run_is_told_once_it_is_known_and_of_what_retention_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "LOOK_EVERY_S", 0.0)
    told = Disk(tmp_path, ArchiveConfig(keep_days=30))
    assert told.news() == []
    store, began = Store(tmp_path), time.time_ns() - HOUR_NS
    for first in (1, 11):
        store.seal([entry._replace(stored_ns=began) for entry in entries(first, first + 9)], "log", 1)
    (line,) = told.news()
    assert "retention keeps it from being full" in line
    store.drop(store.catalogue.segments[:1])
    assert told.news() == ["retention dropped 10 messages of the log: it begins at sequence 11 now"]
    assert told.news() == []
    store.close()


def test_the_unit_is_valid_and_starts_what_the_program_takes(tmp_path: Path) -> None:
    text = UNIT.read_text()
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    _, name, *arguments = shlex.split(line)
    known = getattr(typer.main.get_command(app), "commands")  # noqa: B009 - typer does not say that it is a group
    known[name].make_context(name, arguments)
    assert "KillSignal=SIGINT" in text, "Ctrl-C is what writes checkpoints"
    checker = shutil.which("systemd-analyze")
    if checker is None:
        pytest.skip("NO SYSTEMD-ANALYZE: the unit was not checked")
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace("/opt/papertrader/bin/papertrader", "/bin/true"))
    done = subprocess.run([checker, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
