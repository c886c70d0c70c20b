"""The checks: a whole system passes, and one broken wire fails exactly one check that names the culprit."""

import re
from functools import cache
from typing import Any

import msgspec
import pytest

from papertrader.services.feed import metrics as feed_metrics
from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.liveness import FEED, STATEFUL, ServiceHealth
from papertrader.services.monitor.kernel import CHECKS
from papertrader.services.monitor.service import Monitor
from papertrader.services.quoter import metrics as quoter_metrics
from papertrader.shared.log.health import Failure
from papertrader.shared.messages import Checklist, Control, Gap
from papertrader.shared.service.fold import Round
from tests.conftest import ROOT
from tests.messages import account, ack, estimate
from tests.unit.monitoring import ACCOUNT, MARKET, START, S, Session

FAILS = [
    # what is cut, when (s), how long the session is (s), the one check that fails, what its cause names
    ("quoter", 0, 60, "fills", "quoter"),
    ("quoter", 60, 120, "fills", "quoter"),
    ("fill-sim", 0, 60, "fills", "fill-sim is down"),
    ("fill-sim", 60, 120, "fills", "fill-sim is down"),
    ("far", 0, 300, "fills", "never touched: the quoter's stand 19"),
    ("prints>fill-sim", 60, 240, "fills", "fill-sim does not hear the prints"),
    ("estimator", 0, 60, "kappa", "estimator is down"),
    ("estimator", 60, 120, "kappa", "estimator is down"),
    ("fills>estimator", 0, 60, "kappa", "estimator counted 0"),
    ("fills>estimator", 60, 120, "kappa", "do not reach it exactly once"),
    ("calibration", 0, 60, "calibration", "calibration is down"),
    ("calibration", 60, 120, "calibration", "no word from calibration"),
    ("fills>calibration", 60, 120, "calibration", "fills: they do not reach it"),
    ("markouts>calibration", 60, 120, "calibration", "outcomes: they do not reach it"),
    ("estimate>calibration", 0, 120, "calibration", "estimates do not reach calibration"),
    ("progress", 0, 120, "calibration", "calibration does not move"),
    ("outcome-tracker", 0, 60, "outcomes", "outcome-tracker is down"),
    ("outcome-tracker", 60, 120, "outcomes", "outcome-tracker is down"),
    ("fills>outcome-tracker", 60, 120, "outcomes", "does not hear them"),
    ("markouts>estimator", 60, 120, "outcomes", "classifier of the estimator trained on"),
    ("account", 0, 60, "pnl", "no account message"),
    ("account", 60, 120, "pnl", "while fills arrive"),
    ("residual", 60, 120, "pnl", "identity of fill-sim is off"),
    ("margin", 0, 60, "margin", "does not follow the position"),
    ("toxicity", 0, 300, "toxicity", "stays at the base rate"),
    ("skill", 0, 300, "toxicity", "no skill out of sample: skill -0.010 [-0.060, 0.040]"),
    ("estimate>fill-sim", 0, 300, "toxicity", "fill-sim does not hear the estimates"),
    ("regime", 0, 1900, "regime", "stuck at quiet"),
]


@cache
def monitored(cut: str = "", after_s: float = 0.0, seconds: float = 300.0) -> Monitor:
    session = Session([cut] if cut else [], after_s)
    monitor = Monitor(MARKET, {ACCOUNT: MonitorConfig()})
    for round_ in session.rounds(seconds):
        monitor.fold(round_)
    return monitor


def healthy(**changed: Any) -> dict[str, ServiceHealth]:
    """All services alive and at the same round; `changed` gives one service's deviating fields, `_` for `-`."""
    fields: dict[str, Any] = {
        "heartbeat_age_s": 0.5,
        "uptime_s": 600.0,
        "round": 100,
        "round_age_s": 0.1,
        "checkpoint_age_s": 60.0,
    }
    return {name: ServiceHealth(**(fields | changed.get(name.replace("-", "_"), {}))) for name in (FEED, *STATEFUL)}


def failing(checklist: Checklist) -> dict[str, str]:
    return {name: check.cause for name, check in checklist.checks.items() if check.state == "fail"}


def test_whole_system_passes_every_check_and_counts_agree() -> None:
    checklist = monitored().checklist(ACCOUNT, healthy())
    assert {name: check.state for name, check in checklist.checks.items()} == dict.fromkeys(CHECKS, "pass")
    assert checklist.counts_equal
    assert checklist.counts["fills"] > 100


