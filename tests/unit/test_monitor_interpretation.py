"""What the monitor says that the numbers mean."""

from typing import Any

import msgspec

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.facts import AccountFacts
from papertrader.services.monitor.kernel import interpretation, verdict
from papertrader.shared.messages import Check
from tests.messages import calibration, estimate


def facts_with(**fields: Any) -> AccountFacts:
    facts = AccountFacts()
    for name, value in fields.items():
        setattr(facts, name, value)
    return facts


def test_interpretation_says_that_a_high_adverse_rate_needs_work() -> None:
    facts = facts_with(adverse_moments=9, outcome_moments=20)
    said = interpretation(facts, MonitorConfig())[0]
    assert said == "45% of 20 moments with an outcome were adverse: classifier or spread need work."
    facts.adverse_moments = 8
    assert interpretation(facts, MonitorConfig())[0] == "40% of 20 moments with an outcome were adverse: bearable."


def test_interpretation_says_trust_of_skill_with_its_interval_and_never_of_progress() -> None:
    skill = {"toxicity_skill": 0.1, "toxicity_skill_low": 0.04, "toxicity_skill_high": 0.16}
    area = {"toxicity_auc": 0.7, "toxicity_auc_low": 0.6, "toxicity_auc_high": 0.8}
    estimated = estimate(0, toxicity_moments=900, **skill, **area)
    facts = facts_with(calibration=calibration(0, cal_progress=1.0), estimate=estimated)
    sentences = interpretation(facts, MonitorConfig())
    assert "trusted" not in sentences[-2]
    found = "Toxicity has skill 0.100 [0.040, 0.160] and AUC 0.700 [0.600, 0.800] on 900 market sweeps"
    assert sentences[-1] == f"{found}: it is used so far."
    for change in ({"toxicity_skill": -0.01}, {"toxicity_auc_low": 0.49}):
        facts.estimate = msgspec.structs.replace(estimated, **change)
        assert "no skill is shown and the base rate is used" in interpretation(facts, MonitorConfig())[-1]


def test_interpretation_of_progress_is_about_what_was_seen() -> None:
    half, more = calibration(0, cal_progress=0.5), calibration(0, cal_progress=0.51)
    assert "mostly prior" in interpretation(facts_with(calibration=half), MonitorConfig())[-1]
    assert "enough was seen" in interpretation(facts_with(calibration=more), MonitorConfig())[-1]


def test_interpretation_of_few_fills_blames_spread_or_kappa() -> None:
    facts = facts_with(quoted_s=720.0, quoted_s_by_minute=[720.0], fills_by_minute=[1])
    assert "5 fills per hour of quoting: the spread is too wide or κ too low." in interpretation(facts, MonitorConfig())


def test_verdict_counts_failing_then_waiting() -> None:
    check = {state: Check(state=state, cause="", remedy="", numbers={}) for state in ("pass", "waiting", "fail")}  # type: ignore[arg-type]
    assert verdict({"a": check["pass"]}) == "All 1 checks pass."
    assert verdict({"a": check["pass"], "b": check["waiting"]}) == "No check fails; 1 of 2 still wait: b."
    assert verdict({"a": check["fail"], "b": check["waiting"]}) == "1 of 2 checks fail: a."
