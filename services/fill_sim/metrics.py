"""Prometheus metrics of the paper exchange."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from papertrader.services.fill_sim.service import FillSim
from papertrader.services.fill_sim.state import NEVER, NONE, REASONS
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.records import Record
from papertrader.shared.messages import Account
from papertrader.shared.service.metrics import ACCOUNT, Metric, Sample

REASON = (*ACCOUNT, "reason")
SIDE = (*ACCOUNT, "side")

FILLS = Metric("paper_fills", "counter", "Simulated fills", SIDE)
COUNTERS = {
    "fills_through": Metric("paper_fills_through", "counter", "Maker fills by prints strictly through the order"),
    "fills_crossed": Metric("paper_fills_crossed", "counter", "Maker fills by a book that crossed the order"),
    "fills_taker": Metric("paper_fills_taker", "counter", "Fills that took displayed size"),
    "turnover": Metric("paper_fill_notional", "counter", "Filled notional, settlement currency"),
    "liquidations": Metric("paper_liquidations", "counter", "Liquidations since the start or the last reset"),
    "placed": Metric("paper_orders_placed", "counter", "Orders heard"),
    "accepted": Metric("paper_orders_accepted", "counter", "Orders that went live"),
    "cancelled": Metric("paper_orders_cancelled", "counter", "Orders that a cancel ended"),
}
BY_REASON = {
    "rejected": Metric("paper_orders_rejected", "counter", "Orders that did not go live, by reason", REASON),
    "unfilled": Metric("paper_orders_unfilled", "counter", "Orders that ended without a fill, by reason", REASON),
    "refused": Metric("paper_commands_refused", "counter", "Cancels and modifies without effect, by reason", REASON),
}
ORDERS_LIVE = Metric("paper_orders_live", "gauge", "Orders at the exchange")
COMMANDS_UNDER_WAY = Metric("paper_commands_under_way", "gauge", "Commands that have not taken effect yet")
QUEUE_AHEAD = Metric(
    "paper_queue_ahead", "gauge", "External size ahead of the live orders whose queue is known, base units", SIDE
)
PNL = Metric("paper_pnl", "gauge", "Profit by part, settlement currency", (*ACCOUNT, "part"))
PNL_PARTS = ("realised", "unrealised", "spread", "inventory", "fees", "funding", "total", "residual")
GAUGES = {
    "position": Metric("paper_position", "gauge", "Position, base units or inverse contracts; long is positive"),
    "notional": Metric("paper_position_notional", "gauge", "Value of the position at the mark, settlement currency"),
    "equity": Metric("paper_equity", "gauge", "Equity, settlement currency"),
    "margin_used": Metric("paper_margin_used", "gauge", "Margin used, settlement currency"),
    "margin_available": Metric("paper_margin_available", "gauge", "Margin available, settlement currency"),
    "maintenance_margin": Metric(
        "paper_maintenance_margin", "gauge", "Equity at the mark below which the account is liquidated"
    ),
}
LEVELS_OUTSIDE = Metric(
    "paper_book_levels_outside", "counter", "Book levels refused as outside the window", ("venue", "asset")
)

METRICS: tuple[Metric, ...] = (
    FILLS,
    *COUNTERS.values(),
    *BY_REASON.values(),
    ORDERS_LIVE,
    COMMANDS_UNDER_WAY,
    QUEUE_AHEAD,
    PNL,
    *GAUGES.values(),
    LEVELS_OUTSIDE,
)


def samples(market: Market, fold: FillSim) -> Iterator[Sample]:
    """Every metric of every account of one market, as of the last event folded."""
    yield Sample(LEVELS_OUTSIDE, tuple(market), float(fold.levels_outside))
    for index, account in enumerate(fold.accounts):
        labels = (*market, account)
        state = fold.account_states[index]
        for row, side in enumerate(("buy", "sell")):
            yield Sample(FILLS, (*labels, side), float(state["fills_by_side"][row]))
            yield Sample(QUEUE_AHEAD, (*labels, side), queue_ahead(state, 1 if side == "buy" else -1))
        for field, metric in COUNTERS.items():
            yield Sample(metric, labels, float(state[field]))
        yield Sample(ORDERS_LIVE, labels, float(len(live_orders(state))))
        yield Sample(COMMANDS_UNDER_WAY, labels, float(state["commands_count"]))
        yield from _by_reason(labels, state)
        yield from _money(labels, fold.account_message(index))


def _by_reason(labels: tuple[str, ...], state: Record) -> Iterator[Sample]:
    for field, metric in BY_REASON.items():
        for row, reason in enumerate(REASONS):
            if row != NONE:
                yield Sample(metric, (*labels, reason), float(state[field][row]))


def _money(labels: tuple[str, ...], account: Account) -> Iterator[Sample]:
    for field, metric in GAUGES.items():
        yield Sample(metric, labels, getattr(account, field))
    for part in PNL_PARTS:
        yield Sample(PNL, (*labels, part), getattr(account, part))


def live_orders(state: Record) -> Any:
    """The rows of the orders that are live, shape (n,)."""
    orders = state["orders"][: state["orders_count"]]
    return orders[orders["cancel_ts"] == NEVER]


def queue_ahead(state: Record, side: int) -> float:
    """The external size ahead of a side's live orders, summed over the orders whose queue is known."""
    orders = live_orders(state)
    return float(np.nansum(orders["ahead"][orders["side"] == side]))
