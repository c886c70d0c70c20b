"""Which live venue a source is."""

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.venue import LiveVenue
from papertrader.services.feed.venues.binance.live import BinanceLive
from papertrader.services.feed.venues.ccxt.live import CcxtLive
from papertrader.services.feed.venues.hyperliquid.live import HyperliquidLive


def live_venue(config: FeedConfig) -> LiveVenue:
    """The venue that the settings name; raises LiveError if it cannot be had."""
    if config.source == "ccxt":
        return CcxtLive(config)
    return BinanceLive(config) if config.source == "binance" else HyperliquidLive(config)
