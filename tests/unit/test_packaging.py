"""What is installed is what is locked, and the locks say the same."""

import pytest

from tests.conftest import ROOT
from tools.locks import FILES, exported


@pytest.mark.parametrize("name", FILES)
def test_requirement_file_is_what_the_lock_says(name: str) -> None:
    assert (ROOT / name).read_text() == exported(name), "run `make lock`"
