"""Frames unified by ccxt to messages, and ccxt's precision to grids."""

import json
from typing import Any

import pytest

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.venues.ccxt.frames import CcxtAdapter, number_of
from papertrader.services.feed.venues.ccxt.live import print_of
from papertrader.services.feed.venues.ccxt.rules import (
    DECIMAL_PLACES,
    SIGNIFICANT_DIGITS,
    hours_of,
    rules_of,
    size_factor,
)
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


def test_trade_of_which_the_exchange_does_not_say_all_is_refused_and_counted() -> None:
    whole = {"timestamp": T0, "price": 100.0, "amount": 0.5, "side": "sell"}
    missing = ({}, {"side": None}, {"timestamp": None}, {"price": None}, {"amount": None})
    prints = [print_of({**whole, "id": f"{number}", **less}, 2.0) for number, less in enumerate(missing)]
    adapter = CcxtAdapter()
    adapter.frame(RECV, book(T0, 99.0, 101.0))
    ((_, message),) = adapter.frame(RECV, trades(*prints))
    assert isinstance(message, Trades)
    assert (message.sizes, message.trade_ids) == ([1.0], [0])
    assert adapter.bad[SYMBOL] == {"untimed_print": 1, "unsided_print": 1, "non_positive": 2}


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


SWAP: dict[str, Any] = {
    "swap": True,
    "contract": True,
    "linear": True,
    "contractSize": 0.01,
    "precision": {"amount": 1.0, "price": 0.1},
    "limits": {"cost": {"min": 5}, "leverage": {"max": 100}},
}
TICK_SIZE = 4


@pytest.mark.parametrize(
    ("precision", "mode", "step"),
    [(0.1, TICK_SIZE, 0.1), (5.0, TICK_SIZE, 5.0), (3, DECIMAL_PLACES, 0.001), (-1, DECIMAL_PLACES, 10.0)],
)
def test_precision_is_a_step_or_a_number_of_decimals(precision: float, mode: int, step: float) -> None:
    rules = rules_of("A/B", {"precision": {"amount": precision, "price": precision}}, mode)
    assert (rules.tick_size, rules.lot_size, rules.significant_figures, rules.kind) == (step, step, 0, "spot")


def test_precision_of_significant_digits_is_a_rule_of_figures_and_its_amount_has_decimals() -> None:
    rules = rules_of("BTC/USD", {"spot": True, "precision": {"amount": 8, "price": 5}}, SIGNIFICANT_DIGITS)
    assert (rules.significant_figures, rules.lot_size, rules.contract_size) == (5, 1e-8, 1.0)


@pytest.mark.parametrize(("what", "mode"), [("price", TICK_SIZE), ("amount", TICK_SIZE), ("price", SIGNIFICANT_DIGITS)])
def test_missing_precision_is_refused_naming_the_market(what: str, mode: int) -> None:
    precision = {"amount": 3.0, "price": 3.0, what: None}
    with pytest.raises(LiveError, match=rf"A/B:B no precision of its {what}"):
        rules_of("A/B:B", SWAP | {"precision": precision}, mode)


def test_sizes_of_a_linear_contract_are_base_units_and_those_of_an_inverse_one_contracts() -> None:
    linear = rules_of("BTC/USDT:USDT", SWAP, TICK_SIZE)
    assert (linear.kind, linear.contract_size, linear.lot_size, size_factor(linear)) == ("perpetual", 0.01, 0.01, 0.01)
    assert (linear.min_notional, linear.maximum_leverage) == (5.0, 100.0)
    inverse = rules_of("BTC/USD:BTC", SWAP | {"linear": False, "inverse": True, "contractSize": 100.0}, TICK_SIZE)
    assert (inverse.kind, inverse.contract_size, inverse.lot_size, size_factor(inverse)) == ("inverse", 100.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"contractSize": None}, "contract size None"),
        ({"linear": False}, "neither a linear nor an inverse"),
        ({"option": True}, "is an option"),
    ],
)
def test_contract_that_is_not_understood_is_refused_naming_the_market(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(LiveError, match=f"A/B:B.*{text}"):
        rules_of("A/B:B", SWAP | changes, TICK_SIZE)


@pytest.mark.parametrize(("interval", "hours"), [("8h", 8.0), ("1h", 1.0), (None, 8.0), ("0h", 8.0)])
def test_funding_interval_in_hours(interval: str | None, hours: float) -> None:
    assert hours_of(interval) == hours


def test_source_without_the_package_or_with_an_unknown_exchange_is_refused() -> None:
    with pytest.raises(LiveError, match=r"pip install|ccxt knows no"):
        live_venue(FeedConfig(source="ccxt", exchange="nowhere", assets=(SYMBOL,)))
