"""Binance USD-M futures."""

from typing import Final

from papertrader.services.feed.venues.binance.frames import BinanceAdapter
from papertrader.services.feed.venues.binance.rules import MIN_NOTIONAL, SIGNIFICANT_FIGURES
from papertrader.services.feed.venues.venue import Venue

VENUE: Final = Venue("binance", "BTCUSDT", BinanceAdapter, SIGNIFICANT_FIGURES, MIN_NOTIONAL)
