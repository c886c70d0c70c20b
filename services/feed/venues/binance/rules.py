"""Trading rules of Binance USD-M, as the venue lists them symbol by symbol."""

import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import field

from papertrader.shared.messages import Instrument

SIGNIFICANT_FIGURES: Final = 0
MIN_NOTIONAL: Final = 5.0
FUNDING_INTERVAL_H: Final = 8
"""Of a symbol of which the venue says nothing else."""

_size: Final = re.compile(rb'\["[\d.]+","\d+(?:\.(\d+))?"\]|"[BAq]":"\d+(?:\.(\d+))?"')


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


def known_of(symbol: str) -> dict[str, Any]:
    """What is so of most symbols: funding every eight hours on the mark price; the least notional varies."""
    return {
        "funding_interval_s": FUNDING_INTERVAL_H * 3_600,
        "funding_price": "mark",
        "inferred": ("min_notional", "funding_interval_s"),
    }


def written_decimals(frames: Iterable[bytes], symbol: str) -> int:
    """The decimals that the sizes of a symbol are written with: always those of its lot, 2.000 for a lot of 0.001.

    Only where the JSON is as dense as the venue sends it: another program may have written the numbers anew.
    """
    name = b'"%s"' % symbol.encode()
    found = (_size.findall(frame) for frame in frames if name in frame)
    return max((len(level or other) for sizes in found for level, other in sizes), default=0)


def of_symbols(info: ExchangeInfo, intervals: Iterable[FundingInterval] = ()) -> dict[str, Instrument]:
    """The rules of the symbols that trade; funding every eight hours unless `intervals` says otherwise."""
    hours = {interval.symbol: interval.hours for interval in intervals}
    return {
        symbol.name: _rules(symbol, hours.get(symbol.name, FUNDING_INTERVAL_H))
        for symbol in info.symbols
        if symbol.status == "TRADING"
    }


def _rules(symbol: Symbol, funding_interval_h: int) -> Instrument:
    rules = {item.kind: item for item in symbol.filters}
    price, lot = rules.get("PRICE_FILTER"), rules.get("LOT_SIZE")
    notional = rules.get("MIN_NOTIONAL")
    return Instrument(
        ts=0,
        tick_size=price.tick_size if price else 0.0,
        lot_size=lot.step_size if lot else 0.0,
        significant_figures=SIGNIFICANT_FIGURES,
        min_notional=notional.notional if notional else MIN_NOTIONAL,
        kind="perpetual",
        funding_interval_s=funding_interval_h * 3_600,
        funding_price="mark",
    )
