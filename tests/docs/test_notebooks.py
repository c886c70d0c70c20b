"""The notebooks run from beginning to end on a recorded market, with the plots that they promise."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
LIMIT_S = 1000


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_on_a_recorded_market(notebook: Path, tape_dir: Path, tmp_path: Path) -> None:
    tape, output = tape_dir / "hyperliquid-20250904-BTC.gz", tmp_path / notebook.name
    program = (
        "from pathlib import Path; from docs.execute import execute; import sys; execute(*map(Path, sys.argv[1:]))"
    )
    command = [sys.executable, "-c", program, notebook, tape, output]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr[-3000:]
    cells = json.loads(output.read_text())["cells"]
    for cell in cells:
        shown = [kind for item in cell.get("outputs", ()) for kind in item.get("data", {})]
        assert ("image/png" in shown) == ("plt.show()" in "".join(cell["source"]))
        assert not any(item.get("name") == "stderr" for item in cell.get("outputs", ())), cell["outputs"]
    said = "".join(str(item) for cell in cells for item in cell.get("outputs", ()))
    assert "<Run of hyperliquid.BTC: " in said
