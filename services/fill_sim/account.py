"""Money: position at average cost, fees, funding, margin, and the profit identity.

Profit is marked at the mid: total = cash + position·mid − initial cash = spread + inventory − fees + funding, where
every fill adds side·(mid at fill − price)·size to `spread` and every move of the mid adds position·move to
`inventory`. Margin is marked at the venue's mark price, at the mid while the venue has said none. Liquidation is not
simulated: an account may trade on with negative equity, only orders that increase its position are refused.
"""

from typing import Final

import numpy as np

from papertrader.services.fill_sim.lots import nearest_lot
from papertrader.services.fill_sim.state import MIDS, NEVER, Exchange, orders_live
from papertrader.shared.kernels import njit
from papertrader.shared.market.book import mid_of
from papertrader.shared.market.records import Record

HOUR_NS: Final = 3_600_000_000_000


@njit(cache=True)
def on_mid(market: Record, book: Record) -> None:
    """Remember the mid of a completed book message; a book without two sides leaves the last mid standing."""
    mid = mid_of(book)
    if not mid > 0 or mid == market.mid:
        return
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
def mark_of(market: Record) -> float:
    """The price that margin and funding are reckoned at: the venue's mark, or the mid while that is unknown."""
    return market.mark if market.mark > 0 else market.mid


@njit(cache=True)
def settle(account: Record, mid: float) -> None:
    """Book what the position earned since the mid was last settled."""
    if account.mid > 0:
        account.inventory += account.position * (mid - account.mid)
    account.mid = mid


@njit(cache=True)
def total_of(account: Record, settings: Record, mid: float) -> float:
    """Profit since the start, from cash, marked at the mid."""
    return account.cash + account.position * mid - settings.initial_cash


@njit(cache=True)
def trade(
    account: Record, market: Record, side: int, price: float, size: float, fee: float, mid_at_fill: float
) -> None:
    """Book one fill: cash, average-cost position, realised profit and the parts of the identity.

    side +1 buys; a positive fee is a cost. Adding moves the average price, reducing realises
    (price − average)·closed·sign(position) and keeps it, crossing zero starts anew at `price`.
    """
    settle(account, market.mid)
    account.spread += side * (mid_at_fill - price) * size
    # the new size was held from the fill on, and the mid may have moved since a late print
    account.inventory += side * size * (market.mid - mid_at_fill)
    account.cash -= side * price * size + fee
    account.fees += fee
    account.turnover += price * size
    average(account, side, price, size)
    account.position = nearest_lot(market, account.position)


@njit(cache=True)
def average(account: Record, side: int, price: float, size: float) -> None:
    """Move the position by side·size at `price`, at average cost."""
    held = account.position
    after = held + side * size
    if held * side >= 0:
        account.average_entry_price = (account.average_entry_price * abs(held) + price * size) / (abs(held) + size)
    else:
        closed = min(abs(held), size)
        account.realised += -side * (price - account.average_entry_price) * closed
        if size > abs(held):
            account.average_entry_price = price
    if abs(after) < 1e-9 * size:
        after, account.average_entry_price = 0.0, 0.0
    account.position = after


@njit(cache=True)
def margin_allows(exchange: Exchange, side: int, size: float, leave_out: int) -> bool:
    """Whether the margin allows `size` more on `side`, beside the orders live on that side but `leave_out`.

    * What only reduces the position, or turns it into one that is no larger, is always allowed.
    * Otherwise the position that would result if every order of the side filled needs margin up to the equity.
    """
    account = exchange.account
    resulting = side * account.position + size
    for slot in range(account.orders_count):
        order = account.orders[slot]
        if order.side == side and order.order_id != leave_out and order.cancel_ts == NEVER:
            resulting += order.size - order.filled
    if resulting <= abs(account.position) * (1 + 1e-12):
        return True
    equity = account.cash + account.position * exchange.market.mid
    return resulting * mark_of(exchange.market) <= equity * exchange.settings.leverage


@njit(cache=True)
def pay_funding(account: Record, market: Record, hours: int) -> None:
    """Pay the hourly funding: longs pay position·mark·rate when the rate is positive, shorts receive it."""
    if account.position == 0 or np.isnan(market.funding_rate):
        return
    received = -account.position * mark_of(market) * market.funding_rate * hours
    account.cash += received
    account.funding += received
    account.changed = 1


@njit(cache=True)
def hours_passed(market: Record, clock: int) -> int:
    """Full UTC hours that the clock passed since it was last asked."""
    if clock < market.next_hour_ts:
        return 0
    next_hour = (clock // HOUR_NS + 1) * HOUR_NS
    hours = (next_hour - market.next_hour_ts) // HOUR_NS if market.next_hour_ts > 0 else 0
    market.next_hour_ts = next_hour
    return hours


@njit(cache=True)
def reset_money(account: Record, settings: Record) -> None:
    """Start the money afresh; fill and order counters go on, so that ids stay unique."""
    account.position, account.average_entry_price, account.cash = 0.0, 0.0, settings.initial_cash
    account.realised, account.spread, account.inventory = 0.0, 0.0, 0.0
    account.fees, account.funding, account.turnover = 0.0, 0.0, 0.0


@njit(cache=True)
def write_account(account: Record, market: Record, settings: Record, ts: int, out: Record) -> None:
    """Write the account's message as of `ts`; equity and margin are those of this moment."""
    settle(account, market.mid)
    total = total_of(account, settings, market.mid)
    mark = mark_of(market)
    out.ts = ts
    out.position = account.position
    out.average_entry_price = account.average_entry_price
    out.mark_price = mark
    out.cash = account.cash
    out.equity = settings.initial_cash + total
    out.margin_used = abs(account.position) * mark / settings.leverage
    out.margin_available = out.equity - out.margin_used
    out.realised = account.realised
    out.unrealised = account.position * (market.mid - account.average_entry_price)
    out.spread, out.inventory = account.spread, account.inventory
    out.fees, out.funding = account.fees, account.funding
    out.total = total
    out.residual = total - (account.spread + account.inventory - account.fees + account.funding)
    out.turnover = account.turnover
    out.fills = account.fills
    out.orders_live = orders_live(account)
