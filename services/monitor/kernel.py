"""The checklist as a pure function of the facts: ten checks, five counts that must agree, and what they mean."""

from typing import Final

from papertrader.services.monitor.checks.account import check_checkpoints, check_margin, check_pnl
from papertrader.services.monitor.checks.case import Case
from papertrader.services.monitor.checks.data import check_data
from papertrader.services.monitor.checks.fills import check_fills
from papertrader.services.monitor.checks.learning import (
    check_calibration,
    check_kappa,
    check_outcomes,
    check_regime,
    check_toxicity,
    has_skill,
    skill_with_interval,
)
from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.facts import SECOND, AccountFacts, MarketFacts, adverse_rate, fills_per_hour
from papertrader.services.monitor.facts.history import History, fills_until
from papertrader.services.monitor.facts.liveness import Liveness, ServiceHealth, broken
from papertrader.shared.messages import LABEL_HORIZON_S, Check, Checklist

__all__ = ["CHECKS", "ServiceHealth", "counts_equal", "interpretation", "judge", "verdict"]

CHECKS: Final = {
    "fills": check_fills,
    "kappa": check_kappa,
    "calibration": check_calibration,
    "pnl": check_pnl,
    "outcomes": check_outcomes,
    "regime": check_regime,
    "checkpoints": check_checkpoints,
    "margin": check_margin,
    "toxicity": check_toxicity,
    "data": check_data,
}
ENOUGH_PROGRESS: Final = 0.5
ENOUGH_OUTCOMES: Final = 20


def judge(
    account: str,
    market: MarketFacts,
    facts: AccountFacts,
    history: History,
    liveness: Liveness,
    config: MonitorConfig,
    outside: bool = False,
) -> Checklist:
    """Judge one account. Without `liveness` (an empty mapping) the result follows from the log alone.

    `outside`: a program outside trades it.
    """
    case = Case(
        account=account,
        market=market,
        facts=facts,
        config=config,
        outside=outside,
        liveness=liveness,
        broken=broken(liveness, config),
        settled=fills_until(history, facts, "heard_ts", market.answered_ts - int(config.silence_s * SECOND)),
        matured=fills_until(
            history, facts, "ts", market.answered_ts - int((LABEL_HORIZON_S + config.label_tolerance_s) * SECOND)
        ),
    )
    return Checklist(
        ts=market.ts,
        checks={name: check(case) for name, check in CHECKS.items()},
        counts=counts(case),
        counts_equal=counts_equal(case),
    )


def counts(case: Case) -> dict[str, int]:
    """The five counts of one thing: every fill must have been seen by everybody, exactly once.

    `outcomes_queued` = labels heard + fills that are still too young for one.
    """
    facts = case.facts
    labels = facts.resolved.now + facts.unresolved
    young = min(max(facts.fills.now - labels, 0), facts.fills.now - case.matured)
    return {
        "fills": facts.fills.now,
        "kappa_observations": facts.kappa_fills.value,
        "outcomes_queued": labels + young,
        "controller_fills": facts.controller_fills.value,
        "pnl_fills": facts.account_fills.value,
    }


def counts_equal(case: Case) -> bool:
    """Whether fills = κ observations = outcomes queued = controller fills = fills in PnL.

    A count that comes by message is compared as of the round in which it was said, with one round of tolerance
    (`facts.Counted`), and must include every fill that was heard `silence_s` ago or earlier. Outcomes queued are
    counted by the monitor itself and so must equal the fills now.
    """
    facts = case.facts
    reported = (facts.kappa_fills, facts.controller_fills, facts.account_fills)
    return counts(case)["outcomes_queued"] == facts.fills.now and all(
        counted.agrees and counted.value >= case.settled for counted in reported
    )


def interpretation(facts: AccountFacts, config: MonitorConfig) -> list[str]:
    """What the numbers mean, in sentences."""
    sentences = []
    if facts.outcome_moments >= ENOUGH_OUTCOMES:
        rate = adverse_rate(facts) or 0.0
        meaning = "classifier or spread need work" if rate > config.adverse_rate_limit else "bearable"
        sentences.append(f"{rate:.0%} of {facts.outcome_moments} moments with an outcome were adverse: {meaning}.")
    else:
        sentences.append(
            f"{facts.outcome_moments} moments with an outcome so far: too few to speak of an adverse rate."
        )
    if facts.quoted_s >= config.fill_rate_after_s:
        rate = fills_per_hour(facts)
        meaning = "the spread is too wide or κ too low" if rate < config.min_fills_per_hour else "enough to learn from"
        sentences.append(f"{rate:.0f} fills per hour of quoting: {meaning}.")
    if facts.calibration is not None:
        progress = facts.calibration.cal_progress
        meaning = "enough was seen to judge them" if progress > ENOUGH_PROGRESS else "estimates are still mostly prior"
        sentences.append(f"cal_progress is {progress:.0%}: {meaning}.")
    if facts.estimate is not None and facts.estimate.toxicity_auc_low is not None:
        meaning = "it is used so far" if has_skill(facts.estimate) else "no skill is shown and the base rate is used"
        sentences.append(f"Toxicity has {skill_with_interval(facts.estimate)}: {meaning}.")
    return sentences


def verdict(checks: dict[str, Check]) -> str:
    """The checklist in one sentence."""
    failing = [name for name, check in checks.items() if check.state == "fail"]
    waiting = [name for name, check in checks.items() if check.state == "waiting"]
    if "data" in failing:
        others = f" {len(failing)} of {len(checks)} checks fail: {', '.join(failing)}." if len(failing) > 1 else ""
        cause = checks["data"].cause
        return f"{cause[:1].upper()}{cause[1:]}.{others}"
    if failing:
        return f"{len(failing)} of {len(checks)} checks fail: {', '.join(failing)}."
    if waiting:
        return f"No check fails; {len(waiting)} of {len(checks)} still wait: {', '.join(waiting)}."
    return f"All {len(checks)} checks pass."
