"""What several test folders need."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import verify_runs

ROOT = Path(__file__).resolve().parents[1]
SYSTEMS_AT_ONCE = 2


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in its own
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """How tests are spread over processes: by file, but of whole systems (`tests/e2e`) two run at a time at most."""
    systems = sorted({item.path for item in items if item.path.parent == ROOT / "tests" / "e2e"})
    for item in items:
        place = str(item.path.relative_to(ROOT / "tests"))
        group = f"e2e {systems.index(item.path) % SYSTEMS_AT_ONCE}" if item.path in systems else place
        item.add_marker(pytest.mark.xdist_group(group))


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
