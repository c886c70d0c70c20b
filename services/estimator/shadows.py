"""Shadow orders: what would have become of an order, had it been left alone for 10 s.

An own order that is cancelled early says nothing of what it would have met; judged on those alone a forecast looks
better than it is. So every order with a forecast is followed here on its own, whether it is still there or not, and
hypothetical ones are placed every second, on either side in turn, at distances from 0 to 3 σ√10: they teach the
forecast.

A shadow counts as filled within its 10 s

* by a print beyond its price, or by one at its price once the size displayed ahead of it is used up. Cancels let it
  advance only as far as the level shows less than was ahead: nothing is assumed in its favour;
* by a book whose opposite best comes to its price or through it.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market import logistic, skill
from papertrader.shared.market.book import has_both_sides, price_of, size_at
from papertrader.shared.market.event_rows import nearest_tick
from papertrader.shared.market.features import log_sigma, look
from papertrader.shared.market.fill_forecast import PRIOR, PRIOR_SD, distance_z, write_inputs
from papertrader.shared.market.mathematics import exp
from papertrader.shared.market.records import Record, code
from papertrader.shared.messages import FEATURE_NAMES, FEATURES, FILL_INPUTS, FORECAST_HORIZON_S, AckStatus

ROWS: Final = 64
LOG_SIGMA: Final = FEATURE_NAMES.index("log_sigma_bps")
HORIZON_NS: Final = round(FORECAST_HORIZON_S * 1e9)
DISTANCES: Final = np.array([0.0, 1.0, 0.25, 2.0, 0.5, 3.0, 0.0, 1.5])
"""In σ√10, one after the other."""
MEMORY_OUTCOMES: Final = 20_000.0
ACCEPTED: Final = code(AckStatus, "accepted")
MODIFIED: Final = code(AckStatus, "modified")
NO_BID: Final = 0
NO_ASK: Final = 2**62

SHADOW: Final = np.dtype(
    [
        ("order_id", "i8"),  # 0 for a hypothetical order
        ("ts", "i8"),
        ("tick", "i8"),
        ("side", "i8"),
        ("ahead", "f8"),
        ("score", "f8"),
        ("forecast", "f8"),
        ("inputs", "f8", (FILL_INPUTS,)),
        ("filled", "i1"),
    ],
    align=True,
)
SHADOWS: Final = np.dtype(
    [
        ("count", "i8"),
        ("dropped", "i8"),  # without an outcome: a gap, or no room
        ("placed", "i8"),  # hypothetical ones
        ("high_bid", "i8"),  # prints and touches between the two reach none
        ("low_ask", "i8"),
        ("first_ts", "i8"),  # when the oldest was placed
        ("open", "i8"),  # those that are not filled yet: so many,
        ("open_rows", "i8", (ROWS,)),  # and their rows
        ("expected", "f8"),  # fills that the forecasts expected
        ("filled", "i8"),
        ("judged", skill.SKILL),
        ("rows", SHADOW, (ROWS,)),
    ],
    align=True,
)
FORECASTER: Final = np.dtype(
    [("model", logistic.logistic_dtype(FILL_INPUTS)), ("shadows", SHADOWS), ("vector", "f8", (FEATURES,))], align=True
)
"""What all accounts share: the forecast and the hypothetical orders that teach it."""


@njit(cache=True)
def start(shadows: Record) -> None:
    """Nobody is followed."""
    skill.start(shadows.judged)
    bound(shadows)


@njit(cache=True)
def start_forecaster(forecaster: Record) -> None:
    """The prior."""
    logistic.start(forecaster.model, PRIOR, PRIOR_SD)
    start(forecaster.shadows)


@njit(cache=True)
def bound(shadows: Record) -> None:
    """Note which shadows are open, which prices reach one, and when the oldest of all was placed."""
    shadows.high_bid, shadows.low_ask, shadows.first_ts, shadows.open = NO_BID, NO_ASK, NO_ASK, 0
    for row in range(shadows.count):
        shadow = shadows.rows[row]
        shadows.first_ts = min(shadows.first_ts, shadow.ts)
        if shadow.filled == 1:
            continue
        shadows.open_rows[shadows.open] = row
        shadows.open += 1
        if shadow.side > 0:
            shadows.high_bid = max(shadows.high_bid, shadow.tick)
        else:
            shadows.low_ask = min(shadows.low_ask, shadow.tick)


@njit(cache=True)
def place(shadows: Record, order_id: int, side: int, tick: int, ts: int, ahead: float, score: float) -> int:
    """Follow one more order; its row, −1 if there is no room."""
    if shadows.count == ROWS:
        shadows.dropped += 1
        return -1
    row = shadows.count
    shadow = shadows.rows[row]
    shadow.order_id, shadow.side, shadow.tick, shadow.ts = order_id, side, tick, ts
    shadow.ahead, shadow.filled = ahead, 0
    shadow.score, shadow.forecast = score, logistic.probability(score)
    shadows.count += 1
    bound(shadows)
    return row


@njit(cache=True)
def on_second(forecaster: Record, features: Record, book: Record, ts: int) -> None:
    """Judge what ended, and place a hypothetical order, now a bid and then an ask, if the market is known."""
    settle(forecaster.shadows, ts, forecaster.model)
    if has_both_sides(book) and features.mid > 0:
        look(features, book, forecaster.vector)
        forecaster.vector[LOG_SIGMA] = log_sigma(features, ts)  # the book's clock may be ahead of the second's end
        side = 1 if forecaster.shadows.placed % 2 == 0 else -1
        place_hypothetical(forecaster, book, features.mid, side, ts)


@njit(cache=True)
def place_hypothetical(forecaster: Record, book: Record, mid: float, side: int, ts: int) -> None:
    """Place a hypothetical order of a side behind what is displayed; `vector` has the market's features."""
    shadows, vector = forecaster.shadows, forecaster.vector
    wanted = DISTANCES[shadows.placed // 2 % len(DISTANCES)] * exp(vector[5]) * np.sqrt(FORECAST_HORIZON_S)
    away = int(wanted * 1e-4 * mid / book.tick_size)
    tick = book.best_bid - away if side > 0 else book.best_ask + away
    shadows.placed += 1
    if tick < 1:
        return
    distance_bps = side * (mid - price_of(book, tick)) / mid * 1e4
    row = place(shadows, 0, side, tick, ts, size_at(book, side, tick), 0.0)
    if row >= 0:
        shadow = shadows.rows[row]
        write_inputs(distance_z(distance_bps, vector[5]), vector, side, shadow.inputs)
        shadow.score = logistic.score_of(forecaster.model.weights, shadow.inputs)
        shadow.forecast = logistic.probability(shadow.score)


@njit(cache=True, forceinline=True)
def reaches(shadows: Record, tick: int) -> bool:
    """Whether a print at this tick reaches a shadow."""
    return tick <= shadows.high_bid or tick >= shadows.low_ask


@njit(cache=True)
def on_print(shadows: Record, book: Record, event: Record) -> None:
    """Let a print fill the shadows that it reaches, or bring them nearer to the front."""
    filled = False
    for index in range(shadows.open):
        shadow = shadows.rows[shadows.open_rows[index]]
        if event.ts <= shadow.ts or event.ts > shadow.ts + HORIZON_NS:
            continue
        beyond = shadow.side * (shadow.tick - event.tick)
        if beyond == 0 and event.side == -shadow.side:
            displayed = size_at(book, shadow.side, shadow.tick)
            shadow.ahead = min(shadow.ahead, displayed + event.size) - event.size
        if beyond > 0 or shadow.ahead < 0.0:
            shadow.filled = 1
            filled = True
    if filled:
        bound(shadows)


@njit(cache=True)
def on_top(shadows: Record, book: Record, ts: int) -> None:
    """Fill the shadows whose price the opposite touch has come to."""
    if book.best_ask > shadows.high_bid and book.best_bid < shadows.low_ask:
        return
    for index in range(shadows.open):
        shadow = shadows.rows[shadows.open_rows[index]]
        opposite = book.best_ask if shadow.side > 0 else book.best_bid
        if shadow.side * (shadow.tick - opposite) >= 0 and shadow.ts < ts <= shadow.ts + HORIZON_NS:
            shadow.filled = 1
    bound(shadows)


@njit(cache=True)
def on_ack(shadows: Record, book: Record, ack: Record) -> None:
    """Follow an own order that went live with a forecast; one that is modified is another order."""
    if ack.status == MODIFIED:
        forget(shadows, ack.order_id)
    if ack.status != ACCEPTED or not 0.0 <= ack.p_fill <= 1.0:
        return
    tick = nearest_tick(ack.price, book.tick_size, book.ticks_per_unit)
    ahead = ack.queue_ahead if ack.queue_ahead >= 0 else 0.0
    place(shadows, ack.order_id, ack.side, tick, ack.live_ts, ahead, logistic.log_odds(ack.p_fill))


@njit(cache=True)
def forget(shadows: Record, order_id: int) -> None:
    """Follow an order no longer."""
    for row in range(shadows.count):
        if shadows.rows[row].order_id == order_id:
            shadows.count -= 1
            shadows.rows[row] = shadows.rows[shadows.count]
            shadows.dropped += 1
            bound(shadows)
            return


@njit(cache=True)
def on_own_fill(shadows: Record, order_id: int, ts: int) -> None:
    """The exchange filled an own order: that is what would have become of it."""
    for row in range(shadows.count):
        shadow = shadows.rows[row]
        if shadow.order_id == order_id and ts <= shadow.ts + HORIZON_NS:
            shadow.filled = 1
            bound(shadows)
            return


@njit(cache=True)
def settle(shadows: Record, ts: int, model: Record) -> bool:
    """Judge the shadows whose 10 s ended before `ts`, and let hypothetical ones teach the model; whether any ended."""
    if ts <= shadows.first_ts + HORIZON_NS:
        return False
    row = 0
    while row < shadows.count:
        shadow = shadows.rows[row]
        if ts <= shadow.ts + HORIZON_NS:
            row += 1
            continue
        skill.judge(shadows.judged, ts, shadow.score, shadow.forecast, shadow.filled == 1)
        shadows.expected += shadow.forecast
        shadows.filled += shadow.filled
        if shadow.order_id == 0:
            logistic.learn(model, shadow.inputs, shadow.filled == 1, MEMORY_OUTCOMES)
        shadows.count -= 1
        shadows.rows[row] = shadows.rows[shadows.count]
    bound(shadows)
    return True


@njit(cache=True)
def on_gap(shadows: Record) -> None:
    """What is followed will never be known."""
    shadows.dropped += shadows.count
    shadows.count = 0
    bound(shadows)
