"""Frames unified by ccxt to messages, and ccxt's precision to grids."""

import json
from typing import Any

import pytest

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.venues.ccxt.frames import CcxtAdapter, number_of
from papertrader.services.feed.venues.ccxt.rules import DECIMAL_PLACES, hours_of, step_of
from papertrader.services.feed.venues.live import LiveError
from papertrader.services.feed.venues.registry import live_venue
from papertrader.shared.messages import Book, Context, Trades

MS = 1_000_000
T0 = 1_795_370_400_000
RECV = (T0 + 200) * MS
SYMBOL = "BTC/USDT:USDT"


def book(time: int | None, bid: float, ask: float) -> bytes:
    return json.dumps(
        {"kind": "book", "asset": SYMBOL, "time": time, "bids": [[bid, 1.0]], "asks": [[ask, 2.0]]}
    ).encode()


def trades(*prints: dict[str, Any]) -> bytes:
    return json.dumps({"kind": "trades", "asset": SYMBOL, "prints": prints}).encode()


def trade(name: str, time: int, price: float = 100.0) -> dict[str, Any]:
    return {"id": name, "time": time, "price": price, "size": 0.5, "side": "sell"}


def test_book_without_a_time_is_as_old_as_its_receipt() -> None:
    ((asset, message),) = CcxtAdapter().frame(RECV, book(None, 99.0, 101.0))
    assert asset == SYMBOL
    assert isinstance(message, Book)
    assert (message.ts, message.bid_prices, message.ask_sizes) == (RECV, [99.0], [2.0])


def test_prints_are_read_once_and_only_after_a_book() -> None:
    adapter = CcxtAdapter()
    assert adapter.frame(RECV, trades(trade("1", T0))) == []
    adapter.frame(RECV, book(T0, 99.0, 101.0))
    ((_, message),) = adapter.frame(RECV, trades(trade("1", T0), trade("2", T0 + 5), trade("x-y", T0 + 6)))
    assert isinstance(message, Trades)
    assert message.trade_ids == [2, number_of("x-y")]
    assert (message.ts, message.aggressors) == ((T0 + 6) * MS, ["sell", "sell"])
    assert adapter.ignored[SYMBOL] == {"old_print": 1, "duplicate_print": 1}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (book(T0, 101.0, 99.0), "crossed_book"),
        (book(T0, -1.0, 99.0), "non_positive"),
        (book(T0 - 50, 99.0, 101.0), "time_went_back"),
        (book(T0 + 1, 199.0, 201.0), "price_off"),
        (b"{", "undecodable"),
        (b'{"kind":"book"}', "malformed_message"),
    ],
)
def test_bad_frames_are_counted_and_dropped(frame: bytes, reason: str) -> None:
    adapter = CcxtAdapter()
    adapter.frame(RECV, book(T0, 99.0, 101.0))
    assert adapter.frame(RECV, frame) == []
    assert adapter.bad[SYMBOL] + adapter.bad[""] == {reason: 1}


def test_funding_comes_at_the_event_clock() -> None:
    adapter = CcxtAdapter()
    frame = json.dumps({"kind": "funding", "asset": SYMBOL, "rate": 1e-5, "mark_price": 100.5}).encode()
    assert adapter.frame(RECV, frame) == []
    adapter.frame(RECV, book(T0, 99.0, 101.0))
    ((_, message),) = adapter.frame(RECV, frame)
    assert message == Context(ts=T0 * MS, recv_ts=RECV, funding_rate=1e-5, mark_price=100.5)


@pytest.mark.parametrize(
    ("precision", "mode", "step"), [(0.1, 4, 0.1), (5.0, 4, 5.0), (3, DECIMAL_PLACES, 0.001), (None, 4, 1e-8)]
)
def test_precision_is_a_step_or_a_number_of_decimals(precision: float | None, mode: int, step: float) -> None:
    assert step_of(precision, mode) == step


@pytest.mark.parametrize(("interval", "hours"), [("8h", 8.0), ("1h", 1.0), (None, 8.0), ("0h", 8.0)])
def test_funding_interval_in_hours(interval: str | None, hours: float) -> None:
    assert hours_of(interval) == hours


def test_source_without_the_package_or_with_an_unknown_exchange_is_refused() -> None:
    with pytest.raises(LiveError, match=r"pip install|ccxt knows no"):
        live_venue(FeedConfig(source="ccxt", exchange="nowhere", assets=(SYMBOL,)))
