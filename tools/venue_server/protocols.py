"""The protocols that the server speaks, by venue."""

from typing import Final

from tools.venue_server.binance import Binance
from tools.venue_server.hyperliquid import Hyperliquid
from tools.venue_server.server import Protocol

PROTOCOLS: Final[dict[str, type[Protocol]]] = {"hyperliquid": Hyperliquid, "binance": Binance}
