"""A ladder around the microprice of several levels, as a compiled strategy: it looks at the depth of the book.

papertrader replay --strategy microprice_ladder.py:decide

[quoter]
settings = { half_spread_bps = 4.0, step_bps = 3.0, within_levels = 5 }
"""

import numpy as np

from papertrader.compiled import BUY, SELL, depth, quote

SETTINGS = {"half_spread_bps": 4.0, "step_bps": 3.0, "lean_bps": 8.0, "within_levels": 5}
MEMORY = {"bids": np.zeros((20, 2)), "asks": np.zeros((20, 2))}


def decide(view, settings, memory, out):  # type: ignore[no-untyped-def]
    """The microprice is the mid of both sides' average prices, each weighed with the other side's size."""
    now, bids, asks = view.now, memory.bids, memory.asks
    bid_count = min(depth(view, BUY, bids), settings.within_levels)
    ask_count = min(depth(view, SELL, asks), settings.within_levels)
    bid_size, bid_value, ask_size, ask_value = 0.0, 0.0, 0.0, 0.0
    for level in range(bid_count):
        bid_size += bids[level, 1]
        bid_value += bids[level, 0] * bids[level, 1]
    for level in range(ask_count):
        ask_size += asks[level, 1]
        ask_value += asks[level, 0] * asks[level, 1]
    fair = now.mid
    if bid_size > 0 and ask_size > 0:
        fair = (bid_value / bid_size * ask_size + ask_value / ask_size * bid_size) / (bid_size + ask_size)
    centre = fair * (1 - settings.lean_bps * now.position / now.max_position / 1e4)
    for level in range(now.levels):
        away = now.mid * (settings.half_spread_bps + settings.step_bps * level) / 1e4
        quote(out, BUY, centre - away, now.quote_size)
        quote(out, SELL, centre + away, now.quote_size)
