"""Trading rules of Hyperliquid: prices of 5 significant figures, and 6 (spot 8) decimals less those of the size."""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from msgspec import field

from papertrader.services.feed.decimal_grid import step
from papertrader.services.feed.instrument import PRICE_ROOM, rule_step
from papertrader.shared.messages import MARGIN_TIERS, Instrument, MarginTier

SIGNIFICANT_FIGURES: Final = 5
MIN_NOTIONAL: Final = 10.0
PERPETUAL_DECIMALS: Final = 6
SPOT_DECIMALS: Final = 8
FUNDING_INTERVAL_S: Final = 3_600
SINGLE_TIER_TABLES: Final = 50
"""A margin table of a smaller number has one tier whose leverage is that number."""


class Tier(msgspec.Struct):
    """From this notional on, so much leverage."""

    lower_bound: float = field(name="lowerBound")
    leverage: float = field(name="maxLeverage")


class MarginTable(msgspec.Struct):
    """The tiers of all listings that name the table."""

    tiers: list[Tier] = field(name="marginTiers")


class Listing(msgspec.Struct):
    """A perpetual of the universe."""

    name: str
    size_decimals: int = field(name="szDecimals")
    delisted: bool = field(name="isDelisted", default=False)
    leverage: float = field(name="maxLeverage", default=0.0)
    table: int = field(name="marginTableId", default=0)


class Universe(msgspec.Struct):
    """All perpetuals of one exchange."""

    universe: list[Listing]
    tables: list[tuple[int, MarginTable]] = field(name="marginTables", default=[])


class Token(msgspec.Struct):
    """A spot token."""

    index: int
    size_decimals: int = field(name="szDecimals")


class Pair(msgspec.Struct):
    """A spot pair; the first token is the base."""

    name: str
    tokens: tuple[int, int]


class SpotUniverse(msgspec.Struct):
    """All spot pairs."""

    universe: list[Pair]
    tokens: list[Token]


class Price(msgspec.Struct):
    """The mark price of a listing, by its place or (spot) its coin."""

    mark_price: float | None = field(name="markPx", default=None)
    coin: str = ""


Perpetuals = tuple[Universe, list[Price]]
SpotPairs = tuple[SpotUniverse, list[Price]]


def of_perpetuals(answer: Perpetuals) -> dict[str, Instrument]:
    """The rules of one exchange's perpetuals that are not delisted; what has no price does not trade."""
    meta, prices = answer
    tables = dict(meta.tables)
    return {
        item.name: msgspec.structs.replace(
            _rules(item.size_decimals, price.mark_price, known_of(item.name)),
            maximum_leverage=item.leverage,
            margin_tiers=_margin_tiers(item, tables),
        )
        for item, price in zip(meta.universe, prices, strict=False)
        if price.mark_price and not item.delisted
    }


def of_spot(answer: SpotPairs) -> dict[str, Instrument]:
    """The rules of all spot pairs that have a price."""
    meta, prices = answer
    size_decimals = {token.index: token.size_decimals for token in meta.tokens}
    price_of = {price.coin: price.mark_price for price in prices}
    return {
        pair.name: _rules(size_decimals.get(pair.tokens[0], 0), price, known_of(pair.name))
        for pair in meta.universe
        if (price := price_of.get(pair.name))
    }


def is_spot(asset: str) -> bool:
    """Whether a coin is a spot pair: `PURR/USDC` or `@107`."""
    return "/" in asset or asset.startswith("@")


def known_of(asset: str) -> dict[str, Any]:
    """What the venue's documentation says of a coin by its name."""
    if is_spot(asset):
        return {"kind": "spot", "price_decimals": SPOT_DECIMALS}
    funding = {"funding_interval_s": FUNDING_INTERVAL_S, "funding_price": "oracle"}
    return {"kind": "perpetual", "price_decimals": PERPETUAL_DECIMALS, **funding}


def _rules(size_decimals: int, price: float, known: dict[str, Any]) -> Instrument:
    finest = step(max(known.pop("price_decimals") - size_decimals, 0))
    return Instrument(
        ts=0,
        tick_size=rule_step(PRICE_ROOM * price, SIGNIFICANT_FIGURES, finest),
        lot_size=step(size_decimals),
        significant_figures=SIGNIFICANT_FIGURES,
        finest_tick_size=finest,
        min_notional=MIN_NOTIONAL,
        **known,
    )


def _margin_tiers(item: Listing, tables: dict[int, MarginTable]) -> tuple[MarginTier, ...]:
    """The tiers of a listing. Maintenance is half of the initial margin at the tier's leverage, less a deduction that
    makes it continuous (the venue's documentation, Margin tiers).
    """
    leverage = item.leverage or float(item.table if item.table < SINGLE_TIER_TABLES else 0)
    tiers = tables[item.table].tiers if item.table in tables else [Tier(0.0, leverage)] if leverage else []
    return tuple(_continuous((tier.lower_bound, tier.leverage) for tier in tiers[:MARGIN_TIERS]))


def _continuous(tiers: Iterable[tuple[float, float]]) -> Iterable[MarginTier]:
    deduction, before = 0.0, 0.0
    for floor, leverage in sorted(tiers):
        rate = 0.5 / leverage
        deduction += floor * (rate - before)
        before = rate
        yield MarginTier(
            notional_floor=floor,
            initial_rate=1 / leverage,
            maintenance_rate=rate,
            maintenance_deduction=max(deduction, 0.0),
        )
