"""What several test folders need."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def tape_dir() -> Path:
    """The folder of recorded market data: `PAPER_TEST_DATA`, else `../shared/data` beside the repository."""
    folder = Path(os.environ.get("PAPER_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"NO RECORDED MARKET DATA at {folder}: set PAPER_TEST_DATA")
    return folder
