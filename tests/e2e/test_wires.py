"""Each wire, cut from outside, breaks the check that is about it and no other, and the cause names the service.

The feed goes on after a second without the fold that was killed, so another run could differ: `data` says so for good.
"""

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from papertrader.cli.supervisor import Supervisor
from tests.e2e.running import checks, process_of, system, wait_until
from tests.runs import papertrader

TABLES: dict[str, Any] = {
    "feed": {
        "source": "synthetic",
        "assets": ["SYN1"],
        "speed": 10,
        "barrier_timeout_s": 1.0,
        "synthetic": {"duration_s": 86_400.0},
    },
    "monitor": {"port": 0},
    "accounts": {"main": {}, "far": {"quoter": {"min_edge_bps": 500.0}}},
}
CUTS = [
    ("outcome-tracker", "outcomes"),
    ("estimator", "kappa"),
    ("calibration", "calibration"),
    ("fill-sim", "fills"),
    ("feed", "fills"),
]
LEARN_S = 90.0
WINDOW_S = 40.0


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    """A running system whose main account has learned: nothing fails and the loops have closed."""
    with system(tmp_path_factory.mktemp("wires"), TABLES) as supervisor:
        assert wait_until(lambda: _passing(supervisor) >= {"fills", "kappa", "calibration", "outcomes"}, LEARN_S), (
            checks(supervisor)
        )
        yield supervisor


def _passing(supervisor: Supervisor) -> set[str]:
    return {name for name, check in checks(supervisor).items() if check["state"] == "pass"}


def _failing(supervisor: Supervisor, account: str = "main") -> set[str]:
    failing = {name: check for name, check in checks(supervisor, account).items() if check["state"] == "fail"}
    if "without a fold" in failing.get("data", {"cause": ""})["cause"]:
        del failing["data"]
    return set(failing)


@pytest.mark.slow
def test_quotes_far_from_the_market_fail_fills_and_nothing_else(learned: Supervisor) -> None:
    """The far account quotes 5 % away: its quotes are never touched."""
    assert wait_until(lambda: _failing(learned, "far") == {"fills"}, WINDOW_S), checks(learned, "far")
    assert "never" in checks(learned, "far")["fills"]["cause"]
    assert _failing(learned) == set()


@pytest.mark.slow
@pytest.mark.parametrize(("service", "check"), CUTS)
def test_service_down_fails_its_own_check_and_nothing_else(learned: Supervisor, service: str, check: str) -> None:
    """Kill the process; the check that is about it fails and names it; bring it back and nothing fails."""
    process = process_of(learned, service)
    os.kill(process.pid, signal.SIGKILL)
    assert wait_until(lambda: check in _failing(learned), WINDOW_S), checks(learned)
    seen = checks(learned)
    assert _failing(learned) == {check}, seen
    assert service in seen[check]["cause"], seen[check]
    assert seen[check]["remedy"]
    doctor = papertrader("doctor", "--url", learned.page)
    assert doctor.returncode == 1
    assert service in doctor.stdout
    process.start()
    assert wait_until(lambda: not _failing(learned), WINDOW_S), checks(learned)
