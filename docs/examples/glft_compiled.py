"""GLFT as a compiled strategy: a half-spread from κ, A and σ around a reservation price that leans against inventory.

papertrader replay --strategy glft_compiled.py:decide

[quoter]
settings = { risk_aversion = 100.0, skew_bps = 12.5 }
"""

import math

from papertrader.compiled import BUY, SELL, quote, sleep

SETTINGS = {"risk_aversion": 100.0, "skew_bps": 12.5, "min_edge_bps": 0.5, "level_spacing": 0.5}
FOREVER = 1 << 62


def decide(view, settings, memory, out):  # type: ignore[no-untyped-def]
    """`now.levels` quotes a side, which depend on the touch and on what is heard alone: it sleeps until one changes."""
    now, xi = view.now, settings.risk_aversion
    growth = math.log1p(xi / now.kappa)
    risk = math.sqrt(xi / (2 * max(now.intensity, 0.01) * now.kappa) * math.exp((now.kappa / xi + 1) * growth))
    above_fee = 1e4 * growth / xi + 0.5 * now.sigma_bps * risk
    half_bps = now.maker_fee_bps + max(now.cal_gamma * above_fee, settings.min_edge_bps)
    centre = now.fair * (1 - settings.skew_bps * now.position / now.max_position / 1e4)
    for level in range(now.levels):
        away = now.mid * half_bps * (1 + settings.level_spacing * level) / 1e4
        quote(out, BUY, centre - away, now.quote_size)
        quote(out, SELL, centre + away, now.quote_size)
    sleep(out, FOREVER)
