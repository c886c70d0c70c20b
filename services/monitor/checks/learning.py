"""Do the three loops learn: κ from fills, toxicity from outcomes, calibration from both; and does the regime move."""

from typing import Final

from papertrader.services.monitor.checks.case import (
    RESTART,
    Case,
    down,
    estimator_trouble,
    fails,
    miscounted,
    no_estimate,
    passes,
    waits,
)
from papertrader.services.monitor.facts.facts import AccountFacts
from papertrader.services.monitor.facts.liveness import CALIBRATION, ESTIMATOR, OUTCOME_TRACKER
from papertrader.shared.messages import Check, Estimate

USEFUL_AUC: Final = 0.6
"""Forecasts that order outcomes no better than this are hardly worth a quote."""
STALE_FORECAST_S: Final = 120.0
"""Toxicity may touch the base rate, but not rest there for so long."""


def check_kappa(case: Case) -> Check:
    """kappa_confidence rises from 0 with the own fills, and the estimator counted every fill once."""
    if trouble := estimator_trouble(case):
        return fails(trouble, RESTART.format(service=ESTIMATOR))
    facts, estimate = case.facts, case.facts.estimate
    if estimate is None:
        return waits("no estimate yet: waiting for the estimator's first word")
    numbers = {
        "fills": float(facts.fills.now),
        "own_fills": float(estimate.own_fills),
        "moments": float(estimate.moments),
        "kappa": estimate.kappa,
        "kappa_confidence": estimate.kappa_confidence,
    }
    if wrong := miscounted(facts.kappa_fills, case.settled):
        return fails(
            f"the estimator counted {wrong}: fills do not reach it exactly once",
            "check that the estimator consumes fills.*; then restart it",
            numbers,
        )
    if facts.confidence_falls:
        return fails("kappa_confidence of the estimator fell", "report this as a defect of the estimator", numbers)
    if estimate.own_fills == 0:
        return waits("no fills yet: κ is its prior", numbers)
    if estimate.moments == 0:
        return waits(f"no resting order has filled, {estimate.own_fills} fills as taker: κ is its prior", numbers)
    if estimate.kappa_confidence <= 0:
        return fails(
            f"kappa_confidence of the estimator is 0 after {estimate.moments} moments with fills",
            "report this as a defect of the estimator",
            numbers,
        )
    return passes(numbers)


def check_calibration(case: Case) -> Check:
    """cal_progress leaves 0 and cal_gamma leaves its start once there was a fill and an outcome."""
    return down(case, CALIBRATION) or _calibration_silent(case) or _calibration_counts(case) or _progress(case)


def _calibration_silent(case: Case) -> Check | None:
    facts = case.facts
    if facts.calibration is None:
        if not case.settled:
            return waits("no fills yet: calibration has nothing to say")
        return fails(
            f"no calibration message after {case.settled} fills: calibration is down",
            RESTART.format(service=CALIBRATION),
        )
    if facts.controller_fills.value < case.settled and case.silent(facts.controller_fills.heard_ts):
        silent_s = case.since_s(facts.controller_fills.heard_ts)
        return fails(f"no word from calibration for {silent_s:.0f} s", RESTART.format(service=CALIBRATION))
    return None


def _calibration_counts(case: Case) -> Check | None:
    facts = case.facts
    for what, counted, due in (
        ("fills", facts.controller_fills, case.settled),
        ("outcomes", facts.controller_outcomes, 0),
    ):
        if wrong := miscounted(counted, due):
            return fails(
                f"calibration counted {wrong} {what}: they do not reach it exactly once",
                "check what calibration consumes; then restart it",
                {"counted": counted.value, "expected": counted.high},
            )
    return None


