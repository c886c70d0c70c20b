import json
from pathlib import Path
from typing import Any

import pytest

from papertrader.services.feed.venues.hyperliquid.frames import HyperliquidAdapter
from papertrader.shared.messages import Bbo, Book, Context, Message, Trades

T0 = 1_757_015_216_000
MS = 1_000_000
RECV = T0 * MS + 400 * MS
MINUTE_NS = 60_000 * MS


def levels(*pairs: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"px": price, "sz": size, "n": 1} for price, size in pairs]


def book(time: int, bids: list[Any], asks: list[Any], coin: str = "BTC") -> bytes:
    return json.dumps({"channel": "l2Book", "data": {"coin": coin, "time": time, "levels": [bids, asks]}}).encode()


def bbo(time: int, bid: tuple[str, str] | None, ask: tuple[str, str] | None) -> bytes:
    sides = [levels(side)[0] if side else None for side in (bid, ask)]
    return json.dumps({"channel": "bbo", "data": {"coin": "BTC", "time": time, "bbo": sides}}).encode()


def trade(tid: int, time: int, price: str = "100.0", size: str = "0.5", side: str = "B") -> dict[str, Any]:
    return {"coin": "BTC", "side": side, "px": price, "sz": size, "time": time, "hash": "0x0", "tid": tid, "users": []}


def trades(*prints: dict[str, Any]) -> bytes:
    return json.dumps({"channel": "trades", "data": prints}).encode()


def context(ctx: dict[str, Any]) -> bytes:
    return json.dumps({"channel": "activeAssetCtx", "data": {"coin": "BTC", "ctx": ctx}}).encode()


BOOK = book(T0, levels(("99.0", "1.5"), ("98.0", "2.5")), levels(("101.0", "3.0"), ("102.0", "4.0")))


@pytest.fixture
def adapter() -> HyperliquidAdapter:
    return HyperliquidAdapter(["BTC"])


def one(found: list[tuple[str, Message]]) -> Message:
    assert len(found) == 1
    assert found[0][0] == "BTC"
    return found[0][1]


def test_book_frame_yields_both_sides_in_ns(adapter: HyperliquidAdapter) -> None:
    assert one(adapter.frame(RECV, BOOK)) == Book(
        ts=T0 * MS,
        recv_ts=RECV,
        bid_prices=[99.0, 98.0],
        bid_sizes=[1.5, 2.5],
        ask_prices=[101.0, 102.0],
        ask_sizes=[3.0, 4.0],
    )


def test_book_without_levels_is_an_empty_book(adapter: HyperliquidAdapter) -> None:
    found = one(adapter.frame(RECV, book(T0, [], [])))
    assert isinstance(found, Book)
    assert found.bid_prices == found.ask_prices == []
    assert not adapter.bad["BTC"]


def test_bbo_with_a_null_side_has_none(adapter: HyperliquidAdapter) -> None:
    found = one(adapter.frame(RECV, bbo(T0, None, ("101.0", "3.0"))))
    assert found == Bbo(ts=T0 * MS, recv_ts=RECV, bid_price=None, bid_size=None, ask_price=101.0, ask_size=3.0)


def test_book_older_than_the_bbo_takes_its_touch(adapter: HyperliquidAdapter) -> None:
    adapter.frame(RECV, bbo(T0 + 50, ("98.0", "7.0"), ("100.5", "8.0")))
    found = one(adapter.frame(RECV, BOOK))
    assert isinstance(found, Book)
    assert (found.bid_prices, found.bid_sizes) == ([98.0], [7.0])
    assert (found.ask_prices, found.ask_sizes) == ([100.5, 101.0, 102.0], [8.0, 3.0, 4.0])


def test_book_under_a_newer_empty_side_has_that_side_empty(adapter: HyperliquidAdapter) -> None:
    adapter.frame(RECV, bbo(T0 + 50, None, ("100.5", "8.0")))
    found = one(adapter.frame(RECV, BOOK))
    assert isinstance(found, Book)
    assert found.bid_prices == []


def test_bbo_older_than_the_book_is_ignored(adapter: HyperliquidAdapter) -> None:
    adapter.frame(RECV, BOOK)
    assert adapter.frame(RECV, bbo(T0 - 1, ("98.0", "7.0"), ("101.0", "3.0"))) == []
    assert adapter.ignored["BTC"] == {"older_touch": 1}
    assert isinstance(one(adapter.frame(RECV, bbo(T0, ("99.0", "1.0"), ("101.0", "3.0")))), Bbo)


