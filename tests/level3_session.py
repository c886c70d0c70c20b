"""Sessions whose truth is known order by order: a feed that is derived from level-3 data, and some of its real orders
as the record of a live maker."""

import gzip
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from papertrader.replay.judge.feeds import FEEDS, Market, market_of
from papertrader.replay.judge.orders import ADD, EXECUTE, MODIFY, OrderData
from papertrader.shared.market.events import LEVEL, PRINT, SNAPSHOT, TOUCH

MS = 1_000_000
COIN = "BTC"


class Level3Session(NamedTuple):
    """A tape in Hyperliquid's frames, and Hyperliquid's record of the chosen orders."""

    tape: Path
    orders: Path
    fills: Path
    chosen: int


def write_session(
    data: OrderData, folder: Path, every: int, latency_ms: int = 0, within_bps: float = 5.0
) -> Level3Session:
    """Every n-th passive order near the mid is the maker's; the record's times are its arrivals less a latency."""
    market = market_of(data, 10**9)
    tape = folder / f"hyperliquid-{COIN}.gz"
    with gzip.open(tape, "wt", compresslevel=1) as file:
        for ts, frame in _frames(market, "hl"):
            file.write(f"{ts} {json.dumps(frame, separators=(',', ':'))}\n")
    lives = _chosen(data, market, every, within_bps)
    orders, fills = folder / "orders.json", folder / "fills.json"
    orders.write_text(json.dumps([_status(oid, life, latency_ms, data.tick_size) for oid, life in lives.items()]))
    fills.write_text(json.dumps([fill for oid, life in lives.items() for fill in _fills(oid, life, data.tick_size)]))
    return Level3Session(tape, orders, fills, len(lives))


def _frames(market: Market, feed: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The venue's frames of a feed, a message each."""
    tick, rows = market.tick_size, market.feeds[FEEDS.index(feed)]
    message: list[Any] = []
    for row in rows:
        message.append(row)
        if row["last"]:
            yield int(row["ts"]), _frame(message, tick)
            message = []


def _frame(message: list[Any], tick: float) -> Mapping[str, Any]:
    first = message[0]
    time = int(first["ts"]) // MS
    if first["kind"] == PRINT:
        taker = "B" if first["side"] > 0 else "A"
        level = _level(first, tick)
        print_ = {"coin": COIN, "side": taker, "px": level["px"], "sz": level["sz"], "time": time}
        return {"channel": "trades", "data": [print_ | {"hash": "0x0", "tid": int(first["id"]), "users": ["", ""]}]}
    if first["kind"] == TOUCH:
        sides = [_level(row, tick) if row["size"] > 0 else None for row in message]
        return {"channel": "bbo", "data": {"coin": COIN, "time": time, "bbo": sides}}
    assert first["kind"] == SNAPSHOT
    levels = [
        [_level(row, tick) for row in message if row["kind"] == LEVEL and row["side"] == side] for side in (1, -1)
    ]
    return {"channel": "l2Book", "data": {"coin": COIN, "time": time, "levels": levels}}


def _level(row: Any, tick: float) -> dict[str, Any]:
    return {"px": f"{row['tick'] * tick:.2f}", "sz": f"{row['size']:.8f}", "n": 1}


def _chosen(data: OrderData, market: Market, every: int, within_bps: float) -> dict[int, list[Any]]:
    """The events of every n-th order that arrives passively near the mid and is never moved."""
    events = data.events
    moved = set(events["order"][events["action"] == MODIFY].tolist())
    mid = _mids_at(market, events["ts"])
    near = np.abs(events["tick"] * data.tick_size / mid - 1) <= within_bps * 1e-4
    passive = events["side"] * (mid - events["tick"] * data.tick_size) > 0
    arrivals = np.flatnonzero((events["action"] == ADD) & near & passive)
    wanted = {int(events["order"][row]) for row in arrivals[::every]} - moved
    lives: dict[int, list[Any]] = {oid: [] for oid in sorted(wanted)}
    for event in events[np.isin(events["order"], list(wanted))]:
        lives[int(event["order"])].append(event)
    return lives


def _mids_at(market: Market, ts: Any) -> Any:
    rows = np.searchsorted(market.mid_ts, ts, side="left") - 1
    return np.where(rows >= 0, market.mids[np.maximum(rows, 0)], np.nan)


def _status(oid: int, life: list[Any], latency_ms: int, tick: float) -> dict[str, Any]:
    first, last = life[0], life[-1]
    filled = sum(float(event["size"]) for event in life if event["action"] == EXECUTE)
    ended = "filled" if filled >= float(first["size"]) - 1e-9 else "canceled" if len(life) > 1 else "open"
    order = {
        "coin": COIN,
        "side": "B" if first["side"] > 0 else "A",
        "limitPx": _level(first, tick)["px"],
        "sz": "0.0",
        "origSz": _level(first, tick)["sz"],
        "oid": oid,
        "timestamp": int(first["ts"]) // MS - latency_ms,
        "tif": "Alo",
        "isTrigger": False,
    }
    return {"order": order, "status": ended, "statusTimestamp": int(last["ts"]) // MS}


def _fills(oid: int, life: list[Any], tick: float) -> Iterator[dict[str, Any]]:
    for number, event in enumerate(life):
        if event["action"] == EXECUTE:
            level = _level(life[0], tick)
            fill = {"coin": COIN, "px": level["px"], "sz": f"{event['size']:.8f}", "time": int(event["ts"]) // MS}
            yield fill | {"oid": oid, "side": "", "crossed": False, "fee": "0.0", "tid": f"{oid}-{number}"}
