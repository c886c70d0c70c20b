"""Messages in the formats of hftbacktest and Tardis, worked by hand."""

from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.files.array_file import event_rows, events_of, in_both_orders
from papertrader.services.feed.files.convert import convert
from papertrader.services.feed.files.hftbacktest import (
    BUY,
    CLEAR,
    DEPTH,
    EXCHANGE,
    HFTBACKTEST_EVENT,
    LOCAL,
    SELL,
    SNAPSHOT,
    TRADE,
    frames,
    received,
)
from papertrader.services.feed.files.ladder import Change, Ladder
from papertrader.services.feed.files.names import market_of
from papertrader.services.feed.files.tardis import rows_of
from papertrader.services.feed.sources import sources
from papertrader.shared.market.tape import TapeError
from papertrader.shared.messages import Bbo, Book, Context, Depth, Gap, Message, Trades

US = 1_000
FILE = Path("x.npz")


def hftbacktest_events(messages: list[Message]) -> "np.ndarray[tuple[int], np.dtype[np.void]]":
    ladder = Ladder()
    return events_of([row for message in messages for row in event_rows(message, ladder)])


def book(ts: int, bids: dict[float, float], asks: dict[float, float]) -> Book:
    return Book(
        ts=ts,
        recv_ts=ts + 10 * US,
        bid_prices=list(bids),
        bid_sizes=list(bids.values()),
        ask_prices=list(asks),
        ask_sizes=list(asks.values()),
    )


def bbo(ts: int, bid: float, ask: float) -> Bbo:
    return Bbo(ts=ts, recv_ts=ts + 10 * US, bid_price=bid, bid_size=1.0, ask_price=ask, ask_size=1.0)


TRADE_MESSAGE = Trades(
    ts=5 * US, recv_ts=15 * US, times=[5 * US], prices=[99.0], sizes=[0.5], aggressors=["sell"], trade_ids=[7]
)


def test_first_book_is_a_snapshot_and_the_next_one_its_changes() -> None:
    ladder = Ladder()
    first = ladder.changes(book(0, {99.0: 1.0, 98.0: 2.0}, {101.0: 3.0}))
    assert first == (True, [Change(1, 99.0, 1.0), Change(1, 98.0, 2.0), Change(-1, 101.0, 3.0)])
    second = ladder.changes(book(1, {99.0: 1.5, 97.0: 4.0}, {101.0: 3.0}))
    assert second == (False, [Change(1, 98.0, 0.0), Change(1, 99.0, 1.5), Change(1, 97.0, 4.0)])


def test_level_below_a_shallower_book_stays() -> None:
    ladder = Ladder()
    ladder.changes(book(0, {99.0: 1.0, 98.0: 2.0, 97.0: 5.0}, {101.0: 3.0}))
    assert ladder.changes(book(1, {99.0: 1.0, 98.0: 2.5}, {101.0: 3.0})).levels == [Change(1, 98.0, 2.5)]


def test_touch_removes_the_better_levels() -> None:
    ladder = Ladder()
    ladder.changes(book(0, {99.0: 1.0, 98.0: 1.0}, {101.0: 1.0}))
    assert ladder.changes(bbo(1, 98.0, 101.0)).levels == [Change(1, 99.0, 0.0)]


def test_book_after_a_gap_is_a_snapshot_again() -> None:
    ladder = Ladder()
    ladder.changes(book(0, {99.0: 1.0}, {101.0: 1.0}))
    ladder.changes(Gap(ts=1, recv_ts=1, from_ts=0, to_ts=1, reason="silence"))
    assert ladder.changes(book(2, {99.0: 1.0}, {101.0: 1.0})).is_snapshot


def test_difference_that_repeats_a_size_says_that_it_still_holds() -> None:
    ladder = Ladder()
    ladder.changes(book(0, {99.0: 1.0}, {101.0: 1.0}))
    same = Depth(ts=1, recv_ts=1, bid_prices=[99.0, 98.0], bid_sizes=[1.0, 0.0], ask_prices=[], ask_sizes=[])
    assert ladder.changes(same).levels == [Change(1, 98.0, 0.0), Change(1, 99.0, 1.0)]


