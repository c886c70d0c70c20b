"""Money: position at average cost, fees, and the profit identity.

Profit is marked at the mid: total = cash + position·worth(mid) − initial cash = spread + inventory − fees + funding,
where every fill adds side·(worth(mid at fill) − worth(price))·size to `spread` and every move of the mid adds
position·move of its worth to `inventory`. Margin and liquidation are marked at the venue's mark price. `worth` makes
one rule of linear, spot and inverse markets: see `papertrader.shared.market.money`.
"""

import numpy as np

from papertrader.services.fill_sim.bursts import note_move
from papertrader.services.fill_sim.lots import nearest_lot
from papertrader.services.fill_sim.margin import leverage_at, maintenance_margin, mark_of
from papertrader.services.fill_sim.schedule import orders_live
from papertrader.services.fill_sim.state import MIDS, SPOT
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import mid_of
from papertrader.shared.market.money import notional, price_worth, worth
from papertrader.shared.market.records import Record


@njit(cache=True)
def on_mid(market: Record, book: Record) -> None:
    """Remember the mid of a completed book message; a book without two sides leaves the last mid standing."""
    mid = mid_of(book)
    if np.isnan(mid) or mid == market.mid:
        return
    note_move(market, mid, book.ts)
    market.mid = mid
    row = market.mids_count % MIDS
    market.mid_ts[row], market.mids[row] = book.ts, mid
    market.mids_count += 1


@njit(cache=True)
def mid_before(market: Record, ts: int) -> float:
    """The last mid strictly before `ts`, or the oldest one remembered.

    A feed may deliver a print after the book that it changed: the mid that the taker met is the one before it.
    """
    oldest = max(market.mids_count - MIDS, 0)
    for index in range(market.mids_count - 1, oldest, -1):
        if market.mid_ts[index % MIDS] < ts:
            return market.mids[index % MIDS]
    return market.mids[oldest % MIDS]


@njit(cache=True)
def settle(account: Record, market: Record) -> None:
    """Book what the position earned since the mid was last settled."""
    moved = worth(market.mid, market.inverse_size) - worth(account.mid, market.inverse_size)
    account.inventory += account.position * moved
    account.mid = market.mid


@njit(cache=True)
def total_of(account: Record, market: Record, settings: Record) -> float:
    """Profit since the start, from cash, marked at the mid."""
    return account.cash + account.position * worth(market.mid, market.inverse_size) - settings.initial_cash


@njit(cache=True)
def trade(
    account: Record, market: Record, side: int, price: float, size: float, fee: float, mid_at_fill: float
) -> None:
    """Book one fill: cash, average-cost position, realised profit and the parts of the identity.

    side +1 buys; a positive fee is a cost. Adding moves the average price, reducing realises
    (worth(price) − worth(average))·closed·sign(position) and keeps it, crossing zero starts anew at `price`.
    """
    settle(account, market)
    paid, at_fill = worth(price, market.inverse_size), worth(mid_at_fill, market.inverse_size)
    account.spread += side * (at_fill - paid) * size
    # the new size was held from the fill on, and the mid may have moved since a late print
    account.inventory += side * size * (worth(market.mid, market.inverse_size) - at_fill)
    account.cash -= side * paid * size + fee
    account.fees += fee
    account.turnover += abs(paid) * size
    average(account, market, side, price, size)
    account.position = nearest_lot(market, account.position)


@njit(cache=True)
def average(account: Record, market: Record, side: int, price: float, size: float) -> None:
    """Move the position by side·size at `price`, at average cost: the price whose worth is the mean one."""
    held, inverse_size = account.position, market.inverse_size
    after = held + side * size
    if held * side > 0:
        cost = worth(account.average_entry_price, inverse_size) * abs(held) + worth(price, inverse_size) * size
        account.average_entry_price = price_worth(cost / (abs(held) + size), inverse_size)
    else:
        closed = min(abs(held), size)
        earned = worth(price, inverse_size) - worth(account.average_entry_price, inverse_size)
        account.realised += -side * earned * closed
        if size > abs(held):
            account.average_entry_price = price
    if abs(after) < 1e-9 * size:
        after, account.average_entry_price = 0.0, 0.0
    account.position = after


@njit(cache=True)
def reset_money(account: Record, settings: Record) -> None:
    """Start the money afresh; fill and order counters go on, so that ids stay unique."""
    account.position, account.average_entry_price, account.cash = 0.0, 0.0, settings.initial_cash
    account.realised, account.spread, account.inventory = 0.0, 0.0, 0.0
    account.fees, account.priority_fees, account.funding, account.turnover = 0.0, 0.0, 0.0, 0.0
    account.liquidations = 0


@njit(cache=True)
def write_account(account: Record, market: Record, settings: Record, ts: int, out: Record) -> None:
    """Write the account's message as of `ts`; equity and margin are those of this moment."""
    settle(account, market)
    total = total_of(account, market, settings)
    out.ts = ts
    out.position = account.position
    out.average_entry_price = account.average_entry_price
    out.cash = account.cash
    out.equity = settings.initial_cash + total
    out.realised = account.realised
    now, entry = worth(market.mid, market.inverse_size), worth(account.average_entry_price, market.inverse_size)
    out.unrealised = account.position * (now - entry) if account.position != 0 else 0.0
    out.spread, out.inventory = account.spread, account.inventory
    out.fees, out.priority_fees, out.funding = account.fees, account.priority_fees, account.funding
    out.total = total
    out.residual = total - (account.spread + account.inventory - account.fees + account.funding)
    out.turnover = account.turnover
    out.fills = account.fills
    out.orders_live = orders_live(account)
    write_margin(account, market, settings, out)


@njit(cache=True)
def write_margin(account: Record, market: Record, settings: Record, out: Record) -> None:
    """Write what the account may still do: margin at the mark; of spot, what is not spent."""
    mark = mark_of(market)
    out.mark_price = mark
    out.notional = notional(account.position, mark, market.inverse_size)
    out.leverage = leverage_at(market, settings, account.position, mark)
    out.margin_used = out.notional / out.leverage
    out.margin_available = account.cash if market.kind == SPOT else out.equity - out.margin_used
    out.maintenance_margin = maintenance_margin(market, settings, account.position, mark)
    out.liquidations = account.liquidations
    out.maker_fee_bps, out.taker_fee_bps = settings.maker_fee_bps[market.kind], settings.taker_fee_bps[market.kind]
