"""What the venue's answers and frames look like: the one place of its wire names.

Source: the answers that eight clients read, and what each of them breaks on; recorded frames of 2025 and 2026.
"""

from typing import Any, Final

from papertrader.services.gateway.kernel import decimal, liquidation_price, money, significant
from papertrader.services.gateway.ledger.accounts import Funding, Holding, PaperAccount, Trade
from papertrader.services.gateway.ledger.candles import Candle
from papertrader.services.gateway.ledger.markets import LEVELS, Level, MarketView, Sides
from papertrader.services.gateway.ledger.orders import NS_PER_MS, Order
from papertrader.shared.messages import Account, Trades

NO_HASH: Final = "0x" + "0" * 64
NOBODY: Final = ("0x" + "0" * 40, "0x" + "0" * 40)
QUOTE: Final = "USDC"
UNIFIED: Final = "unifiedAccount"
TRIGGERS: Final = {"stop": "Stop", "take_profit": "Take Profit"}
TIMES_LEVERAGE: Final = 50
"""The largest leverage of a market that tells none."""


def side_letter(side: int) -> str:
    """B buys, A sells."""
    return "B" if side > 0 else "A"


def basic_order(order: Order) -> dict[str, Any]:
    """An order as `openOrders` and `orderUpdates` tell it."""
    shape: dict[str, Any] = {
        "coin": order.coin,
        "side": side_letter(order.side),
        "limitPx": decimal(order.price),
        "sz": decimal(order.left),
        "oid": order.oid,
        "timestamp": order.placed_ms,
        "origSz": decimal(order.size),
    }
    if order.reduce_only:
        shape["reduceOnly"] = True
    if order.cloid:
        shape["cloid"] = order.cloid
    return shape


def front_order(order: Order) -> dict[str, Any]:
    """An order as `frontendOpenOrders`, `orderStatus` and `historicalOrders` tell it."""
    return {
        **basic_order(order),
        "triggerCondition": _condition(order),
        "isTrigger": order.waits,
        "triggerPx": decimal(order.trigger_price),
        "children": [front_order(child) for child in order.children if child.status == "waiting"],
        "isPositionTpsl": order.whole_position,
        "reduceOnly": order.reduce_only,
        "orderType": _type_of(order),
        "tif": None if order.trigger else order.time_in_force,
        "cloid": order.cloid or None,
    }


def _condition(order: Order) -> str:
    if not order.trigger:
        return "N/A"
    above = (order.side > 0) == (order.trigger == "stop")
    return f"Price {'above' if above else 'below'} {order.trigger_price:.10g}"


def _type_of(order: Order) -> str:
    if not order.trigger:
        return "Market" if order.time_in_force == "FrontendMarket" else "Limit"
    return f"{TRIGGERS[order.trigger]} {'Market' if order.is_market else 'Limit'}"


def status_of(order: Order) -> str:
    """An order's status; of one that waits for its parent the venue knows no other word than of one that rests."""
    return "open" if order.status == "waiting" else order.status


def order_with_status(order: Order) -> dict[str, Any]:
    """An order with its status."""
    return {"order": front_order(order), "status": status_of(order), "statusTimestamp": order.status_ms}


def order_update(order: Order) -> dict[str, Any]:
    """An element of an `orderUpdates` frame."""
    return {"order": basic_order(order), "status": status_of(order), "statusTimestamp": order.status_ms}


def fill(trade: Trade) -> dict[str, Any]:
    """A fill."""
    heard = trade.fill
    shape: dict[str, Any] = {
        "coin": trade.coin,
        "px": decimal(heard.price),
        "sz": decimal(heard.size),
        "side": "B" if heard.side == "buy" else "A",
        "time": trade.time_ms,
        "startPosition": decimal(trade.start_position),
        "dir": trade.direction,
        "closedPnl": money(trade.closed_profit),
        "hash": NO_HASH,
        "oid": trade.oid,
        "crossed": not heard.maker,
        "fee": decimal(heard.fee),
        "tid": trade.number,
        "feeToken": QUOTE,
        "twapId": None,
    }
    if trade.cloid:
        shape["cloid"] = trade.cloid
    return shape


def funding(paid: Funding) -> dict[str, Any]:
    """A payment of funding in a `userFundings` frame."""
    return {
        "time": paid.time_ms,
        "coin": paid.coin,
        "usdc": money(paid.amount),
        "szi": decimal(paid.position),
        "fundingRate": f"{paid.rate:.10f}",
        "nSamples": None,
    }


