"""What became of the forecast that an order carries: p(fill within 10 s of going live)."""

from typing import Final

import numpy as np

from papertrader.services.calibration.scores import CLAMP, SCORES, score
from papertrader.shared.kernels import njit
from papertrader.shared.market.mathematics import log, power
from papertrader.shared.market.records import Record, code
from papertrader.shared.messages import FORECAST_HORIZON_S, AckStatus

ORDERS: Final = 64
HORIZON_NS: Final = round(FORECAST_HORIZON_S * 1e9)
LATE_PRINT_NS: Final = 2_000_000_000
"""A print can be this much older than the clock, so a fill within the horizon is heard this much after it."""
ACCEPTED: Final = code(AckStatus, "accepted")
REFUSED: Final = code(AckStatus, "refused")

ORDER: Final = np.dtype([("order_id", "i8"), ("live_ts", "i8"), ("p_fill", "f8")], align=True)
FORECASTS: Final = np.dtype(
    [
        ("scores", SCORES),
        ("expected_fills", "f8"),  # orders that the forecasts expected to fill while they were watched
        ("filled", "i8"),  # orders that did
        ("waiting", "i8"),
        ("dropped", "i8"),  # orders that found no room, or met a gap
        ("orders", ORDER, (ORDERS,)),
    ],
    align=True,
)


@njit(cache=True)
def on_ack(forecasts: Record, ack: Record) -> bool:
    """Start to watch an order that goes live with a forecast; settle it when it ends or is modified.

    True if a forecast was scored.
    """
    if ack.status == REFUSED:
        return False
    settled = _settle(forecasts, ack.order_id, ack.ts, ack.first_fill_ts)
    if ack.status == ACCEPTED and 0.0 <= ack.p_fill <= 1.0:
        if forecasts.waiting == ORDERS:
            forecasts.dropped += 1
            return settled
        order = forecasts.orders[forecasts.waiting]
        order.order_id, order.live_ts, order.p_fill = ack.order_id, ack.live_ts, ack.p_fill
        forecasts.waiting += 1
    return settled


@njit(cache=True)
def on_fill(forecasts: Record, fill: Record) -> bool:
    """Settle an order with its first fill; True if a forecast was scored."""
    return _settle(forecasts, fill.order_id, fill.ts, fill.ts)


@njit(cache=True)
def on_gap(forecasts: Record) -> None:
    """Let go of every order that waits: what a gap hides would count as unfilled."""
    forecasts.dropped += forecasts.waiting
    forecasts.waiting = 0


@njit(cache=True)
def on_round(forecasts: Record, heard_ts: int) -> bool:
    """Settle the orders that were live for the whole horizon without a fill, once no fill can be under way any more."""
    settled = False
    row = 0
    while row < forecasts.waiting:
        order = forecasts.orders[row]
        if heard_ts > order.live_ts + HORIZON_NS + LATE_PRINT_NS:
            settled = _settle(forecasts, order.order_id, heard_ts, 0)
        else:
            row += 1
    return settled


@njit(cache=True)
def next_settled_ts(forecasts: Record) -> int:
    """Up to this `on_round` settles nothing."""
    ts = np.iinfo(np.int64).max
    for row in range(forecasts.waiting):
        ts = min(ts, forecasts.orders[row].live_ts + HORIZON_NS + LATE_PRINT_NS)
    return ts


@njit(cache=True)
def _settle(forecasts: Record, order_id: int, end_ts: int, first_fill_ts: int) -> bool:
    for row in range(forecasts.waiting):
        order = forecasts.orders[row]
        if order.order_id == order_id:
            judge(forecasts, order.p_fill, order.live_ts, end_ts, first_fill_ts)
            forecasts.waiting -= 1
            forecasts.orders[row] = forecasts.orders[forecasts.waiting]
            return True
    return False


@njit(cache=True)
def judge(forecasts: Record, p_fill: float, live_ts: int, end_ts: int, first_fill_ts: int) -> None:
    """Score one order's forecast.

    * filled within the horizon: the forecast came true
    * filled later, or unfilled for the whole horizon: it did not
    * ended unfilled after L seconds, less than the horizon h: what did not happen is a fill within L, whose forecast
      under a constant hazard is 1 − (1 − p)^(L/h)

    The last rule flatters: how long a filled order would have stayed is not known, so short-lived orders are judged
    on p if they filled and on less if they did not. The more orders end early, the larger the skill and the error of
    calibration become, even for true forecasts. Not affected is the sum of hazards that orders were exposed to,
    −ln(1 − p)·t/h until fill or end: it is the expected number of filled orders, however orders end (the compensator
    of a counting process, Andersen & Gill 1982), so filled/expected is the fair test of the level.
    """
    stop_ts = first_fill_ts if first_fill_ts > 0 else end_ts
    share = min(max(stop_ts - live_ts, 0) / HORIZON_NS, 1.0)
    filled = first_fill_ts > 0 and first_fill_ts - live_ts <= HORIZON_NS
    forecasts.expected_fills -= log(max(1.0 - p_fill, CLAMP)) * share
    forecasts.filled += filled
    forecast = p_fill if first_fill_ts > 0 else 1.0 - power(1.0 - p_fill, share)
    score(forecasts.scores, forecast, filled)
