"""What the page shows, as plain values for JSON: NaN becomes null, history is thinned to what a screen can show."""

from typing import Any, Final

from papertrader.services.monitor.facts.facts import (
    SECOND,
    AccountFacts,
    WorkingOrder,
    adverse_rate,
    fills_per_hour,
    mean_distance_bps,
    prints_per_minute,
)
from papertrader.services.monitor.facts.history import kept_series
from papertrader.services.monitor.kernel import interpretation, verdict
from papertrader.services.monitor.report.markouts import markouts
from papertrader.services.monitor.report.statistics import LIVE_RESAMPLES
from papertrader.services.monitor.report.summary import liveness_table, pnl, strategy_error, trading
from papertrader.services.monitor.service import Monitor
from papertrader.shared.market.records import Records
from papertrader.shared.messages import REGIMES

LEVELS_SHOWN: Final = 10
LEVELS_SEARCHED: Final = 100
"""How deep an own order's level is looked for in the book."""
ORDERS_SHOWN: Final = 64
PEER_POINTS: Final = 240


def checks_view(monitor: Monitor, account: str) -> dict[str, Any]:
    """One account's checklist, counts, verdict and liveness."""
    return {**names(monitor, account), **checks(monitor, account), "liveness": liveness_table(monitor.liveness)}


def names(monitor: Monitor, account: str) -> dict[str, str]:
    """Which account it is."""
    return {"venue": monitor.market.venue, "asset": monitor.market.asset, "account_name": account}


def checks(monitor: Monitor, account: str) -> dict[str, Any]:
    """The checklist with its counts, in one sentence and with what its numbers mean."""
    checklist = monitor.checklist(account)
    return {
        "ts": checklist.ts,
        "verdict": verdict(checklist.checks),
        "interpretation": interpretation(monitor.facts.accounts[account], monitor.accounts[account]),
        "checks": checklist.checks,
        "counts": checklist.counts,
        "counts_equal": checklist.counts_equal,
        "strategy_error": strategy_error(monitor.liveness, account),
    }


def now(monitor: Monitor, account: str) -> dict[str, Any]:
    """What changes all the time: the market, the book, the orders, the money."""
    facts, market = monitor.facts.accounts[account], monitor.facts.market
    return {
        **names(monitor, account),
        "ts": market.ts,
        "paused": facts.paused,
        "final": market.final,
        "market": {
            "mid": market.mid,
            "bid": market.bid,
            "ask": market.ask,
            "tick_size": market.instrument.tick_size if market.instrument else None,
            "kind": market.instrument.kind if market.instrument else None,
            "prints_per_minute": prints_per_minute(market),
            "gaps": market.gaps,
            "elapsed_s": (market.ts - market.first_ts) / SECOND,
        },
        "ladder": ladder(monitor, facts),
        "account": {
            **pnl(facts.account),
            **_account(facts),
            "draws": facts.worlds.summary(facts.account, market.mid),
        },
        "orders": orders(monitor, facts),
        "fills": facts.fills.now,
        "fills_per_hour": fills_per_hour(facts),
        "adverse_rate": adverse_rate(facts),
    }


def _account(facts: AccountFacts) -> dict[str, Any]:
    fields = (
        *("position", "notional", "equity", "margin_used", "margin_available", "maintenance_margin", "leverage"),
        *(
            "liquidations",
            "mark_price",
            "average_entry_price",
            "turnover",
            "residual",
            "maker_fee_bps",
            "taker_fee_bps",
        ),
    )
    return {name: getattr(facts.account, name) if facts.account else None for name in fields}


def orders(monitor: Monitor, facts: AccountFacts) -> dict[str, Any]:
    """Orders placed and live: of each its age, what stands ahead of it at most, and the forecast of a fill."""
    live = [(number, order) for number, order in facts.working.items() if order.live_ts]
    live.sort(key=lambda item: (item[1].side, -item[1].price))
    books = {
        side: dict(levels) for side, levels in zip(("buy", "sell"), monitor.book_levels(LEVELS_SEARCHED), strict=True)
    }
    return {
        "placed": facts.orders_placed,
        "accepted": facts.accepted,
        "cancels": facts.cancels,
        "quoted_s": facts.quoted_s,
        "distance_bps": mean_distance_bps(facts),
        "live_count": len(live),
        "live": [_order(monitor, number, order, books[order.side]) for number, order in live[:ORDERS_SHOWN]],
    }


