"""The book that a gateway tells: as deep as the venue's own, whatever a newer touch says."""

import gzip
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from papertrader.services.feed.venues.hyperliquid.frames import HyperliquidAdapter
from papertrader.services.gateway.config import event_speed
from papertrader.services.gateway.info import shapes
from papertrader.services.gateway.ledger.markets import Level, MarketView
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Bbo, Book, Depth, Instrument
from papertrader.shared.service.config import Settings

SECOND = 10**9


def view() -> MarketView:
    return MarketView(Market("hyperliquid", "BTC"), 0, Instrument(ts=1, tick_size=1.0, lot_size=0.001))


def book(ts: int, bids: Sequence[float], asks: Sequence[float]) -> Book:
    return Book(
        ts=ts,
        recv_ts=ts,
        bid_prices=list(bids),
        bid_sizes=[1.0] * len(bids),
        ask_prices=list(asks),
        ask_sizes=[2.0] * len(asks),
    )


def touch(ts: int, bid: float, ask: float) -> Bbo:
    return Bbo(ts=ts, recv_ts=ts, bid_price=bid, bid_size=0.5, ask_price=ask, ask_size=0.5)


def prices(side: Sequence[Level]) -> list[float]:
    return [level.price for level in side]


WHOLE = book(SECOND, range(100, 80, -1), range(101, 121))


def test_a_touch_moves_the_touch_and_the_told_book_stays_whole() -> None:
    """The venue's book of 1.0 s has 20 levels a side; at 1.1 s the bid falls to 92: 8 levels are gone, 12 are left."""
    market = view()
    market.on_book(WHOLE)
    market.on_bbo(touch(SECOND + 10**8, 92.0, 93.0))
    bids, asks = market.book.levels()
    assert (prices(bids)[:2], len(bids), prices(asks)[:2]) == ([92.0, 91.0], 12, [93.0, 101.0])
    shape = shapes.told_book(market)
    assert [len(side) for side in shape["levels"]] == [20, 20]
    assert (shape["time"], shape["levels"][0][0]["px"], shape["levels"][1][0]["px"]) == (1_000, "100.0", "101.0")
    assert market.touch().bid == (92.0, 0.5, 0)
    market.on_book(book(2 * SECOND, range(92, 72, -1), range(93, 113)))
    assert shapes.told_book(market) == shapes.book(market)


def test_a_difference_after_a_touch_is_told_with_it() -> None:
    market = view()
    market.on_book(WHOLE)
    market.on_bbo(touch(SECOND + 1, 99.0, 100.0))
    market.on_depth(
        Depth(ts=SECOND + 2, recv_ts=1, bid_prices=[98.0], bid_sizes=[0.0], ask_prices=[102.0], ask_sizes=[7.0])
    )
    bids, asks = market.told.levels(3)
    assert (prices(bids), asks) == ([99.0, 97.0, 96.0], [(100.0, 0.5, 0), (101.0, 2.0, 0), (102.0, 7.0, 0)])


