"""What the page shows, as plain values for JSON: NaN becomes null, history is thinned to what a screen can show."""

from typing import Any, Final

from papertrader.services.monitor.facts.facts import (
    SECOND,
    AccountFacts,
    adverse_rate,
    fills_per_hour,
    mean_distance_bps,
    prints_per_minute,
)
from papertrader.services.monitor.facts.history import kept_fills, kept_series
from papertrader.services.monitor.kernel import interpretation, verdict
from papertrader.services.monitor.report.markouts import markouts
from papertrader.services.monitor.report.statistics import LIVE_RESAMPLES
from papertrader.services.monitor.report.summary import liveness_table, pnl, trading
from papertrader.services.monitor.service import Monitor
from papertrader.shared.market.records import Records
from papertrader.shared.messages import REGIMES, Checklist

SERIES_POINTS: Final = 720
FILLS_SHOWN: Final = 300
LEVELS_SHOWN: Final = 10


def checks_view(monitor: Monitor, account: str) -> dict[str, Any]:
    """One account's checklist, counts, verdict and liveness."""
    checklist = monitor.checklist(account)
    return {
        **_names(monitor, account),
        "ts": checklist.ts,
        "verdict": verdict(checklist.checks),
        "checks": checklist.checks,
        "counts": checklist.counts,
        "counts_equal": checklist.counts_equal,
        "liveness": liveness_table(monitor.liveness),
    }


def state_view(monitor: Monitor, account: str) -> dict[str, Any]:
    """Everything that the page needs to draw one account from nothing."""
    facts, history = monitor.facts.accounts[account], monitor.history(account)
    return {
        **live_view(monitor, account),
        "series": columns(kept_series(history, facts, SERIES_POINTS)),
        "fills": columns(kept_fills(history, facts)[-FILLS_SHOWN:]),
    }


def live_view(monitor: Monitor, account: str) -> dict[str, Any]:
    """What changes every second: the newest sample, the last fills, the ladder, the learners, the checklist."""
    facts, history, market = monitor.facts.accounts[account], monitor.history(account), monitor.facts.market
    checklist = monitor.checklist(account)
    return {
        **checks_view(monitor, account),
        "interpretation": interpretation(facts, monitor.accounts[account]),
        "sample": columns(history.series[max(facts.samples - 1, 0) : facts.samples]),
        "last_fills": columns(kept_fills(history, facts)[-20:]),
        "market": {
            "mid": market.mid,
            "bid": market.bid,
            "ask": market.ask,
            "tick_size": market.instrument.tick_size if market.instrument else None,
            "prints": market.prints,
            "prints_per_minute": prints_per_minute(market),
            "gaps": market.gaps,
            "elapsed_s": (market.ts - market.first_ts) / SECOND,
        },
        "ladder": ladder(monitor, facts),
        "account": {
            **pnl(facts.account),
            **_account(facts),
            "draws": facts.worlds.summary(facts.account, monitor.facts.market.mid),
        },
        "estimate": facts.estimate,
        "calibration": facts.calibration,
        "outcomes": outcomes(facts, checklist),
        "orders": orders(facts),
        "markouts": markouts(history, LIVE_RESAMPLES),
        "trading": trading(monitor, account, LIVE_RESAMPLES),
        "unfilled": facts.unfilled,
        "rejected": facts.rejected,
    }


def _names(monitor: Monitor, account: str) -> dict[str, str]:
    return {"venue": monitor.market.venue, "asset": monitor.market.asset, "account_name": account}


def _account(facts: AccountFacts) -> dict[str, Any]:
    names = (
        *("position", "notional", "equity", "margin_used", "margin_available", "maintenance_margin", "leverage"),
        *("liquidations", "mark_price", "turnover", "residual", "maker_fee_bps", "taker_fee_bps"),
    )
    return {name: getattr(facts.account, name) if facts.account else None for name in names}


def outcomes(facts: AccountFacts, checklist: Checklist) -> dict[str, Any]:
    """Labels so far and the adverse rate."""
    resolved = facts.resolved.now
    return {
        "resolved": resolved,
        "unresolved": facts.unresolved,
        "adverse": facts.adverse,
        "adverse_rate": adverse_rate(facts),
        "pending": checklist.counts["outcomes_queued"] - resolved - facts.unresolved,
    }


def orders(facts: AccountFacts) -> dict[str, Any]:
    """Orders placed and live, and how the quoting goes."""
    return {
        "placed": facts.orders_placed,
        "accepted": facts.accepted,
        "cancels": facts.cancels,
        "live": [order for order in facts.working.values() if order.live_ts],
        "fills_per_hour": fills_per_hour(facts),
        "distance_bps": mean_distance_bps(facts),
        "quoted_s": facts.quoted_s,
    }


def ladder(monitor: Monitor, facts: AccountFacts) -> dict[str, list[list[float]]]:
    """The top of the book with the own orders on it: rows of price, displayed size, own size, best first."""
    bids, asks = monitor.book_levels(LEVELS_SHOWN)
    return {"bids": _with_own(bids, facts, "buy"), "asks": _with_own(asks, facts, "sell")}


def _with_own(levels: list[tuple[float, float]], facts: AccountFacts, side: str) -> list[list[float]]:
    rows = {price: [price, size, 0.0] for price, size in levels}
    for order in facts.working.values():
        if order.side == side and order.live_ts:
            rows.setdefault(order.price, [order.price, 0.0, 0.0])[2] += order.size
    return sorted(rows.values(), reverse=side == "buy")


def columns(records: Records) -> dict[str, list[Any]]:
    """Records as one list per field; NaN stays NaN, which JSON writes as null. Regimes are named."""
    table: dict[str, list[Any]] = {name: records[name].tolist() for name in records.dtype.names or ()}
    if "regime" in table:
        table["regime"] = [REGIMES[index] if index >= 0 else None for index in table["regime"]]
    return table
