"""Which live venue a source is."""

from services.feed.config import FeedConfig
from services.feed.live.binance import BinanceLive
from services.feed.live.ccxt import CcxtLive
from services.feed.live.hyperliquid import HyperliquidLive
from services.feed.live.venue import LiveVenue


def live_venue(config: FeedConfig) -> LiveVenue:
    """The venue that the settings name; raises LiveError if it cannot be had."""
    if config.source == "ccxt":
        return CcxtLive(config)
    return BinanceLive(config) if config.source == "binance" else HyperliquidLive(config)
