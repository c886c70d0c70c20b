"""A venue server and the session that follows it, in one process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.session import LiveSession, live_session
from papertrader.services.feed.venues.config import LiveConfig
from papertrader.services.feed.venues.registry import live_venue
from papertrader.shared.messages import Gap, Instrument, Message, RoundEnd
from tools.venue_server.frames import Programme
from tools.venue_server.protocols import PROTOCOLS
from tools.venue_server.server import VenueServer

QUICK = LiveConfig(
    ping_s=0.1,
    receive_timeout_s=0.4,
    data_timeout_s=1.5,
    reconnect_base_s=0.05,
    reconnect_cap_s=0.2,
    idle_ms=200,
    request_timeout_s=2.0,
)
"""Every patience shortened, so that a test of a break takes a second."""


class Following(NamedTuple):
    """A server at work and the session that follows it."""

    server: VenueServer
    session: LiveSession

    def heard(self, asset: str) -> list[Message]:
        """Everything in the asset's rounds so far."""
        return [message for round_ in list(self.session.markets[asset].backlog) for message in round_.messages]

    def data(self, asset: str) -> list[Message]:
        """The market data alone: no instrument, gap or marker."""
        return [message for message in self.heard(asset) if not isinstance(message, (Instrument, Gap, RoundEnd))]


@asynccontextmanager
async def following(
    programme: Programme,
    live: LiveConfig = QUICK,
    tap: Callable[[str, int, bytes], None] | None = None,
    lost: Callable[[frozenset[str], int], None] | None = None,
    gap_after_ms: int = 600,
    **served: Any,
) -> AsyncIterator[Following]:
    """Serve a programme and follow all of its assets."""
    server = VenueServer(programme, PROTOCOLS[programme.venue], **served)
    await server.start()
    config = FeedConfig(
        source=programme.venue,  # type: ignore[arg-type]
        assets=tuple(programme.instruments),
        venue_url=server.url,
        gap_after_ms=gap_after_ms,
        live=live,
    )
    try:
        async with live_session(config, live_venue(config), tap, lost) as session:
            work = asyncio.create_task(session.run())
            try:
                yield Following(server, session)
                if work.done():
                    work.result()
            finally:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
    finally:
        await server.stop()
