"""What the docs tell a reader to run is run, from the pages themselves."""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from papertrader import Client, ClientError
from tests.conftest import ROOT

DOCS = ROOT / "docs"
BIN = Path(sys.executable).parent
LIMIT_S = 300.0
FENCE = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)


def run(command: list[str | Path], folder: Path) -> str:
    """Run a command in a folder; one that fails for a check that failed has worked."""
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "COLUMNS": "120"}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=LIMIT_S, env=environment
    )
    assert done.returncode == 0 or "checks" in done.stdout + done.stderr, f"{command}: {done.stdout}{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def run_page(page: Path, folder: Path) -> str:
    """Run the blocks of a page that are marked `sh`, line by line, and its Python, in order; what they printed."""
    said = ""
    for language, block in FENCE.findall(page.read_text()):
        if language == "sh":
            for line in block.splitlines():
                said += run(["bash", "-c", line], folder)
        else:
            (folder / "mine.py").write_text(block)
            said += run([sys.executable, "mine.py"], folder)
    return said


def test_two_minute_starts(tmp_path: Path) -> None:
    said = run_page(DOCS / "start.md", tmp_path)
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert (tmp_path / "tables" / "fills.parquet").is_file()
    assert "no difference" in said
    assert re.search(r"<Run of synthetic\.SYN1, synthetic\.SYN2: [1-9]\d* fills", said)
    shutil.rmtree(tmp_path / "data")  # the page has verified it already


def test_results_as_data(tmp_path: Path) -> None:
    said = run_page(DOCS / "how-to" / "results.md", tmp_path)
    assert re.search(r"markout after 5 s, bp: -?\d", said)
    assert "┆ verdict" in said
    assert (tmp_path / "monday" / "touches.parquet").is_file()


@pytest.fixture
def traded_from_outside(tmp_path: Path) -> Iterator[Path]:
    """The data directory of a run whose account waits for orders of a program outside."""
    data = tmp_path / "data"
    command = [BIN / "papertrader", "run", "--strategy", "none", "--data-dir", data]
    with (tmp_path / "out").open("w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=tmp_path)
    try:
        end = time.monotonic() + LIMIT_S
        while not asyncio.run(_is_there(data)):
            assert process.poll() is None, (tmp_path / "out").read_text()
            assert time.monotonic() < end, (tmp_path / "out").read_text()
            time.sleep(0.5)
        yield data
    finally:
        process.terminate()
        process.wait(LIMIT_S)


async def _is_there(data: Path) -> bool:
    try:
        async with Client("synthetic.SYN1", run=data, timeout_s=1.0):
            return True
    except ClientError:
        return False


def test_client_and_bot_of_the_pages_trade(traded_from_outside: Path, tmp_path: Path) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", (DOCS / "how-to" / "client.md").read_text(), re.DOTALL)
    (tmp_path / "client.py").write_text(f"import sys\n{block}\nasyncio.run(main(sys.argv[1]))\n")
    command = ["timeout", str(LIMIT_S), sys.executable, "-u", "client.py", traded_from_outside]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "accepted none\n"
        client.terminate()
    bot = (DOCS / "examples" / "outside_bot.py").read_text().replace("fills_wanted=10", "fills_wanted=1")
    (tmp_path / "bot.py").write_text(bot)
    said = run([sys.executable, "bot.py", "synthetic.SYN1", traded_from_outside], tmp_path)
    assert re.search(r"(buy|sell) 0\.\d+ at \d+", said)
