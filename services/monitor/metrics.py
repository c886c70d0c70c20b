"""Prometheus metrics of the monitor, read off its facts."""

import math
from collections.abc import Iterator
from typing import Any, Final

from papertrader.services.monitor.facts.data import quality_of
from papertrader.services.monitor.facts.facts import (
    SECOND,
    AccountFacts,
    adverse_rate,
    fills_per_hour,
    prints_per_minute,
)
from papertrader.services.monitor.facts.history import kept_fills
from papertrader.services.monitor.kernel import CHECKS
from papertrader.services.monitor.report.statistics import LIVE_RESAMPLES
from papertrader.services.monitor.report.summary import trading
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
ADVERSE_RATE: Final = Metric(
    "paper_adverse_rate", "gauge", "Adverse share of the moments with an outcome, 0 before any"
)
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
DURATION: Final = Metric("paper_run_seconds", "gauge", "Event time since the first market data", MARKET)
DATA_SHARE: Final = Metric(
    "paper_data_share", "gauge", "Share of the market's data of which little good can be said", (*MARKET, "what")
)
GUESSED: Final = Metric(
    "paper_instrument_guessed",
    "gauge",
    "Trading rules that nobody has told: guessed, and guessed in doubt",
    (*MARKET, "how"),
)
UNKNOWN_QUEUES: Final = Metric(
    "paper_unknown_queue_share", "gauge", "Share of the orders reached of which nobody knew how much stood ahead"
)
FILLED_ORDERS: Final = Metric("paper_filled_orders", "counter", "Orders of which something was filled")
EXPOSURE: Final = Metric(
    "paper_exposure",
    "gauge",
    "Value of the position, quote currency: its mean over time and its peak",
    (*ACCOUNT, "statistic"),
)
MEAN_MARKOUT: Final = Metric(
    "paper_mean_markout_bps",
    "gauge",
    "Mean markout at 5 s, its 95 % block-bootstrap interval, and weighted by notional; NaN while unknown",
    (*ACCOUNT, "statistic"),
)
PNL_PER_TURNOVER: Final = Metric(
    "paper_pnl_per_turnover_bps", "gauge", "Total PnL per turnover, bp, NaN without turnover"
)
NOTICES: Final = Metric(
    "paper_notices",
    "counter",
    "Notices by service and what became of them; one that failed is tried again",
    (*MARKET, "service", "outcome"),
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
    DURATION,
    DATA_SHARE,
    GUESSED,
    UNKNOWN_QUEUES,
    FILLED_ORDERS,
    EXPOSURE,
    MEAN_MARKOUT,
    PNL_PER_TURNOVER,
    NOTICES,
)


def samples(market: Market, fold: Monitor) -> Iterator[Sample]:
    """Every metric of one market and its accounts."""
    seen = fold.facts.market
    yield Sample(EVENT_CLOCK, market, seen.ts / SECOND)
    yield Sample(PRINTS, market, float(seen.prints))
    yield Sample(PRINT_RATE, market, prints_per_minute(seen))
    yield Sample(GAPS, market, float(seen.gaps))
    yield Sample(MID, market, math.nan if seen.mid is None else seen.mid)
    yield Sample(DURATION, market, (seen.ts - seen.first_ts) / SECOND)
    for how in ("inferred", "doubtful"):
        yield Sample(GUESSED, (*market, how), float(len(getattr(seen.instrument, how, ()))))
    quality = quality_of(seen, AccountFacts(), fold.liveness)
    for what in ("locked", "crossed", "refused"):
        yield Sample(DATA_SHARE, (*market, what), getattr(quality, f"{what}_share"))
    for (service, outcome), count in fold.delivered.items():
        yield Sample(NOTICES, (*market, service, outcome), float(count))
    for account in fold.accounts:
        labels = (*market, account)
        facts = fold.facts.accounts[account]
        yield from _checklist(labels, fold.checklist(account))
        yield Sample(ADVERSE_RATE, labels, adverse_rate(facts) or 0.0)
        yield Sample(FILL_RATE, labels, fills_per_hour(facts))
        yield Sample(QUOTED, labels, facts.quoted_s)
        yield Sample(OVERFLOW, labels, float(facts.working_overflow))
        yield from _trading(labels, trading(fold, account, LIVE_RESAMPLES))
        fills = kept_fills(fold.history(account), facts)
        for side, sign in (("buy", 1), ("sell", -1)):
            prices = fills["price"][fills["side"] == sign]
            yield Sample(FILL_PRICE, (*labels, side), float(prices[-1]) if len(prices) else math.nan)


def _trading(labels: tuple[str, ...], found: dict[str, Any]) -> Iterator[Sample]:
    yield Sample(UNKNOWN_QUEUES, labels, found["data"]["unknown_queue_share"])
    yield Sample(FILLED_ORDERS, labels, float(found["filled_orders"]))
    for statistic, value in found["exposure"].items():
        yield Sample(EXPOSURE, (*labels, statistic), value)
    worth = found["markout"]
    for statistic in ("mean", "low", "high", "notional_weighted"):
        yield Sample(MEAN_MARKOUT, (*labels, statistic), _known(worth[f"{statistic}_bps"]))
    yield Sample(PNL_PER_TURNOVER, labels, _known(found["pnl_per_turnover_bps"]))


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _checklist(labels: tuple[str, ...], checklist: Checklist) -> Iterator[Sample]:
    for name in CHECKS:
        for state in STATES:
            yield Sample(CHECK, (*labels, name, state), float(checklist.checks[name].state == state))
        for number, value in checklist.checks[name].numbers.items():
            yield Sample(CHECK_NUMBER, (*labels, name, number), float(value))
    for name, count in checklist.counts.items():
        yield Sample(COUNT, (*labels, name), float(count))
    yield Sample(COUNTS_EQUAL, labels, float(checklist.counts_equal))
