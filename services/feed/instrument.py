"""A market's price and size grid, inferred from what it published."""

import math
from collections.abc import Iterable
from typing import Final

from papertrader.shared.market.events import TICKS
from papertrader.shared.messages import Bbo, Book, Depth, Instrument, Message, Trades

MAX_DECIMALS: Final = 6
PRICE_ROOM: Final = 0.75
"""Prices down to this fraction of the current one must still be on the grid."""
PRICE_HEADROOM: Final = 4.0


def infer_instrument(messages: Iterable[Message], significant_figures: int, min_notional: float) -> Instrument:
    """The trading rules that the prices and sizes of `messages` obey; `ts` is the first message's.

    The tick is 1 or a negative power of ten, at most 6 decimals. Where the venue rounds prices to
    `significant_figures` (with sizes of d decimals, prices have at most 6 − d: Hyperliquid) it is fine enough for
    prices down to 0.75 of the last. It is coarse enough for prices up to four times the last to be counted in ticks.
    Raises ValueError if there is no price at all.
    """
    price_decimals, size_decimals, price, ts = 0, 0, 0.0, -1
    for message in messages:
        ts = message.ts if ts < 0 else ts
        prices, sizes = _numbers(message)
        price_decimals = max(price_decimals, *map(decimals, prices), 0)
        size_decimals = max(size_decimals, *map(decimals, sizes), 0)
        price = prices[0] if prices else price
    if not price:
        raise ValueError("no price: an instrument cannot be inferred")
    if significant_figures:
        price_decimals = max(price_decimals, needed_decimals(price, significant_figures, MAX_DECIMALS - size_decimals))
    return Instrument(
        ts=ts,
        tick_size=float(f"1e-{min(price_decimals, MAX_DECIMALS, most_decimals(price))}"),
        lot_size=float(f"1e-{size_decimals}"),
        significant_figures=significant_figures,
        min_notional=min_notional,
    )


def needed_decimals(price: float, significant_figures: int, most: int) -> int:
    """The decimals that prices down to 0.75 of `price` need where the venue keeps so many significant figures."""
    magnitude = math.floor(math.log10(PRICE_ROOM * price))
    return max(min(significant_figures - 1 - magnitude, most), 0)


def most_decimals(price: float) -> int:
    """The decimals that a price four times as high can have and still be counted in ticks."""
    return max(math.floor(math.log10(TICKS / (PRICE_HEADROOM * price))), 0)


def decimals(value: float) -> int:
    """The decimals of the shortest number that reads as `value`."""
    text = repr(value)
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        return max(len(mantissa.partition(".")[2]) - int(exponent), 0)
    fraction = text.partition(".")[2]
    return 0 if fraction == "0" else len(fraction)


def _numbers(message: Message) -> tuple[list[float], list[float]]:
    if isinstance(message, Trades):
        return message.prices, message.sizes
    if isinstance(message, (Book, Depth)):
        return message.bid_prices + message.ask_prices, message.bid_sizes + message.ask_sizes
    if isinstance(message, Bbo):
        prices, sizes = (message.bid_price, message.ask_price), (message.bid_size, message.ask_size)
        return [price for price in prices if price], [size for size in sizes if size]
    return [], []
