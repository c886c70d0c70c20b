import json
from typing import Any

import pytest

from papertrader.services.feed.venues.binance.frames import BinanceAdapter
from papertrader.shared.messages import Bbo, Book, Context, Depth, Gap, Message, Trades

T0 = 1_723_161_256_000
MS = 1_000_000
RECV = T0 * MS - 1_270 * MS


def combined(**data: Any) -> bytes:
    return json.dumps({"stream": "btcusdt@x", "data": {"s": "BTCUSDT", "E": T0 + 9, "T": T0, **data}}).encode()


def depth(first: int, last: int, previous: int, bids: list[Any], asks: list[Any], time: int = T0) -> bytes:
    return combined(e="depthUpdate", T=time, U=first, u=last, pu=previous, b=bids, a=asks)


def ticker(last: int, bid: str, ask: str, time: int = T0) -> bytes:
    return combined(e="bookTicker", T=time, u=last, b=bid, B="1.0", a=ask, A="2.0")


def trade(trade_id: int, price: str = "100.0", seller: bool = False, kind: str = "MARKET", time: int = T0) -> bytes:
    return combined(e="trade", T=time, t=trade_id, p=price, q="0.5", X=kind, m=seller)


SNAPSHOT = json.dumps(
    {
        "lastUpdateId": 20,
        "E": T0,
        "T": T0,
        "bids": [["99.0", "1.0"], ["98.0", "2.0"]],
        "asks": [["101.0", "3.0"], ["102.0", "4.0"]],
    }
).encode()


@pytest.fixture
def adapter() -> BinanceAdapter:
    return BinanceAdapter(["BTCUSDT"])


def feed(adapter: BinanceAdapter, *frames: bytes) -> list[Message]:
    return [message for frame in frames for _, message in adapter.frame(RECV, frame)]


def test_ticker_alone_gives_a_touch(adapter: BinanceAdapter) -> None:
    expected = Bbo(ts=T0 * MS, recv_ts=RECV, bid_price=99.0, bid_size=1.0, ask_price=101.0, ask_size=2.0)
    assert feed(adapter, ticker(5, "99.0", "101.0")) == [expected]


def test_trade_with_maker_buyer_is_a_sell(adapter: BinanceAdapter) -> None:
    sold, bought = feed(adapter, trade(1, seller=True), trade(2, seller=False))
    assert sold == Trades(
        ts=T0 * MS,
        recv_ts=RECV,
        times=[T0 * MS],
        prices=[100.0],
        sizes=[0.5],
        aggressors=["sell"],
        trade_ids=[1],
    )
    assert isinstance(bought, Trades)
    assert bought.aggressors == ["buy"]


def test_trade_off_the_book_repeated_or_without_price_is_dropped(adapter: BinanceAdapter) -> None:
    frames = [trade(1, kind="INSURANCE_FUND"), trade(2, "0", kind="NA"), trade(3), trade(3), trade(4, "0")]
    assert len(feed(adapter, *frames)) == 1
    assert adapter.ignored["BTCUSDT"] == {"off_book_print": 2, "duplicate_print": 1}
    assert adapter.bad["BTCUSDT"] == {"non_positive": 1}


def test_trades_of_a_second_stream_are_not_counted_twice(adapter: BinanceAdapter) -> None:
    aggregate = combined(e="aggTrade", a=9, p="100.0", q="0.5", f=1, l=2, m=True)
    first, second = feed(adapter, aggregate, combined(e="aggTrade", a=10, p="100.0", q="0.5", f=3, l=3, m=False))
    assert isinstance(first, Trades)
    assert isinstance(second, Trades)
    assert (first.aggressors, second.aggressors) == (["sell"], ["buy"])
    assert feed(adapter, trade(3)) == []
    assert adapter.ignored["BTCUSDT"] == {"other_trade_stream": 1}


