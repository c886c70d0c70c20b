"""Where an order stands when it joins its level, in the model of its account: one number, or a row of draws."""

import numpy as np

from papertrader.services.fill_sim.behind import begin as begin_behind
from papertrader.services.fill_sim.behind import hear as hear_learned
from papertrader.services.fill_sim.draws import start
from papertrader.services.fill_sim.queue import join, shows
from papertrader.services.fill_sim.recent import last_shown, orders_at, printed_since
from papertrader.services.fill_sim.state import Exchange
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import size_at
from papertrader.shared.market.records import Record, Records


@njit(cache=True)
def free_row(account: Record) -> int:
    """A row of draws that no order has, taken for one."""
    row = 0
    while account.rows[row] == 1:
        row += 1
    account.rows[row] = 1
    return row


@njit(cache=True)
def learn(accounts: Records, index: int, estimates: Records) -> None:
    """Hear one account's estimate, shape (1,): toxicity, and what the market tells of its queues."""
    accounts[index].toxicity_weights[:] = estimates[0].toxicity_weights[:]
    hear_learned(accounts[index].learned, estimates[0])


@njit(cache=True)
def use_learned(order: Record, learned: Record, settings: Record) -> None:
    """Give a new order what was learned from the market, as far as the settings want it and the market tells it.

    Not the sizes behind one that is put before the end of its line: of some behind it they are unknown.
    """
    if settings.learned_queue == 1:
        order.cancel_odds = order.cancel_odds if np.isnan(learned.cancel_odds) else learned.cancel_odds
        order.join_share = order.join_share if np.isnan(learned.join_share) else learned.join_share
    if settings.match_sizes == 1 and not order.priority_bps > 0:
        begin_behind(order.behind, learned.single, learned.common)


@njit(cache=True)
def stand(exchange: Exchange, order: Record, ts: int) -> None:
    """Stand at the back of the line at the order's price from `ts` on."""
    book, recent = exchange.book, exchange.market.recent
    if order.row < 0:
        join(order, book, ts)
        return
    size, orders = np.nan, orders_at(recent, order.side, order.tick)
    if shows(book, order.side, order.tick, False):
        shown_ts = last_shown(recent, book, order.side, order.tick)
        printed = printed_since(recent, order.side, order.tick, shown_ts)
        orders = orders if printed == 0 else 0
        size = max(size_at(book, order.side, order.tick) - printed, 0.0)
    start(order, exchange.account.draws[order.row], size, orders, ts)


@njit(cache=True)
def on_gap(exchange: Exchange, order: Record, ts: int) -> None:
    """After missed market data: the back of the line, for prints from now on as for those before.

    As draws the queue is unknown until a message shows the level again.
    """
    joined_ts = order.joined_ts
    if order.row < 0:
        join(order, exchange.book, ts)
    else:
        start(order, exchange.account.draws[order.row], np.nan, 0, ts)
    order.joined_ts = joined_ts
