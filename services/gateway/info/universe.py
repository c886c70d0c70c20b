"""The venue's tables of what there is: perpetuals, spot pairs, margin."""

from typing import Any, Final

from papertrader.services.gateway.info.shapes import QUOTE, base_of, context, largest_leverage
from papertrader.services.gateway.kernel import decimal
from papertrader.services.gateway.ledger.markets import Markets, MarketView

OWN_TABLES: Final = 1_000
"""Margin tables of several tiers are numbered from here; a smaller number is the leverage of its only tier."""


def meta(markets: Markets) -> dict[str, Any]:
    """The perpetuals; a market's place is its asset id."""
    views = markets.perpetuals
    tables: dict[int, dict[str, Any]] = {}
    universe = []
    for view in views:
        number = _table(view, tables)
        universe.append(
            {
                "szDecimals": view.size_decimals,
                "name": view.coin,
                "maxLeverage": largest_leverage(view),
                "marginTableId": number,
            }
        )
    return {"universe": universe, "marginTables": [[key, table] for key, table in tables.items()], "collateralToken": 0}


def _table(view: MarketView, tables: dict[int, dict[str, Any]]) -> int:
    told = view.instrument.margin_tiers
    number = OWN_TABLES + view.asset if len(told) > 1 else largest_leverage(view)
    tiers = [(tier.notional_floor, round(1 / tier.initial_rate) if tier.initial_rate else 1) for tier in told]
    shaped = [
        {"lowerBound": decimal(floor), "maxLeverage": leverage}
        for floor, leverage in (tiers if len(told) > 1 else [(0.0, largest_leverage(view))])
    ]
    tables[number] = {"description": "", "marginTiers": shaped}
    return number


def contexts(markets: Markets) -> list[dict[str, Any]]:
    """The slow state of every perpetual, in their order."""
    return [context(view) for view in markets.perpetuals]


def spot_meta(markets: Markets) -> dict[str, Any]:
    """The spot pairs and their tokens; the quote is token 0, a pair's base the token after its place."""
    views = markets.spot
    tokens = [_token(QUOTE, 0, 8)] + [
        _token(base_of(view), place, view.size_decimals) for place, view in enumerate(views, 1)
    ]
    pairs = [
        {"tokens": [place + 1, 0], "name": view.coin, "index": place, "isCanonical": True}
        for place, view in enumerate(views)
    ]
    return {"universe": pairs, "tokens": tokens}


def _token(name: str, index: int, decimals: int) -> dict[str, Any]:
    return {
        "name": name,
        "szDecimals": decimals,
        "weiDecimals": 8,
        "index": index,
        "tokenId": f"0x{index:032x}",
        "isCanonical": True,
        "evmContract": None,
        "fullName": None,
        "deployerTradingFeeShare": "0.0",
    }


def spot_contexts(markets: Markets) -> list[dict[str, Any]]:
    """The slow state of every spot pair, in their order."""
    return [context(view) for view in markets.spot]


def mids(markets: Markets) -> dict[str, str]:
    """The mid of every market that has one, else its mark."""
    found = {view.coin: view.mid or view.mark for view in markets.all}
    return {coin: decimal(price) for coin, price in found.items() if price}