def test_trades_keep_order_side_and_time(adapter: HyperliquidAdapter) -> None:
    adapter.frame(RECV, BOOK)
    found = one(adapter.frame(RECV, trades(trade(7, T0 + 3, "101.0"), trade(8, T0 + 1, "99.0", "0.25", "A"))))
    assert found == Trades(
        ts=(T0 + 3) * MS,
        recv_ts=RECV,
        times=[(T0 + 3) * MS, (T0 + 1) * MS],
        prices=[101.0, 99.0],
        sizes=[0.5, 0.25],
        aggressors=["buy", "sell"],
        trade_ids=[7, 8],
    )


def test_trades_repeated_or_older_than_the_first_book_are_dropped(adapter: HyperliquidAdapter) -> None:
    assert adapter.frame(RECV, trades(trade(1, T0 + 1))) == []
    adapter.frame(RECV, BOOK)
    found = one(adapter.frame(RECV, trades(trade(2, T0 - 1), trade(3, T0), trade(3, T0))))
    assert isinstance(found, Trades)
    assert found.trade_ids == [3]
    assert adapter.ignored["BTC"] == {"old_print": 2, "duplicate_print": 1}


def test_trades_after_a_reconnect_wait_for_its_first_book(adapter: HyperliquidAdapter) -> None:
    adapter.frame(RECV, BOOK)
    adapter.reconnected()
    assert adapter.frame(RECV, trades(trade(1, T0 + 500))) == []
    adapter.frame(RECV, book(T0 + 1000, levels(("99.0", "1.0")), levels(("101.0", "1.0"))))
    assert adapter.frame(RECV, trades(trade(2, T0 + 999))) == []
    assert isinstance(one(adapter.frame(RECV, trades(trade(3, T0 + 1000)))), Trades)


def test_trade_five_seconds_behind_the_clock_is_stale(adapter: HyperliquidAdapter) -> None:
    adapter.frame(RECV, BOOK)
    adapter.frame(RECV, book(T0 + 5_001, levels(("99.0", "1.0")), levels(("101.0", "1.0"))))
    assert isinstance(one(adapter.frame(RECV, trades(trade(1, T0 + 1)))), Trades)
    assert adapter.frame(RECV, trades(trade(2, T0))) == []
    assert adapter.bad["BTC"] == {"stale_print": 1}


def test_context_takes_the_event_clock_and_keeps_nulls(adapter: HyperliquidAdapter) -> None:
    values = {"funding": "0.0000125", "openInterest": "36295.8", "oraclePx": "100.1", "markPx": "100.0", "midPx": None}
    assert adapter.frame(RECV, context(values)) == []
    adapter.frame(RECV, BOOK)
    assert one(adapter.frame(RECV, context(values))) == Context(
        ts=T0 * MS, recv_ts=RECV, funding_rate=1.25e-5, oracle_price=100.1, mark_price=100.0, open_interest=36295.8
    )
    assert one(adapter.frame(RECV, context({"funding": "nan", "markPx": None}))) == Context(ts=T0 * MS, recv_ts=RECV)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (book(T0, levels(("101.0", "1.0")), levels(("101.0", "1.0"))), "locked_book"),
        (book(T0, levels(("99.0", "0.0")), []), "non_positive"),
        (book(T0, levels(("-99.0", "1.0")), []), "non_positive"),
        (book(T0, levels(("nan", "1.0")), []), "non_positive"),
        (book(T0, levels(("98.0", "1.0"), ("99.0", "1.0")), []), "unsorted_book"),
        (bbo(T0, ("102.0", "1.0"), ("101.0", "1.0")), "crossed_book"),
        (bbo(T0, ("99.0", "inf"), None), "non_positive"),
    ],
)
def test_bad_book_is_counted_and_dropped(adapter: HyperliquidAdapter, frame: bytes, reason: str) -> None:
    assert adapter.frame(RECV, frame) == []
    assert adapter.bad["BTC"] == {reason: 1}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (book(T0 - 1, levels(("99.0", "1.0")), levels(("101.0", "1.0"))), "time_went_back"),
        (book(T0 + 61_000, levels(("99.0", "1.0")), levels(("101.0", "1.0"))), "time_jumped"),
        (book(T0, levels(("120.0", "1.0")), levels(("121.0", "1.0"))), "price_off"),
        (trades(trade(1, T0, "100.0", "0.0")), "non_positive"),
    ],
)
def test_data_that_contradicts_the_last_book_is_dropped(adapter: HyperliquidAdapter, frame: bytes, reason: str) -> None:
    adapter.frame(RECV, BOOK)
    assert adapter.frame(RECV, frame) == []
    assert adapter.bad["BTC"] == {reason: 1}


