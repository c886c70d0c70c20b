"""The numbers of a run as one JSON object: what `papertrader run --json` prints and tests assert."""

from collections.abc import Iterable
from typing import Any

import msgspec

from papertrader.services.monitor.facts.facts import AccountFacts
from papertrader.services.monitor.facts.liveness import Liveness, ended
from papertrader.services.monitor.service import Monitor
from papertrader.shared.messages import REGIMES, Account


def summary(monitors: Iterable[Monitor]) -> dict[str, Any]:
    """`{"markets": [...]}`, one entry per market and account, in the order given. Unknown numbers are `None`."""
    return {"markets": [account_summary(monitor, account) for monitor in monitors for account in monitor.accounts]}


def account_summary(monitor: Monitor, account: str) -> dict[str, Any]:
    """The numbers of one account: counts, PnL parts, learning at start and end, the checklist."""
    facts = monitor.facts.accounts[account]
    checklist = monitor.checklist(account)
    return {
        "venue": monitor.market.venue,
        "asset": monitor.market.asset,
        "account": account,
        **_counts(facts),
        "pnl": pnl(facts.account),
        "pnl_residual": facts.account.residual if facts.account else 0.0,
        **_learning(facts),
        **_health(monitor.liveness),
        "counts": checklist.counts,
        "counts_equal": checklist.counts_equal,
        "checks": {
            name: {"state": check.state, "cause": check.cause, "remedy": check.remedy}
            for name, check in checklist.checks.items()
        },
        "final": monitor.facts.market.final or ended(monitor.liveness),
    }


def _counts(facts: AccountFacts) -> dict[str, Any]:
    return {
        "fills": facts.fills.now,
        "own_fills": facts.kappa_fills.value,
        "outcomes_resolved": facts.resolved.now,
        "outcomes_unresolved": facts.unresolved,
        "outcomes_adverse": facts.adverse,
        "classifier_samples": facts.classifier_samples.value,
        "controller_fills": facts.controller_fills.value,
        "orders": facts.orders_placed,
        "unfilled": dict(facts.unfilled),
        "rejected": dict(facts.rejected),
    }


def pnl(account: Account | None) -> dict[str, float]:
    """The parts of an account's PnL, quote currency; fees are a cost when positive. All 0 before any account."""
    names = ("spread", "inventory", "fees", "funding", "realised", "unrealised", "total")
    return {name: getattr(account, name) if account else 0.0 for name in names}


def _learning(facts: AccountFacts) -> dict[str, Any]:
    first, last = facts.first_estimate, facts.estimate
    start, end = facts.first_calibration, facts.calibration
    return {
        "kappa_start": first.kappa if first else None,
        "kappa_end": last.kappa if last else None,
        "kappa_confidence_start": first.kappa_confidence if first else None,
        "kappa_confidence_end": last.kappa_confidence if last else None,
        "cal_progress": end.cal_progress if end else None,
        "cal_gamma_start": start.cal_gamma if start else None,
        "cal_gamma_end": end.cal_gamma if end else None,
        "toxicity": {"bid": last.toxicity_bid if last else None, "ask": last.toxicity_ask if last else None},
        "regimes": dict(zip(REGIMES, last.regime_seconds if last else (0.0,) * len(REGIMES), strict=True)),
    }


def _health(liveness: Liveness) -> dict[str, Any]:
    bad: dict[str, int] = {}
    for health in liveness.values():
        for reason, count in health.bad_messages.items():
            bad[reason] = bad.get(reason, 0) + count
    return {"checkpoints": sum(health.checkpoints for health in liveness.values()), "bad_messages": bad}


def liveness_table(liveness: Liveness) -> dict[str, Any]:
    """The services' health as plain values."""
    table: dict[str, Any] = msgspec.to_builtins(dict(liveness))
    return table
