"""`papertrader replay` from outside: the same bytes each time, and the numbers of `papertrader run`."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from papertrader.replay.replay import replay
from papertrader.replay.session import sessions
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.service.config import Settings
from tests.e2e.running import logged, run_json
from tests.runs import papertrader

TAPE = "hyperliquid-20250904-WLFI.gz"
DURATION_S = 400
OF_PROCESSES = ("checkpoints",)
"""What only processes have: a replay writes no checkpoint, and its data has no age."""


@pytest.mark.slow
def test_two_replays_are_byte_identical(tape_dir: Path, tmp_path: Path) -> None:
    """Everything that is said on standard output, and the whole report."""
    said = []
    for number in (1, 2):
        report = tmp_path / f"report{number}.html"
        done = papertrader("replay", tape_dir / TAPE, "--duration", DURATION_S, "--json", "--report", report)
        assert json.loads(done.stdout)["markets"][0]["fills"] > 0, done.stderr
        said.append((done.returncode, done.stdout, report.read_bytes()))
    assert said[0] == said[1]


@pytest.mark.slow
@pytest.mark.parametrize("speed", [0, 30])
def test_replay_says_what_a_run_says_at_any_speed(tape_dir: Path, tmp_path: Path, speed: int) -> None:
    """On a real tape: every fill, ack, account, markout and estimate byte for byte, and the whole summary."""
    _, run = run_json(tmp_path, "--tape", tape_dir / TAPE, "--speed", speed, "--duration", DURATION_S)
    replayed = json.loads(papertrader("replay", tape_dir / TAPE, "--duration", DURATION_S, "--json").stdout)
    assert len(run["markets"]) == len(replayed["markets"]) == 1
    assert comparable(replayed["markets"][0]) == comparable(run["markets"][0])
    config = FeedConfig(source="tape", tapes=(tape_dir / TAPE,), duration_s=float(DURATION_S))
    (session,) = sessions(config)
    found = replay(session, Settings({}))
    for kind, subject in {
        "fills": "fills.>",
        "acks": "acks.>",
        "account": "account.>",
        "markouts": "markouts.>",
        "orders": "orders.>",
        "estimate": "params.*.*.*.estimate",
        "calibration": "params.*.*.*.calibration",
    }.items():
        expected = [payload for _, payload in logged(tmp_path, subject)]
        assert [msgspec.json.encode(message) for _, _, message in found.messages(kind)] == expected, kind
        assert expected


def comparable(market: dict[str, Any]) -> dict[str, Any]:
    """A market's summary without what belongs to processes."""
    kept = {name: value for name, value in market.items() if name not in OF_PROCESSES}
    evidence = [found for found in market["verdict"]["evidence"] if found["name"] != "checks"]  # counts that check too
    return kept | {
        "checks": {name: check for name, check in market["checks"].items() if name not in OF_PROCESSES},
        "quotes": {**market["quotes"], "data_age_s": None},
        "verdict": {**market["verdict"], "evidence": evidence},
    }