def test_check_names_are_those_of_the_checklist() -> None:
    names = ["fills", "kappa", "calibration", "pnl", "outcomes", "regime", "checkpoints", "margin", "toxicity", "data"]
    assert list(monitored().checklist(ACCOUNT).checks) == names


@pytest.mark.parametrize(("cut", "after_s", "seconds", "name", "cause"), FAILS)
def test_one_broken_wire_fails_one_check_that_names_it(
    cut: str, after_s: float, seconds: float, name: str, cause: str
) -> None:
    found = failing(monitored(cut, after_s, seconds).checklist(ACCOUNT))
    assert list(found) == [name]
    assert cause in found[name]


@pytest.mark.parametrize(("after_s", "cause"), [(0, "no orders yet"), (60, "no live quotes")])
def test_an_account_that_a_program_outside_trades_waits_for_its_orders(after_s: float, cause: str) -> None:
    monitor = Monitor(MARKET, {ACCOUNT: MonitorConfig()}, outside=[ACCOUNT])
    for round_ in Session(["quoter"], after_s).rounds(60 + after_s):
        monitor.fold(round_)
    check = monitor.checklist(ACCOUNT).checks["fills"]
    assert (check.state, check.cause.startswith(cause)) == ("waiting", True), check.cause
    assert "--gateway" in check.remedy
    assert failing(monitor.checklist(ACCOUNT)) == {}


@pytest.mark.parametrize(("cut", "after_s", "seconds", "name", "cause"), FAILS)
def test_every_failure_has_a_remedy(cut: str, after_s: float, seconds: float, name: str, cause: str) -> None:
    assert monitored(cut, after_s, seconds).checklist(ACCOUNT).checks[name].remedy


@pytest.mark.parametrize("cut", ["estimator", "calibration", "outcome-tracker", "fills>estimator", "account"])
def test_counts_disagree_when_somebody_misses_fills(cut: str) -> None:
    assert not monitored(cut, 60, 120).checklist(ACCOUNT).counts_equal


def test_estimator_down_leaves_its_dependants_waiting_for_kappa() -> None:
    checks = monitored("estimator", 60, 120).checklist(ACCOUNT).checks
    for name in ("regime", "toxicity"):
        assert (checks[name].state, checks[name].cause) == ("waiting", "no estimate from the estimator: see kappa")


def test_empty_monitor_waits_for_everything() -> None:
    checklist = Monitor(MARKET, {ACCOUNT: MonitorConfig()}).checklist(ACCOUNT)
    assert {check.state for check in checklist.checks.values()} == {"waiting"}
    assert all(check.cause for check in checklist.checks.values())


# --- what only the wall side knows


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("feed", "fills"),
        ("fill_sim", "fills"),
        ("quoter", "fills"),
        ("estimator", "kappa"),
        ("outcome_tracker", "outcomes"),
        ("calibration", "calibration"),
    ],
)
def test_service_without_heartbeat_fails_its_one_check(service: str, name: str) -> None:
    liveness = healthy(**{service: {"heartbeat_age_s": 6.0, "checkpoint_age_s": 900.0}})
    found = failing(monitored().checklist(ACCOUNT, liveness))
    assert list(found) == [name]
    assert f"{service.replace('_', '-')} is down" in found[name]


def test_strategy_that_raises_is_named_and_nothing_else_is_blamed() -> None:
    monitor = monitored()
    now = monitor.facts.market.ts
    failure = Failure(count=4_974, ts=now, text="mine.py:Mine: KeyError: 'lean'", traceback="")
    found = failing(monitor.checklist(ACCOUNT, healthy(quoter={"failures": {ACCOUNT: failure}})))
    assert found == {"fills": "the strategy raises, 4,974 times so far: mine.py:Mine: KeyError: 'lean'"}
    past = msgspec.structs.replace(failure, ts=now - 60_000_000_000)
    assert failing(monitor.checklist(ACCOUNT, healthy(quoter={"failures": {ACCOUNT: past}}))) == {}


def test_remedies_name_metrics_that_exist() -> None:
    """What a check sends its reader to look at is there."""
    metrics = (*feed_metrics.METRICS, *quoter_metrics.METRICS)
    known = {f"{metric.name}_total" if metric.kind == "counter" else metric.name for metric in metrics}
    folder = ROOT / "services" / "monitor"
    sources = (*(folder / "checks").glob("*.py"), *(folder / "facts").glob("*.py"))
    named = {name for path in sources for name in re.findall(r"paper_[a-z_]+", path.read_text())}
    assert named
    assert named <= known


