"""What a compiled strategy says and looks at: kernels that it calls, over the records that it is handed.

    def decide(view, settings, memory, out):
        quote(out, BUY, view.now.mid * 0.999, settings.size)

`view.now` is the VIEW of the moment, `view.own` the account, `view.book` and `view.features` the market,
`view.printed` the prints.
"""

from typing import Final, NamedTuple

import numpy as np

from papertrader.services.quoter import glft
from papertrader.services.quoter.own import PRINTS, WISHES
from papertrader.services.quoter.senses import write_fill_forecast
from papertrader.services.quoter.sight import write_levels
from papertrader.shared.kernels import njit
from papertrader.shared.market import features as market_features
from papertrader.shared.market.blocks import LARGEST_BID_BPS
from papertrader.shared.market.records import Record, Row, code
from papertrader.shared.messages import TimeInForce

BUY: Final = 1
SELL: Final = -1
POST_ONLY: Final = code(TimeInForce, "post_only")
GTC: Final = code(TimeInForce, "gtc")
IOC: Final = code(TimeInForce, "ioc")

QUOTE: Final = 1
PLACE: Final = 2
MODIFY: Final = 3
CANCEL: Final = 4
"""Kinds of wishes."""

RAISED: Final = 1
"""It raised; the exception is elsewhere."""
NO_SIDE: Final = 2
NO_PRICE: Final = 3
NO_SIZE: Final = 4
NO_P_FILL: Final = 5
NO_P_ADVERSE: Final = 6
NO_PRIORITY: Final = 7
TOO_MANY_WISHES: Final = 8
TOO_MANY_LEVELS: Final = 9
BELOW_FIRST_TICK: Final = 10
NO_ORDER: Final = 11
NO_TIME_IN_FORCE: Final = 12
WRONG: Final = {
    NO_SIDE: "side was {value:g}, not BUY or SELL",
    NO_PRICE: "price was {value!r}, not a positive number",
    NO_SIZE: "size was {value!r}, not a positive number",
    NO_P_FILL: "p_fill was {value!r}, not a probability",
    NO_P_ADVERSE: "p_adverse was {value!r}, not a probability",
    NO_PRIORITY: "priority_bps was {value!r}, not in 0 to 10 000",
    TOO_MANY_WISHES: f"more than {WISHES} quotes and orders in one decision",
    TOO_MANY_LEVELS: "more than {value:g} on the {side} side; raise `levels`",
    BELOW_FIRST_TICK: "price {value!r} lies below the first tick",
    NO_ORDER: "order {value:.0f} was never sent",
    NO_TIME_IN_FORCE: "time_in_force was {value:g}, not POST_ONLY, GTC or IOC",
}
"""What is wrong with an answer, in words."""
LARGEST: Final = 1e15


class Seen(NamedTuple):
    """All that a compiled strategy sees."""

    now: Record
    book: Record
    features: Record
    printed: Record
    own: Record
    quoter: Record


@njit(cache=True)
def complain_of(out: Record, wrong: int, index: int, value: float) -> None:
    """Note what is wrong with a wish, if nothing was before."""
    if out.wrong == 0:
        out.wrong, out.wrong_row, out.wrong_value = wrong, index, value


@njit(cache=True)
def check_row(out: Record, index: int) -> None:
    """Complain of a wish whose values make no sense."""
    row = out.rows[index]
    if row.kind <= PLACE and row.side != BUY and row.side != SELL:
        complain_of(out, NO_SIDE, index, float(row.side))
    if row.kind == CANCEL:
        return
    if not 0 < row.price < LARGEST:
        complain_of(out, NO_PRICE, index, row.price)
    if not 0 < row.size < LARGEST:
        complain_of(out, NO_SIZE, index, row.size)
    if not np.isnan(row.p_fill) and not 0 <= row.p_fill <= 1:
        complain_of(out, NO_P_FILL, index, row.p_fill)
    if not np.isnan(row.p_adverse) and not 0 <= row.p_adverse <= 1:
        complain_of(out, NO_P_ADVERSE, index, row.p_adverse)
    if not 0 <= row.priority_bps <= LARGEST_BID_BPS:
        complain_of(out, NO_PRIORITY, index, row.priority_bps)
    if row.time_in_force != POST_ONLY and row.time_in_force != GTC and row.time_in_force != IOC:
        complain_of(out, NO_TIME_IN_FORCE, index, float(row.time_in_force))