def _order(monitor: Monitor, number: int, order: WorkingOrder, book: dict[float, float]) -> dict[str, Any]:
    mid = monitor.facts.market.mid
    distance = (mid - order.price) * (1 if order.side == "buy" else -1) / mid * 1e4 if mid else None
    return {
        "order_id": str(number),
        "side": order.side,
        "price": order.price,
        "size": order.size,
        "age_s": max(monitor.facts.market.ts - order.live_ts, 0) / SECOND,
        "distance_bps": distance,
        "queue_at_join": order.queue_ahead,
        "queue_at_most": queue_at_most(order, book),
        "p_fill": order.p_fill,
    }


def queue_at_most(order: WorkingOrder, book: dict[float, float]) -> float | None:
    """What can stand ahead of an order: no more than when it joined, and no more than its level shows now.

    `None` where neither is known: the level lies deeper than the book is told.
    """
    deepest = min(book, default=None) if order.side == "buy" else max(book, default=None)
    told = deepest is not None and (order.price >= deepest if order.side == "buy" else order.price <= deepest)
    shown = book.get(order.price, 0.0 if told else None)
    known = [size for size in (order.queue_ahead, shown) if size is not None]
    return min(known) if known else None


def learned(monitor: Monitor, account: str) -> dict[str, Any]:
    """What the learners say, and how orders ended."""
    facts = monitor.facts.accounts[account]
    return {
        "estimate": facts.estimate,
        "calibration": facts.calibration,
        "unfilled": facts.unfilled,
        "rejected": facts.rejected,
        "outcomes": {
            "resolved": facts.resolved.now,
            "unresolved": facts.unresolved,
            "adverse": facts.adverse,
            "adverse_rate": adverse_rate(facts),
        },
    }


def worth(monitor: Monitor, account: str) -> dict[str, Any]:
    """What fills were worth and on what data: costly to say, and slow to change."""
    return {
        "markouts": markouts(monitor.history(account), LIVE_RESAMPLES),
        "trading": trading(monitor, account, LIVE_RESAMPLES),
    }


def services(monitor: Monitor, _account: str) -> dict[str, Any]:
    """What is known of the services of a market."""
    return liveness_table(monitor.liveness)


def peers(monitor: Monitor, _account: str) -> dict[str, Any]:
    """The total PnL of every account of this market over time, to be compared."""
    found = {}
    for name in monitor.accounts:
        rows = kept_series(monitor.history(name), monitor.facts.accounts[name], PEER_POINTS)
        found[name] = {"ts": rows["ts"].tolist(), "total": rows["total"].tolist()}
    return found


def portfolio_row(monitor: Monitor, account: str) -> dict[str, Any]:
    """One account in one market, for the table of all of them."""
    facts, market = monitor.facts.accounts[account], monitor.facts.market
    money, checklist = facts.account, monitor.checklist(account)
    draws = facts.worlds.summary(money, market.mid)
    return {
        **names(monitor, account),
        "ts": market.ts,
        "kind": market.instrument.kind if market.instrument else None,
        "verdict": verdict(checklist.checks),
        "states": {name: check.state for name, check in checklist.checks.items()},
        "alerts": {
            name: [check.cause, check.remedy] for name, check in checklist.checks.items() if check.state == "fail"
        },
        "paused": facts.paused,
        "mid": market.mid,
        "position": money.position if money else None,
        "notional": money.notional if money else None,
        "equity": money.equity if money else None,
        "total": money.total if money else None,
        "total_low": draws["pnl_low"] if draws else None,
        "total_high": draws["pnl_high"] if draws else None,
        "fees": money.fees if money else None,
        "turnover": money.turnover if money else None,
        "elapsed_s": (market.ts - market.first_ts) / SECOND,
        "fills": facts.fills.now,
        "adverse_rate": adverse_rate(facts),
        "worst_drawdown": facts.worst_drawdown,
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
