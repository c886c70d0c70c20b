"""`papertrader run` from outside: the JSON, the exit code, the same fills at any speed."""

import json
from pathlib import Path

import pytest

from tests.e2e.running import run_json
from tests.runs import papertrader

NAMES = {
    *("venue", "asset", "account", "fills", "moments", "own_fills", "outcomes_resolved", "outcomes_unresolved"),
    *("outcomes_adverse", "classifier_samples", "controller_fills", "orders", "unfilled", "pnl", "pnl_residual"),
    *("kappa_start", "kappa_end", "kappa_confidence_start", "kappa_confidence_end", "cal_progress"),
    *("cal_gamma_start", "cal_gamma_end", "toxicity", "regimes", "checkpoints", "bad_messages", "checks"),
}
CHECKS = {"fills", "kappa", "calibration", "pnl", "outcomes", "regime", "checkpoints", "margin", "toxicity", "data"}


@pytest.mark.slow
def test_synthetic_run_says_everything_in_one_object(tmp_path: Path) -> None:
    """Five minutes of the synthetic market: the loops close and the identity holds."""
    code, summary = run_json(tmp_path, "--duration", 300, "--speed", 0)
    assert code == 0
    assert len(summary["markets"]) == 2
    for market in summary["markets"]:
        assert set(market) >= NAMES
        assert set(market["checks"]) == CHECKS
        assert market["fills"] == market["own_fills"] == market["controller_fills"] > 0
        assert market["kappa_confidence_start"] == 0 < market["kappa_confidence_end"]
        assert market["cal_gamma_start"] == 0.3 < market["cal_gamma_end"]
        assert market["bad_messages"] == {}
        assert market["checkpoints"] >= 6
        assert sum(market["regimes"].values()) == 0  # five minutes are too few to know what is normal here
        assert market["checks"]["regime"]["state"] == "waiting"


@pytest.mark.slow
def test_run_again_on_the_same_data_is_refused_with_a_clear_text(tmp_path: Path) -> None:
    """The log already holds the whole session."""
    arguments = ("--duration", 20, "--speed", 0)
    assert run_json(tmp_path, *arguments)[0] == 0
    again = papertrader("run", "--json", "--data-dir", tmp_path, *arguments)
    assert again.returncode == 2
    assert "use another data directory" in again.stderr
    assert again.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--fill-model", "optimistic"), "fill_model"),
        (("--speed", "-1"), "speed"),
        (("--workers", "feed=2"), "--workers"),
        (("--tape", "/does/not/exist.gz"), "/does/not/exist.gz"),
        (("--assets", "NOSUCH"), "NOSUCH"),
        (("--settings", "/does/not/exist.toml"), "/does/not/exist.toml"),
    ],
)
def test_wrong_arguments_are_refused_by_name(arguments: tuple[str, ...], complaint: str) -> None:
    """Exit code 2 and a text that names what to change."""
    done = papertrader("run", "--json", *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr


def test_doctor_without_a_monitor_says_how_to_start_one() -> None:
    """Nothing listens on port 9."""
    done = papertrader("doctor", "--url", "http://127.0.0.1:9")
    assert done.returncode == 2
    assert "papertrader run" in done.stderr


@pytest.mark.slow
def test_truncated_tape_gives_what_was_read_and_says_so(tmp_path: Path, tape_dir: Path) -> None:
    """Half a gzip file: the readable half is traded, the tear is counted, nothing crashes."""
    whole = (tape_dir / "hyperliquid-20250904-WLFI.gz").read_bytes()
    torn = tmp_path / "torn.gz"
    torn.write_bytes(whole[: len(whole) // 6])
    _, summary = run_json(tmp_path, "--tape", torn, "--speed", 0)
    market = summary["markets"][0]
    assert market["bad_messages"] == {"tape_truncated": 1}
    assert market["fills"] == market["own_fills"]
    assert json.dumps(summary)