@njit(cache=True)
def wish(out: Record, kind: int, side: int, price: float, size: float) -> Record:
    """Write a wish down and return its row; of too many the last is written over, and the answer is wrong."""
    if out.count == WISHES:
        complain_of(out, TOO_MANY_WISHES, WISHES, 0.0)
        out.count -= 1
    row = out.rows[out.count]
    row.kind, row.side, row.price, row.size = kind, side, price, size
    row.time_in_force, row.reduce_only, row.order_id = POST_ONLY, 0, 0
    row.p_fill, row.p_adverse, row.priority_bps = np.nan, np.nan, 0.0
    out.count += 1
    return row


@njit(cache=True)
def quote(out: Record, side: int, price: float, size: float) -> None:
    """Want a quote: the n-th of a side is its level n, from the inside out.

    The price goes outward to the grid and never reaches the opposite best, the size down to the lot and under the cap.
    What is not asked for again is cancelled.
    """
    wish(out, QUOTE, side, price, size)
    check_row(out, out.count - 1)


@njit(cache=True)
def quote_with(
    out: Record, side: int, price: float, size: float, p_fill: float, p_adverse: float, priority_bps: float
) -> None:
    """`quote` with forecasts of one's own (NaN: the quoter's), and a bid for a place in the block."""
    row = wish(out, QUOTE, side, price, size)
    row.p_fill, row.p_adverse, row.priority_bps = p_fill, p_adverse, priority_bps
    check_row(out, out.count - 1)


@njit(cache=True)
def place(out: Record, side: int, price: float, size: float, time_in_force: int, reduce_only: bool) -> None:
    """Send a single order, which stays until it ends, is cancelled or modified; quotes leave it alone.

    A post-only order is put on the grid as a quote is, any other within its limit; the cap holds for it as well.
    """
    row = wish(out, PLACE, side, price, size)
    row.time_in_force, row.reduce_only = time_in_force, reduce_only
    check_row(out, out.count - 1)


@njit(cache=True)
def modify(out: Record, order_id: int, price: float, size: float) -> None:
    """Move an open order, which is a single one from then on, and leave `size` of it."""
    row = wish(out, MODIFY, 0, price, size)
    row.order_id = order_id
    check_row(out, out.count - 1)


@njit(cache=True)
def cancel(out: Record, order_id: int) -> None:
    """Cancel an open order."""
    row = wish(out, CANCEL, 0, 0.0, 0.0)
    row.order_id = order_id


@njit(cache=True)
def keep(out: Record) -> None:
    """Leave the quotes as they are, whatever was asked for."""
    out.keeps = 1


@njit(cache=True)
def sleep(out: Record, until_ts: int) -> None:
    """Be asked again when the touch changes, the account hears something, or at `until_ts`, ns of event time.

    For a strategy that would answer the same until then: what is left out of a decision costs nothing.
    """
    out.sleeps_until = until_ts


@njit(cache=True)
def fill_probability(view: Seen, side: int, price: float) -> float:
    """The forecast of a fill within 10 s of an order that goes live at a price."""
    write_forecast(view)
    return float(glft.fill_probability(view.now, side, price))


@njit(cache=True)
def write_forecast(view: Seen) -> None:
    """Write what forecasts of fills are made of into the view, if that was not done in this decision."""
    if np.isnan(view.now.fill_bid):
        write_fill_forecast(view.quoter, view.book, view.features, view.now)


@njit(cache=True)
def depth(view: Seen, side: int, levels: Row) -> int:
    """Write a side's displayed levels, best first, into `levels`, shape (n, 2): price and size; returns how many."""
    return int(write_levels(view.book, side, levels))


@njit(cache=True)
def features(view: Seen, vector: Row) -> None:
    """Write the market's features into `vector`, shape (8,), in the order of `FEATURE_NAMES`."""
    market_features.look(view.features, view.book, vector)


@njit(cache=True)
def first_print(view: Seen) -> int:
    """The number of the first print since the last decision that is remembered; they go up to `view.printed.count`."""
    return max(view.own.prints_from, view.printed.count - PRINTS)


@njit(cache=True)
def print_at(view: Seen, number: int) -> Record:
    """The print of a number."""
    return view.printed.rows[number % PRINTS]