def test_price_level_that_persists_is_believed_in_the_end(adapter: HyperliquidAdapter) -> None:
    adapter.frame(RECV, BOOK)
    moved = [book(T0 + n, levels(("199.0", "1.0")), levels(("201.0", "1.0"))) for n in range(1, 30)]
    accepted = [bool(adapter.frame(RECV, frame)) for frame in moved]
    assert accepted == [False] + [True] * 28, "one book may be an error, two that agree are the market"
    assert adapter.bad["BTC"] == {"price_off": 1}


DEEP = book(T0, levels(("99.9", "5.0"), ("74.0", "50.0")), levels(("100.1", "5.0")))


def kinds(adapter: HyperliquidAdapter, *frames: bytes) -> list[list[str]]:
    return [[type(message).__name__ for _, message in adapter.frame(RECV, frame)] for frame in frames]


def test_print_and_touch_that_the_book_shows_are_believed_however_far_they_are(adapter: HyperliquidAdapter) -> None:
    sweep = trades(trade(1, T0 + 1, "74.0"))
    bounce = book(T0 + 2, levels(("74.0", "20.0"), ("73.0", "1.0")), levels(("74.5", "5.0")))
    assert kinds(adapter, DEEP, sweep, bounce) == [["Book"], ["Trades"], ["Book"]]
    assert adapter.bad["BTC"] == {}


def test_print_off_the_market_waits_for_the_book_to_confirm_it(adapter: HyperliquidAdapter) -> None:
    sweep = trades(trade(1, T0 + 1, "70.0"), trade(2, T0 + 1, "300.0"))
    down = book(T0 + 2, levels(("69.0", "20.0")), levels(("71.0", "5.0")))
    assert kinds(adapter, DEEP, sweep, down) == [["Book"], [], ["Trades", "Book"]]
    assert adapter.bad["BTC"] == {}
    later = [book(T0 + 3 + 1_000 * n, levels(("69.0", "20.0")), levels(("71.0", "5.0"))) for n in range(7)]
    assert kinds(adapter, *later) == [["Book"]] * 7
    assert adapter.bad["BTC"] == {"price_off": 1}, "300 is what nothing has confirmed in five seconds"


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"not json", "undecodable"),
        (b'{"channel":"l2Book"', "undecodable"),
        (b'{"channel":"l2Book","data":{}}', "malformed_message"),
        (b'{"channel":"bbo","data":{"coin":"BTC","time":-4,"bbo":[null,null]}}', "malformed_message"),
        (b'{"channel":"somethingNew","data":{}}', "unknown_message"),
        (b"[1]", "unknown_message"),
        (book(T0, [], [], coin="DOGE"), "unknown_asset"),
        (b'{"x":' + b"[" * 100_000, "undecodable"),
    ],
)
def test_frame_that_is_not_understood_is_counted(adapter: HyperliquidAdapter, frame: bytes, reason: str) -> None:
    assert adapter.frame(RECV, frame) == []
    assert adapter.bad[""] == {reason: 1}


def test_greeting_is_ignored(adapter: HyperliquidAdapter) -> None:
    assert adapter.frame(RECV, b"Websocket connection established.") == []
    assert not adapter.bad[""]


