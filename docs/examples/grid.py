"""A grid, as a compiled strategy: quotes stand on fixed prices, and a filled one comes back a step away.

papertrader replay --strategy grid.py:decide

[quoter]
settings = { step_bps = 10.0 }
"""

import math

from papertrader.compiled import BUY, SELL, quote, sleep

SETTINGS = {"step_bps": 10.0}
MEMORY = {"anchor": 0.0}
FOREVER = 1 << 62


def decide(view, settings, memory, out):  # type: ignore[no-untyped-def]
    """Prices are `anchor` · (1 + step)^n, the anchor the first mid: bids below the market, asks above it."""
    now = view.now
    if memory.anchor == 0:
        memory.anchor = now.mid
    step = math.log1p(settings.step_bps / 1e4)
    place = math.log(now.mid / memory.anchor) / step
    below, above = math.ceil(place) - 1, math.floor(place) + 1
    for level in range(now.levels):
        quote(out, BUY, memory.anchor * math.exp((below - level) * step), now.quote_size)
        quote(out, SELL, memory.anchor * math.exp((above + level) * step), now.quote_size)
    sleep(out, FOREVER)
