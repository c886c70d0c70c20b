"""Trading rules as ccxt unifies them: precisions, limits and contract sizes."""

import math
from collections.abc import Mapping
from typing import Any, Final

from papertrader.services.feed.decimal_grid import step
from papertrader.services.feed.venues.live import LiveError
from papertrader.shared.messages import Instrument, MarketKind

DECIMAL_PLACES: Final = 2
SIGNIFICANT_DIGITS: Final = 3
FUNDING_INTERVAL_H: Final = 8.0
"""Where the exchange does not say."""


def rules_of(name: str, market: Mapping[str, Any], mode: int) -> Instrument:
    """The rules of a market; `mode` says what the exchange's precisions are.

    Sizes of a linear contract are base units on the log, so its lot is ccxt's times the contract size; an inverse
    contract's are contracts. Raises LiveError naming the market for one whose precision or contract ccxt does not
    tell, or that is no spot market and no linear or inverse contract.
    """
    kind, precision = _kind(name, market), market.get("precision") or {}
    contract_size = _contract_size(name, market)
    figures = mode == SIGNIFICANT_DIGITS
    lot = _step(name, "amount", precision.get("amount"), DECIMAL_PLACES if figures else mode)
    limits = market.get("limits") or {}
    least, leverage = (limits.get("cost") or {}).get("min"), (limits.get("leverage") or {}).get("max")
    perpetual = kind != "spot" and not market.get("future")
    return Instrument(
        ts=0,
        # where figures count, the first price says which step they mean
        tick_size=1.0 if figures else _step(name, "price", precision.get("price"), mode),
        significant_figures=_figures(name, precision.get("price")) if figures else 0,
        lot_size=lot * (contract_size if kind == "perpetual" else 1.0),
        min_notional=float(least or 0.0),
        contract_size=contract_size,
        kind=kind,
        funding_interval_s=int(FUNDING_INTERVAL_H * 3_600) if perpetual else 0,
        maximum_leverage=float(leverage or 0.0),
        inferred=("funding_interval_s",) if perpetual else (),
    )


def size_factor(instrument: Instrument) -> float:
    """What ccxt's sizes are multiplied by to be the log's."""
    return instrument.contract_size if instrument.kind == "perpetual" else 1.0


def _kind(name: str, market: Mapping[str, Any]) -> MarketKind:
    if not market.get("contract") and not market.get("swap") and not market.get("future") and not market.get("option"):
        return "spot"
    if market.get("option"):
        raise LiveError(f"feed.assets: {name} is an option: only spot markets, swaps and futures can be followed")
    if market.get("linear") and not market.get("inverse"):
        return "perpetual"
    if market.get("inverse") and not market.get("linear"):
        return "inverse"
    raise LiveError(f"feed.assets: {name} is neither a linear nor an inverse contract: it cannot be followed")


def _contract_size(name: str, market: Mapping[str, Any]) -> float:
    size = market.get("contractSize")
    if _kind(name, market) == "spot":
        return 1.0
    if size is None or not 0 < float(size) < math.inf:
        raise LiveError(f"feed.assets: ccxt gives {name} the contract size {size!r}: its sizes cannot be understood")
    return float(size)


def _step(name: str, what: str, precision: float | None, mode: int) -> float:
    """The step of a price or size grid from ccxt's precision, which is a step or a number of decimals."""
    if precision is None or not math.isfinite(precision) or (mode != DECIMAL_PLACES and precision <= 0):
        raise LiveError(f"feed.assets: ccxt gives {name} no precision of its {what} ({precision!r})")
    return step(int(precision)) if mode == DECIMAL_PLACES else float(precision)


def _figures(name: str, precision: float | None) -> int:
    if precision is None or not 1 <= precision <= 15:
        raise LiveError(f"feed.assets: ccxt gives {name} no precision of its price ({precision!r})")
    return int(precision)


def hours_of(interval: str | None) -> float:
    """Hours of a funding interval such as 8h; 8 where the exchange does not say."""
    if interval and interval.endswith("h") and interval[:-1].isdigit() and int(interval[:-1]) > 0:
        return float(interval[:-1])
    return FUNDING_INTERVAL_H
