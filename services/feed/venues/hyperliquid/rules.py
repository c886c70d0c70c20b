"""Trading rules of Hyperliquid: prices of 5 significant figures, and 6 (spot 8) decimals less those of the size."""

from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import field

from papertrader.services.feed.instrument import needed_decimals
from papertrader.shared.messages import Instrument

SIGNIFICANT_FIGURES: Final = 5
MIN_NOTIONAL: Final = 10.0
PERPETUAL_DECIMALS: Final = 6
SPOT_DECIMALS: Final = 8


class Listing(msgspec.Struct):
    """A perpetual of the universe."""

    name: str
    size_decimals: int = field(name="szDecimals")
    delisted: bool = field(name="isDelisted", default=False)


class Universe(msgspec.Struct):
    """All perpetuals of one exchange."""

    universe: list[Listing]


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
    """The rules of one exchange's perpetuals that are not delisted."""
    meta, prices = answer
    return _rules(
        (item.name, item.size_decimals, price.mark_price, PERPETUAL_DECIMALS)
        for item, price in zip(meta.universe, prices, strict=False)
        if not item.delisted
    )


def of_spot(answer: SpotPairs) -> dict[str, Instrument]:
    """The rules of all spot pairs."""
    meta, prices = answer
    size_decimals = {token.index: token.size_decimals for token in meta.tokens}
    price_of = {price.coin: price.mark_price for price in prices}
    return _rules(
        (pair.name, size_decimals.get(pair.tokens[0], 0), price_of.get(pair.name), SPOT_DECIMALS)
        for pair in meta.universe
    )


def is_spot(asset: str) -> bool:
    """Whether a coin is a spot pair: `PURR/USDC` or `@107`."""
    return "/" in asset or asset.startswith("@")


def _rules(listings: Iterable[tuple[str, int, float | None, int]]) -> dict[str, Instrument]:
    """The rules of (name, size decimals, price, most decimals); what has no price does not trade."""
    return {
        name: Instrument(
            ts=0,
            tick_size=float(f"1e-{needed_decimals(price, SIGNIFICANT_FIGURES, most - size_decimals)}"),
            lot_size=float(f"1e-{size_decimals}"),
            significant_figures=SIGNIFICANT_FIGURES,
            min_notional=MIN_NOTIONAL,
        )
        for name, size_decimals, price, most in listings
        if price
    }