def test_service_that_hangs_is_named_though_its_heart_beats() -> None:
    liveness = healthy(feed={"round_age_s": 30.0}, estimator={"round": 99, "round_age_s": 30.0})
    assert failing(monitored().checklist(ACCOUNT, liveness)) == {
        "kappa": "estimator is alive but stuck at round 99, the feed is at 100"
    }


def test_silent_source_fails_fills_only_and_old_checkpoints_are_excused() -> None:
    liveness = healthy(**{name.replace("-", "_"): {"round_age_s": 400.0} for name in (FEED, *STATEFUL)})
    found = failing(monitored().checklist(ACCOUNT, liveness))
    assert found == {"fills": "no market data for 400 s: the feed is alive but its source is silent"}


def test_ended_source_excuses_silence_and_services_that_left() -> None:
    liveness = healthy(feed={"heartbeat_age_s": 60.0, "round_age_s": 400.0, "final": True})
    assert failing(monitored().checklist(ACCOUNT, liveness)) == {}


def test_monitor_that_has_just_started_does_not_yet_miss_heartbeats() -> None:
    young, old = {"uptime_s": 1.0}, {"uptime_s": 9.0}
    never = {"heartbeat_age_s": None}
    assert failing(monitored().checklist(ACCOUNT, healthy(monitor=young, quoter=never))) == {}
    assert "quoter" in failing(monitored().checklist(ACCOUNT, healthy(monitor=old, quoter=never)))["fills"]


@pytest.mark.parametrize(
    ("health", "cause"),
    [
        ({"checkpoint_age_s": 331.0}, "331 s old"),
        ({"checkpoint_loads": False}, "does not load"),
        ({"checkpoint_age_s": None, "uptime_s": 400.0}, "400 s old"),
    ],
)
def test_bad_checkpoint_of_a_living_service_fails_checkpoints(health: dict[str, Any], cause: str) -> None:
    found = failing(monitored().checklist(ACCOUNT, healthy(quoter=health)))
    assert list(found) == ["checkpoints"]
    assert cause in found["checkpoints"]
    assert "quoter" in found["checkpoints"]


def test_checkpoints_that_fail_are_told_before_they_are_old() -> None:
    health = {
        "checkpoint_age_s": None,
        "uptime_s": 5.0,
        "bad_messages": {"checkpoint_failed": 3, "checkpoint_failing": 1},
    }
    found = failing(monitored().checklist(ACCOUNT, healthy(quoter=health)))
    assert found == {"checkpoints": "quoter cannot write its checkpoint"}


def test_market_without_owner_fails_though_every_service_is_alive() -> None:
    nobody = {"round": -1, "round_age_s": None, "checkpoint_age_s": None, "unowned_s": 11.0}
    found = failing(monitored().checklist(ACCOUNT, healthy(quoter=nobody)))
    assert found["fills"] == "quoter is alive but no worker of it has owned this market for 11 s"


def test_broker_that_takes_no_message_is_the_one_cause() -> None:
    stuck = {name.replace("-", "_"): {"round_age_s": 30.0, "round": 99} for name in STATEFUL}
    liveness = healthy(feed={"bad_messages": {"broker_refuses_writes": 12}}, **stuck)
    found = failing(monitored().checklist(ACCOUNT, liveness))
    assert "the broker has taken no message for 12 s" in found["fills"]
    assert "data" not in found


def test_fold_that_was_not_waited_for_fails_the_data_to_the_end() -> None:
    liveness = healthy(feed={"bad_messages": {"fold_not_waited_for": 1}, "final": True})
    found = failing(monitored().checklist(ACCOUNT, liveness))
    assert list(found) == ["data"]
    assert "went on once without a fold" in found["data"]


def test_young_service_without_checkpoint_waits() -> None:
    liveness = healthy(quoter={"checkpoint_age_s": None, "uptime_s": 5.0})
    check = monitored().checklist(ACCOUNT, liveness).checks["checkpoints"]
    assert (check.state, check.cause) == ("waiting", "no checkpoint yet of quoter")


# --- states that are no defect


def test_quiet_market_waits_and_does_not_fail_for_want_of_fills() -> None:
    session = Session(["far"])
    session.market_open = False
    monitor = Monitor(MARKET, {ACCOUNT: MonitorConfig()})
    for round_ in session.rounds(300):
        monitor.fold(round_)
    check = monitor.checklist(ACCOUNT).checks["fills"]
    assert (check.state, check.cause) == ("waiting", "a quiet market: too few public prints to judge the fill rate")


