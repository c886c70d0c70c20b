"""The market that campaigns are run against."""

from pathlib import Path
from typing import Any


def market(tape: Path | None) -> dict[str, Any]:
    """The settings of a run: a tape, or two minutes of one synthetic market, so slow that there is time to strike."""
    feed: dict[str, Any] = {"speed": 3.0, "duration_s": 120.0, "barrier_timeout_s": 240.0}
    feed |= {"source": "tape", "tapes": [str(tape)]} if tape else {"source": "synthetic", "assets": ["SYN1"]}
    return {"feed": feed, "monitor": {"port": 0}, "gateway": {"enabled": False}}
