"""ccxt's unified orders and trades (`fetch_orders`, `fetch_my_trades`, `watch_orders`), as JSON."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from papertrader.replay.twin.record import NEVER_ENDED, LiveFill, LiveOrder, LiveRecord, LiveStatus, ordered
from papertrader.shared.messages import TimeInForce

NS_PER_MS: Final = 1_000_000
STATUSES: Final[Mapping[str, LiveStatus]] = {
    "open": "open",
    "closed": "filled",
    "canceled": "cancelled",
    "expired": "cancelled",
    "rejected": "rejected",
}


def knows(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a unified order or trade."""
    return _is_order(entry) or _is_trade(entry)


def _is_order(entry: Mapping[str, Any]) -> bool:
    return {"id", "symbol", "side", "amount", "status", "timestamp"} <= entry.keys()


def _is_trade(entry: Mapping[str, Any]) -> bool:
    return {"id", "symbol", "side", "amount", "price", "order", "timestamp"} <= entry.keys()


def read(entries: Iterable[Mapping[str, Any]]) -> LiveRecord:
    """The limit orders that the entries tell of; each order's last entry holds, its trades are joined by id."""
    orders: dict[str, Mapping[str, Any]] = {}
    trades: dict[str, dict[str, LiveFill]] = defaultdict(dict)
    left_out: Counter[str] = Counter()
    for entry in entries:
        if _is_order(entry):
            orders[str(entry["id"])] = entry
            for trade in entry.get("trades") or ():
                trades[str(entry["id"])][str(trade.get("id"))] = _fill(trade)
        elif _is_trade(entry):
            trades[str(entry["order"])][str(entry["id"])] = _fill(entry)
        else:
            left_out["unknown_entry"] += 1
    left_out["fill_without_order"] = sum(len(trades[order]) for order in trades.keys() - orders.keys())
    used = []
    for order_id, order in orders.items():
        if order.get("price") and order.get("timestamp"):
            used.append(_order(order, tuple(sorted(trades[order_id].values()))))
        else:
            left_out["no_limit_price_or_time"] += 1
    return ordered(used, dict(+left_out))


def _fill(trade: Mapping[str, Any]) -> LiveFill:
    fee = trade.get("fee") or {}
    return LiveFill(
        ts=int(trade["timestamp"]) * NS_PER_MS,
        price=float(trade["price"]),
        size=float(trade["amount"]),
        fee=float(fee.get("cost") or 0.0),
        maker=trade.get("takerOrMaker") != "taker",
    )


def _order(order: Mapping[str, Any], fills: tuple[LiveFill, ...]) -> LiveOrder:
    status = STATUSES.get(order["status"], "open")
    ended = order.get("lastUpdateTimestamp") or order.get("lastTradeTimestamp") or 0
    return LiveOrder(
        live_id=str(order["id"]),
        symbol=order["symbol"],
        side="buy" if order["side"] == "buy" else "sell",
        price=float(order["price"]),
        size=float(order["amount"]),
        time_in_force=_time_in_force(order),
        placed_ts=int(order["timestamp"]) * NS_PER_MS,
        ended_ts=int(ended) * NS_PER_MS if status == "cancelled" else NEVER_ENDED,
        status=status,
        reduce_only=bool(order.get("reduceOnly")),
        fills=fills or _summed(order),
    )


def _summed(order: Mapping[str, Any]) -> tuple[LiveFill, ...]:
    """One fill for what the order says was filled, where no trade tells more."""
    filled, ts = float(order.get("filled") or 0.0), order.get("lastTradeTimestamp")
    if not filled or not ts:
        return ()
    fee = order.get("fee") or {}
    price = float(order.get("average") or order["price"])
    return (LiveFill(int(ts) * NS_PER_MS, price, filled, float(fee.get("cost") or 0.0)),)


def _time_in_force(order: Mapping[str, Any]) -> TimeInForce:
    if order.get("postOnly") or order.get("timeInForce") == "PO":
        return "post_only"
    return "ioc" if order.get("timeInForce") in ("IOC", "FOK") else "gtc"
