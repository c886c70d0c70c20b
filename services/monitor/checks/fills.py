"""Is anything filled, and if not, which wire or which price is to blame."""

from typing import Final

from papertrader.services.monitor.checks.case import RESTART, Case, down, fails, passes, waits
from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.facts import (
    AccountFacts,
    fills_per_hour,
    mean_distance_bps,
    prints_per_minute,
    trades,
)
from papertrader.services.monitor.facts.liveness import FEED, FILL_SIM, QUOTER
from papertrader.shared.messages import Check

LOOK_AT_FEED: Final = "see paper_feed_gaps_total for the reason, and `papertrader doctor --source` for the connection"
RESUME: Final = "resume the account when the reason is understood"
START_PROGRAM: Final = "start the program, or see `papertrader doctor --gateway` for why it does not get through"
THROUGH_LIMIT: Final = 100
"""So many prints in a row beyond a live quote without a fill are no chance, even where fills are drawn by a coin."""
DROUGHT_WAITS: Final = 5.0
"""Mean waiting times without a fill; a Poisson stream is silent for so long with probability e^−5, under 1 %."""


def check_fills(case: Case) -> Check:
    """A fill within `first_fill_s` of quoting, then at least `min_fills_per_hour` while the market trades."""
    return (
        down(case, FEED, FILL_SIM, QUOTER)
        or _no_market(case)
        or _strategy_fails(case)
        or _no_orders(case)
        or _no_answer(case)
        or _no_quotes(case)
        or _fill_rate(case)
    )


def _no_market(case: Case) -> Check | None:
    if case.market.rounds == 0:
        return waits("no market data yet: waiting for the feed's first round")
    if case.market.gap_ts >= case.market.ts:
        return waits("the market data is missing: the connection to the venue is down or silent", remedy=LOOK_AT_FEED)
    if case.market.mid is None:
        return waits("the book has no two sides: nobody can quote")
    return None


def _strategy_fails(case: Case) -> Check | None:
    """While the account's strategy raises, nothing else is to blame."""
    quoter = case.liveness.get(QUOTER)
    failure = quoter.failures.get(case.account) if quoter is not None else None
    if failure is None or case.silent(failure.ts):
        return None
    return fails(
        f"the strategy raises, {failure.count:,} times so far: {failure.text}",
        "mend the strategy: its traceback is in the quoter's log, `papertrader replay` stops at the first one",
        {"strategy_errors": float(failure.count)},
    )


def _no_orders(case: Case) -> Check | None:
    facts = case.facts
    if facts.orders_placed:
        return None
    if paused := _paused(case):
        return waits(f"no orders: quoting is paused by {paused}", remedy=RESUME)
    if case.outside:
        return waits("no orders yet: waiting for the program that trades this account", remedy=START_PROGRAM)
    if facts.unquoted_s <= case.config.silence_s:
        return waits("no orders yet: waiting for the first quote")
    return fails(
        f"no orders for {facts.unquoted_s:.0f} s of market data: the quoter is down or says nothing",
        "start the quoter, or look at paper_quoter_no_quote_rounds_total for why it does not quote",
    )


def _paused(case: Case) -> str:
    facts, quoter = case.facts, case.liveness.get(QUOTER)
    if quoter is not None and quoter.paused.get(case.account):
        return quoter.paused[case.account]
    if facts.paused:
        return facts.paused
    if facts.worst_loss >= case.config.max_loss:
        return "the loss limit"
    return "the drawdown limit" if facts.worst_drawdown >= case.config.max_drawdown else ""


def _no_answer(case: Case) -> Check | None:
    facts = case.facts
    unanswered = [order.asked_ts for order in facts.working.values() if order.asked_ts]
    if unanswered and case.silent(min(unanswered)):
        return fails(
            f"orders get no answer for {case.since_s(min(unanswered)):.0f} s: fill-sim is down",
            RESTART.format(service=FILL_SIM),
            {"unanswered": len(unanswered)},
        )
    rejected = sum(facts.rejected.values())
    if not facts.accepted and rejected and case.silent(facts.first_order_ts):
        reason = max(facts.rejected, key=lambda name: facts.rejected[name])
        return fails(
            f"every order is rejected by fill-sim, most for {reason}",
            "compare the quoter's prices and sizes with the rules of the market",
            {"rejected": rejected},
        )
    return None