def _progress(case: Case) -> Check:
    facts, calibration = case.facts, case.facts.calibration
    assert calibration is not None
    numbers = {
        "cal_progress": calibration.cal_progress,
        "cal_gamma": calibration.cal_gamma,
        "as_progress": calibration.as_progress,
        "kappa_progress": calibration.kappa_progress,
    }
    grace_s = case.config.calibration_grace_s
    confident = facts.estimate is not None and facts.estimate.kappa_confidence > 0
    if calibration.kappa_progress == 0 and confident and case.since_s(facts.first_fill_ts) > grace_s:
        return fails(
            "kappa_progress stays 0: the estimates do not reach calibration",
            "check that calibration consumes params.*.estimate; then restart it",
            numbers,
        )
    if calibration.cal_progress > 0 and calibration.cal_gamma > 0.3:
        return passes(numbers)
    if not facts.fills.now:
        return waits("no fills yet: cal_gamma stands at its start", numbers)
    if not facts.resolved.now:
        return waits("no resolved outcome yet: see outcomes", numbers)
    if case.since_s(max(facts.first_fill_ts, facts.first_outcome_ts)) <= grace_s:
        return waits("the first outcome is fresh: calibration may take a minute", numbers)
    return fails(
        f"cal_progress is {calibration.cal_progress:g} and cal_gamma {calibration.cal_gamma:g} {grace_s:.0f} s after a "
        "fill and its outcome: calibration does not move",
        "check that calibration consumes markouts.* and params.*.estimate; then restart it",
        numbers,
    )


def check_outcomes(case: Case) -> Check:
    """resolved + unresolved = fills older than 5 s, and the classifier trained on every resolved one."""
    if trouble := down(case, OUTCOME_TRACKER):
        return trouble
    facts = case.facts
    labels = facts.resolved.now + facts.unresolved
    numbers = {
        "due": float(case.matured),
        "resolved": float(facts.resolved.now),
        "unresolved": float(facts.unresolved),
        "classifier_samples": float(facts.classifier_samples.value),
    }
    if labels > facts.fills.now:
        return fails(
            f"outcome-tracker labelled {labels} of {facts.fills.now} fills: more than one label for a fill",
            "report this as a defect of outcome-tracker",
            numbers,
        )
    if labels < case.matured:
        return fails(
            f"{case.matured - labels} of {case.matured} fills older than 5 s have no outcome: outcome-tracker is down "
            "or does not hear them",
            RESTART.format(service=OUTCOME_TRACKER),
            numbers,
        )
    if not labels:
        return waits("no fill is older than 5 s yet", numbers)
    return _trained(case, numbers)


def _trained(case: Case, numbers: dict[str, float]) -> Check:
    if estimator_trouble(case):
        return passes(numbers)
    if wrong := miscounted(case.facts.classifier_samples, 0):
        return fails(
            f"the classifier of the estimator trained on {wrong} resolved outcomes",
            "check that the estimator consumes markouts.*; then restart it",
            numbers,
        )
    return passes(numbers)


def check_regime(case: Case) -> Check:
    """Not stuck: stuck is a regime that has not changed for 30 min while σ's p90/p10 in that time exceeds 2."""
    if unknown := no_estimate(case):
        return unknown
    estimate = case.facts.estimate
    assert estimate is not None
    unchanged_s, ratio = estimate.regime_unchanged_s, estimate.regime_sigma_ratio
    numbers = {
        "changes": float(estimate.regime_changes),
        "observed_s": sum(estimate.regime_seconds),
        "unchanged_s": unchanged_s,
        "sigma_p90_over_p10": ratio,
    }
    if not estimate.regime_known:
        return waits("what is normal in this market is not known yet: it takes 10 min of movement", numbers)
    if unchanged_s < case.config.stuck_after_s:
        if estimate.regime_changes > 0:
            return passes(numbers)
        return waits(f"the regime has not changed in {unchanged_s / 60:.0f} min: judged after 30 min", numbers)
    if ratio > case.config.stuck_sigma_ratio:
        return fails(
            f"the estimator's regime is stuck at {estimate.regime}: no change in {unchanged_s / 60:.0f} min while σ "
            f"moved by a factor of {ratio:.1f}",
            "check the estimator's regime settings: regime_stay, and how far back its reference reaches",
            numbers,
        )
    return passes(numbers)


