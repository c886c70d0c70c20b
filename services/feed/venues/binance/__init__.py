"""Binance USD-M futures."""

from typing import Final

from papertrader.services.feed.venues.binance.frames import BinanceAdapter
from papertrader.services.feed.venues.binance.rules import MIN_NOTIONAL, SIGNIFICANT_FIGURES, known_of, written_decimals
from papertrader.services.feed.venues.venue import Venue

VENUE: Final = Venue(
    "binance",
    "BTCUSDT",
    BinanceAdapter,
    SIGNIFICANT_FIGURES,
    MIN_NOTIONAL,
    known=known_of,
    size_decimals=written_decimals,
)
