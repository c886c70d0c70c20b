"""Trading rules as ccxt unifies them."""

import math
from typing import Any, Final

from papertrader.shared.messages import Instrument

DECIMAL_PLACES: Final = 2
SIGNIFICANT_DIGITS: Final = 3


def of_markets(markets: dict[str, dict[str, Any]], mode: int) -> dict[str, Instrument]:
    """Tick, lot and least cost of the markets that are active; `mode` says what the exchange's precisions are."""
    return {name: _rules(market, mode) for name, market in markets.items() if market.get("active") is not False}


def _rules(market: dict[str, Any], mode: int) -> Instrument:
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    least = (limits.get("cost") or {}).get("min")
    return Instrument(
        ts=0,
        tick_size=step_of(precision.get("price"), mode),
        lot_size=step_of(precision.get("amount"), mode),
        min_notional=float(least or 0.0),
    )


def step_of(precision: float | None, mode: int) -> float:
    """The step of a price or size grid from ccxt's precision, which is a step or a number of decimals."""
    if precision is None:
        return 1e-8
    if mode in (DECIMAL_PLACES, SIGNIFICANT_DIGITS):
        return float(f"1e-{int(precision)}")
    return float(precision) if math.isfinite(precision) and precision > 0 else 1e-8


def hours_of(interval: str | None) -> float:
    """Hours of a funding interval such as 8h; 8 where the exchange does not say."""
    if interval and interval.endswith("h") and interval[:-1].isdigit() and int(interval[:-1]) > 0:
        return float(interval[:-1])
    return 8.0