def check_toxicity(case: Case) -> Check:
    """Toxicity has skill out of sample, is used where it has, and fills carry it.

    * it passes where the whole interval of the AUC lies above one half and the skill above 0;
    * it fails where so many market sweeps were judged, it does not pass, and the interval leaves no room for an AUC of
      use; until then it waits
    """
    if unknown := no_estimate(case):
        return unknown
    estimate = case.facts.estimate
    assert estimate is not None
    numbers = _toxicity_numbers(case.facts, estimate)
    needed = case.config.toxicity_moments
    if estimate.toxicity_moments < needed or estimate.toxicity_auc_low is None:
        judged = f"{estimate.toxicity_moments} of {needed} market sweeps judged"
        return waits(f"{judged}: toxicity has to show skill first", numbers)
    if not has_skill(estimate) and (estimate.toxicity_auc_high or 0.0) > USEFUL_AUC:
        return waits(f"toxicity has not shown skill yet: {skill_with_interval(estimate)}; it is the base rate", numbers)
    if not has_skill(estimate):
        return fails(
            f"toxicity has no skill out of sample: {skill_with_interval(estimate)}; the quoter uses the base rate",
            "let it learn from more of this market; if that does not help, its book tells nothing of what comes: "
            "quote wider (quoter.adverse_weight_bps)",
            numbers,
        )
    return _toxicity_used(case, estimate, numbers)


def has_skill(estimate: Estimate) -> bool:
    """Whether toxicity is worth more than the base rate: the interval of the AUC above one half, the skill above 0."""
    area_low, skill = estimate.toxicity_auc_low, estimate.toxicity_skill
    return area_low is not None and skill is not None and area_low > 0.5 and skill > 0


def skill_with_interval(estimate: Estimate) -> str:
    """The skill and the AUC of toxicity with their evidence, in words."""
    skill, low, high = estimate.toxicity_skill, estimate.toxicity_skill_low, estimate.toxicity_skill_high
    area, area_low, area_high = estimate.toxicity_auc, estimate.toxicity_auc_low, estimate.toxicity_auc_high
    return (
        f"skill {skill:.3f} [{low:.3f}, {high:.3f}] and AUC {area:.3f} [{area_low:.3f}, {area_high:.3f}] on "
        f"{estimate.toxicity_moments} market sweeps"
    )


def _toxicity_used(case: Case, estimate: Estimate, numbers: dict[str, float]) -> Check:
    facts = case.facts
    if estimate.classifier_ready and case.since_s(max(facts.departed_ts, facts.ready_ts)) > STALE_FORECAST_S:
        return fails(
            f"toxicity stays at the base rate, though it has {skill_with_interval(estimate)}: the estimator's "
            "classifier does not follow the market",
            "check that the estimator's features vary; report it if they do",
            numbers,
        )
    if facts.forecast_missing:
        return fails(
            "fills carry no toxicity forecast: fill-sim does not hear the estimates",
            "check that fill-sim consumes params.*.estimate; then restart it",
            numbers,
        )
    return passes(numbers)


def _toxicity_numbers(facts: AccountFacts, estimate: Estimate) -> dict[str, float]:
    numbers = {
        "toxicity_bid": estimate.toxicity_bid,
        "toxicity_ask": estimate.toxicity_ask,
        "base_rate": estimate.adverse_base_rate,
        "samples": float(estimate.classifier_samples),
        "own_moments": float(estimate.classifier_moments),
        "moments": float(estimate.toxicity_moments),
        "departure": facts.departure,
    }
    for name in ("skill", "skill_low", "skill_high", "auc", "auc_low", "auc_high"):
        value = getattr(estimate, f"toxicity_{name}")
        if value is not None:
            numbers[name] = value
    if facts.calibration is not None and facts.calibration.toxicity_skill is not None:
        numbers["own_skill"] = facts.calibration.toxicity_skill
    return numbers
