"""Fills without a print: a book that crossed a resting order."""

from collections.abc import Iterable

from papertrader.shared.messages import Bbo, Book, Fill


def crossed(fill: Fill, shown: Iterable[Book | Bbo]) -> bool:
    """Whether a touch of the other side up to the fill's time stood at the fill's price or through it."""
    side = 1 if fill.side == "buy" else -1
    facing = [best(message, -side) for message in shown if message.ts <= fill.ts]
    return any(price is not None and side * (fill.price - price) >= -1e-9 for price in facing)


def best(message: Book | Bbo, side: int) -> float | None:
    """The best price of a side (+1 bids) that a message shows."""
    if isinstance(message, Bbo):
        return message.bid_price if side > 0 else message.ask_price
    return next(iter(message.bid_prices if side > 0 else message.ask_prices), None)
