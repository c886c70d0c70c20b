"""Our arrays in hftbacktest's own hands: its book and its prints equal ours at every moment."""

import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.files.convert import convert
from papertrader.services.feed.files.hftbacktest import LOCAL
from papertrader.services.feed.sources import MarketSource, sources
from papertrader.services.monitor.facts.market import levels, readings_of
from papertrader.shared.market.event_rows import market_events
from papertrader.shared.market.events import Grid
from papertrader.shared.messages import Message, Trades
from papertrader.shared.service.fold import Round
from papertrader.shared.service.market_data import MarketData
from tests.conftest import ROOT

PYTHON = ROOT / "build" / "hftbacktest" / "bin" / "python"
LEVELS = 5
MESSAGES = 6_000
DEAF = "NO HFTBACKTEST: nobody else has read our arrays (make build/hftbacktest/bin/python)"


@pytest.fixture(scope="module")
def peer() -> Path:
    if not PYTHON.exists():
        pytest.skip(DEAF)
    return PYTHON


def heard_by_peer(peer: Path, array: Path, source: MarketSource) -> list[dict[str, Any]]:
    """hftbacktest's view after every moment at which it hears something."""
    rules = source.instrument
    side = ROOT / "tests" / "peer" / "hftbacktest_side.py"
    command = [peer, side, array, f"{rules.tick_size:.12g}", f"{rules.lot_size:.12g}"]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def heard_by_us(source: MarketSource, array: Path) -> Iterator[dict[str, Any]]:
    """The same from our own messages and our own book; when it was heard stands in the array."""
    file = np.load(array)
    heard = file["data"]["local_ts"][file["data"]["ev"] & np.uint64(LOCAL) > 0]
    last_row = np.cumsum(file["messages"]["rows"]) - 1
    grid, market = Grid(source.instrument), MarketData()
    first, *messages = our_messages(source)
    market.events(Round(0, 1, 0, (), (first,)))
    trades: list[list[Any]] = []
    for place, message in enumerate(messages):
        events = market_events([message], grid)
        readings_of(market.book, events, np.array([len(events)]))
        if isinstance(message, Trades):
            sides = [aggressor == "buy" for aggressor in message.aggressors]
            trades += map(list, zip(message.prices, message.sizes, sides, strict=True))
        now = int(heard[last_row[place]])
        if place + 1 < len(messages) and heard[last_row[place + 1]] == now:
            continue
        bids, asks = (
            [[round(p / grid.tick_size), s] for p, s in levels(market.book, side, LEVELS)] for side in (1, -1)
        )
        yield {"ts": now, "bids": bids, "asks": asks, "trades": trades}
        trades = []


def our_messages(source: MarketSource) -> list[Message]:
    return [message for round_ in source.rounds() for message in round_.messages[:-1]]


@pytest.mark.parametrize(
    "tape", ["hyperliquid-20250126-BTC-raw.gz", "hyperliquid-20250904-WLFI.gz", "binance-usdm-20240808-BTCUSDT.gz"]
)
def test_book_and_prints_of_hftbacktest_equal_ours_at_every_moment(
    tape: str, peer: Path, tape_dir: Path, tmp_path: Path
) -> None:
    source = beginning(tape_dir / tape, tmp_path)
    (array,) = convert(source, "hftbacktest", tmp_path)
    theirs, ours = heard_by_peer(peer, array, source), list(heard_by_us(source, array))
    assert len(theirs) == len(ours) > 50
    for one, other in zip(theirs, ours, strict=True):
        assert one == other
    assert sum(len(moment["trades"]) for moment in ours) >= 8
    assert all(moment["bids"][0][0] < moment["asks"][0][0] for moment in ours[1:] if moment["bids"] and moment["asks"])


def beginning(tape: Path, folder: Path) -> MarketSource:
    """The first frames of a tape as a tape of its own."""
    with gzip.open(tape) as lines:
        content = b"".join(line for _, line in zip(range(MESSAGES), lines, strict=False))
    (folder / tape.name).write_bytes(gzip.compress(content))
    (source,) = sources(FeedConfig(source="tape", tapes=(folder / tape.name,)))
    return source
