"""Our side of the replay benchmark, as `hftbacktest_side` has it: a replay per line of standard input.

    python -m benchmarks.replay_side TAPE [copies] [accounts] [fill_model]

Everything is on: exchange with queue model, outcome tracker, estimator, calibration and quoter, in rounds of 10 ms.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from papertrader.replay.replay import replay
from papertrader.replay.session import Session, sessions
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.market.events import LEVEL, PRINT, ROUND, SNAPSHOT, TOUCH, Events
from papertrader.shared.service.config import Settings

ROUND_MS = 10
QUOTER = {"levels": 1, "requote_interval_ms": 10.0}


def repeated(session: Session, copies: int) -> Session:
    """The session so many times over, one after the other."""
    events = session.events
    span = int(events["ts"].max() - events["ts"][0]) // (ROUND_MS * 1_000_000) + 1
    parts: list[Events] = []
    for copy in range(copies):
        part = events.copy()
        part["ts"] += copy * span * ROUND_MS * 1_000_000
        part["id"][part["kind"] == ROUND] += copy * span
        part["id"][part["kind"] == PRINT] += copy * 10**12
        parts.append(part)
    return session._replace(events=np.concatenate(parts))


def settings_of(accounts: int, fill_model: str = "draws") -> Settings:
    tables = {"quoter": QUOTER, "fill_sim": {"fill_model": fill_model}}
    if accounts > 1:
        tables["accounts"] = {f"account{index:03d}": {"fill_sim": {"seed": index + 1}} for index in range(accounts)}
    return Settings(tables)


def measure(session: Session, settings: Settings) -> dict[str, float]:
    started = time.process_time()
    replayed = replay(session, settings)
    seconds = time.process_time() - started
    kinds = session.events["kind"]
    return {
        "seconds": seconds,
        "rows": int(np.isin(kinds, (SNAPSHOT, LEVEL, TOUCH, PRINT)).sum()),
        "rounds": session.rounds,
        "fills": len(replayed.records("fills")),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    copies = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    settings = settings_of(int(sys.argv[3]) if len(sys.argv) > 3 else 1, *sys.argv[4:5])
    config = FeedConfig(source="tape", tapes=(Path(sys.argv[1]),), round_ms=ROUND_MS)
    (session,) = sessions(config)
    session = repeated(session, copies) if copies > 1 else session
    measure(session, settings)
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(measure(session, settings)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
