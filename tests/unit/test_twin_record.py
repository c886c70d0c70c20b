"""Live records as makers have them: Hyperliquid's, ccxt's, a table; and what cannot be read says why."""

import json
from pathlib import Path
from typing import Any

import pytest

from papertrader.replay.twin.readers import read_record
from papertrader.replay.twin.record import LiveFill, LiveOrder, RecordError

MS = 1_000_000
HYPERLIQUID_ORDER: dict[str, Any] = {
    "coin": "DYDX",
    "side": "B",
    "limitPx": "0.62613",
    "sz": "500.3",
    "oid": 77,
    "timestamp": 1_755_863_117_780,
    "isTrigger": False,
    "triggerPx": "0.0",
    "reduceOnly": False,
    "orderType": "Limit",
    "origSz": "1500.3",
    "tif": "Alo",
    "cloid": None,
}
HYPERLIQUID_FILL = {
    "coin": "DYDX",
    "px": "0.62613",
    "sz": "1000.0",
    "side": "B",
    "time": 1_755_863_118_000,
    "oid": 77,
    "crossed": False,
    "fee": "0.0939",
    "tid": 5,
}
EXPECTED = LiveOrder(
    live_id="77",
    symbol="DYDX",
    side="buy",
    price=0.62613,
    size=1500.3,
    time_in_force="post_only",
    placed_ts=1_755_863_117_780 * MS,
    ended_ts=1_755_863_118_217 * MS,
    status="cancelled",
    fills=(LiveFill(1_755_863_118_000 * MS, 0.62613, 1000.0, 0.0939, True),),
)


def written(folder: Path, name: str, value: object) -> Path:
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_hyperliquid_history_and_fills_are_joined_by_oid(tmp_path: Path) -> None:
    history = [{"order": HYPERLIQUID_ORDER, "status": "canceled", "statusTimestamp": 1_755_863_118_217}]
    record = read_record(
        [written(tmp_path, "orders.json", history), written(tmp_path, "fills.json", [HYPERLIQUID_FILL])]
    )
    assert record.orders == (EXPECTED,)
    assert record.left_out == {}


def test_hyperliquid_frames_of_a_socket_tell_the_same_as_the_history(tmp_path: Path) -> None:
    opened = {"order": HYPERLIQUID_ORDER, "status": "open", "statusTimestamp": 1_755_863_117_780}
    ended = {"order": HYPERLIQUID_ORDER, "status": "canceled", "statusTimestamp": 1_755_863_118_217}
    frames = [
        {"channel": "orderUpdates", "data": [opened]},
        {"channel": "userFills", "data": {"user": "0x1", "isSnapshot": True, "fills": [HYPERLIQUID_FILL]}},
        {"channel": "userFills", "data": {"user": "0x1", "fills": [HYPERLIQUID_FILL]}},
        {"channel": "orderUpdates", "data": [ended]},
    ]
    path = written(tmp_path, "frames.jsonl", "\n".join(json.dumps(frame) for frame in frames))
    assert read_record([path]).orders == (EXPECTED,)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("open", "open"),
        ("filled", "filled"),
        ("canceled", "cancelled"),
        ("reduceOnlyCanceled", "cancelled"),
        ("iocCancelRejected", "rejected"),
        ("badAloPxRejected", "rejected"),
        ("rejected", "rejected"),
    ],
)
def test_every_status_of_hyperliquid_has_its_meaning(tmp_path: Path, status: str, expected: str) -> None:
    entry = {"order": HYPERLIQUID_ORDER, "status": status, "statusTimestamp": 1_755_863_118_217}
    assert read_record([written(tmp_path, "orders.json", [entry])]).orders[0].status == expected


def test_triggers_and_fills_without_an_order_are_left_out_and_counted(tmp_path: Path) -> None:
    trigger = {"order": HYPERLIQUID_ORDER | {"oid": 1, "isTrigger": True}, "status": "open", "statusTimestamp": 1}
    entry = {"order": HYPERLIQUID_ORDER, "status": "open", "statusTimestamp": 1}
    stray = HYPERLIQUID_FILL | {"oid": 99}
    record = read_record([written(tmp_path, "orders.json", [trigger, entry, stray])])
    assert [order.live_id for order in record.orders] == ["77"]
    assert record.left_out == {"trigger_order": 1, "fill_without_order": 1}


def test_ccxt_orders_and_trades_are_joined_by_id(tmp_path: Path) -> None:
    order = {
        "id": "a1",
        "symbol": "BTC/USDC:USDC",
        "side": "sell",
        "price": 100.0,
        "amount": 2.0,
        "filled": 2.0,
        "status": "closed",
        "timestamp": 1_700_000_000_000,
        "lastTradeTimestamp": 1_700_000_003_000,
        "timeInForce": "PO",
    }
    trade = {
        "id": "t1",
        "order": "a1",
        "symbol": "BTC/USDC:USDC",
        "side": "sell",
        "price": 100.0,
        "amount": 2.0,
        "timestamp": 1_700_000_003_000,
        "takerOrMaker": "maker",
        "fee": {"cost": 0.03, "currency": "USDC"},
    }
    record = read_record([written(tmp_path, "orders.json", [order]), written(tmp_path, "trades.json", [trade])])
    (found,) = record.orders
    assert (found.side, found.time_in_force, found.status) == ("sell", "post_only", "filled")
    assert found.fills == (LiveFill(1_700_000_003_000 * MS, 100.0, 2.0, 0.03, True),)
    assert read_record([written(tmp_path, "orders.json", [order])]).orders[0].filled_size == 2.0


def test_a_table_has_one_row_per_order_or_per_fill(tmp_path: Path) -> None:
    text = (
        "order_id,side,price,size,placed_ts,ended_ts,fill_ts,fill_size,fee\n"
        "1,buy,100.5,3,1700000000000,,1700000001000,1,0.1\n"
        "1,buy,100.5,3,1700000000000,,1700000002000,2,0.2\n"
        "2,ask,101,1,1700000000.5,1700000004,,,\n"
    )
    first, second = read_record([written(tmp_path, "live.csv", text)]).orders
    assert (first.status, first.placed_ts) == ("filled", 1_700_000_000_000 * MS)
    assert first.fills == (
        LiveFill(1_700_000_001_000 * MS, 100.5, 1.0, 0.1, True),
        LiveFill(1_700_000_002_000 * MS, 100.5, 2.0, 0.2, True),
    )
    assert (second.side, second.status) == ("sell", "cancelled")
    assert (second.placed_ts, second.ended_ts) == (1_700_000_000_500 * MS, 1_700_000_004_000 * MS)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("live.csv", "order_id,side,price\n1,buy,2\n", "no column size, placed_ts"),
        ("live.csv", "order_id,side,price,size,placed_ts,colour\n", "unknown column colour"),
        ("live.csv", "order_id,side,price,size,placed_ts\n1,up,2,3,4\n", "line 2: side was 'up'; known are buy"),
        ("live.csv", "order_id,side,price,size,placed_ts\n1,buy,x,3,4\n", "line 2: price was 'x', not a number"),
        ("live.json", "[1, 2]", "no live orders were found"),
        ("live.json", "{", "line 1 is no JSON"),
    ],
)
def test_what_cannot_be_read_says_what_is_wrong(tmp_path: Path, name: str, content: str, text: str) -> None:
    with pytest.raises(RecordError, match=text):
        read_record([written(tmp_path, name, content)])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"nothing\.json: No such file"):
        read_record([tmp_path / "nothing.json"])
