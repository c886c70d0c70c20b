"""Where an order stands when it joins its level, in the model of its account: one number, or a row of draws."""

import numpy as np

from papertrader.services.fill_sim.draws import last_shown, printed_since, start
from papertrader.services.fill_sim.queue import join, shows
from papertrader.services.fill_sim.state import Exchange
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import size_at
from papertrader.shared.market.records import Record


@njit(cache=True)
def free_row(account: Record) -> int:
    """A row of draws that no order has, taken for one."""
    row = 0
    while account.rows[row] == 1:
        row += 1
    account.rows[row] = 1
    return row


@njit(cache=True)
def use_learned(order: Record, account: Record) -> None:
    """Give a new order the odds and the share that were learned from the market, where it tells them."""
    if not np.isnan(account.cancel_odds):
        order.cancel_odds = account.cancel_odds
    if not np.isnan(account.join_share):
        order.join_share = account.join_share


@njit(cache=True)
def stand(exchange: Exchange, order: Record, ts: int) -> None:
    """Stand at the back of the line at the order's price from `ts` on."""
    book, recent = exchange.book, exchange.market.recent
    if order.row < 0:
        join(order, book, ts)
        return
    size = np.nan
    if shows(book, order.side, order.tick, False):
        shown_ts = last_shown(recent, book, order.side, order.tick)
        printed = printed_since(recent, order.side, order.tick, shown_ts)
        size = max(size_at(book, order.side, order.tick) - printed, 0.0)
    start(order, exchange.account.draws[order.row], size, ts)


@njit(cache=True)
def on_gap(exchange: Exchange, order: Record, ts: int) -> None:
    """After missed market data: the back of the line, for prints from now on as for those before.

    As draws the queue is unknown until a message shows the level again.
    """
    joined_ts = order.joined_ts
    if order.row < 0:
        join(order, exchange.book, ts)
    else:
        start(order, exchange.account.draws[order.row], np.nan, ts)
    order.joined_ts = joined_ts
