"""Hyperliquid's own record of an address: `historicalOrders` or `orderUpdates`, and `userFills`.

An order appears once per status; its fills are joined by `oid`. `timestamp` is when the venue took the order.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from papertrader.replay.twin.record import NEVER_ENDED, LiveFill, LiveOrder, LiveRecord, LiveStatus, ordered
from papertrader.shared.messages import TimeInForce

NS_PER_MS: Final = 1_000_000
TIMES_IN_FORCE: Final[Mapping[str, TimeInForce]] = {"Alo": "post_only", "Gtc": "gtc", "Ioc": "ioc"}


def knows(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is an order's status or a fill of this venue."""
    return ("order" in entry and "status" in entry and "coin" in entry["order"]) or _is_fill(entry)


def _is_fill(entry: Mapping[str, Any]) -> bool:
    return {"coin", "px", "sz", "oid", "time"} <= entry.keys()


def read(entries: Iterable[Mapping[str, Any]]) -> LiveRecord:
    """The orders that the entries tell of. Triggers and what is not a limit order are left out, and counted."""
    statuses: dict[int, list[Mapping[str, Any]]] = defaultdict(list)
    fills: dict[int, dict[Any, LiveFill]] = defaultdict(dict)
    left_out: Counter[str] = Counter()
    for entry in entries:
        if _is_fill(entry):
            fills[int(entry["oid"])][entry.get("tid", len(fills))] = _fill(entry)
        elif knows(entry):
            statuses[int(entry["order"]["oid"])].append(entry)
        else:
            left_out["unknown_entry"] += 1
    left_out["fill_without_order"] = sum(len(fills[oid]) for oid in fills.keys() - statuses.keys())
    orders = []
    for oid, told in statuses.items():
        if told[0]["order"].get("isTrigger"):
            left_out["trigger_order"] += 1
        else:
            orders.append(_order(told, tuple(sorted(fills[oid].values()))))
    return ordered(orders, dict(+left_out))


def _fill(entry: Mapping[str, Any]) -> LiveFill:
    return LiveFill(
        ts=int(entry["time"]) * NS_PER_MS,
        price=float(entry["px"]),
        size=float(entry["sz"]),
        fee=float(entry.get("fee", 0.0)),
        maker=not entry.get("crossed", False),
    )


def _order(told: list[Mapping[str, Any]], fills: tuple[LiveFill, ...]) -> LiveOrder:
    told = sorted(told, key=lambda entry: (int(entry.get("statusTimestamp", 0)), entry["status"] != "open"))
    order, status = told[-1]["order"], _status(told[-1]["status"])
    ended = int(told[-1].get("statusTimestamp", 0)) * NS_PER_MS if status == "cancelled" else NEVER_ENDED
    return LiveOrder(
        live_id=str(order["oid"]),
        symbol=order["coin"],
        side="buy" if order["side"] == "B" else "sell",
        price=float(order["limitPx"]),
        size=float(order.get("origSz", order["sz"])),
        time_in_force=_time_in_force(told),
        placed_ts=int(order["timestamp"]) * NS_PER_MS,
        ended_ts=ended,
        status=status,
        reduce_only=bool(order.get("reduceOnly", False)),
        fills=fills,
    )


def _time_in_force(told: list[Mapping[str, Any]]) -> TimeInForce:
    """`orderUpdates` does not say it: an order that rested without a word is taken as good till cancelled."""
    named = [entry["order"].get("tif") for entry in told]
    return next((TIMES_IN_FORCE[name] for name in named if name in TIMES_IN_FORCE), "gtc")


def _status(status: str) -> LiveStatus:
    if status in ("open", "triggered"):
        return "open"
    if status == "filled":
        return "filled"
    return "rejected" if status.lower().endswith("rejected") else "cancelled"