def _no_quotes(case: Case) -> Check | None:
    facts = case.facts
    if not facts.first_live_ts:
        return waits("orders are on their way: none is live yet", {"orders": facts.orders_placed})
    if facts.unquoted_s <= case.config.silence_s or not case.silent(facts.order_ts):
        return None
    numbers = {"fills": float(facts.fills.now), "orders": float(facts.orders_placed)}
    if paused := _paused(case):
        return waits(f"no quotes: quoting is paused by {paused}", numbers, RESUME)
    if facts.account is not None and facts.account.margin_available <= 0:
        return fails("no quotes: the account has no margin left", "lower the position limit, or reset it", numbers)
    if case.outside:
        cause = f"no live quotes for {facts.unquoted_s:.0f} s: the program that trades this account has none"
        return waits(cause, numbers, START_PROGRAM)
    return fails(
        f"no live quotes for {facts.unquoted_s:.0f} s: the quoter is down or says nothing",
        "restart the quoter, or look at paper_quoter_no_quote_rounds_total for why it does not quote",
        numbers,
    )


def _fill_rate(case: Case) -> Check:
    facts, config = case.facts, case.config
    rate = fills_per_hour(facts)
    numbers = {
        "fills": float(facts.fills.now),
        "quoted_s": round(facts.quoted_s, 1),
        "fills_per_hour": round(rate, 2),
        "prints_per_minute": round(prints_per_minute(case.market), 2),
        "distance_bps": round(mean_distance_bps(facts), 3),
        "touched_prints": float(facts.touched_prints),
    }
    if not trades(case.market, config.quiet_prints_per_minute):
        return waits("a quiet market: too few public prints to judge the fill rate", numbers)
    if not facts.fills.now and facts.quoted_s <= config.first_fill_s:
        return waits(f"no fill yet after {facts.quoted_s:.0f} s of quoting", numbers)
    if not facts.fills.now:
        return _why_no_fills(facts, f"no fill in {facts.quoted_s:.0f} s of quoting", numbers)
    if facts.through_since_fill >= THROUGH_LIMIT or _drought(facts, config):
        return _why_no_fills(facts, f"no fill in the last {facts.quoted_since_fill_s:.0f} s of quoting", numbers)
    if facts.quoted_s >= config.fill_rate_after_s and rate < config.min_fills_per_hour:
        return _why_no_fills(facts, f"only {rate:.1f} fills per hour of quoting", numbers)
    return passes(numbers)


def _drought(facts: AccountFacts, config: MonitorConfig) -> bool:
    """Whether the last fill is so long ago that chance does not explain it at the least fill rate."""
    return facts.quoted_since_fill_s * config.min_fills_per_hour > DROUGHT_WAITS * 3600.0


def _why_no_fills(facts: AccountFacts, observed: str, numbers: dict[str, float]) -> Check:
    """Name what keeps live orders from filling: nothing reaches them, the queue, or the exchange itself."""
    distance = mean_distance_bps(facts)
    if facts.touched_prints == 0:
        return fails(
            f"{observed}: orders are live but never touched: the quoter's stand {distance:.1f} bp from the touch",
            "narrow the quoter's half-spread (fee, min_edge_bps, risk_aversion) or choose a busier market",
            numbers,
        )
    reasons = {name: count for name, count in facts.unfilled.items() if name != "none"}
    reason = max(reasons, key=lambda name: reasons[name]) if reasons else "none"
    reached = f"{facts.touched_prints} prints reached a quote, {facts.through_prints} of them went through it"
    if facts.through_since_fill >= THROUGH_LIMIT:
        return fails(
            f"{observed}, yet {reached}: fill-sim does not hear the prints, or its fill model refuses them",
            "look at fill-sim's fill_model and adverse_fill_ratio, then restart it",
            numbers,
        )
    return fails(
        f"{observed}: {reached}; most unfilled orders of fill-sim ended with {reason}",
        "narrow the quoter's half-spread, or requote less often so that orders reach the front of the queue",
        numbers,
    )
