"""What a compiled strategy is made of: a function over records, and the kernels that it calls.

    SETTINGS = {"half_spread_bps": 6.0}

    def decide(view, settings, memory, out):
        away = view.now.mid * settings.half_spread_bps / 1e4
        quote(out, BUY, view.now.mid - away, view.now.quote_size)
        quote(out, SELL, view.now.mid + away, view.now.quote_size)

`papertrader replay --strategy mine.py:decide` compiles it, once for its source, and calls it in the loop.
"""

from papertrader.services.quoter.wishes import (
    BUY,
    GTC,
    IOC,
    POST_ONLY,
    SELL,
    cancel,
    depth,
    features,
    fill_probability,
    first_print,
    keep,
    modify,
    place,
    print_at,
    quote,
    quote_with,
    sleep,
)

__all__ = [
    "BUY",
    "GTC",
    "IOC",
    "POST_ONLY",
    "SELL",
    "cancel",
    "depth",
    "features",
    "fill_probability",
    "first_print",
    "keep",
    "modify",
    "place",
    "print_at",
    "quote",
    "quote_with",
    "sleep",
]
