"""Days of event time as fast as it goes, with restarts in between: what memory, disk and the report come to.

`python -m tests.e2e.scale DIRECTORY TAPE ... --hours 48 --restarts 5` repeats tapes of Hyperliquid one after the other,
runs them, verifies the log and prints what was measured as JSON; docs/scale.md has the numbers.
"""

import argparse
import gzip
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from papertrader.cli.supervisor import Supervisor
from papertrader.shared.log.sealed import Sealed
from papertrader.shared.log.segments import Segment
from tests.e2e.running import metric, process_of
from tests.e2e.test_live_soak import resident_bytes
from tests.runs import papertrader

PAUSE_MS: Final = 60_000
"""Between two repetitions: the seam is a gap of the data."""
TIMES: Final = re.compile(rb'"(time|tid)":(\d+)')
SHOWN: Final = (b'"channel":"l2Book"', b'"channel":"bbo"')
EVERY_MARKET_S: Final = 1.5e9
"""The mean clock is later than this once no market stands at 0."""


def thinned(frames: Iterator[bytes], every: int) -> Iterator[bytes]:
    """Every so manieth frame of each kind that shows the book, and all others: prints above all."""
    seen: Counter[bytes] = Counter()
    for frame in frames:
        shows = next((kind for kind in SHOWN if kind in frame), b"")
        seen[shows] += 1
        if not shows or seen[shows] % every == 0:
            yield frame


def repeated(tape: Path, output: Path, hours: float, every: int = 1) -> None:
    """Write a tape that repeats another for so many hours, thinned; times and ids of prints go on."""
    frames = thinned(iter(gzip.decompress(tape.read_bytes()).splitlines()), every)
    lines = [line.partition(b" ") for line in frames]
    first, last = int(lines[0][0]), int(lines[-1][0])
    step_ms = (last - first) // 1_000_000 + PAUSE_MS
    with gzip.open(output, "wb", compresslevel=1) as file:
        for place in range(int(hours * 3_600_000 // step_ms) + 1):
            shift = place * step_ms

            def later(found: "re.Match[bytes]", shift: int = shift) -> bytes:
                return b'"%s":%d' % (found[1], int(found[2]) + shift)

            for received, _, frame in lines:
                file.write(b"%d %s\n" % (int(received) + shift * 1_000_000, TIMES.sub(later, frame)))


class Leg(msgspec.Struct, frozen=True):
    """What was measured of one start: hours of event time and of wall time, and memory at its end by process, MiB."""

    event_hours: float
    wall_s: float
    memory_mib: dict[str, float]


def legs(
    directory: Path, tapes: Sequence[Path], hours: float, restarts: int, segment_bytes: int, round_ms: int
) -> Iterator[Leg]:
    """Run the tapes, stopped and started again so many times; one leg each."""
    tables: dict[str, Any] = {
        "feed": {
            "source": "tape",
            "tapes": [str(tape) for tape in tapes],
            "speed": 0,
            "barrier_timeout_s": 120.0,
            "round_ms": round_ms,
        },
        "archive": {"segment_bytes": segment_bytes},
        "bus": {"max_age_s": 600.0},
        "monitor": {"port": 0},
        "gateway": {"enabled": False},
    }
    share = hours * 3600 / (restarts + 1)
    start_s: float | None = None
    for leg in range(restarts + 1):
        started = time.monotonic()
        supervisor = Supervisor(directory, tables, None, {})
        supervisor.start()
        try:
            clock_s = 0.0
            while supervisor.feed.exit_code is None:
                supervisor.revive()
                time.sleep(2.0)
                now_s = metric(process_of(supervisor, "monitor").metrics_port, "paper_event_clock_seconds") / len(tapes)
                if now_s > EVERY_MARKET_S:
                    start_s = now_s if start_s is None else start_s
                    clock_s = now_s - start_s
                if clock_s >= (leg + 1) * share:
                    break
            memory = {
                process.label: resident_bytes(process.pid) / 2**20
                for process in supervisor.processes
                if process.exit_code is None
            }
            assert supervisor.broker is not None
            memory["nats-server"] = resident_bytes(supervisor.broker.pid) / 2**20
        finally:
            supervisor.stop()
        yield Leg(clock_s / 3600, time.monotonic() - started, memory)


def folder_bytes(folder: Path) -> int:
    """The size of everything below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure(
    directory: Path,
    tapes: Sequence[Path],
    hours: float,
    restarts: int,
    segment_bytes: int,
    every: int = 1,
    round_ms: int = 50,
) -> dict[str, Any]:
    """Everything that docs/scale.md tells."""
    (directory / "tapes").mkdir(parents=True)
    made = [directory / "tapes" / tape.name for tape in tapes]
    for tape, output in zip(tapes, made, strict=True):
        repeated(tape, output, hours, every)
    run = directory / "run"
    measured = []
    for leg in legs(run, made, hours, restarts, segment_bytes, round_ms):
        measured.append(leg)
        sys.stderr.write(f"{json.dumps(msgspec.to_builtins(leg))}\n")
    segments = Sealed(run).catalogue.segments
    took = {}
    started = time.monotonic()
    proved = json.loads(papertrader("verify", run, "--json", timeout_s=7 * 86_400).stdout)
    assert proved["same"], proved["first_difference"]
    took["verify_s"] = time.monotonic() - started
    started = time.monotonic()
    done = papertrader("report", run / "report.html", "--data-dir", run)
    took["report_s"] = time.monotonic() - started
    assert done.returncode == 0, done.stderr
    hours_done = measured[-1].event_hours
    payload, files = (sum(getattr(item, name) for item in segments) for name in ("payload_bytes", "file_bytes"))
    return {
        "legs": msgspec.to_builtins(measured),
        "markets": len(tapes),
        "event_hours": hours_done,
        "messages": segments[-1].last if segments else 0,
        "segments": len(segments),
        "payload_bytes": payload,
        "segment_bytes": files,
        "broker_bytes": folder_bytes(run / "nats"),
        "checkpoint_bytes": folder_bytes(run / "checkpoints"),
        "verified": sum(proved["verified"].values()),
        "forecast_error": forecast_error(segments),
        "month_gib": files / hours_done * 720 / 2**30,
        **took,
    }


def forecast_error(segments: Sequence[Segment]) -> float:
    """How far what a byte of the first half of the segments takes on disk is from one of the second half, a share."""
    half = len(segments) // 2
    parts = segments[:half], segments[half:]
    early, late = (sum(s.file_bytes for s in part) / sum(s.payload_bytes for s in part) for part in parts)
    return early / late - 1


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scale", description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("tapes", type=Path, nargs="+")
    parser.add_argument("--hours", type=float, default=48.0)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--segment-bytes", type=int, default=16 * 2**20)
    parser.add_argument("--every", type=int, default=1, help="take every so manieth frame that shows the book")
    parser.add_argument("--round-ms", type=int, default=50, help="event time of a round")
    given = parser.parse_args()
    tapes = [tape.resolve() for tape in given.tapes]
    options = given.hours, given.restarts, given.segment_bytes, given.every, given.round_ms
    found = measure(given.directory.resolve(), tapes, *options)
    json.dump(found, sys.stdout, indent=2)


if __name__ == "__main__":
    main()
