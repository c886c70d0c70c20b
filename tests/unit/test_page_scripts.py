"""The files of the page: what a browser can parse, none too long, no other host named, the library as released."""

import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

STATIC = ROOT / "services" / "monitor" / "page" / "static"
OWN = sorted(path for path in STATIC.iterdir() if path.suffix in (".js", ".css", ".html"))
UPLOT_1_6_32 = "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"


@pytest.mark.skipif(shutil.which("node") is None, reason="no node on this machine: SCRIPTS ARE NOT CHECKED")
@pytest.mark.parametrize("path", [path for path in OWN if path.suffix == ".js"], ids=lambda path: path.name)
def test_script_can_be_parsed(path: Path) -> None:
    done = subprocess.run(
        ["node", "--check", "--input-type=module"], input=path.read_bytes(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_files_are_short_and_name_no_other_host() -> None:
    for path in OWN:
        text = path.read_text()
        assert text.count("\n") < 350, path.name
        assert not re.search(r"https?://|innerHTML|insertAdjacentHTML|document\.write|\beval\(", text), path.name


def test_chart_library_is_the_released_file_with_its_licence() -> None:
    vendor = STATIC / "vendor"
    assert hashlib.sha256((vendor / "uPlot.iife.min.js").read_bytes()).hexdigest() == UPLOT_1_6_32
    assert "MIT" in (vendor / "uPlot-LICENSE.txt").read_text()
