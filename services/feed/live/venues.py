"""Which live venue a source is."""

from services.feed.config import FeedConfig
from services.feed.live.hyperliquid import HyperliquidLive
from services.feed.live.venue import LiveVenue


def live_venue(config: FeedConfig) -> LiveVenue:
    """The venue that the settings name."""
    return HyperliquidLive(config)
