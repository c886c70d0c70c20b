"""What the quoter senses of the market beside the touch's prices: how it leans, toxicity of now, where fills come."""

from typing import Final

import numpy as np

from papertrader.services.quoter.glft import excess_steps
from papertrader.shared.kernels import njit
from papertrader.shared.market import book as books
from papertrader.shared.market import features as market_features
from papertrader.shared.market import logistic
from papertrader.shared.market.records import Record

BIDS: Final = 1
ASKS: Final = 2
LEAN_STEPS: Final = 4
SENSE_NS: Final = 100_000_000
"""What the market leans to is looked at so often."""


@njit(cache=True)
def sense(state: Record, settings: Record, book: Record, features: Record, ts: int) -> None:
    """What a decision depends on beside the touch's prices, every 100 ms: how it leans, and which sides may be quoted.

    * the touch imbalance to a quarter, where half the spread is worth more than a requote costs;
    * where toxicity has shown skill: a side is quoted while its forecast of now is below `max_toxicity`, and priced by
      how far it lies above the base rate, to a twentieth.
    """
    if ts - state.sensed_ts < SENSE_NS:
        return
    state.sensed_ts = ts
    state.lean, state.quotes, state.excess_bid, state.excess_ask = 0, BIDS | ASKS, 0, 0
    if not books.has_both_sides(book):
        return
    bid, ask = books.price_of(book, book.best_bid), books.price_of(book, book.best_ask)
    if (ask - bid) / (ask + bid) * 1e4 > settings.requote_cost_bps:
        bids, asks = books.size_at(book, 1, book.best_bid), books.size_at(book, -1, book.best_ask)
        state.lean = int(np.rint(LEAN_STEPS * market_features.imbalance(bids, asks)))
    if state.toxicity_trusted == 1:
        market_features.look(features, book, state.vector)
        state.now_bid, state.now_ask = toxicity_now(state, 1), toxicity_now(state, -1)
        bids_open = BIDS if state.now_bid < settings.max_toxicity else 0
        asks_open = ASKS if state.now_ask < settings.max_toxicity else 0
        state.quotes = bids_open | asks_open
        state.excess_bid = excess_steps(state.now_bid, state.adverse_base_rate)
        state.excess_ask = excess_steps(state.now_ask, state.adverse_base_rate)


@njit(cache=True)
def toxicity_now(state: Record, side: int) -> float:
    """P(adverse | an order of this side at the touch is filled now)."""
    market_features.facing(state.vector, side, state.facing)
    return logistic.probability(logistic.score_of(state.toxicity_weights, state.facing))


@njit(cache=True)
def write_fill_forecast(state: Record, book: Record, features: Record, view: Record) -> None:
    """Write what the forecast of a fill is made of; the features are those of now, or where they matter as sensed."""
    if state.toxicity_trusted == 0:
        market_features.look(features, book, state.vector)
    weights, vector = state.fill_weights, state.vector
    lean = weights[3] * vector[0] + weights[4] * vector[3]
    view.log_sigma_bps = vector[5]
    view.fill_bid, view.fill_ask = weights[0] - lean, weights[0] + lean
    view.fill_slope, view.fill_curve = weights[1], weights[2]
