"""What is known to be wrong before anything starts: venues without assets, tapes that cannot be read, strategies that
cannot be loaded."""

from collections.abc import Mapping
from typing import Any

from papertrader.services.feed.config import LIVE_SOURCES, FeedConfig
from papertrader.shared.service.config import Settings


def look(tables: Mapping[str, Any]) -> None:
    """Find the venue, or read the beginnings of the tapes, and load every account's strategy, as feed and quoter will.

    Raises TapeError or ValueError saying what cannot be had.
    """
    from papertrader.services.feed.sources import sources
    from papertrader.services.feed.venues.registry import live_venue
    from papertrader.services.quoter.config import QuoterConfig
    from papertrader.services.quoter.strategy import load

    settings = Settings(tables)
    feed = settings.section("feed", FeedConfig)
    if feed.source in LIVE_SOURCES:
        live_venue(feed)
    else:
        sources(feed)
    for config in settings.by_account("quoter", QuoterConfig).values():
        load(config)
