"""What a strategy of one's own sees of its account beside the view, and what it wants: two records an account.

They are kept for accounts that have such a strategy. Everything in `OWN` was heard: so it is the same on the bus, where
the exchange is another process, and in the compiled loop.
"""

from typing import Final

import numpy as np

from papertrader.services.quoter.config import MAX_LEVELS
from papertrader.services.quoter.orders import FREE, ORDERS, index_of
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import is_shown, price_of, size_at
from papertrader.shared.market.events import PRINT, Events
from papertrader.shared.market.records import Record, Records, code, record_dtype
from papertrader.shared.messages import Account, AckStatus, Fill

PRINTS: Final = 256
"""Prints remembered, the newest ones."""
FILLS: Final = 64
"""Own fills remembered since the last decision."""
WISHES: Final = 48
"""Quotes and single orders that one decision may ask for."""

ACCEPTED: Final = code(AckStatus, "accepted")
MODIFIED: Final = code(AckStatus, "modified")

TRADE: Final = np.dtype([("ts", "i8"), ("price", "f8"), ("size", "f8"), ("side", "i8")], align=True)
"""A public print; `side` is the aggressor: +1 the taker bought."""
PRINTED: Final = np.dtype([("count", "i8"), ("rows", TRADE, (PRINTS,))], align=True)
"""The prints of a market: the n-th since the beginning is in row n modulo 256."""
OPEN: Final = np.dtype(
    [
        ("id", "i8"),
        ("price", "f8"),
        ("size", "f8"),  # what is left, base units
        ("queue_ahead", "f8"),  # at most so much stands ahead; NaN while unknown
        ("commanded_ts", "i8"),
        ("side", "i8"),
        ("level", "i8"),  # the place among its side's quotes, −1 of a single order
        ("status", "i8"),  # 1 pending, 2 live, 3 cancelling
    ],
    align=True,
)
"""An own order that has not ended, as far as the exchange has answered."""
OWN: Final = np.dtype(
    [
        ("orders_count", "i8"),
        ("fills_count", "i8"),
        ("fills_missed", "i8"),  # older ones that found no room
        ("prints_from", "i8"),  # the first print since the last decision, by count
        ("account", record_dtype(Account)),
        ("fills", record_dtype(Fill), (FILLS,)),
        ("orders", OPEN, (ORDERS,)),
        ("ahead", "f8", (ORDERS,)),  # by the row of the quoter's own table
        ("followed", "i8", (ORDERS,)),  # the first print that `ahead` does not know
        ("whole", "f8", (ORDERS,)),  # the size with what has filled
    ],
    align=True,
)
WISH: Final = np.dtype(
    [
        ("kind", "i8"),
        ("side", "i8"),
        ("time_in_force", "i8"),
        ("reduce_only", "i8"),
        ("order_id", "i8"),
        ("price", "f8"),
        ("size", "f8"),
        ("p_fill", "f8"),  # NaN: as the view has it; so for the other forecast
        ("p_adverse", "f8"),
        ("priority_bps", "f8"),
    ],
    align=True,
)
WISHED: Final = np.dtype(
    [
        ("asked", "i8"),  # the strategy has been asked and has not answered
        ("wrong", "i8"),  # what is wrong with an answer, 0 for nothing
        ("wrong_row", "i8"),
        ("wrong_value", "f8"),
        ("sleeps_until", "i8"),  # 0: it is asked in the next round again
        ("keeps", "i8"),  # the quotes stay as they are
        ("count", "i8"),
        ("rows", WISH, (WISHES,)),
    ],
    align=True,
)
"""What a decision came to."""
BINDING: Final = np.dtype(
    [
        ("address", "i8"),  # of the strategy's function, BUILT_IN or SILENT
        ("settings", "i8"),  # of its records
        ("memory", "i8"),
        ("memory_size", "i8"),  # bytes
        ("before", "i8"),  # room for the memory as it was before a decision
        ("eager", "i8"),  # the whole view is to be written before it is asked
    ],
    align=True,
)
"""Where an account's strategy lies in this process."""
BUILT_IN: Final = 0
SILENT: Final = -1
"""It wants no quotes and hears nothing: a program outside trades."""


