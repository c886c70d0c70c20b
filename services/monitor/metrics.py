"""Prometheus metrics of the monitor, read off its facts."""

import math
from collections.abc import Iterator
from typing import Final

from papertrader.services.monitor.facts.facts import SECOND, fills_per_hour, prints_per_minute
from papertrader.services.monitor.facts.history import kept_fills
from papertrader.services.monitor.kernel import CHECKS
from papertrader.services.monitor.service import Monitor
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Checklist
from papertrader.shared.service.metrics import ACCOUNT, MARKET, Metric, Sample

STATES: Final = ("pass", "waiting", "fail")

CHECK: Final = Metric(
    "paper_check", "gauge", "1 for the state that a check is in, 0 for the others", (*ACCOUNT, "check", "state")
)
CHECK_NUMBER: Final = Metric(
    "paper_check_number", "gauge", "The numbers that a check was judged on", (*ACCOUNT, "check", "number")
)
COUNT: Final = Metric(
    "paper_count",
    "gauge",
    "Fills as counted by everyone who must have seen every fill: all equal when every wire is whole",
    (*ACCOUNT, "count"),
)
COUNTS_EQUAL: Final = Metric("paper_counts_equal", "gauge", "1 while all counts of fills agree")
ADVERSE_RATE: Final = Metric("paper_adverse_rate", "gauge", "Adverse share of the resolved outcomes, 0 before any")
FILL_RATE: Final = Metric(
    "paper_fills_per_hour", "gauge", "Fills per hour of quoting while the market traded, over the last hour"
)
QUOTED: Final = Metric("paper_quoted_seconds", "counter", "Event time quoted while the market traded")
OVERFLOW: Final = Metric("paper_monitor_orders_untracked", "counter", "Orders beyond what the monitor follows")
EVENT_CLOCK: Final = Metric("paper_monitor_event_clock_seconds", "gauge", "Event clock of the market", MARKET)
PRINTS: Final = Metric("paper_monitor_prints", "counter", "Public prints heard", MARKET)
PRINT_RATE: Final = Metric("paper_prints_per_minute", "gauge", "Public prints per minute, last five minutes", MARKET)
GAPS: Final = Metric("paper_monitor_gaps", "counter", "Gaps in the market data heard", MARKET)
MID: Final = Metric("paper_mid", "gauge", "Mid of the book, quote currency, NaN without one", MARKET)
FILL_PRICE: Final = Metric(
    "paper_last_fill_price", "gauge", "Price of the last fill, quote currency, NaN before one", (*ACCOUNT, "side")
)

METRICS: Final[tuple[Metric, ...]] = (
    CHECK,
    CHECK_NUMBER,
    COUNT,
    COUNTS_EQUAL,
    ADVERSE_RATE,
    FILL_RATE,
    QUOTED,
    OVERFLOW,
    EVENT_CLOCK,
    PRINTS,
    PRINT_RATE,
    GAPS,
    MID,
    FILL_PRICE,
)


def samples(market: Market, fold: Monitor) -> Iterator[Sample]:
    """Every metric of one market and its accounts."""
    seen = fold.facts.market
    yield Sample(EVENT_CLOCK, market, seen.ts / SECOND)
    yield Sample(PRINTS, market, float(seen.prints))
    yield Sample(PRINT_RATE, market, prints_per_minute(seen))
    yield Sample(GAPS, market, float(seen.gaps))
    yield Sample(MID, market, math.nan if seen.mid is None else seen.mid)
    for account in fold.accounts:
        labels = (*market, account)
        facts = fold.facts.accounts[account]
        yield from _checklist(labels, fold.checklist(account))
        yield Sample(ADVERSE_RATE, labels, facts.adverse / facts.resolved.now if facts.resolved.now else 0.0)
        yield Sample(FILL_RATE, labels, fills_per_hour(facts))
        yield Sample(QUOTED, labels, facts.quoted_s)
        yield Sample(OVERFLOW, labels, float(facts.working_overflow))
        fills = kept_fills(fold.history(account), facts)
        for side, sign in (("buy", 1), ("sell", -1)):
            prices = fills["price"][fills["side"] == sign]
            yield Sample(FILL_PRICE, (*labels, side), float(prices[-1]) if len(prices) else math.nan)


def _checklist(labels: tuple[str, ...], checklist: Checklist) -> Iterator[Sample]:
    for name in CHECKS:
        for state in STATES:
            yield Sample(CHECK, (*labels, name, state), float(checklist.checks[name].state == state))
        for number, value in checklist.checks[name].numbers.items():
            yield Sample(CHECK_NUMBER, (*labels, name, number), float(value))
    for name, count in checklist.counts.items():
        yield Sample(COUNT, (*labels, name), float(count))
    yield Sample(COUNTS_EQUAL, labels, float(checklist.counts_equal))
