"""Quotes behind size: a tick in front of the largest level near the touch, and stays while that one stands.

papertrader replay --strategy behind_size.py:BehindSize

[quoter]
settings = { within_bps = 8.0, patience = 0.5 }
"""

from collections.abc import Mapping, Sequence

import numpy as np

from papertrader import Target, View


class BehindSize:
    """One quote a side. It shows how the book and one's own orders are looked at.

    A level within `within_bps` of the mid with the most size is leaned on. An order that is there already is left where
    it is as long as what stands behind it is at least `patience` of the largest: its place in the queue is worth more.
    """

    def __init__(self, settings: Mapping[str, float | int | str | bool]) -> None:
        self._within_bps = float(settings.get("within_bps", 8.0))
        self._patience = float(settings.get("patience", 0.5))

    def targets(self, view: View) -> Sequence[Target]:
        """A bid above the largest bid near the touch and an ask below the largest ask."""
        sides = ((1, "buy", view.bids), (-1, "sell", view.asks))
        return [Target(name, self._price(view, side, levels), view.quote_size) for side, name, levels in sides]

    def _price(self, view: View, side: int, levels: np.ndarray) -> float:
        near = levels[np.abs(levels[:, 0] / view.mid - 1) * 1e4 <= self._within_bps]
        if not len(near):
            return view.mid * (1 - side * self._within_bps / 1e4)
        largest = near[np.argmax(near[:, 1])]
        for order in view.orders:
            behind = near[side * (order.price - near[:, 0]) > 0]
            if (order.side == "buy") == (side > 0) and len(behind) and behind[0, 1] >= self._patience * largest[1]:
                return order.price
        return float(largest[0]) + side * view.tick_size
