"""Hyperliquid."""

from typing import Final

from papertrader.services.feed.venues.hyperliquid.frames import HyperliquidAdapter
from papertrader.services.feed.venues.hyperliquid.rules import MIN_NOTIONAL, SIGNIFICANT_FIGURES, known_of
from papertrader.services.feed.venues.venue import Venue

VENUE: Final = Venue("hyperliquid", "BTC", HyperliquidAdapter, SIGNIFICANT_FIGURES, MIN_NOTIONAL, known=known_of)
