"""The markets that campaigns are run against."""

from pathlib import Path
from typing import Any, Final

SPEED: Final = 6.0
DURATION_S: Final = 96.0
"""So slow and so long that there is time to strike."""
SEGMENT_S: Final = 4.0
"""So often something is sealed: who starts again reads segments first."""


def market(tape: Path | None) -> dict[str, Any]:
    """The settings of a run: the beginning of a tape, or a minute and a half of one synthetic market."""
    feed: dict[str, Any] = {"speed": SPEED, "duration_s": DURATION_S, "barrier_timeout_s": 240.0}
    feed |= {"source": "tape", "tapes": [str(tape)]} if tape else {"source": "synthetic", "assets": ["SYN1"]}
    return {
        "feed": feed,
        "archive": {"segment_s": SEGMENT_S, "warn_days": 0.0},
        "bus": {"max_bytes": 2**28},
        "monitor": {"port": 0},
        "gateway": {"enabled": False},
    }
