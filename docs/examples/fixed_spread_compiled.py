"""`fixed_spread` as a compiled strategy: a constant half-spread around the mid, leaning against the position.

papertrader replay --strategy fixed_spread_compiled.py:decide

[quoter]
settings = { half_spread_bps = 6.0, lean_bps = 4.0 }
"""

from papertrader.compiled import BUY, SELL, quote

SETTINGS = {"half_spread_bps": 6.0, "lean_bps": 4.0}
MEMORY = {"decisions": 0}


def decide(view, settings, memory, out):  # type: ignore[no-untyped-def]
    """A bid and an ask around the mid."""
    memory.decisions += 1
    now = view.now
    lean = settings.lean_bps * now.position / now.max_position
    quote(out, BUY, now.mid * (1 - (lean + settings.half_spread_bps) / 1e4), now.quote_size)
    quote(out, SELL, now.mid * (1 - (lean - settings.half_spread_bps) / 1e4), now.quote_size)
