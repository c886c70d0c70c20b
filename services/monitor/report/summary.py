"""The numbers of a run as one JSON object: what `papertrader run --json` prints and tests assert."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from papertrader.services.monitor.facts.data import doubts, quality_of
from papertrader.services.monitor.facts.facts import SECOND, AccountFacts, adverse_rate, filled_orders, live_orders
from papertrader.services.monitor.facts.history import kept_series
from papertrader.services.monitor.facts.liveness import FEED, QUOTER, Liveness, ended
from papertrader.services.monitor.report.markouts import markout
from papertrader.services.monitor.report.statistics import RESAMPLES
from papertrader.services.monitor.report.tables import drawdown
from papertrader.services.monitor.report.verdict import verdict_of
from papertrader.services.monitor.service import Monitor
from papertrader.shared.messages import LABEL_HORIZON_S, REGIMES, Account, Calibration, Estimate, Instrument


def summary(monitors: Iterable[Monitor], settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """`{"markets": [...]}`, one entry per market and account, in the order given. Unknown numbers are `None`.

    `settings` are those of the run: the verdict says what they assume.
    """
    entries = [account_summary(monitor, account, settings) for monitor in monitors for account in monitor.accounts]
    return {"markets": entries}


def account_summary(monitor: Monitor, account: str, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The numbers of one account: verdict, counts, PnL parts, learning at start and end, the checklist."""
    facts = monitor.facts.accounts[account]
    checklist = monitor.checklist(account)
    return {
        "venue": monitor.market.venue,
        "asset": monitor.market.asset,
        "account": account,
        "verdict": verdict_of(monitor, account, settings),
        **trading(monitor, account),
        "quotes": quotes(monitor, facts),
        **_counts(facts),
        "pnl": pnl(facts.account),
        "realised_excludes": "fees and funding",
        "draws": facts.worlds.summary(facts.account, monitor.facts.market.mid),
        "pnl_residual": facts.account.residual if facts.account else 0.0,
        **_learning(facts),
        "forecasts": forecasts(facts.estimate, facts.calibration),
        "queue": queue(facts.estimate),
        **_health(monitor.liveness),
        "strategy_error": strategy_error(monitor.liveness, account),
        "counts": checklist.counts,
        "counts_equal": checklist.counts_equal,
        "checks": {
            name: {"state": check.state, "cause": check.cause, "remedy": check.remedy}
            for name, check in checklist.checks.items()
        },
        "final": monitor.facts.market.final or ended(monitor.liveness),
    }


def quotes(monitor: Monitor, facts: AccountFacts) -> dict[str, Any]:
    """What stands on the book now: the mid, the best own quotes, and the age of the market data, s of wall time."""
    orders, feed = live_orders(facts), monitor.liveness.get(FEED)
    return {
        "mid": monitor.facts.market.mid,
        "bid": max((order.price for order in orders if order.side == "buy"), default=None),
        "ask": min((order.price for order in orders if order.side == "sell"), default=None),
        "orders": len(orders),
        "data_age_s": None if feed is None else feed.round_age_s,
        "ts": monitor.facts.market.ts,
        "paused": facts.paused,
    }


def trading(monitor: Monitor, account: str, resamples: int = RESAMPLES) -> dict[str, Any]:
    """What a trader asks first: how long, how much, how exposed, how good, on what data."""
    facts, market = monitor.facts.accounts[account], monitor.facts.market
    money, duration_s = facts.account, (market.ts - market.first_ts) / SECOND
    turnover = money.turnover if money else 0.0
    held_s = (facts.account_ts - market.first_ts) / SECOND
    worth = markout(monitor.history(account), LABEL_HORIZON_S, resamples)
    return {
        "duration_s": duration_s,
        "turnover": turnover,
        "position": money.position if money else 0.0,
        "equity": money.equity if money else None,
        "exposure": {"mean": facts.exposure_sum_s / held_s if held_s > 0 else 0.0, "peak": facts.exposure_peak},
        "drawdown": drawdown(kept_series(monitor.history(account), facts)),
        "filled_orders": filled_orders(facts),
        "adverse_rate": adverse_rate(facts),
        "markout": worth | {"interval": "95 %, bootstrap of blocks of time"},
        "pnl_per_turnover_bps": money.total / turnover * 1e4 if money and turnover else None,
        "data": data(monitor, account),
        "instrument": instrument(market.instrument),
    }


