"""What a strategy of one's own is made of: it is shown a `View` and returns the `Target`s that it wants.

    class Mine:
        def __init__(self, settings): ...
        def targets(self, view): return [Target("buy", view.mid * 0.999, view.quote_size)]

`papertrader replay --strategy mine.py:Mine` quotes with it; `Glft` is the built-in one, to build upon. A compiled
function is made of `papertrader.compiled`.
"""

from papertrader.services.quoter.strategy import (
    Cancel,
    Change,
    Glft,
    Order,
    Sleep,
    Strategy,
    StrategyError,
    StrategySettings,
    Target,
    View,
)

__all__ = [
    "Cancel",
    "Change",
    "Glft",
    "Order",
    "Sleep",
    "Strategy",
    "StrategyError",
    "StrategySettings",
    "Target",
    "View",
]
