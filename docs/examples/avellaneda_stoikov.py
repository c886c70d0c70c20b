"""Avellaneda and Stoikov (2008), the horizon never nearer: the inventory shifts the price, κ sets the width.

papertrader replay --strategy avellaneda_stoikov.py:AvellanedaStoikov

[quoter]
settings = { risk_aversion = 100.0, horizon_s = 60.0 }
"""

import math
from collections.abc import Mapping, Sequence

from papertrader import Target, View


class AvellanedaStoikov:
    """One quote a side; prices are fractions of the mid, inventory is counted in quotes.

    reservation price = −q γ σ² T and half-spread = γ σ² T / 2 + ln(1 + γ/κ) / γ, with the σ and κ that were learned.
    """

    def __init__(self, settings: Mapping[str, float | int | str | bool]) -> None:
        self._risk_aversion = float(settings.get("risk_aversion", 100.0))
        self._horizon_s = float(settings.get("horizon_s", 60.0))

    def targets(self, view: View) -> Sequence[Target]:
        """A bid and an ask around the reservation price, which starts from the microprice."""
        gamma, inventory = self._risk_aversion, view.position / view.quote_size
        risk = gamma * (view.sigma_bps * 1e-4) ** 2 * self._horizon_s
        reservation = view.fair * (1 - inventory * risk)
        half = view.mid * (0.5 * risk + math.log1p(gamma / view.kappa) / gamma)
        return [
            Target("buy", reservation - half, view.quote_size),
            Target("sell", reservation + half, view.quote_size),
        ]
