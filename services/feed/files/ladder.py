"""The levels of one market as they were told, from which whole books and touches become changes of levels, and back."""

from collections.abc import Iterable
from typing import NamedTuple

from papertrader.shared.messages import Bbo, Book, Depth, Gap, Message


class Change(NamedTuple):
    """A level's new size: `side` is +1 for bids, −1 for asks, size 0 removes it."""

    side: int
    price: float
    size: float


class Changes(NamedTuple):
    """What a message changed in the book; a snapshot replaces all of it."""

    is_snapshot: bool
    levels: list[Change]


class Ladder:
    """The levels of one market by price, both sides, 0 where none is known."""

    def __init__(self) -> None:
        self.sides: dict[int, dict[float, float]] = {1: {}, -1: {}}
        self._complete = False

    def changes(self, message: Message) -> Changes:
        """What a message changes, removals first. After a gap the next book is a snapshot again.

        A difference is handed on as it was told, sizes that are known already included: it says that they still hold.
        """
        if isinstance(message, Gap):
            self._complete = False
        if isinstance(message, Book):
            return self._book(message)
        found: list[Change] = []
        if isinstance(message, Depth):
            found = [
                *self.told(1, zip(message.bid_prices, message.bid_sizes, strict=True)),
                *self.told(-1, zip(message.ask_prices, message.ask_sizes, strict=True)),
            ]
        elif isinstance(message, Bbo):
            found = [
                *self.touched(1, message.bid_price, message.bid_size),
                *self.touched(-1, message.ask_price, message.ask_size),
            ]
        return Changes(False, removals_first(found))

    def _book(self, book: Book) -> Changes:
        shown = {
            1: dict(zip(book.bid_prices, book.bid_sizes, strict=True)),
            -1: dict(zip(book.ask_prices, book.ask_sizes, strict=True)),
        }
        if not self._complete:
            self._complete, self.sides = True, shown
            return Changes(True, [Change(side, *level) for side in (1, -1) for level in shown[side].items()])
        found: list[Change] = []
        for side, levels in shown.items():
            worst = next(reversed(levels)) if levels else None
            gone = [price for price in self.within(side, worst) if price not in levels]
            found += self.told(side, ((price, 0.0) for price in gone))
            found += self._changed(side, levels)
        return Changes(False, removals_first(found))

    def within(self, side: int, worst: float | None) -> list[float]:
        """The known prices of a side from its best to `worst`, best first; all where that is `None`."""
        prices = sorted(self.sides[side], reverse=side > 0)
        return prices if worst is None else [price for price in prices if side * (price - worst) >= 0]

    def best(self, side: int) -> tuple[float, float] | None:
        """The best level of a side, price and size."""
        levels = self.sides[side]
        if not levels:
            return None
        price = max(levels) if side > 0 else min(levels)
        return price, levels[price]

    def touched(self, side: int, price: float | None, size: float | None) -> list[Change]:
        """Make a level the best of its side; `None` empties the side."""
        better = [level for level in self.sides[side] if price is None or side * (level - price) > 0]
        gone = self.told(side, ((level, 0.0) for level in better))
        return gone if price is None or size is None else [*gone, *self._changed(side, {price: size})]

    def _changed(self, side: int, levels: dict[float, float]) -> list[Change]:
        known = self.sides[side]
        return self.told(side, [level for level in levels.items() if known.get(level[0], 0.0) != level[1]])

    def told(self, side: int, levels: Iterable[tuple[float, float]]) -> list[Change]:
        """Set levels; returns every one of them."""
        known, found = self.sides[side], []
        for price, size in levels:
            found.append(Change(side, price, size))
            if size > 0:
                known[price] = size
            else:
                known.pop(price, None)
        return found


def removals_first(changes: list[Change]) -> list[Change]:
    """The same changes in an order in which no side passes through the other where it did not end there."""
    return sorted(changes, key=lambda change: change.size > 0)
