"""Margin: what a position needs, and what an account may still place.

All of it is reckoned at the venue's mark price, at the mid while the venue has said none, and for every market by
itself: paper accounts have their money per market.

* leverage is the account's, or what the tier of the position's value allows if that is less;
* maintenance margin = value · rate − deduction of the tier; where no tiers are told, half of what the position needs
  at the market's largest leverage (Hyperliquid's rule), and where that is not told either, at the account's;
* spot has no leverage and no maintenance margin: it is paid for in full, and only what is held can be sold.
"""

from papertrader.services.fill_sim.state import NEVER, SPOT, Exchange
from papertrader.shared.kernels import njit
from papertrader.shared.market.money import notional, quote_value, worth
from papertrader.shared.market.records import Record, Records


@njit(cache=True)
def mark_of(market: Record) -> float:
    """The price that margin is reckoned at: the venue's mark, or the mid while that is unknown and of spot."""
    return market.mark if market.mark > 0 and market.kind != SPOT else market.mid


@njit(cache=True)
def tier_of(market: Record, value: float) -> int:
    """The tier of a position worth `value` of quote currency, −1 where no tiers are told."""
    tier = -1
    for row in range(market.tiers_count):
        if market.tier_floor[row] <= value:
            tier = row
    return tier


@njit(cache=True)
def leverage_at(market: Record, settings: Record, size: float, mark: float) -> float:
    """The leverage that a position of `size` may be held at."""
    if market.kind == SPOT:
        return 1.0
    leverage = settings.leverage
    if market.maximum_leverage > 0:
        leverage = min(leverage, market.maximum_leverage)
    tier = tier_of(market, quote_value(abs(size), mark, market.inverse_size))
    if tier >= 0 and market.tier_initial[tier] > 0:
        leverage = min(leverage, 1 / market.tier_initial[tier])
    return leverage


@njit(cache=True)
def maintenance_margin(market: Record, settings: Record, size: float, mark: float) -> float:
    """The equity below which a position of `size` is liquidated, in the settlement currency."""
    if size == 0 or market.kind == SPOT:
        return 0.0
    value = quote_value(abs(size), mark, market.inverse_size)
    tier = tier_of(market, value)
    if tier < 0:
        largest = market.maximum_leverage if market.maximum_leverage > 0 else settings.leverage
        return 0.5 * notional(size, mark, market.inverse_size) / largest
    margin = max(value * market.tier_maintenance[tier] - market.tier_deduction[tier], 0.0)
    return margin if market.inverse_size == 0 else margin / mark


@njit(cache=True)
def equity_at_mark(account: Record, market: Record) -> float:
    """The account's money with the position closed at the mark."""
    return account.cash + account.position * worth(mark_of(market), market.inverse_size)


@njit(cache=True)
def is_below_maintenance(account: Record, market: Record, settings: Record) -> bool:
    """Whether the venue takes the position over: there is one, a mark, and too little equity at it.

    Never in spot: what is paid for in full cannot be owed.
    """
    if account.position == 0 or market.kind == SPOT or not mark_of(market) > 0:
        return False
    needed = maintenance_margin(market, settings, account.position, mark_of(market))
    return equity_at_mark(account, market) < needed


@njit(cache=True)
def check_margin(account: Record, market: Record, settings: Record, ts: int) -> None:
    """Note that the account is to be liquidated, the first thing at `ts`, if it is below its maintenance margin."""
    if account.liquidation_ts == NEVER and is_below_maintenance(account, market, settings):
        account.liquidation_ts = ts
        account.next_ts = min(account.next_ts, ts)


@njit(cache=True)
def resting(account: Record, side: int, leave_out: int) -> float:
    """What the orders live on a side, but `leave_out`, may still fill."""
    size = 0.0
    for slot in range(account.orders_count):
        order = account.orders[slot]
        if order.side == side and order.order_id != leave_out and order.cancel_ts == NEVER:
            size += order.size - order.filled
    return size


@njit(cache=True)
def margin_allows(exchange: Exchange, side: int, size: float, leave_out: int) -> bool:
    """Whether the margin allows `size` more on `side`, beside the orders live on that side but `leave_out`.

    * What only reduces the position, or turns it into one that is no larger, is always allowed.
    * Otherwise the position that would result if every order of the side filled needs margin up to the equity.
    """
    account, market = exchange.account, exchange.market
    resulting = side * account.position + size + resting(account, side, leave_out)
    if resulting <= abs(account.position) * (1 + 1e-12):
        return True
    equity = account.cash + account.position * worth(market.mid, market.inverse_size)
    mark = mark_of(market)
    leverage = leverage_at(market, exchange.settings, resulting, mark)
    return notional(resulting, mark, market.inverse_size) <= equity * leverage


@njit(cache=True)
def balance_allows(exchange: Exchange, order: Record) -> bool:
    """Whether a spot account can pay for an order, or holds what it sells, beside its orders that are live.

    * a sell: what is held less what the live sells may still take of it
    * a buy: the cash less what the live buys may still cost at their limits, fees included
    """
    account, needed = exchange.account, order.size - order.filled
    if order.side < 0:
        return needed <= (account.position - resting(account, -1, order.order_id)) * (1 + 1e-12)
    reserved = 0.0
    for slot in range(account.orders_count):
        other = account.orders[slot]
        if other.side > 0 and other.order_id != order.order_id and other.cancel_ts == NEVER:
            reserved += cost_of(exchange, other.price, other.size - other.filled)
    return cost_of(exchange, order.price, needed) <= account.cash - reserved


@njit(cache=True)
def cost_of(exchange: Exchange, price: float, size: float) -> float:
    """What buying `size` at a price may cost: with the larger of the fees that it may meet."""
    settings, kind = exchange.settings, exchange.market.kind
    rate = max(settings.maker_fee[kind], settings.taker_fee[kind], 0.0)
    return price * size + price * size * rate


@njit(cache=True)
def coverable(exchange: Exchange, order: Record, price: float, size: float) -> float:
    """How much of a fill the account's money and the order's own limits cover.

    * a reduce-only order fills up to the position that it reduces
    * spot sells what is held and buys what the cash pays for; only prints that the feed delivers after an order's
      cancel can ask for more, when the money was used for another one meanwhile
    """
    account, market = exchange.account, exchange.market
    if order.reduce_only == 1:
        size = min(size, max(-order.side * account.position, 0.0))
    if market.kind == SPOT:
        if order.side < 0:
            return min(size, account.position)
        if cost_of(exchange, price, size) > account.cash:
            size = account.cash / cost_of(exchange, price, 1.0)
    return size


@njit(cache=True)
def check_margins(market: Record, accounts: Records, settings: Records, ts: int) -> None:
    """Check the maintenance margin of every account at `ts`."""
    for index in range(len(accounts)):
        check_margin(accounts[index], market, settings[index], ts)
