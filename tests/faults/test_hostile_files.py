"""Files that grow without bound when they are read are refused in one line, and never held in memory."""

import gzip
import resource
from collections import Counter
from pathlib import Path

import pytest

from papertrader.replay.log_file import LogError, read_file
from papertrader.shared.market.tape import TapeError, read_tape

UNPACKED_MIB = 400


@pytest.fixture
def bomb(tmp_path: Path) -> Path:
    """A small file that unpacks to one long line."""
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(UNPACKED_MIB):
            file.write(b"1" * 2**20)
    return path


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_tape_of_one_endless_line_is_refused(bomb: Path) -> None:
    before = _peak_mib()
    with pytest.raises(TapeError, match="longer than"):
        list(read_tape(bomb, Counter()))
    assert _peak_mib() - before < UNPACKED_MIB / 4


def test_log_of_one_endless_line_is_refused(bomb: Path) -> None:
    before = _peak_mib()
    with pytest.raises(LogError, match="longer than"):
        list(read_file(bomb))
    assert _peak_mib() - before < UNPACKED_MIB / 4
