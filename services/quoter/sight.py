"""What a strategy of one's own may look at while it decides: the book, its own orders, the market's features.

Each is computed when it is asked for, so what nobody looks at costs nothing.
"""

from functools import cache
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from papertrader.services.quoter.orders import CANCELLING, LIVE, PENDING
from papertrader.services.quoter.own import PRINTED, PRINTS, new_own
from papertrader.shared.kernels import njit
from papertrader.shared.market import features as market_features
from papertrader.shared.market.book import NO_ASK, NO_BID, is_shown, new_book, next_ask, next_bid, price_of, size_at
from papertrader.shared.market.features import new_features
from papertrader.shared.market.records import Record, Records, message_of
from papertrader.shared.messages import FEATURE_NAMES, Account, Fill

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

    `level` is the place among its side's targets that it was placed for, None if it lost that or is a single order;
    `commanded_ts` when the last command on it was sent, ns of event time. At most `queue_ahead` stands ahead of it in
    its level, None while that is unknown.
    """

    order_id: int
    side: Literal["buy", "sell"]
    price: float
    size: float
    level: int | None
    status: Literal["pending", "live", "cancelling"]
    commanded_ts: int
    queue_ahead: float | None = None


class Print(NamedTuple):
    """A public print; `aggressor` is 1 if the taker bought, −1 if he sold."""

    ts: int
    price: float
    size: float
    aggressor: int


class Sight:
    """The arrays of a decision's moment. Look at them within `targets`: later they are those of a later moment."""

    __slots__ = ("_book", "_features", "_own", "_printed")

    def __init__(self, book: Records, features: Records, own: Records, printed: Records) -> None:
        """All of shape (1,): of the market, and of what the account has heard."""
        self._book, self._features, self._own, self._printed = book, features, own, printed

    def side(self, side: int) -> Floats:
        """The displayed levels of a side (+1 bids), best first, shape (n, 2): price and size; n is 20 at most."""
        levels = np.empty((DEPTH, 2))
        return levels[: levels_of(self._book, side, levels)]

    def orders(self) -> tuple[OpenOrder, ...]:
        """The account's own orders in this market that have not ended."""
        rows = self._own["orders"][0, : self._own["orders_count"][0]]
        return tuple(_order_of(*row) for row in rows.tolist())

    def features(self) -> dict[str, float]:
        """The market's features by name, as the classifier sees an order at the touch."""
        vector = np.zeros(len(FEATURE_NAMES))
        look_at(self._features, self._book, vector)
        return dict(zip(FEATURE_NAMES, vector.tolist(), strict=True))

    def prints(self) -> list[Print]:
        """The prints since the last decision."""
        end = int(self._printed["count"][0])
        numbers = np.arange(max(int(self._own["prints_from"][0]), end - PRINTS), end)
        return [Print(*row) for row in self._printed["rows"][0, numbers % PRINTS].tolist()]

    def fills(self) -> list[Fill]:
        """The own fills since the last decision."""
        return [message_of(Fill, row) for row in self._own["fills"][0, : self._own["fills_count"][0]]]

    def account(self) -> Account:
        """The money as it was told last."""
        return message_of(Account, self._own["account"][0])


@cache
def nothing() -> Sight:
    """Of an empty market, for views that are made by hand."""
    return Sight(new_book(), new_features(), new_own(), np.zeros(1, dtype=PRINTED))


def _order_of(
    order_id: int, price: float, size: float, ahead: float, commanded_ts: int, side: int, level: int, status: int
) -> OpenOrder:
    return OpenOrder(
        order_id=order_id,
        side="buy" if side > 0 else "sell",
        price=price,
        size=size,
        level=None if level < 0 else level,
        status=STATUSES[status],
        commanded_ts=commanded_ts,
        queue_ahead=None if ahead != ahead else ahead,
    )


@njit(cache=True)
def levels_of(books_: Records, side: int, levels: Floats) -> int:
    """`write_levels` for callers outside of kernels, on an array of shape (1,)."""
    return int(write_levels(books_[0], side, levels))


@njit(cache=True)
def look_at(features: Records, books_: Records, vector: Floats) -> None:
    """The features, likewise."""
    market_features.look(features[0], books_[0], vector)


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
