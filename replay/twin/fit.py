"""Fit of what a desk cannot look up: latency and the queue's shares, from its own live orders.

Each candidate is an exchange of its own that hears the same orders, so one pass over the data tries all of them. The
candidate whose probabilities make what really happened - filled or not - most likely is taken: least log loss over the
orders of the first part of the record. That says much of the queue's shares and little of the latency: an order that
goes in too early only stands a little farther ahead. So latency is taken from when the orders appeared in the book,
where they can be seen there.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from papertrader.replay.twin.appearances import LATENCIES_MS as LATENCIES_MS_SEEN
from papertrader.replay.twin.appearances import LEAST, Found
from papertrader.replay.twin.comparison import compare, log_loss
from papertrader.replay.twin.intentions import intended_cancels
from papertrader.replay.twin.own_orders import OwnOrders
from papertrader.replay.twin.record import LiveOrder
from papertrader.replay.twin.simulation import simulate
from papertrader.replay.twin.stage import PaperOrder
from papertrader.services.feed.market_source import MarketSource
from papertrader.services.fill_sim.config import FillSimConfig


class Knob(NamedTuple):
    """A setting to be fitted, and what is tried."""

    name: str
    candidates: tuple[float, ...]


LATENCIES_MS: Final = (0.0, 25.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 400.0, 600.0, 800.0, 1000.0, 1500.0)
KNOBS: Final = (
    Knob("cancel_odds", (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45, 0.7, 1.0)),
    Knob("join_share", (0.34, 0.4, 0.45, 0.5, 0.58, 0.66)),
)
"""The shares of the queue, each fitted given those before it."""
SUPPORT: Final = 2.0
"""Candidates whose log likelihood is within this of the best are in the interval (a 95 % likelihood interval)."""


class Tried(NamedTuple):
    """A candidate and how likely it makes the record: log loss per order, and its log likelihood."""

    value: float
    log_loss: float
    log_likelihood: float


class Fitted(NamedTuple):
    """A fitted setting with its support interval, and everything that was tried."""

    name: str
    value: float
    low: float
    high: float
    tried: tuple[Tried, ...]


def fit_knob(
    source: MarketSource,
    orders: Sequence[LiveOrder],
    config: FillSimConfig,
    knob: Knob,
    p_fill: Callable[[PaperOrder], float],
    own: OwnOrders,
) -> Fitted:
    """Try every candidate of a setting on these orders; raises ValueError if none can be judged."""
    exchanges = {str(index): changed(config, knob.name, value) for index, value in enumerate(knob.candidates)}
    until_ts = max(intended_cancels(orders)) + 1
    simulated = simulate(source, orders, intended_cancels(orders), exchanges, until_ts, own)
    tried = []
    for name, papers in simulated.papers.items():
        rows = compare(orders, papers, simulated.mids, p_fill)
        if not rows:
            raise ValueError(f"{knob.name}: none of {len(orders)} orders of the first part could be judged")
        loss = log_loss(np.array([row.p_fill for row in rows]), np.array([float(row.live_filled) for row in rows]))
        tried.append(Tried(knob.candidates[int(name)], loss, -loss * len(rows)))
    return chosen(knob.name, tried, getattr(config, knob.name))


def by_appearance(found: Found) -> Fitted | None:
    """The latency after which the orders appeared, the middle of the likeliest; None if it is no better than none."""
    likelihood = found.log_likelihood
    if likelihood.max() < LEAST:
        return None
    best = LATENCIES_MS_SEEN[likelihood >= likelihood.max() - 1e-9]
    inside = LATENCIES_MS_SEEN[likelihood >= likelihood.max() - SUPPORT]
    tried = tuple(
        Tried(float(value), -float(one) / found.orders, float(one))
        for value, one in zip(LATENCIES_MS_SEEN, likelihood, strict=True)
    )
    value = float(np.median(best))
    return Fitted("placement_latency_ms", value, float(inside.min()), float(inside.max()), tried)


def chosen(name: str, tried: Sequence[Tried], current: float) -> Fitted:
    """The likeliest candidate; of those that are equally likely the one nearest to what was set."""
    best = max(tried, key=lambda item: (round(item.log_likelihood, 6), -abs(item.value - current)))
    inside = [item.value for item in tried if item.log_likelihood >= best.log_likelihood - SUPPORT]
    return Fitted(name, best.value, min(inside), max(inside), tuple(tried))


def changed(config: FillSimConfig, name: str, value: float) -> FillSimConfig:
    """The settings with one of them changed."""
    change: Mapping[str, Any] = {name: value}
    return msgspec.structs.replace(config, **change)