def funding_entry(paid: Funding) -> dict[str, Any]:
    """A payment of funding in an answer to `userFunding`."""
    delta = {"type": "funding", **{key: value for key, value in funding(paid).items() if key != "time"}}
    return {"time": paid.time_ms, "hash": NO_HASH, "delta": delta}


def figures_of(said: dict[str, Any]) -> int | None:
    """The significant figures that a book is asked for in, 2 to 5; None for all."""
    figures = said.get("nSigFigs")
    return None if figures is None else max(2, min(int(figures), 5))


def book(view: MarketView, depth: int = LEVELS, figures: int | None = None) -> dict[str, Any]:
    """The levels of now; `figures` puts together those that are the same in so many significant figures."""
    return _book(view.coin, view.book, depth, figures)


def told_book(view: MarketView, depth: int = LEVELS, figures: int | None = None) -> dict[str, Any]:
    """The levels as the venue told them last, as its stream of books does."""
    return _book(view.coin, view.told, depth, figures)


def _book(coin: str, known: Sides, depth: int, figures: int | None) -> dict[str, Any]:
    shaped = [_levels(side, depth, figures) for side in known.levels(depth if figures is None else 1_000)]
    return {"coin": coin, "time": known.ts // NS_PER_MS, "levels": shaped}


def _levels(side: list[Level], depth: int, figures: int | None) -> list[dict[str, Any]]:
    if figures is not None:
        together: dict[float, Level] = {}
        for level in side:
            price = significant(level.price, figures)
            before = together.get(price, Level(price, 0.0, 0))
            together[price] = Level(price, before.size + level.size, before.orders + _orders(level))
        side = list(together.values())[:depth]
    return [_level(level) for level in side]


def _level(level: Level) -> dict[str, Any]:
    return {"px": decimal(level.price), "sz": decimal(level.size), "n": _orders(level)}


def _orders(level: Level) -> int:
    """One at least: where the venue does not tell how many."""
    return max(level.orders, 1)


def bbo(view: MarketView) -> dict[str, Any]:
    """Best bid and ask."""
    sides = [None if side is None else _level(side) for side in view.touch()]
    return {"coin": view.coin, "time": view.book.ts // NS_PER_MS, "bbo": sides}


def prints(view: MarketView, trades: Trades) -> list[dict[str, Any]]:
    """Public trades; nobody is told who traded."""
    return [
        {
            "coin": view.coin,
            "side": "B" if aggressor == "buy" else "A",
            "px": decimal(price),
            "sz": decimal(size),
            "time": time_ns // NS_PER_MS,
            "hash": NO_HASH,
            "tid": trade_id,
            "users": list(NOBODY),
        }
        for time_ns, price, size, aggressor, trade_id in zip(
            trades.times, trades.prices, trades.sizes, trades.aggressors, trades.trade_ids, strict=True
        )
    ]


def candle(view: MarketView, interval: str, length_ms: int, found: Candle) -> dict[str, Any]:
    """A candle."""
    return {
        "t": found.start_ms,
        "T": found.start_ms + length_ms - 1,
        "s": view.coin,
        "i": interval,
        "o": decimal(found.open),
        "c": decimal(found.close),
        "h": decimal(found.high),
        "l": decimal(found.low),
        "v": decimal(found.volume),
        "n": found.prints,
    }


def context(view: MarketView) -> dict[str, Any]:
    """A market's slow state. What the log does not tell - volume, the price of yesterday - is 0 or the mark."""
    heard, mid, mark = view.context, view.mid, decimal(view.mark)
    shape: dict[str, Any] = {
        "prevDayPx": mark,
        "dayNtlVlm": "0.0",
        "markPx": mark,
        "midPx": None if mid is None else decimal(mid),
        "dayBaseVlm": "0.0",
    }
    if view.is_spot:
        return {**shape, "coin": view.coin, "circulatingSupply": "0.0", "totalSupply": "0.0"}
    bid, ask = view.touch()
    return {
        **shape,
        "funding": f"{heard.funding_rate or 0.0:.10f}",
        "openInterest": decimal(heard.open_interest or 0.0),
        "premium": "0.0",
        "oraclePx": decimal(heard.oracle_price or view.mark),
        "impactPxs": [decimal(bid.price), decimal(ask.price)] if bid and ask else None,
    }


def largest_leverage(view: MarketView) -> int:
    """The largest leverage of a market."""
    return int(view.instrument.maximum_leverage) or TIMES_LEVERAGE


def clearinghouse(account: PaperAccount | None, views: list[MarketView], clock_ms: int) -> dict[str, Any]:
    """Margin and positions of an account in the perpetuals; of an unknown account everything is 0.

    Of a unified account what its positions take as margin is here, all of its money among the spot balances.
    """
    held = [(view, account.holdings.get(view.coin)) for view in views] if account else []
    moneys = [found.money for _, found in held if found is not None and found.money is not None]
    used, unified = sum(item.margin_used for item in moneys), account is not None and account.mode == UNIFIED
    summary = {
        "accountValue": money(used if unified else sum(item.equity for item in moneys)),
        "totalNtlPos": money(sum(abs(item.notional) for item in moneys)),
        "totalRawUsd": money(used if unified else sum(item.cash for item in moneys)),
        "totalMarginUsed": money(used),
    }
    positions = [
        {"type": "oneWay", "position": position(view, found)}
        for view, found in held
        if found is not None and found.money is not None and found.money.position != 0
    ]
    return {
        "marginSummary": summary,
        "crossMarginSummary": dict(summary),
        "crossMaintenanceMarginUsed": money(sum(item.maintenance_margin for item in moneys)),
        "withdrawable": money(0.0 if unified else sum(max(item.margin_available, 0.0) for item in moneys)),
        "assetPositions": positions,
        "time": clock_ms,
    }


def position(view: MarketView, held: Holding) -> dict[str, Any]:
    """A position."""
    had = held.money
    assert had is not None
    liquidation = liquidation_price(had.position, had.mark_price, had.equity, had.maintenance_margin)
    leverage: dict[str, Any] = {
        "type": "cross" if held.is_cross else "isolated",
        "value": int(held.leverage or round(had.leverage) or 1),
    }
    if not held.is_cross:
        leverage["rawUsd"] = money(had.cash)
    return {
        "coin": view.coin,
        "szi": decimal(had.position),
        "leverage": leverage,
        "entryPx": decimal(had.average_entry_price),
        "positionValue": money(abs(had.notional)),
        "unrealizedPnl": money(had.unrealised),
        "returnOnEquity": decimal(had.unrealised / had.margin_used if had.margin_used else 0.0),
        "liquidationPx": None if liquidation is None else decimal(significant(liquidation, 8)),
        "marginUsed": money(had.margin_used),
        "maxLeverage": largest_leverage(view),
        "cumFunding": {
            "allTime": money(-had.funding),
            "sinceOpen": money(held.funding_at_open - had.funding),
            "sinceChange": money(held.funding_at_open - had.funding),
        },
    }


def spot_balances(
    account: PaperAccount | None, views: list[MarketView], perpetuals: list[MarketView]
) -> dict[str, Any]:
    """What an account has in the spot pairs; of a unified one also that of the perpetuals, its margin on hold."""
    known = _moneys(account, views)
    of_perpetuals = _moneys(account, perpetuals) if account is not None and account.mode == UNIFIED else []
    cash = sum(item.cash for _, item in known) + sum(item.equity for _, item in of_perpetuals)
    on_hold = sum(item.margin_used for _, item in of_perpetuals)
    balances = [_balance(QUOTE, 0, cash, on_hold)] if known or of_perpetuals else []
    for number, (view, item) in enumerate(known, start=1):
        balances.append(_balance(base_of(view), number, item.position))
    return {"balances": balances}


def _moneys(account: PaperAccount | None, views: list[MarketView]) -> list[tuple[MarketView, Account]]:
    """What an account has in these markets, where that has been told."""
    held = [(view, account.holdings.get(view.coin)) for view in views] if account else []
    return [(view, found.money) for view, found in held if found is not None and found.money is not None]


def _balance(coin: str, token: int, total: float, on_hold: float = 0.0) -> dict[str, Any]:
    return {"coin": coin, "token": token, "total": decimal(total), "hold": decimal(on_hold), "entryNtl": "0.0"}


def base_of(view: MarketView) -> str:
    """The coin that a spot pair trades."""
    return view.coin.split("/")[0]