def test_book_with_an_empty_side_removes_all_of_it() -> None:
    """The venue shows no ask any more: a stale one would stand below the next bid."""
    ladder = Ladder()
    ladder.changes(book(0, {99.0: 1.0}, {100.1: 1.0, 100.2: 2.0}))
    found = ladder.changes(book(1, {100.3: 1.0}, {}))
    assert found.levels == [Change(-1, 100.1, 0.0), Change(-1, 100.2, 0.0), Change(1, 100.3, 1.0)]
    assert ladder.changes(book(2, {}, {100.5: 1.0})).levels[:2] == [Change(1, 100.3, 0.0), Change(1, 99.0, 0.0)]


def test_hftbacktest_events_clear_and_show_the_book_and_carry_the_takers_side() -> None:
    events = hftbacktest_events([book(0, {99.0: 1.0}, {101.0: 2.0}), TRADE_MESSAGE])
    both = EXCHANGE | LOCAL
    expected = [CLEAR | BUY, CLEAR | SELL, SNAPSHOT | BUY, SNAPSHOT | SELL, TRADE | SELL]
    assert [int(value) for value in events["ev"]] == [kind | both for kind in expected]
    assert events[["exch_ts", "local_ts", "px", "qty"]][-1].tolist() == (5 * US, 15 * US, 99.0, 0.5)
    assert HFTBACKTEST_EVENT.itemsize == 64


def test_rows_received_in_another_order_stand_in_both_orders() -> None:
    events = np.zeros(3, dtype=HFTBACKTEST_EVENT)
    events["ev"], events["exch_ts"], events["local_ts"] = DEPTH, (1, 2, 3), (11, 14, 13)
    found = in_both_orders(events)
    at_exchange, at_receipt = found[found["ev"] & EXCHANGE > 0], found[found["ev"] & LOCAL > 0]
    assert at_exchange["exch_ts"].tolist() == [1, 2, 3]
    assert at_receipt["local_ts"].tolist() == [11, 13, 14]


def test_receipt_before_the_event_is_shifted_for_all() -> None:
    early = Trades(
        ts=20 * US, recv_ts=5 * US, times=[20 * US], prices=[1.0], sizes=[1.0], aggressors=["buy"], trade_ids=[1]
    )
    assert (hftbacktest_events([early])["local_ts"] >= 20 * US).all()


def test_tardis_rows_are_in_microseconds_with_absolute_sizes() -> None:
    ladder = Ladder()
    rows = list(rows_of(book(5 * US, {99.0: 1.0}, {101.0: 2.0}), ladder))
    assert rows == [
        ("incremental_book_L2", (5, 15, True, "bid", 99.0, 1.0)),
        ("incremental_book_L2", (5, 15, True, "ask", 101.0, 2.0)),
    ]
    assert list(rows_of(TRADE_MESSAGE, ladder)) == [("trades", (5, 15, 7, "sell", 99.0, 0.5))]
    ticker, removed = list(rows_of(bbo(6 * US, 99.0, 100.0), ladder))
    assert ticker == ("book_ticker", (6, 16, 1.0, 100.0, 99.0, 1.0))
    assert removed[1][2:] == (False, "ask", 100.0, 1.0)


def read_back(events: "np.ndarray[tuple[int], np.dtype[np.void]]") -> list[Message]:
    bad: Counter[str] = Counter()
    found = list(chain.from_iterable(messages for _, messages in frames(received(events, FILE), bad)))
    assert not bad
    return found


def test_array_read_back_has_the_book_its_changes_and_the_prints() -> None:
    first, touch_ = book(1 * US, {99.0: 1.0, 98.0: 4.0}, {101.0: 2.0}), bbo(3 * US, 98.0, 101.0)
    found = read_back(hftbacktest_events([first, touch_, TRADE_MESSAGE]))
    gone = Depth(
        ts=3 * US,
        recv_ts=13 * US,
        bid_prices=[99.0, 98.0],
        bid_sizes=[0.0, 1.0],
        ask_prices=[101.0],
        ask_sizes=[1.0],
    )
    assert found == [first, gone, TRADE_MESSAGE]


