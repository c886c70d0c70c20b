"""The real tapes through adapter, rounds and book, every count asserted."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from numba import njit

from papertrader.services.feed.adapter import Adapter
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.kernel import MarketRound
from papertrader.services.feed.market_source import MarketSource
from papertrader.services.feed.sources import sources
from papertrader.services.feed.venues.binance.frames import BinanceAdapter
from papertrader.services.feed.venues.hyperliquid.frames import HyperliquidAdapter
from papertrader.shared.market.book import apply, new_book, price_of
from papertrader.shared.market.event_rows import market_events
from papertrader.shared.market.events import PRINT, Grid
from papertrader.shared.market.records import Record, Records
from papertrader.shared.market.tape import read_tape
from papertrader.shared.messages import Bbo, Book, Gap, Trades


class Golden(NamedTuple):
    """What a tape must give."""

    tape: str
    tick_size: float
    lot_size: float
    rounds: int
    books: int
    depths: int
    touches: int
    prints: int
    gaps: int
    ignored: dict[str, int]


TAPES = [
    Golden("hyperliquid-20250904-BTC", 1.0, 1e-5, 15321, 3785, 0, 13836, 6615, 1, {"old_print": 60, "older_touch": 60}),
    Golden(
        "hyperliquid-20250904-ETH",
        0.1,
        1e-4,
        16489,
        3785,
        0,
        15234,
        6824,
        1,
        {"old_print": 43, "duplicate_print": 17, "older_touch": 25},
    ),
    Golden(
        "hyperliquid-20250904-WLFI",
        1e-5,
        1.0,
        11201,
        3785,
        0,
        8843,
        2503,
        1,
        {"old_print": 52, "duplicate_print": 8, "older_touch": 10},
    ),
    Golden("hyperliquid-20250126-BTC-raw", 1.0, 1e-5, 54, 46, 0, 0, 34, 0, {"old_print": 30}),
    Golden(
        "binance-usdm-20240808-BTCUSDT",
        0.1,
        0.001,
        6812,
        1,
        6552,
        65122,
        21313,
        0,
        {"overtaken_level": 2028, "older_touch": 967},
    ),
    Golden(
        "binance-usdm-20240808-ETHUSDT",
        0.01,
        0.001,
        6804,
        1,
        6587,
        53656,
        14076,
        0,
        {"overtaken_level": 1677, "older_touch": 336},
    ),
]


@njit
def crossings(book: Record, events: Records) -> int:
    """Apply the events; how many completed messages left the book crossed."""
    crossed = 0
    for event in events:
        if apply(book, event) and book.best_bid >= book.best_ask:
            crossed += 1
    return crossed


def source_of(tape_dir: Path, name: str) -> MarketSource:
    (source,) = sources(FeedConfig(source="tape", tapes=(tape_dir / f"{name}.gz",)))
    return source


def ignored_of(path: Path) -> Counter[str]:
    adapter: Adapter = BinanceAdapter() if "binance" in path.name else HyperliquidAdapter()
    last_ns = 0
    for recv_ns, data in read_tape(path, Counter()):
        if last_ns and recv_ns - last_ns > 5_000_000_000:
            adapter.reconnected()
        last_ns = recv_ns
        adapter.frame(recv_ns, data)
    total: Counter[str] = Counter()
    for counts in adapter.ignored.values():
        total += counts
    return total


@pytest.mark.parametrize("golden", TAPES, ids=[golden.tape for golden in TAPES])
def test_tape_gives_its_counts_and_an_uncrossed_book(tape_dir: Path, golden: Golden) -> None:
    source = source_of(tape_dir, golden.tape)
    grid = Grid(source.instrument)
    book = new_book()
    book["tick_size"], book["ticks_per_unit"] = grid.tick_size, grid.ticks_per_unit
    prints, previous, touch = 0, None, None
    for round_ in source.rounds():
        check_round(round_, previous)
        previous = round_
        for message in round_.messages:
            if isinstance(message, Bbo):
                touch = message
            elif isinstance(message, Book) and touch is not None and touch.ts <= message.ts:
                touch = None
            elif isinstance(message, Gap):
                touch = None
                assert 17e9 < message.to_ts - message.from_ts < 18.5e9
        events = market_events(round_.messages, grid)
        prints += int((events["kind"] == PRINT).sum())
        assert crossings(book[0], events) == 0
        if touch is not None and "hyperliquid" in golden.tape:
            assert price_of(book[0], book[0]["best_bid"]) == touch.bid_price
            assert price_of(book[0], book[0]["best_ask"]) == touch.ask_price
    assert previous is not None
    assert previous.end.final
    assert not source.bad
    found = Golden(
        golden.tape,
        source.instrument.tick_size,
        source.instrument.lot_size,
        source.messages["round"],
        source.messages["book"],
        source.messages["depth"],
        source.messages["bbo"],
        prints,
        source.messages["gap"],
        dict(ignored_of(tape_dir / f"{golden.tape}.gz")),
    )
    assert found == golden


def check_round(round_: MarketRound, previous: MarketRound | None) -> None:
    assert all(message.ts <= round_.end.ts for message in round_.messages)
    if previous is not None:
        assert round_.end.round > previous.end.round
        assert round_.end.ts > previous.end.ts


@pytest.mark.parametrize("asset", ["BTC", "ETH", "WLFI"])
def test_tape_prints_are_unique_and_none_precedes_the_first_book(tape_dir: Path, asset: str) -> None:
    first_book = 0
    seen: set[int] = set()
    for round_ in source_of(tape_dir, f"hyperliquid-20250904-{asset}").rounds():
        for message in round_.messages:
            if isinstance(message, Book):
                first_book = first_book or message.ts
            if isinstance(message, Trades):
                assert first_book
                assert min(message.times) >= first_book
                assert seen.isdisjoint(message.trade_ids)
                seen.update(message.trade_ids)
    assert len(seen) > 2_000