def test_funding_rate_is_the_venues_own_with_its_period_and_when_it_is_paid(adapter: BinanceAdapter) -> None:
    mark = combined(e="markPriceUpdate", p="100.5", i="100.25", r="0.00080000", T=T0 + 60_000)
    assert feed(adapter, mark) == [
        Context(
            ts=(T0 + 9) * MS,
            recv_ts=RECV,
            funding_rate=8e-4,
            funding_period_s=8 * 3600,
            next_funding_ts=(T0 + 60_000) * MS,
            oracle_price=100.25,
            mark_price=100.5,
        )
    ]


def test_funding_of_a_symbol_charged_every_four_hours_is_for_four_hours(adapter: BinanceAdapter) -> None:
    mark = combined(e="markPriceUpdate", p="100.5", i="100.25", r="0.00080000")
    (found,) = feed(adapter, b'{"symbol":"BTCUSDT","fundingIntervalHours":4}', mark)
    assert isinstance(found, Context)
    assert (found.funding_rate, found.funding_period_s) == (8e-4, 4 * 3600)
    assert not adapter.bad[""]


@pytest.mark.parametrize("hours", [b"0", b"-4", b"25", b"null"])
def test_funding_interval_that_cannot_be_is_refused(adapter: BinanceAdapter, hours: bytes) -> None:
    (found,) = feed(
        adapter,
        b'{"symbol":"BTCUSDT","fundingIntervalHours":%s}' % hours,
        combined(e="markPriceUpdate", p="100.5", i="100.25", r="0.00080000"),
    )
    assert isinstance(found, Context)
    assert (found.funding_rate, found.funding_period_s) == (8e-4, 8 * 3600)
    assert adapter.bad[""].total() == 1


def test_mark_price_without_funding_has_none(adapter: BinanceAdapter) -> None:
    (found,) = feed(adapter, combined(e="markPriceUpdate", p="100.5", i="100.25", r=""))
    assert isinstance(found, Context)
    assert found.funding_rate is None


def test_depth_before_the_snapshot_is_buffered_and_applied_after_it(adapter: BinanceAdapter) -> None:
    before = feed(
        adapter,
        depth(1, 10, 0, [["97.0", "9.0"]], []),
        depth(15, 25, 10, [["97.0", "5.0"]], []),
        depth(26, 30, 25, [["98.0", "0"]], [["103.0", "6.0"]], T0 + 1),
    )
    assert before == []
    assert adapter.unsynchronised() == ["BTCUSDT"]
    book, joined, following = feed(adapter, SNAPSHOT)
    assert isinstance(book, Book)
    assert (book.bid_prices, book.ask_sizes) == ([99.0, 98.0], [3.0, 4.0])
    assert isinstance(joined, Depth)
    assert (joined.bid_prices, joined.bid_sizes) == ([97.0], [5.0])
    assert following == Depth(
        ts=(T0 + 1) * MS,
        recv_ts=RECV,
        bid_prices=[98.0],
        bid_sizes=[0.0],
        ask_prices=[103.0],
        ask_sizes=[6.0],
    )
    assert adapter.unsynchronised() == []


def test_depth_that_continues_the_sequence_is_published(adapter: BinanceAdapter) -> None:
    feed(adapter, depth(15, 25, 10, [], []), SNAPSHOT)
    assert len(feed(adapter, depth(27, 30, 25, [["98.0", "1.5"]], []))) == 1


def test_snapshot_older_than_the_buffer_leaves_the_book_unknown(adapter: BinanceAdapter) -> None:
    assert feed(adapter, depth(21, 25, 20, [], []), SNAPSHOT) == []
    assert adapter.ignored["BTCUSDT"] == {"older_snapshot": 1}
    assert adapter.unsynchronised() == ["BTCUSDT"]