def new_own() -> Records:
    """An account of which nothing was heard, shape (1,)."""
    own = np.zeros(1, dtype=OWN)
    own["ahead"] = np.nan
    for name in ("equity", "margin_available"):
        own["account"][name] = np.nan
    return own


@njit(cache=True)
def note_print(printed: Record, book: Record, event: Record) -> None:
    """Remember a public print."""
    row = printed.rows[printed.count % PRINTS]
    row.ts, row.price, row.size, row.side = event.ts, price_of(book, event.tick), event.size, event.side
    printed.count += 1


@njit(cache=True)
def note_prints(printed: Record, book: Record, events: Events) -> None:
    """Remember the prints of a round."""
    for index in range(len(events)):
        if events[index].kind == PRINT:
            note_print(printed, book, events[index])


@njit(cache=True)
def note_ack(own: Record, state: Record, printed: Record, ack: Record) -> None:
    """Take what stands ahead of an order from the exchange's word; the quoter's own table has heard it before."""
    index = index_of(state.orders, ack.order_id)
    if index >= 0 and (ack.status == ACCEPTED or ack.status == MODIFIED):
        own.ahead[index], own.followed[index], own.whole[index] = ack.queue_ahead, printed.count, ack.size


@njit(cache=True)
def note_fill(own: Record, fill: Record) -> None:
    """Remember an own fill until the next decision: of too many the newest ones."""
    if own.fills_count == FILLS:
        for index in range(1, FILLS):
            own.fills[index - 1] = own.fills[index]
        own.fills_count -= 1
        own.fills_missed += 1
    own.fills[own.fills_count] = fill
    own.fills_count += 1


@njit(cache=True)
def note_account(own: Record, account: Record) -> None:
    """Remember the money as it was told."""
    own.account = account


@njit(cache=True)
def follow_queues(own: Record, state: Record, book: Record, printed: Record) -> None:
    """What can still stand ahead of each order, an upper bound.

    * what the exchange said when the order joined its level, less what was printed there since that was heard;
    * never more than the level displays; nothing where a print went through it.
    """
    for index in range(state.rows):
        order = state.orders[index]
        if order.status == FREE or np.isnan(own.ahead[index]):
            continue
        price = price_of(book, order.tick)
        for number in range(max(own.followed[index], printed.count - PRINTS), printed.count):
            trade = printed.rows[number % PRINTS]
            if trade.side != order.side and order.side * (price - trade.price) >= 0:
                own.ahead[index] = max(own.ahead[index] - trade.size, 0.0) if trade.price == price else 0.0
        if is_shown(book, order.side, order.tick):
            own.ahead[index] = min(own.ahead[index], size_at(book, order.side, order.tick))
        own.followed[index] = printed.count


@njit(cache=True)
def show_orders(own: Record, state: Record, book: Record, printed: Record) -> None:
    """Write the account's open orders for the strategy to see."""
    follow_queues(own, state, book, printed)
    own.orders_count = 0
    for index in range(state.rows):
        order = state.orders[index]
        if order.status == FREE:
            own.ahead[index] = np.nan
            continue
        shown = own.orders[own.orders_count]
        shown.id, shown.price, shown.size = order.id, price_of(book, order.tick), order.size
        shown.queue_ahead, shown.commanded_ts = own.ahead[index], order.command_ts
        shown.side, shown.status = order.side, order.status
        shown.level = order.level if order.level < MAX_LEVELS else -1
        own.orders_count += 1


@njit(cache=True)
def forget(own: Record, printed: Record) -> None:
    """The strategy has seen what came since it was asked last."""
    own.fills_count, own.fills_missed, own.prints_from = 0, 0, printed.count
