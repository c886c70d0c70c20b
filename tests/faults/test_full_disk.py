"""The disk is full while a run works, and has room again: the run waits, goes on by itself, and loses nothing."""

import os
from pathlib import Path

import pytest

from tests import runs
from tests.faults.bench.catalogue import Disk
from tests.faults.bench.judging import wrong
from tests.faults.bench.running import run
from tests.faults.bench.tables import market


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="NO TINY DISK: mounting needs root")
def test_run_goes_on_when_a_full_disk_has_room_again(tmp_path: Path) -> None:
    tables = market(None)
    undisturbed = run(tmp_path / "calm", tables, ())
    assert undisturbed.fills
    campaign = (Disk(at_s=3.0, for_s=15.0),)  # longer than it takes to be noticed
    outcome = run(tmp_path / "full", tables, campaign)
    assert not wrong(outcome, undisturbed, campaign)
    assert any("the disk of" in note for note in outcome.noted), outcome.noted
    runs._verified.update({tmp_path / "calm", tmp_path / "full"})
