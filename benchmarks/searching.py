"""What a second core is worth to a search over settings.

    python -m benchmarks.searching TAPE [variants] [repetitions]

The same variants in one process and in two, once every process has replayed the tape: what it takes to start them is
not counted.
"""

import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import Row, ratios, spread
from papertrader.replay.sweep.outcomes import outcome
from papertrader.replay.sweep.variants import Range, variants_of
from papertrader.replay.sweep.workers import Pool

PROCESSES = (1, 2)


def rows(tape: Path, variants: int, repetitions: int) -> list[Row]:
    """Seconds that so many variants take in one process and in two."""
    tables = {"feed": {"source": "tape", "tapes": [str(tape.resolve())]}}
    tried = variants_of({"quoter.min_edge_bps": Range(0.2, 8.0)}, variants)
    work = partial(outcome, tables)
    took_s: dict[int, list[float]] = {count: [] for count in PROCESSES}
    pools = {count: Pool(count) for count in PROCESSES}
    for pool in pools.values():
        list(pool.each(work, tried[:8]))
    for _ in range(repetitions):
        ranking: list[Any] = []
        for count, pool in pools.items():
            started = time.perf_counter()
            found = dict(pool.each(work, tried))
            took_s[count].append(time.perf_counter() - started)
            ranking.append([found[place] for place in range(len(tried))])
        assert ranking[0] == ranking[1]
    for pool in pools.values():
        pool.__exit__()
    one, two = (took_s[count] for count in PROCESSES)
    row = Row(
        f"(h) a search over {variants} variants of one tape in two processes, s",
        spread(two),
        f"one process: {spread(one)}",
        f"{spread(ratios(one, two))} times as fast",
    )
    return [row]


if __name__ == "__main__":
    for line in rows(Path(sys.argv[1]), int((sys.argv[2:3] or ["200"])[0]), int((sys.argv[3:4] or ["3"])[0])):
        sys.stdout.write(f"{line}\n")
