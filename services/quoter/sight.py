"""What a strategy of one's own may look at while it decides: the book, its own orders, the market's features.

Each is computed when it is asked for, so what nobody looks at costs nothing.
"""

from functools import cache
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from papertrader.services.quoter.orders import CANCELLING, FREE, LIVE, NO_LEVEL, PENDING
from papertrader.shared.kernels import njit
from papertrader.shared.market import features as market_features
from papertrader.shared.market.book import NO_ASK, NO_BID, is_shown, new_book, next_ask, next_bid, price_of, size_at
from papertrader.shared.market.features import new_features
from papertrader.shared.market.records import Record
from papertrader.shared.messages import FEATURE_NAMES

Floats = npt.NDArray[np.float64]
DEPTH: Final = 20
"""So many levels of a side are shown."""
STATUSES: Final[dict[int, Literal["pending", "live", "cancelling"]]] = {
    PENDING: "pending",
    LIVE: "live",
    CANCELLING: "cancelling",
}


class OpenOrder(NamedTuple):
    """An own order as far as the exchange has answered: `size` is what is left of it, base units.

    `level` is the place among its side's targets that it was placed for, None if it lost that; `commanded_ts` when
    the last command on it was sent, ns of event time.
    """

    order_id: int
    side: Literal["buy", "sell"]
    price: float
    size: float
    level: int | None
    status: Literal["pending", "live", "cancelling"]
    commanded_ts: int


class Sight:
    """The arrays of a decision's moment. Look at them within `targets`: later they are those of a later moment."""

    __slots__ = ("_book", "_features", "_orders")

    def __init__(self, book: Record, features: Record, orders: npt.NDArray[np.void]) -> None:
        self._book, self._features, self._orders = book, features, orders

    def side(self, side: int) -> Floats:
        """The displayed levels of a side (+1 bids), best first, shape (n, 2): price and size; n is 20 at most."""
        levels = np.empty((DEPTH, 2))
        return levels[: write_levels(self._book, side, levels)]

    def orders(self) -> tuple[OpenOrder, ...]:
        """The account's own orders in this market that have not ended."""
        rows = self._orders[self._orders["status"] != FREE]
        return tuple(_order_of(row, float(price_of(self._book, int(row["tick"])))) for row in rows)

    def features(self) -> dict[str, float]:
        """The market's features by name, as the classifier sees an order at the touch."""
        vector = np.zeros(len(FEATURE_NAMES))
        market_features.look(self._features, self._book, vector)
        return dict(zip(FEATURE_NAMES, vector.tolist(), strict=True))


@cache
def nothing() -> Sight:
    """Of an empty market, for views that are made by hand."""
    return Sight(new_book()[0], new_features()[0], np.zeros(0, dtype=[("status", "i1")]))


def _order_of(row: np.void, price: float) -> OpenOrder:
    return OpenOrder(
        order_id=int(row["id"]),
        side="buy" if row["side"] > 0 else "sell",
        price=price,
        size=float(row["size"]),
        level=None if row["level"] == NO_LEVEL else int(row["level"]),
        status=STATUSES[int(row["status"])],
        commanded_ts=int(row["command_ts"]),
    )


@njit(cache=True)
def write_levels(book: Record, side: int, levels: Floats) -> int:
    """Write a side's levels that are known to be displayed, best first; returns how many there were room for."""
    count, tick = 0, book.best_bid if side > 0 else book.best_ask
    while count < len(levels) and NO_BID < tick < NO_ASK:
        if is_shown(book, side, tick):
            levels[count, 0], levels[count, 1] = price_of(book, tick), size_at(book, side, tick)
            count += 1
        tick = next_bid(book, tick - 1) if side > 0 else next_ask(book, tick + 1)
    return count
