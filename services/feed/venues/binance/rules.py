"""Trading rules of Binance USD-M, as the venue lists them symbol by symbol."""

from typing import Final

import msgspec
from msgspec import field

from papertrader.shared.messages import Instrument

SIGNIFICANT_FIGURES: Final = 0
MIN_NOTIONAL: Final = 5.0
FUNDING_INTERVAL_H: Final = 8
"""Of a symbol of which the venue says nothing else."""


class Filter(msgspec.Struct):
    """One trading rule of a symbol; each kind has its own field."""

    kind: str = field(name="filterType")
    tick_size: float = field(name="tickSize", default=0.0)
    step_size: float = field(name="stepSize", default=0.0)
    notional: float = MIN_NOTIONAL


class Symbol(msgspec.Struct):
    """A symbol of the exchange."""

    name: str = field(name="symbol")
    status: str
    filters: list[Filter]


class ExchangeInfo(msgspec.Struct):
    """All symbols."""

    symbols: list[Symbol]


class FundingInterval(msgspec.Struct):
    """How often a symbol is charged, where it is not every eight hours."""

    symbol: str
    hours: int = field(name="fundingIntervalHours", default=FUNDING_INTERVAL_H)


def of_symbols(info: ExchangeInfo) -> dict[str, Instrument]:
    """Tick, lot and least notional of the symbols that trade."""
    return {symbol.name: _rules(symbol) for symbol in info.symbols if symbol.status == "TRADING"}


def _rules(symbol: Symbol) -> Instrument:
    rules = {item.kind: item for item in symbol.filters}
    price, lot = rules.get("PRICE_FILTER"), rules.get("LOT_SIZE")
    notional = rules.get("MIN_NOTIONAL")
    return Instrument(
        ts=0,
        tick_size=price.tick_size if price else 0.0,
        lot_size=lot.step_size if lot else 0.0,
        significant_figures=SIGNIFICANT_FIGURES,
        min_notional=notional.notional if notional else MIN_NOTIONAL,
    )
