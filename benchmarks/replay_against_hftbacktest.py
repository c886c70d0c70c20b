"""Closed-loop replay side by side with hftbacktest: time, memory, and how time grows with the tape and with accounts.

    python -m benchmarks.replay_against_hftbacktest TAPE HFTBACKTEST_PYTHON [repetitions]

Both sides are processes that stay: they take turns, so that whatever else the machine does meets both.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
BUILD = ROOT / "build"


class Side:
    """A process that runs one measurement per line."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        self.measurements: list[dict[str, Any]] = []

    def measure(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        while not line.startswith("{"):
            if not line:
                raise RuntimeError(f"a side ended with exit code {self._process.wait()}")
            line = self._process.stdout.readline()
        self.measurements.append(json.loads(line))

    def values(self, name: str) -> list[float]:
        return [measurement[name] for measurement in self.measurements]

    def stop(self) -> None:
        self._process.communicate()


def ours(tape: Path, copies: int = 1, accounts: int = 1, fill_model: str = "draws") -> Side:
    return Side([sys.executable, "-m", "benchmarks.replay_side", str(tape), str(copies), str(accounts), fill_model])


def theirs(tape: Path, python: Path) -> Side:
    array = BUILD / f"{tape.stem}.hftbacktest.npz"
    return Side([str(python), str(ROOT / "benchmarks" / "hftbacktest_side.py"), str(tape), str(array)])


def take_turns(sides: Sequence[Side], repetitions: int) -> None:
    for _ in range(repetitions):
        for side in sides:
            side.measure()
    for side in sides:
        side.stop()


def spread(values: Sequence[float], scale: float = 1.0) -> str:
    """Median and range."""
    return f"{statistics.median(values) * scale:.1f} ({min(values) * scale:.1f} to {max(values) * scale:.1f})"


def times_as_fast(one: Side, other: Side) -> list[float]:
    """How many times as fast one side was as the other, repetition by repetition."""
    return [b / a for a, b in zip(one.values("seconds"), other.values("seconds"), strict=True)]


def against(tape: Path, python: Path, repetitions: int) -> list[str]:
    """The rows of the table for (a) and (b)."""
    us, drawing, them = ours(tape, fill_model="fifo"), ours(tape), theirs(tape, python)
    take_turns([us, drawing, them], repetitions)
    our_ms = spread(us.values("seconds"), 1e3)
    rates = [
        (a["rows"] / a["seconds"]) / (b["rows"] / b["seconds"])
        for a, b in zip(us.measurements, them.measurements, strict=True)
    ]
    rows, their_rows = us.measurements[0]["rows"], them.measurements[0]["rows"]
    rounds, steps = us.measurements[0]["rounds"], them.measurements[0]["steps"]
    return [
        f"| replay of the tape, draws off, ms | {our_ms} | {spread(them.values('seconds'), 1e3)} "
        f"| {spread(times_as_fast(us, them))} times as fast |",
        f"| replay of the tape, the queue drawn, ms | {spread(drawing.values('seconds'), 1e3)} | draws off: {our_ms} "
        f"| {spread(times_as_fast(us, drawing))} times as long |",
        f"| rows of market data per second | {rows:,} rows, {rounds:,} rounds | {their_rows:,} rows, {steps:,} steps "
        f"| {spread(rates)} times as many |",
        f"| peak memory, MiB | {spread(us.values('peak_mib'))} | {spread(them.values('peak_mib'))} "
        f"| {us.values('peak_mib')[-1] / them.values('peak_mib')[-1]:.2f} of it |",
    ]


def scaling(tape: Path, repetitions: int) -> list[str]:
    """How time grows with the tape and with accounts."""
    copies = {count: ours(tape, copies=count) for count in (1, 2, 4)}
    accounts = {count: ours(tape, accounts=count) for count in (1, 2, 8, 32)}
    take_turns([*copies.values(), *accounts.values()], repetitions)
    found = ["| tape | ms | per row, ns |", "|---|---|---|"]
    for count, side in copies.items():
        per_row = statistics.median(side.values("seconds")) / side.measurements[0]["rows"]
        found.append(f"| {count}x | {spread(side.values('seconds'), 1e3)} | {per_row * 1e9:.0f} |")
    found += ["", "| accounts | ms | per further account, ms |", "|---|---|---|"]
    alone = statistics.median(accounts[1].values("seconds"))
    for count, side in accounts.items():
        more = (statistics.median(side.values("seconds")) - alone) / (count - 1) if count > 1 else 0.0
        found.append(
            f"| {count} | {spread(side.values('seconds'), 1e3)} | {f'{more * 1e3:.1f}' if count > 1 else '–'} |"
        )
    return found


def main() -> None:
    tape, python = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    repetitions = int(sys.argv[3]) if len(sys.argv) > 3 else 7
    BUILD.mkdir(exist_ok=True)
    lines = ["| | ours, everything on | hftbacktest | ratio |", "|---|---|---|---|"]
    lines += against(tape, python.absolute(), repetitions)
    lines += ["", *scaling(tape, repetitions)]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