def test_sequence_break_is_a_gap_and_a_new_snapshot_mends_it(adapter: BinanceAdapter) -> None:
    feed(adapter, depth(15, 20, 10, [], []), SNAPSHOT)
    broken = feed(adapter, depth(30, 35, 29, [["98.0", "1.5"]], [], T0 + 40))
    assert broken == [
        Gap(ts=(T0 + 40) * MS, recv_ts=RECV, from_ts=T0 * MS, to_ts=(T0 + 40) * MS, reason="sequence_break")
    ]
    assert feed(adapter, depth(36, 40, 35, [["98.0", "1.5"]], [], T0 + 50)) == []
    again = feed(adapter, SNAPSHOT.replace(b'"lastUpdateId": 20', b'"lastUpdateId": 33'))
    assert [type(message) for message in again] == [Book, Depth, Depth]


def test_depth_older_than_the_ticker_cannot_undo_its_touch(adapter: BinanceAdapter) -> None:
    feed(adapter, depth(15, 20, 10, [], []), SNAPSHOT, ticker(28, "98.5", "100.5"))
    (found,) = feed(
        adapter,
        depth(21, 25, 20, [["99.0", "1.0"], ["98.5", "0"], ["98.0", "7.0"]], [["100.5", "9.0"], ["101.0", "8.0"]]),
    )
    assert isinstance(found, Depth)
    assert (found.bid_prices, found.bid_sizes) == ([98.0], [7.0])
    assert (found.ask_prices, found.ask_sizes) == ([101.0], [8.0])
    assert adapter.ignored["BTCUSDT"]["overtaken_level"] == 3


def test_ticker_older_than_the_depth_is_ignored(adapter: BinanceAdapter) -> None:
    feed(adapter, depth(15, 25, 10, [], []), SNAPSHOT)
    assert feed(adapter, ticker(24, "98.5", "100.5")) == []
    assert len(feed(adapter, ticker(25, "98.5", "100.5"))) == 1


def test_snapshot_under_a_newer_ticker_takes_its_touch(adapter: BinanceAdapter) -> None:
    feed(adapter, ticker(28, "98.5", "100.5"))
    (book,) = feed(adapter, SNAPSHOT)
    assert isinstance(book, Book)
    assert (book.bid_prices, book.bid_sizes) == ([98.5, 98.0], [1.0, 2.0])
    assert (book.ask_prices, book.ask_sizes) == ([100.5, 101.0, 102.0], [2.0, 3.0, 4.0])


def test_depth_levels_that_are_unsound_are_dropped_alone_and_far_ones_are_told(adapter: BinanceAdapter) -> None:
    feed(adapter, depth(15, 20, 10, [], []), SNAPSHOT)
    bids = [["98.0", "-1"], ["nan", "1"], ["79.0", "1"], ["97.0", "6.0"]]
    (found,) = feed(adapter, depth(21, 25, 20, bids, []))
    assert isinstance(found, Depth)
    assert found.bid_prices == [79.0, 97.0]
    assert adapter.bad["BTCUSDT"] == {"non_positive": 2}


def test_differences_without_a_snapshot_tell_what_lies_behind_the_touch_and_it_is_said(adapter: BinanceAdapter) -> None:
    assert feed(adapter, depth(15, 20, 10, [["98.0", "7.0"]], [])) == [], "nobody knows where the market is"
    feed(adapter, ticker(21, "99.0", "101.0"))
    changes = depth(21, 25, 20, [["99.5", "1.0"], ["99.0", "0"], ["98.0", "6.0"]], [["101.0", "1"], ["102.0", "3.0"]])
    (found,) = feed(adapter, changes)
    assert isinstance(found, Depth)
    assert (found.bid_prices, found.ask_prices) == ([98.0], [102.0])
    assert adapter.bad["BTCUSDT"] == {}
    feed(adapter, *(depth(26 + n, 26 + n, 25 + n, [["98.0", "6.0"]], []) for n in range(60)))
    assert adapter.bad["BTCUSDT"] == {"no_depth_snapshot": 12}


