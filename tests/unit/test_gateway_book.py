"""The book that a gateway tells: as deep as the venue's own, whatever a newer touch says."""

import time
from collections.abc import Sequence
from typing import Any

import pytest

from papertrader.services.gateway.config import event_speed
from papertrader.services.gateway.info import shapes
from papertrader.services.gateway.ledger.markets import MarketView
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


def prices(side: list[tuple[float, float]]) -> list[float]:
    return [price for price, _ in side]


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
    assert market.touch().bid == (92.0, 0.5)
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
    assert (prices(bids), asks) == ([99.0, 97.0, 96.0], [(100.0, 0.5), (101.0, 2.0), (102.0, 7.0)])


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
