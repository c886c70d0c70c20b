"""A replay ends at the first exception of a strategy and shows the line of the user's file."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from papertrader.cli.main import app

RAISES_LATER = """
class Mine:
    def __init__(self, settings):
        self.asked = 0

    def targets(self, view):
        self.asked += 1
        return [] if self.asked < 5 else {}["lean"]
"""


@pytest.mark.slow
def test_replay_stops_at_the_first_exception_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(RAISES_LATER)
    command = ["replay", "--strategy", f"{file}:Mine", "--duration", "20", "--assets", "SYN1"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert f"{file}:Mine: KeyError: 'lean'" in done.output
    assert f'File "{file}", line 8, in targets' in done.output
    assert 'return [] if self.asked < 5 else {}["lean"]' in done.output
    assert "paper_no_quote_rounds" not in done.output