def test_snapshot_goes_to_the_symbol_that_trades_at_its_price() -> None:
    adapter = BinanceAdapter()
    cheap = combined(e="bookTicker", u=1, b="9.0", B="1", a="9.1", A="1").replace(b"BTCUSDT", b"ADAUSDT")
    feed(adapter, cheap, ticker(5, "99.0", "101.0"))
    assert [symbol for symbol, _ in adapter.frame(RECV, SNAPSHOT)] == ["BTCUSDT"]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"nonsense", "undecodable"),
        (b"{}", "unknown_message"),
        (b'{"stream":"x","data":{"e":"new"}}', "unknown_message"),
        (b'{"stream":"x","data":{"e":"bookTicker"}}', "malformed_message"),
        (trade(1).replace(b"BTCUSDT", b"DOGEUSDT"), "unknown_asset"),
        (SNAPSHOT, "unknown_asset"),
    ],
)
def test_frame_that_is_not_understood_is_counted(adapter: BinanceAdapter, frame: bytes, reason: str) -> None:
    assert adapter.frame(RECV, frame) == []
    assert adapter.bad[""] == {reason: 1}


@pytest.mark.parametrize("frame", [b'{"result":null,"id":1}', b'{"stream":"x","data":{"e":"kline","s":"BTCUSDT"}}'])
def test_frame_that_is_not_wanted_is_ignored(adapter: BinanceAdapter, frame: bytes) -> None:
    assert adapter.frame(RECV, frame) == []
    assert not adapter.bad[""]


def test_depth_that_is_repeated_is_no_break(adapter: BinanceAdapter) -> None:
    feed(adapter, depth(15, 25, 10, [], []), SNAPSHOT)
    following = depth(26, 30, 25, [["98.0", "1.5"]], [])
    assert [type(message) for message in feed(adapter, following, following)] == [Depth]
    assert adapter.ignored["BTCUSDT"] == {"older_depth": 1}
    assert adapter.unsynchronised() == []


def test_depth_after_a_broken_connection_waits_for_a_snapshot_without_another_gap(adapter: BinanceAdapter) -> None:
    feed(adapter, depth(15, 20, 10, [], []), SNAPSHOT)
    adapter.reconnected()
    assert feed(adapter, depth(30, 35, 29, [["98.0", "1.5"]], [], T0 + 4_000)) == []
    assert adapter.unsynchronised() == ["BTCUSDT"]
    again = feed(adapter, SNAPSHOT.replace(b'"lastUpdateId": 20', b'"lastUpdateId": 33'))
    assert [type(message) for message in again] == [Book, Depth]


def test_ids_that_were_too_large_are_given_up(adapter: BinanceAdapter) -> None:
    """A broken byte, or a venue that counts anew: prints and touches come again after twenty new ones."""
    feed(adapter, trade(10**12), ticker(10**12, "99.0", "101.0"))
    prints = [trade(number, time=T0 + 10 * number) for number in range(1, 30)]
    touches = [ticker(number, "99.0", "101.0", T0 + 1_000 + 10 * number) for number in range(1, 30)]
    assert len(feed(adapter, *prints)) == 9
    assert len(feed(adapter, *touches)) == 9


def test_old_prints_that_come_again_stay_old(adapter: BinanceAdapter) -> None:
    prints = [trade(number, time=T0 + number) for number in range(1, 60)]
    assert len(feed(adapter, *prints)) == 59
    assert feed(adapter, *prints[:50]) == []
    adapter.reconnected()
    assert feed(adapter, *prints[:50]) == []


def test_update_id_that_was_too_large_is_a_break_in_the_sequence(adapter: BinanceAdapter) -> None:
    feed(adapter, depth(15, 20, 10, [], []), SNAPSHOT, depth(21, 10**12, 20, [], []))
    later = [depth(20 + number, 20 + number, 19 + number, [], [], T0 + number) for number in range(2, 30)]
    assert [type(message) for message in feed(adapter, *later)] == [Gap]
    assert adapter.unsynchronised() == ["BTCUSDT"]
