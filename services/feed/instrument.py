"""What a market's trading rules are: as they were told, and where nobody told, what its prices and sizes let guess."""

import math
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from papertrader.services.feed.decimal_grid import common_step, decimals, step
from papertrader.shared.market.events import TICKS
from papertrader.shared.messages import Bbo, Book, Depth, Instrument, MarginTier, Message, Trades

PRICE_ROOM: Final = 0.75
"""Prices down to this fraction of the current one must still be on the grid."""
PRICE_HEADROOM: Final = 4.0
SURE_VALUES: Final = 10
"""So many distinct numbers are no thin evidence for the decimals that they have."""
DEAREST_LOT: Final = 10.0
"""Worth of a lot that few sizes speak for, quote currency: hardly any venue has one that is dearer."""
SURE_MULTIPLES: Final = 50
"""So many distinct prices that are all multiples of a step, such as 0.5, are not so by chance."""


class InstrumentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The rules of a market as far as they are told by hand; the rest is the venue's, the tape's, or guessed."""

    tick_size: float | None = None
    lot_size: float | None = None
    significant_figures: int | None = None
    finest_tick_size: float | None = None
    min_notional: float | None = None
    contract_size: float | None = None
    kind: str | None = None
    funding_interval_s: int | None = None
    funding_price: str | None = None
    maximum_leverage: float | None = None
    margin_tiers: tuple[MarginTier, ...] | None = None

    def told(self) -> dict[str, Any]:
        """The fields that are told."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in fields.items() if value is not None}


def infer_instrument(
    messages: Iterable[Message], significant_figures: int, min_notional: float, **known: Any
) -> Instrument:
    """The trading rules that the prices and sizes of `messages` obey, beside what is `known`; `ts` is the first
    message's.

    The tick is a power of ten, or a multiple of one that so many prices cannot all have by chance. Where the venue
    rounds prices to `significant_figures` the tick is fine enough for prices down to 0.75 of the last, and no finer
    than `price_decimals` less those of the size (Hyperliquid; sizes of more decimals than that do not follow its rule).
    It is coarse enough for prices up to four times the
    last to be counted in ticks. `doubtful` names what few numbers speak for: a doubtful lot is one that venues
    have, so that no order is refused for a guess. Raises ValueError if there is no price.
    """
    most: int | None = known.pop("price_decimals", None)
    written: int = known.pop("size_decimals", 0)
    prices, sizes, price, ts = set[float](), set[float](), 0.0, -1
    for message in messages:
        ts = message.ts if ts < 0 else ts
        some, amounts = numbers_of(message)
        prices.update(some)
        sizes.update(amounts)
        price = some[0] if some else price
    if not price:
        raise ValueError("no price: an instrument cannot be inferred")
    near = [other for other in prices if price / PRICE_HEADROOM <= other <= price * PRICE_HEADROOM]
    price_decimals = max(map(decimals, near))
    size_decimals = max(written, *map(decimals, sizes), 0)
    finest = 0.0 if most is None or size_decimals > most else step(most - size_decimals)
    doubtful = ["lot_size"] if len(sizes) < SURE_VALUES and not written else []
    lot_decimals = plausible_lot_decimals(size_decimals, max(near)) if doubtful else size_decimals
    if significant_figures:
        price_decimals = max(price_decimals, needed_decimals(price, significant_figures, finest))
        price_decimals = min(price_decimals, decimals(finest)) if finest else price_decimals
    price_decimals = min(price_decimals, most_decimals(price))
    tick_size = step(price_decimals)
    if not significant_figures and len(near) >= SURE_MULTIPLES:
        tick_size = common_step(near, price_decimals)
    elif not significant_figures and len(near) < SURE_VALUES:
        doubtful.append("tick_size")
    inferred = tuple(dict.fromkeys(("tick_size", "lot_size", *known.pop("inferred", ()))))
    return Instrument(
        ts=ts,
        tick_size=tick_size,
        lot_size=step(lot_decimals),
        significant_figures=significant_figures,
        finest_tick_size=finest,
        min_notional=min_notional,
        inferred=inferred,
        doubtful=tuple(sorted(doubtful, reverse=True)),
        **known,
    )


def rule_step(price: float, significant_figures: int, finest: float) -> float:
    """The step of prices with so many significant figures at `price`: at most 1, at least `finest`."""
    return max(step(max(significant_figures - 1 - math.floor(math.log10(price) + 1e-12), 0)), finest)


def needed_decimals(price: float, significant_figures: int, finest: float) -> int:
    """The decimals that prices down to 0.75 of `price` need where the venue keeps so many significant figures."""
    return decimals(rule_step(PRICE_ROOM * price, significant_figures, finest))


def plausible_lot_decimals(seen: int, price: float) -> int:
    """The decimals of a lot of which few sizes are known: those, but a lot worth more than 10 is not believed, and
    taken for one worth at most 1.
    """
    return seen if price * step(seen) <= DEAREST_LOT else max(seen, math.ceil(math.log10(price)))


def most_decimals(price: float) -> int:
    """The decimals that a price four times as high can have and still be counted in ticks."""
    return max(math.floor(math.log10(TICKS / (PRICE_HEADROOM * price))), 0)


def numbers_of(message: Message) -> tuple[list[float], list[float]]:
    """The prices and sizes that a message holds, those of removed levels left out."""
    if isinstance(message, Trades):
        return message.prices, message.sizes
    if isinstance(message, (Book, Depth)):
        sizes = [*message.bid_sizes, *message.ask_sizes]
        return message.bid_prices + message.ask_prices, [size for size in sizes if size]
    if isinstance(message, Bbo):
        prices, amounts = (message.bid_price, message.ask_price), (message.bid_size, message.ask_size)
        return [price for price in prices if price], [size for size in amounts if size]
    return [], []
