"""What several test folders need."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.runs import verify_runs

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS_AT_ONCE = 2


def place_of(nodeid: str) -> str:
    """Tests of one place run one after another in one process: those of a file, and of half of the whole systems."""
    path = Path(nodeid.partition("::")[0])
    return f"e2e {crc32(path.name.encode()) % SYSTEMS_AT_ONCE}" if path.parent.name == "e2e" else str(path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Where there is pytest-xdist: by place. Its own `loadgroup` does nothing with pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class ByPlace(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return place_of(nodeid)

    return ByPlace(config, log)


@pytest.fixture(scope="session")
def tape_dir() -> Path:
    """The folder of recorded market data: `PAPER_TEST_DATA`, else `../shared/data` beside the repository."""
    folder = Path(os.environ.get("PAPER_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"NO RECORDED MARKET DATA at {folder}: set PAPER_TEST_DATA")
    return folder


@pytest.fixture(scope="module", autouse=True)
def every_run_is_verified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No run may leave a log that does not come out the same when it is folded again, whatever its test is about."""
    yield
    verify_runs(tmp_path_factory.getbasetemp())