def test_recorded_odd_frames_are_read_or_ignored_and_never_bad(tape_dir: Path) -> None:
    adapter = HyperliquidAdapter()
    lines = (tape_dir / "hyperliquid-frames-20260903.jsonl").read_bytes().splitlines()
    minutes = enumerate(lines, start=1_788_490_065_000 // 60_000)  # the frames were picked minutes apart
    found = [message for minute, line in minutes for _, message in adapter.frame(minute * MINUTE_NS, line)]
    assert [type(message) for message in found] == [Bbo, Bbo, Context, Context, Book]
    empty = found[1]
    assert isinstance(empty, Bbo)
    assert (empty.ts, empty.bid_price, empty.ask_size) == (1_788_490_065_008 * MS, None, None)
    assert sum(sum(counts.values()) for counts in adapter.bad.values()) == 0
    # the prints are older than any book, and the context of an asset without a clock has no time
    assert adapter.ignored["BTC"] == {"old_print": 2}
    assert adapter.ignored["xyz:AAPL"] == {"early_context": 1}


def fast(time: int, bids: list[Any], asks: list[Any]) -> bytes:
    data = {"coin": "BTC", "time": time, "levels": [bids, asks], "fast": True}
    return json.dumps({"channel": "l2Book", "data": data}).encode()


def test_deep_book_older_than_the_fast_one_adds_only_what_lies_beyond_it(adapter: HyperliquidAdapter) -> None:
    adapter.frame(RECV, fast(T0 + 100, levels(("99.0", "1"), ("98.0", "2")), levels(("101.0", "3"))))
    deep_bids = levels(("100.0", "9"), ("98.0", "9"), ("97.0", "4"))
    ((_, book_),) = adapter.frame(RECV, book(T0, deep_bids, levels(("101.0", "9"), ("102.0", "5"))))
    assert isinstance(book_, Book)
    assert book_.ts == (T0 + 100) * MS
    assert (book_.bid_prices, book_.bid_sizes) == ([99.0, 98.0, 97.0], [1.0, 2.0, 4.0])
    assert (book_.ask_prices, book_.ask_sizes) == ([101.0, 102.0], [3.0, 5.0])
    assert not adapter.bad["BTC"]


def test_deep_book_newer_than_the_fast_one_replaces_it(adapter: HyperliquidAdapter) -> None:
    adapter.frame(RECV, fast(T0, levels(("99.0", "1")), levels(("101.0", "3"))))
    ((_, book_),) = adapter.frame(RECV, book(T0 + 1, levels(("98.0", "9")), levels(("100.0", "9"))))
    assert isinstance(book_, Book)
    assert (book_.bid_prices, book_.ask_prices) == ([98.0], [100.0])


def test_clock_that_jumped_is_believed_after_ten_seconds(adapter: HyperliquidAdapter) -> None:
    adapter.frame(RECV, bbo(T0, ("99.0", "1"), ("101.0", "1")))
    ahead = [
        (RECV + step * 400 * MS, bbo(T0 + 20_000 + step * 400, ("99.0", "1"), ("101.0", "1"))) for step in range(27)
    ]
    assert [len(adapter.frame(*frame)) for frame in ahead] == [0] * 25 + [1, 1]
    assert adapter.bad["BTC"] == {"time_jumped": 25}


def test_clock_that_was_an_hour_ahead_for_five_seconds_changes_nothing(adapter: HyperliquidAdapter) -> None:
    adapter.frame(RECV, bbo(T0, ("99.0", "1"), ("101.0", "1")))
    for step in range(100):
        assert (
            adapter.frame(RECV + step * 50 * MS, bbo(T0 + 3_600_000 + step * 50, ("99.0", "1"), ("101.0", "1"))) == []
        )
    assert len(adapter.frame(RECV + 5_100 * MS, bbo(T0 + 5_100, ("99.0", "1"), ("101.0", "1")))) == 1


def test_clock_that_ran_ahead_is_given_up_after_twenty_frames_of_an_older_time(adapter: HyperliquidAdapter) -> None:
    adapter.frame(RECV, book(T0 + 30_000, levels(("99.0", "1")), levels(("101.0", "1"))))
    adapter.frame(RECV, bbo(T0 + 30_000, ("99.0", "1"), ("101.0", "1")))
    found = [adapter.frame(RECV, bbo(T0 + step, ("99.0", "1"), ("101.0", "1"))) for step in range(21)]
    assert [len(messages) for messages in found] == [0] * 19 + [1, 1]
    assert adapter.bad["BTC"] == {"time_went_back": 19}
    ((_, book_),) = adapter.frame(RECV, book(T0 + 30, levels(("98.0", "1")), levels(("101.0", "1"))))
    assert book_.ts == (T0 + 30) * MS