def data(monitor: Monitor, account: str) -> dict[str, Any]:
    """How far the market data can be trusted."""
    facts, market = monitor.facts.accounts[account], monitor.facts.market
    seen = quality_of(market, facts, monitor.liveness)
    return {
        "books": market.books,
        "prints": market.prints,
        "gaps": market.gaps,
        "locked_share": seen.locked_share,
        "crossed_share": seen.crossed_share,
        "one_sided_share": seen.one_sided_share,
        "refused": dict(seen.refused),
        "refused_share": seen.refused_share,
        "unknown_queue_share": seen.unknown_queue_share,
        "doubts": {doubt.name: doubt.seen for doubt in doubts(seen, monitor.accounts[account])},
    }


def instrument(rules: Instrument | None) -> dict[str, Any] | None:
    """The trading rules in force; `inferred` names those that nobody has told."""
    if rules is None:
        return None
    fields: dict[str, Any] = msgspec.to_builtins(rules)
    return {name: value for name, value in fields.items() if name != "ts"}


def _counts(facts: AccountFacts) -> dict[str, Any]:
    return {
        "fills": facts.fills.now,
        "own_fills": facts.kappa_fills.value,
        "moments": facts.calibration.moments if facts.calibration else 0,
        "outcomes_resolved": facts.resolved.now,
        "outcome_moments": facts.calibration.outcome_moments if facts.calibration else 0,
        "outcomes_unresolved": facts.unresolved,
        "outcomes_adverse": facts.adverse,
        "classifier_samples": facts.classifier_samples.value,
        "controller_fills": facts.controller_fills.value,
        "orders": facts.orders_placed,
        "unfilled": dict(facts.unfilled),
        "rejected": dict(facts.rejected),
        "cancels": facts.races.summary(),
        "priority": facts.bids.summary(facts.account.priority_fees if facts.account else 0.0),
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


def forecasts(estimate: Estimate | None, calibration: Calibration | None) -> dict[str, dict[str, Any]]:
    """How well forecasts held that were made before their outcomes, with intervals. Empty before any estimate.

    Toxicity on every market sweep, and on own fills; fills on hypothetical orders and on own ones, each as if it had
    been left alone.
    """
    if estimate is None:
        return {}
    return {
        "toxicity": {
            "judged": estimate.toxicity_moments,
            "used": estimate.classifier_ready,
            "skill": estimate.toxicity_skill,
            "skill_interval": [estimate.toxicity_skill_low, estimate.toxicity_skill_high],
            "auc": estimate.toxicity_auc,
            "auc_interval": [estimate.toxicity_auc_low, estimate.toxicity_auc_high],
            "skill_1s": estimate.toxicity_skill_1s,
            "auc_1s": estimate.toxicity_auc_1s,
            "own_judged": calibration.toxicity_forecasts if calibration else 0,
            "own_skill": calibration.toxicity_skill if calibration else None,
        },
        "fill": {
            "judged": estimate.fill_moments,
            "skill": estimate.fill_skill,
            "skill_interval": [estimate.fill_skill_low, estimate.fill_skill_high],
            "auc": estimate.fill_auc,
        },
        "own_fill": {
            "judged": estimate.own_orders_judged,
            "skill": estimate.own_fill_skill,
            "skill_interval": [estimate.own_fill_skill_low, estimate.own_fill_skill_high],
            "expected": estimate.own_fills_expected,
            "filled": estimate.own_orders_filled,
        },
    }


def queue(estimate: Estimate | None) -> dict[str, dict[str, Any]]:
    """What was learned of the market's queues, with 95 % intervals: the prior where not `known`. Empty at first."""
    if estimate is None or estimate.cancel_odds is None:
        return {}
    return {
        "cancel_odds": {
            "known": estimate.cancel_odds_known,
            "mean": estimate.cancel_odds,
            "interval": [estimate.cancel_odds_low, estimate.cancel_odds_high],
            "seen": estimate.cancels_seen,
            "single_share": estimate.cancels_single_share,
        },
        "join_share": {
            "known": estimate.join_share_known,
            "mean": estimate.join_share,
            "interval": [estimate.join_share_low, estimate.join_share_high],
            "seen": estimate.joins_seen,
        },
    }


def _health(liveness: Liveness) -> dict[str, Any]:
    bad: dict[str, int] = {}
    for health in liveness.values():
        for reason, count in health.bad_messages.items():
            bad[reason] = bad.get(reason, 0) + count
    return {"checkpoints": sum(health.checkpoints for health in liveness.values()), "bad_messages": bad}


def strategy_error(liveness: Liveness, account: str) -> dict[str, Any] | None:
    """What the account's strategy raised at last: count, text, traceback and event time; None if it never did."""
    failure = liveness[QUOTER].failures.get(account) if QUOTER in liveness else None
    found: dict[str, Any] | None = None if failure is None else msgspec.to_builtins(failure)
    return found


def liveness_table(liveness: Liveness) -> dict[str, Any]:
    """The services' health as plain values."""
    table: dict[str, Any] = msgspec.to_builtins(dict(liveness))
    return table
