"""ccxt itself against the venue server; skipped where the package is not installed, `make test-ccxt` has it."""

import asyncio

import pytest

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.session import live_session
from papertrader.services.feed.venues.ccxt.live import Live
from tests.integration.venues import QUICK
from tests.integration.wire import become, bounded
from tools.venue_server.faults import Fault
from tools.venue_server.frames import of_synthetic
from tools.venue_server.protocols import PROTOCOLS
from tools.venue_server.server import VenueServer

pytest.importorskip("ccxt", reason="CCXT IS NOT INSTALLED: RUN make test-ccxt")


def test_exchange_followed_through_ccxt_survives_a_broken_connection() -> None:
    async def follow() -> None:
        server = VenueServer(of_synthetic("hyperliquid", 600.0), PROTOCOLS["hyperliquid"])
        await server.start()
        config = FeedConfig(source="ccxt", exchange="hyperliquid", assets=("BTC/USDC:USDC",), live=QUICK)
        venue = Live(config)
        url = server.url
        venue._exchange.urls["api"] = {"public": url, "private": url, "ws": {"public": f"ws{url[4:]}/ws"}}
        venue._exchange.options["fetchMarkets"] = {"types": ["swap"], "hip3": {"dexes": []}}
        async with live_session(config, venue) as session:
            work = asyncio.create_task(session.run())
            market = session.markets["BTC/USDC:USDC"]
            await become(lambda: market.messages["book"] and market.messages["trades"], "data")
            server.faults.start(Fault(0.0, "close_1006"), server.now_s())
            books = market.messages["book"]
            await become(lambda: market.messages["book"] > books, "a book after the break")
            assert market.gaps == {"disconnected": 1}
            assert (market.instrument.tick_size, market.instrument.lot_size) == (1.0, 1e-5)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        await server.stop()

    bounded(follow())
