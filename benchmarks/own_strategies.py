"""What a strategy of one's own costs beside the built-in one: the same rule as a compiled function, and a Python class.

    python -m benchmarks.own_strategies TAPE [repetitions]

Processor time of whole replays in rounds of 10 ms, one after the other in each repetition. The class is also folded
over the services, as every class was before the loop called it.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import Row, ratios, spread
from benchmarks.replay_side import QUOTER, ROUND_MS
from papertrader.replay.replay import Replayed, composed, replay
from papertrader.replay.session import Session, sessions
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.service.config import Settings

ROOT: Final = Path(__file__).parent
COMPILED: Final = f"{ROOT / 'glft_as_a_user.py'}:decide"
CLASS: Final = f"{ROOT.parent / 'docs' / 'examples' / 'fixed_spread.py'}:FixedSpread"
FUNCTION: Final = f"{ROOT.parent / 'docs' / 'examples' / 'fixed_spread_compiled.py'}:decide"


def _settings(strategy: str) -> Settings:
    own: dict[str, Any] = {"settings": {"levels": 1}} if strategy == COMPILED else {}
    return Settings({"quoter": {**QUOTER, "strategy": strategy, **own}})


def _seconds(how: Callable[[Session, Settings], Replayed], session: Session, strategy: str) -> float:
    settings = _settings(strategy)
    started = time.process_time()
    how(session, settings)
    return time.process_time() - started


def rows(tape: Path, repetitions: int) -> list[Row]:
    """The built-in strategy against its rule by a user; a class in the loop against the same over the services."""
    (session,) = sessions(FeedConfig(source="tape", tapes=(tape,), round_ms=ROUND_MS))
    cases = {name: (replay, name) for name in ("glft", COMPILED, FUNCTION, CLASS)} | {"services": (composed, CLASS)}
    found: dict[str, list[float]] = {name: [] for name in cases}
    for repetition in range(repetitions + 1):
        for name, (how, strategy) in cases.items():
            tries = 1 if how is composed else 5
            seconds = min(_seconds(how, session, strategy) for _ in range(tries))
            if repetition > 0:  # in the first kernels are loaded
                found[name].append(seconds)
    return [
        Row(
            "(i) the built-in strategy's rule as a compiled function, processor time, ms",
            spread(found[COMPILED], 1e3),
            f"the built-in strategy: {spread(found['glft'], 1e3)}",
            spread(ratios(found["glft"], found[COMPILED])),
        ),
        Row(
            "(i) a Python class in the loop, processor time, ms",
            spread(found[CLASS], 1e3),
            f"over the services: {spread(found['services'], 1e3)}",
            spread(ratios(found["services"], found[CLASS])),
        ),
        Row(
            "(i) the same as a compiled function, processor time, ms",
            spread(found[FUNCTION], 1e3),
            f"the class in the loop: {spread(found[CLASS], 1e3)}",
            spread(ratios(found[CLASS], found[FUNCTION])),
        ),
    ]


if __name__ == "__main__":
    for row in rows(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3):
        sys.stdout.write(f"{row}\n")
