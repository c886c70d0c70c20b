"""Whatever the market does, a whole system never fails a check; and a cut wire never fails two."""

from hypothesis import given, settings
from hypothesis import strategies as st

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.service import Monitor
from tests.unit.monitoring import ACCOUNT, MARKET, Session

WIRES = (
    "quoter",
    "fill-sim",
    "estimator",
    "outcome-tracker",
    "calibration",
    "fills>estimator",
    "fills>outcome-tracker",
    "fills>calibration",
    "markouts>estimator",
    "markouts>calibration",
    "account",
    "margin",
)
jumps = st.lists(st.tuples(st.integers(1, 30), st.integers(1, 90)), max_size=4)


def failures(session: Session, pieces: list[tuple[int, int]], rest_s: int) -> set[str]:
    """Every check that failed at any time; the clock jumps after each piece by its second number of seconds."""
    monitor = Monitor(MARKET, {ACCOUNT: MonitorConfig()})
    failed: set[str] = set()
    for seconds, jump in [*pieces, (rest_s, 0)]:
        for round_ in session.rounds(seconds):
            for output in monitor.fold(round_):
                checks = output.message.checks  # type: ignore[attr-defined]
                failed |= {name for name, check in checks.items() if check.state == "fail"}
        session.skip(jump)
    return failed


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), pieces=jumps)
def test_whole_system_never_fails_a_check_even_when_the_clock_jumps(seed: int, pieces: list[tuple[int, int]]) -> None:
    assert failures(Session(seed=seed), pieces, 40) == set()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), wire=st.sampled_from(WIRES), after_s=st.integers(0, 60), pieces=jumps)
def test_cut_wire_fails_exactly_one_check(seed: int, wire: str, after_s: int, pieces: list[tuple[int, int]]) -> None:
    assert len(failures(Session([wire], after_s, seed), pieces, 100)) == 1
