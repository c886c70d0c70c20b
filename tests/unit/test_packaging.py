"""What is installed is what is locked, and the locks say the same."""

import pytest

from tests.conftest import ROOT
from tools.audit import judged
from tools.locks import FILES, exported


@pytest.mark.parametrize("name", FILES)
def test_requirement_file_is_what_the_lock_says(name: str) -> None:
    assert (ROOT / name).read_text() == exported(name), "run `make lock`"


def test_audit_tells_what_is_vulnerable_from_what_nobody_was_asked_about() -> None:
    answers = [
        {"name": "sound", "version": "1.0", "vulns": []},
        {"name": "bad", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]},
        {"name": "unknown", "skip_reason": "not found"},
    ]
    assert judged(answers) == (["bad 1.0: PYSEC-1, mended in 1.1"], ["unknown"])
