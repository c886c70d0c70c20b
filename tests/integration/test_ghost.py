"""A public address followed live: its orders go through the simulation, and each is told with what really happened."""

import asyncio
import heapq
import json
from collections.abc import Iterator
from typing import Any

from papertrader.replay.twin.comparison import Compared
from papertrader.replay.twin.follow import follow
from papertrader.replay.twin.ghost import Ghost
from papertrader.services.feed.config import FeedConfig
from papertrader.services.fill_sim.config import FillSimConfig
from tests.integration.wire import bounded
from tools.venue_server.frames import Frame, Programme, of_synthetic
from tools.venue_server.protocols import PROTOCOLS
from tools.venue_server.server import VenueServer

ADDRESS = "0x" + "ab" * 20
STANDS_MS = 4_000
EVERY_MS = 500


def with_maker(programme: Programme) -> Programme:
    """The market, and a maker who bids a few ticks below the best bid every half second and cancels after four."""

    market = list(programme.frames())
    touches = (json.loads(frame.data) for frame in market if b'"bbo"' in frame.data[:20])
    played = list(heapq.merge(market, sorted(_orders(touches)), key=lambda frame: frame.due_ns))
    return programme._replace(frames=lambda: iter(played))


def _orders(touches: Iterator[dict[str, Any]]) -> Iterator[Frame]:
    due, oid = 0, 0
    for touch in touches:
        time, bid = touch["data"]["time"], touch["data"]["bbo"][0]
        if time >= due:
            due, oid = time + EVERY_MS, oid + 1
            order = {"coin": "BTC", "side": "B", "limitPx": str(float(bid["px"]) - 3), "sz": "0.01", "oid": oid}
            order |= {"origSz": "0.01", "timestamp": time, "tif": "Alo", "isTrigger": False}
            yield _frame(time, order, "open")
            yield _frame(time + STANDS_MS, order, "canceled")


def _frame(time: int, order: dict[str, Any], status: str) -> Frame:
    entry = {"order": order, "status": status, "statusTimestamp": time}
    return Frame(time * 1_000_000, "BTC", json.dumps({"channel": "orderUpdates", "data": [entry]}).encode())


def test_every_order_of_an_address_is_told_with_its_paper_twin() -> None:
    told: list[Compared] = []
    left_out: dict[str, int] = {}
    programme = with_maker(of_synthetic("hyperliquid", 40.0))

    async def run() -> None:
        server = VenueServer(programme, PROTOCOLS["hyperliquid"], wait_for=7)
        await server.start()
        stop = asyncio.Event()

        def tell(ghost: Ghost, rows: list[Compared]) -> None:
            told.extend(rows)
            left_out.update(ghost.left_out)
            if len(told) >= 3:
                stop.set()

        config = FeedConfig(source="hyperliquid", assets=("BTC",), venue_url=server.url)
        exchange = FillSimConfig(placement_latency_ms=0.0, cancel_latency_ms=0.0)
        async with asyncio.timeout(60):
            await follow(config, exchange, ADDRESS, stop, tell)
        await server.stop()

    bounded(run(), 70)
    assert [row.order.live_id for row in told[:3]] == sorted(row.order.live_id for row in told[:3])
    assert left_out.keys() <= {"known_too_late"}
    for row in told:
        assert row.order.status == "cancelled"
        assert row.paper.ack is not None
        assert row.paper.ack.live_ts - row.order.placed_ts <= 60_000_000
        assert row.paper_filled == (row.paper.ack.status == "filled")