def test_rows_in_the_order_of_the_exchange_alone_are_not_read_twice() -> None:
    late = Trades(
        ts=1 * US, recv_ts=30 * US, times=[1 * US], prices=[9.0], sizes=[1.0], aggressors=["buy"], trade_ids=[3]
    )
    events = hftbacktest_events([book(1 * US, {99.0: 1.0}, {101.0: 2.0}), TRADE_MESSAGE, late])
    assert [message.ts for message in read_back(events) if isinstance(message, Trades)] == [5 * US, 1 * US]


def test_rows_that_no_market_has_are_counted_and_left_out() -> None:
    events = hftbacktest_events([TRADE_MESSAGE] * 4)
    events["px"][0], events["qty"][1], events["ev"][2] = np.nan, 0.0, EXCHANGE | LOCAL | BUY | 99
    bad: Counter[str] = Counter()
    assert len(list(frames(received(events, FILE), bad))) == 1
    assert bad == {"non_positive": 2, "unknown_message": 1}


def test_trades_without_ids_get_their_places_in_the_file() -> None:
    events = hftbacktest_events([TRADE_MESSAGE, TRADE_MESSAGE])
    events["order_id"] = 0
    (message,) = read_back(events)
    assert isinstance(message, Trades)
    assert message.trade_ids == [1, 2]


@pytest.mark.parametrize(
    ("name", "market"),
    [
        ("hyperliquid-WLFI.npz", ("hyperliquid", "WLFI")),
        ("binance-usdm-BTCUSDT.npz", ("binance-usdm", "BTCUSDT")),
        ("hyperliquid-xyz%3ASP500.npz", ("hyperliquid", "xyz:SP500")),
        ("hyperliquid-PURR%2FUSDC.npz", ("hyperliquid", "PURR/USDC")),
        ("BTCUSDT-2024-08-09.npz", ("hftbacktest", "BTCUSDT")),
        ("btcusdt_20240808.npz", ("hftbacktest", "btcusdt")),
        ("btcusdt_20240808_eod.npz", ("hftbacktest", "btcusdt")),
        ("2024-08-09_BTCUSDT.npy", ("hftbacktest", "BTCUSDT")),
        ("binance-futures_BTCUSDT_20240809.npz", ("binance-futures", "BTCUSDT")),
        ("BTC-USDT-2024-08.npz", ("hftbacktest", "BTC-USDT")),
        ("btc-usdt.npz", ("hftbacktest", "btc-usdt")),
        ("okx-BTC-USDT-SWAP.npz", ("okx", "BTC-USDT-SWAP")),
        ("BTCUSD_250926.npz", ("hftbacktest", "BTCUSD_250926")),
    ],
)
def test_market_of_an_array_is_in_its_name(name: str, market: tuple[str, str]) -> None:
    assert market_of(Path(name), "hftbacktest") == market


@pytest.mark.parametrize("tape", ["hyperliquid-20250126-BTC-raw.gz", "hyperliquid-20250904-WLFI.gz"])
def test_tape_written_as_an_array_and_read_back_gives_the_same_array(tape: str, tape_dir: Path, tmp_path: Path) -> None:
    """Every row: flags, both times, price, size, id; and the same price grid."""
    (source,) = sources(FeedConfig(source="tape", tapes=(tape_dir / tape,)))
    (path,) = convert(source, "hftbacktest", tmp_path)
    (again,) = sources(FeedConfig(source="tape", tapes=(path,)))
    assert again.market == source.market
    (second,) = convert(again, "hftbacktest", tmp_path / "again")
    before, after = np.load(path)["data"], np.load(second)["data"]
    assert len(before) > 300
    assert np.array_equal(before, after)
    assert again.instrument.tick_size == source.instrument.tick_size


def test_file_that_is_no_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(TapeError, match="not an event array"):
        sources(FeedConfig(source="tape", tapes=(path,)))
    np.savez(path, data=np.zeros(3))
    with pytest.raises(TapeError, match="ev"):
        sources(FeedConfig(source="tape", tapes=(path,)))


def test_funding_rate_is_written_as_the_venue_has_it_with_the_time_when_it_is_paid() -> None:
    said = Context(ts=5 * US, recv_ts=15 * US, funding_rate=1e-4, funding_period_s=28_800, next_funding_ts=9 * US)
    assert list(rows_of(said, Ladder())) == [
        ("derivative_ticker", (5, 15, 9, 1e-4, None, None, None, None, None)),
    ]