def test_a_fast_book_is_followed_by_the_deeper_levels_that_were_told_lately() -> None:
    """Five levels at 1.5 s tell all from the best to the fifth: 97 is gone. Deeper ones are those of 1.0 s."""
    market = view()
    market.on_book(WHOLE)
    market.on_book(book(SECOND * 3 // 2, [101, 100, 99, 98, 96], [102, 103, 104, 105, 106]))
    bids, asks = market.told.levels()
    assert prices(bids) == [101, 100, 99, 98, *range(96, 81 - 1, -1)]
    assert (len(asks), prices(asks)[:7]) == (19, [102, 103, 104, 105, 106, 107, 108])
    market.on_book(book(SECOND * 12, [101, 100, 99, 98, 96], [102, 103, 104, 105, 106]))
    bids, asks = market.told.levels()
    assert (len(bids), len(asks)) == (5, 5), "what was told 11 s ago is not known any more"


def counted(side: Any) -> list[tuple[str, str, int]]:
    return [(level["px"], level["sz"], level["n"]) for level in side]


def test_number_of_orders_is_told_where_the_venue_tells_it() -> None:
    """Of a book with 3, 1 and 2 bids: a touch without numbers makes its own level unknown, which clients read as 1."""
    market = view()
    told = msgspec.structs.replace(book(SECOND, [10_200, 10_100, 10_000], [10_300, 10_400]), bid_orders=[3, 1, 2])
    market.on_book(msgspec.structs.replace(told, ask_orders=[4, 5]))
    assert counted(shapes.book(market)["levels"][0]) == [
        ("10200.0", "1.0", 3),
        ("10100.0", "1.0", 1),
        ("10000.0", "1.0", 2),
    ]
    assert counted(shapes.book(market, figures=2)["levels"][0]) == [("10000.0", "3.0", 6)]
    market.on_bbo(msgspec.structs.replace(touch(SECOND + 1, 10_200.0, 10_300.0), bid_orders=7))
    assert counted(shapes.bbo(market)["bbo"]) == [("10200.0", "0.5", 7), ("10300.0", "0.5", 1)]
    assert counted(shapes.book(market)["levels"][1]) == [("10300.0", "0.5", 1), ("10400.0", "2.0", 5)]
    market.on_depth(Depth(ts=SECOND + 2, recv_ts=1, bid_prices=[10_100], bid_sizes=[9.0], ask_prices=[], ask_sizes=[]))
    assert counted(shapes.book(market)["levels"][0])[1] == ("10100.0", "9.0", 1)
    market.on_book(book(SECOND + 3, [10_200], [10_300]))
    assert [level["n"] for level in shapes.bbo(market)["bbo"]] == [1, 1]


def test_books_are_told_as_the_venue_sent_them(tape_dir: Path) -> None:
    """25 s of untouched frames of BTC: levels, sizes and numbers of orders, each as in the frame that was sent."""
    adapter, market, compared = HyperliquidAdapter(["BTC"]), view(), 0
    for line in gzip.decompress((tape_dir / "hyperliquid-20250126-BTC-raw.gz").read_bytes()).splitlines():
        received, _, frame = line.partition(b" ")
        sent = json.loads(frame)
        for _, message in adapter.frame(int(received), frame):
            if isinstance(message, Book) and sent["channel"] == "l2Book":
                market.on_book(message)
                if message.ts == sent["data"]["time"] * 1_000_000 and max(message.bid_orders, default=0) > 1:
                    shown = shapes.told_book(market)["levels"]
                    same = [[(float(x["px"]), float(x["sz"]), x["n"]) for x in side] for side in shown]
                    wanted = [
                        [(float(x["px"]), float(x["sz"]), x["n"]) for x in side] for side in sent["data"]["levels"]
                    ]
                    assert same == wanted
                    compared += 1
    assert compared > 20


@pytest.mark.parametrize(
    ("ago_s", "speed", "gone_s"), [(0.4, 1.0, 0.4), (0.4, 10.0, 4.0), (30.0, 1.0, 1.0), (0.4, 0.0, 0.0)]
)
def test_time_goes_on_in_a_quiet_market(ago_s: float, speed: float, gone_s: float) -> None:
    """An order that is sent 0.4 s after the last round's end was decided then: its way begins there."""
    market = MarketView(Market("hyperliquid", "BTC"), 0, Instrument(ts=1, tick_size=1.0, lot_size=0.001), speed)
    assert market.now_ts == 0, "nothing was heard yet"
    market.clock_ts, market.round_at_s = 5 * SECOND, time.monotonic() - ago_s
    assert (market.now_ts - 5 * SECOND) / SECOND == pytest.approx(gone_s, abs=0.2 * speed)


@pytest.mark.parametrize(
    ("feed", "speed"),
    [
        ({}, 1.0),
        ({"speed": 5}, 5.0),
        ({"source": "tape", "speed": 0}, 0.0),
        ({"source": "hyperliquid", "speed": 5}, 1.0),
    ],
)
def test_a_live_source_has_a_speed_of_its_own(feed: dict[str, Any], speed: float) -> None:
    assert event_speed(Settings({"feed": feed})) == speed
