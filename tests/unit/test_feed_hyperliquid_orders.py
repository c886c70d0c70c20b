"""How many orders stand at Hyperliquid's levels, from its frames."""

import gzip
import json
from pathlib import Path
from typing import Any

from papertrader.services.feed.venues.hyperliquid.frames import HyperliquidAdapter
from papertrader.shared.messages import Bbo, Book, Message
from tests.unit.test_feed_hyperliquid import BOOK, RECV, T0, bbo, book, fast, one


def counted(*levels_: tuple[str, str, int]) -> list[dict[str, Any]]:
    return [{"px": price, "sz": size, "n": orders} for price, size, orders in levels_]


def counts(message: Message) -> tuple[Any, Any]:
    assert isinstance(message, (Book, Bbo))
    return message.bid_orders, message.ask_orders


COUNTED = book(T0, counted(("99.0", "1.5", 2), ("98.0", "2.5", 1)), counted(("101.0", "3.0", 5), ("102.0", "4.0", 6)))


def test_number_of_orders_is_carried_once_a_level_has_several() -> None:
    adapter = HyperliquidAdapter(["BTC"])
    assert counts(one(adapter.frame(RECV, BOOK))) == ([], []), "a source that writes 1 everywhere does not know"
    assert counts(one(adapter.frame(RECV, bbo(T0 + 1, ("99.0", "1.5"), None)))) == (0, 0)
    later = book(T0 + 9, counted(("99.0", "1.5", 2)), counted(("101.0", "3.0", 1)))
    assert counts(one(adapter.frame(RECV, later))) == ([2], [1])
    assert counts(one(adapter.frame(RECV, bbo(T0 + 10, ("99.0", "1.5"), ("101.0", "3.0"))))) == (1, 1)
    unknown = book(T0 + 20, [{"px": "99.0", "sz": "1.5"}], counted(("101.0", "3.0", 1)))
    assert counts(one(adapter.frame(RECV, unknown)))[0] == []


def test_orders_of_a_book_under_a_newer_touch() -> None:
    """Best bids of the book are gone, its best ask has a new number; the deep book follows the fast levels."""
    adapter = HyperliquidAdapter(["BTC"])
    adapter.frame(RECV, COUNTED)
    touch = {"coin": "BTC", "time": T0 + 50, "bbo": [*counted(("98.0", "2.0", 3)), *counted(("101.0", "3.5", 4))]}
    adapter.frame(RECV, json.dumps({"channel": "bbo", "data": touch}).encode())
    found = one(adapter.frame(RECV, COUNTED.replace(b"%d" % T0, b"%d" % (T0 + 40))))
    assert counts(found) == ([3], [4, 6])
    adapter.frame(RECV, fast(T0 + 60, counted(("98.0", "2.0", 3)), counted(("101.0", "3.0", 7))))
    found = one(adapter.frame(RECV, COUNTED.replace(b"%d" % T0, b"%d" % (T0 + 55))))
    assert isinstance(found, Book)
    assert (found.bid_prices, found.ask_prices) == ([98.0], [101.0, 102.0])
    assert counts(found) == ([3], [7, 6])


def test_real_frames_tell_how_many_orders_stand_at_their_levels(tape_dir: Path) -> None:
    """25 s of BTC as sent: most levels that shrink have one order less."""
    path = tape_dir / "hyperliquid-20250126-BTC-raw.gz"
    adapter, before, fell = HyperliquidAdapter(["BTC"]), dict[float, tuple[float, int]](), list[int]()
    for line in gzip.decompress(path.read_bytes()).splitlines():
        received, _, frame = line.partition(b" ")
        for _, message in adapter.frame(int(received), frame):
            if isinstance(message, Book):
                now = dict(
                    zip(message.bid_prices, zip(message.bid_sizes, message.bid_orders, strict=True), strict=True)
                )
                shrunk = (price for price in now.keys() & before.keys() if now[price][0] < before[price][0] - 1e-9)
                fell += [before[price][1] - now[price][1] for price in shrunk]
                before = now
    assert len(fell) > 30
    assert fell.count(1) > 0.6 * len(fell)
