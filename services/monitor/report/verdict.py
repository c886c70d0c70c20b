"""What is to be seen first: what the account earns, whether that can be believed, and what to do next.

Nothing is trusted for want of a complaint: it takes evidence (moments with fills, an interval over blocks of time and
draws of the queue), skill shown out of sample, and data without a doubt.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from papertrader.services.monitor.checks.learning import has_skill
from papertrader.services.monitor.facts.data import doubts, quality_of
from papertrader.services.monitor.facts.facts import AccountFacts
from papertrader.services.monitor.report.assumptions import SYNTHETIC, SYNTHETIC_SAYS, assumptions, currency
from papertrader.services.monitor.report.earnings import Earnings, earnings
from papertrader.services.monitor.report.statistics import RESAMPLES
from papertrader.services.monitor.service import Monitor

ENOUGH_MOMENTS: Final = 100
FEW_MOMENTS: Final = 20
DRAWS_SD: Final = 3.0
"""Fills that differ by more standard deviations from what the draws expect are no chance."""
Standing: TypeAlias = Literal["good", "weak", "bad"]
Believed: TypeAlias = Literal["yes", "not yet", "no"]


class Evidence(NamedTuple):
    """One thing that speaks for or against the numbers; `remedy` says what would make it better."""

    name: str
    standing: Standing
    text: str
    remedy: str = ""


def verdict_of(
    monitor: Monitor, account: str, settings: Mapping[str, Any] | None = None, resamples: int = RESAMPLES
) -> dict[str, Any]:
    """The verdict on one account as plain values; `settings` are those of the run, as far as they are known."""
    facts = monitor.facts.accounts[account]
    earned = earnings(monitor, account, resamples)
    evidence = evidence_of(monitor, account, earned)
    believed = believed_by(evidence)
    money = currency(monitor.market, monitor.facts.market.instrument)
    return {
        "headline": headline(earned, believed, evidence, money),
        "banner": SYNTHETIC_SAYS if monitor.market.venue == SYNTHETIC else "",
        "earns": earned._asdict() | {"currency": money},
        "believed": believed,
        "evidence": [item._asdict() for item in evidence],
        "next": steps(facts, earned, believed, evidence),
        "assumptions": assumptions(monitor, account, settings),
    }


def evidence_of(monitor: Monitor, account: str, earned: Earnings) -> list[Evidence]:
    """All evidence, in the order in which a reader should weigh it."""
    facts = monitor.facts.accounts[account]
    return [
        _data(monitor, account),
        _checks(monitor, account),
        _moments(facts),
        _interval(earned),
        _fill_skill(facts),
        _toxicity_skill(facts),
        _draws(facts, monitor.facts.market.mid),
    ]


def believed_by(evidence: list[Evidence]) -> Believed:
    """`no` if something speaks against the numbers, `yes` only if everything speaks for them."""
    standings = {item.standing for item in evidence}
    if "bad" in standings:
        return "no"
    return "not yet" if "weak" in standings else "yes"


def _data(monitor: Monitor, account: str) -> Evidence:
    seen = quality_of(monitor.facts.market, monitor.facts.accounts[account], monitor.liveness)
    found = doubts(seen, monitor.accounts[account])
    if found:
        return Evidence("data", "bad", found[0].seen, found[0].remedy)
    if not seen.market.books:
        return Evidence("data", "weak", "no market data yet", "wait for the feed's first round")
    return Evidence("data", "good", f"{seen.market.books:,} books and {seen.market.prints:,} prints without a doubt")


def _checks(monitor: Monitor, account: str) -> Evidence:
    checks = monitor.checklist(account).checks
    failing = {name: check for name, check in checks.items() if check.state == "fail" and name != "data"}
    if failing:
        check = next(iter(failing.values()))
        return Evidence("checks", "bad", f"{', '.join(failing)} failing: {check.cause}", check.remedy)
    waiting = sum(check.state == "waiting" for check in checks.values())
    text = f"none of {len(checks)} checks fails" + (f", {waiting} cannot be judged yet" if waiting else "")
    return Evidence("checks", "good", text)


def _moments(facts: AccountFacts) -> Evidence:
    moments = facts.calibration.moments if facts.calibration else 0
    text = f"{moments:,} moments with fills"
    if moments >= ENOUGH_MOMENTS:
        return Evidence("moments", "good", text)
    more = f"let it run until there are {ENOUGH_MOMENTS} moments with fills: {ENOUGH_MOMENTS - moments} more"
    few = "few" if moments >= FEW_MOMENTS else "too few"
    return Evidence("moments", "weak", f"{text}, {few}", more)


def _interval(earned: Earnings) -> Evidence:
    low, high = earned.per_hour_low, earned.per_hour_high
    if low is None or high is None:
        return Evidence("interval", "weak", "too short for an interval", "let it run for five minutes at least")
    if low <= 0 <= high:
        text = "the interval holds 0: what it earns cannot be told from chance"
        return Evidence("interval", "weak", text, "let it run longer, or replay more tapes: `papertrader sweep`")
    return Evidence("interval", "good", f"the interval lies {'above' if low > 0 else 'below'} 0")


def _fill_skill(facts: AccountFacts) -> Evidence:
    estimate = facts.estimate
    if estimate is None or estimate.own_fill_skill is None:
        return Evidence("fill forecast", "weak", "not judged yet", "let it run: forecasts are judged out of sample")
    skill, low = estimate.own_fill_skill, estimate.own_fill_skill_low
    text = f"out-of-sample skill {skill:+.2f} on {estimate.own_orders_judged:,} own orders"
    if low is not None and low > 0:
        return Evidence("fill forecast", "good", text)
    remedy = "let it run longer; without skill κ and distance rest on the prior"
    return Evidence("fill forecast", "weak", f"{text}: none is shown", remedy)


def _toxicity_skill(facts: AccountFacts) -> Evidence:
    estimate = facts.estimate
    if estimate is None or estimate.toxicity_auc is None:
        return Evidence("toxicity forecast", "weak", "not judged yet", "let it run: it takes 1,000 market sweeps")
    text = f"AUC {estimate.toxicity_auc:.2f} on {estimate.toxicity_moments:,} market sweeps"
    if has_skill(estimate):
        return Evidence("toxicity forecast", "good", text)
    remedy = "let it run longer; until then quotes use the base rate"
    return Evidence("toxicity forecast", "weak", f"{text}: no skill is shown, the base rate is used", remedy)


def _draws(facts: AccountFacts, mid: float | None) -> Evidence:
    worlds = facts.worlds.summary(facts.account, mid)
    if worlds is None:
        text = "this fill model gives no interval over the queue"
        return Evidence("draws of the queue", "weak", text, 'take `fill_model = "draws"`, or compare fill models')
    filled, expected, sd = worlds["orders_filled"], worlds["fills_expected"], worlds["fills_expected_sd"]
    text = f"{filled:,} orders filled, {expected:,.1f} ± {sd:,.1f} expected"
    if abs(filled - expected) > DRAWS_SD * max(sd, 1.0):
        return Evidence("draws of the queue", "bad", text, "fills and draws disagree: report it with the exported log")
    return Evidence("draws of the queue", "good", text)


def headline(earned: Earnings, believed: Believed, evidence: list[Evidence], money: str) -> str:
    """The verdict in one or two sentences."""
    if not earned.turnover:
        return "Nothing was filled yet, so it has earned nothing."
    verb = "earns" if earned.total >= 0 else "loses"
    what = f"{verb} {abs(earned.per_hour):,.2f} {money} per hour{_range(earned)}"
    if believed == "no":
        against = next(item for item in evidence if item.standing == "bad")
        return f"Do not believe it: {against.text}. On paper it {what}."
    if believed == "yes":
        return f"It {what}; evidence and skill say that this can be believed, as far as paper can tell."
    missing = ", ".join(item.name for item in evidence if item.standing == "weak")
    return f"So far it {what}; too early to believe: {missing}."


def _range(earned: Earnings) -> str:
    if earned.per_hour_low is None or earned.per_hour_high is None:
        return ""
    return f" (95 %: {earned.per_hour_low:+,.2f} to {earned.per_hour_high:+,.2f})"


def steps(facts: AccountFacts, earned: Earnings, believed: Believed, evidence: list[Evidence]) -> list[str]:
    """What to do next, the most important first."""
    order: dict[Standing, int] = {"bad": 0, "weak": 1, "good": 2}
    found = [item.remedy for item in sorted(evidence, key=lambda item: order[item.standing]) if item.remedy]
    if believed == "yes" and earned.total > 0:
        found += [
            "see whether it survives other fill models: `papertrader sweep --same-orders`",
            "then compare it with live orders of small size: `papertrader twin`",
        ]
    elif earned.per_hour_high is not None and earned.per_hour_high < 0:
        found.append("it loses: search wider quotes, `papertrader sweep --set quoter.min_edge_bps=1,2,4`")
    return list(dict.fromkeys(found))
