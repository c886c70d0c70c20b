"""Any exchange that ccxt can watch. What it unifies is no venue's frame, and is not recorded."""

from typing import Final

from papertrader.services.feed.venues.ccxt.frames import CcxtAdapter
from papertrader.services.feed.venues.venue import Venue

VENUE: Final = Venue("ccxt", "BTC/USDT:USDT", CcxtAdapter, recorded=False)