def test_outage_of_the_venue_waits_with_the_cause_and_blames_nobody() -> None:
    """The quoter took its orders back, as it must: a minute without data and without quotes is not its fault."""
    session = Session()
    monitor = Monitor(MARKET, {ACCOUNT: MonitorConfig()})
    for round_ in session.rounds(60):
        monitor.fold(round_)
    for order_id in list(monitor.facts.accounts[ACCOUNT].working):
        session.say("acks", ack(None, session.ts, order_id=order_id, status="cancelled", reason="never_touched"))
    round_ = session.round()
    for step in range(12):
        ts = round_.ts + 5 * S
        gap = Gap(ts=ts, recv_ts=ts, from_ts=round_.ts, to_ts=ts, reason="silence")
        round_ = Round(round_.number + 1, ts, round_.ts, round_.heard if step == 0 else (), (gap,), False)
        monitor.fold(round_)
        check = monitor.checklist(ACCOUNT).checks["fills"]
        assert check.state == "waiting"
        assert check.cause.startswith("the market data is missing")
    assert monitor.facts.accounts[ACCOUNT].unquoted_s == 0.0
    assert monitor.facts.market.gaps == 12


def test_paused_account_waits_with_the_reason_and_fails_after_resume() -> None:
    session = Session(["quoter"])
    monitor = Monitor(MARKET, {ACCOUNT: MonitorConfig()})
    session.say("control", Control(ts=START, action="pause"))
    for round_ in session.rounds(60):
        monitor.fold(round_)
    check = monitor.checklist(ACCOUNT).checks["fills"]
    assert (check.state, check.cause) == ("waiting", "no orders: quoting is paused by command")
    session.say("control", Control(ts=session.ts, action="resume"))
    monitor.fold(session.round())
    assert monitor.checklist(ACCOUNT).checks["fills"].state == "fail"


@pytest.mark.parametrize(
    ("equities", "reason"), [((10_000.0, 9_499.0), "loss"), ((10_000.0, 12_000.0, 11_399.0), "drawdown")]
)
def test_limit_pause_is_latched_and_named(equities: tuple[float, ...], reason: str) -> None:
    session = Session(["quoter", "account"])
    monitor = Monitor(MARKET, {ACCOUNT: MonitorConfig()})
    for equity in (*equities, equities[0]):
        session.say("account", account(session.ts, equity=equity))
        monitor.fold(session.round())
    for round_ in session.rounds(30):
        monitor.fold(round_)
    check = monitor.checklist(ACCOUNT).checks["fills"]
    assert (check.state, check.cause) == ("waiting", f"no orders: quoting is paused by the {reason} limit")


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"regime_changes": 1, "regime_unchanged_s": 1900.0, "regime_sigma_ratio": 2.1}, "fail"),
        ({"regime_changes": 1, "regime_unchanged_s": 1700.0, "regime_sigma_ratio": 2.1}, "pass"),
        ({"regime_changes": 1, "regime_unchanged_s": 1900.0, "regime_sigma_ratio": 1.9}, "pass"),
        ({"regime_changes": 0, "regime_unchanged_s": 1700.0, "regime_sigma_ratio": 2.1}, "waiting"),
        ({"regime_known": False}, "waiting"),
    ],
)
def test_regime_that_sticks_later_is_seen(told: dict[str, Any], state: str) -> None:
    monitor = monitored("regime", 0, 1900)
    facts = monitor.facts.accounts[ACCOUNT]
    before, facts.estimate = facts.estimate, estimate(facts.kappa_fills.heard_ts, **told)
    try:
        assert monitor.checklist(ACCOUNT).checks["regime"].state == state
    finally:
        facts.estimate = before


def test_regime_that_never_changes_passes_while_sigma_hardly_moves() -> None:
    monitor = monitored("regime", 0, 1900)
    facts = monitor.facts.accounts[ACCOUNT]
    unchanged = {"regime_unchanged_s": 1900.0, "regime_sigma_ratio": 1.8}
    steady = estimate(facts.kappa_fills.heard_ts, regime_seconds=(1900.0, 0.0, 0.0, 0.0), **unchanged)
    told = facts.estimate
    facts.estimate = steady
    try:
        assert monitor.checklist(ACCOUNT).checks["regime"].state == "pass"
    finally:
        facts.estimate = told
