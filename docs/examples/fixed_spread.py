"""A strategy of one's own: a constant half-spread around the mid, leaning against the position.

papertrader replay --strategy fixed_spread.py:FixedSpread

[quoter]
settings = { half_spread_bps = 6.0, lean_bps = 4.0 }
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from papertrader import Target, View


class FixedSpread:
    """One quote a side at a constant distance; when long both move down by up to `lean_bps`.

    `decisions` shows how a strategy remembers something: an array that `state` hands out survives a restart.
    """

    def __init__(self, settings: Mapping[str, float | int | str | bool]) -> None:
        self._half_spread_bps = float(settings.get("half_spread_bps", 6.0))
        self._lean_bps = float(settings.get("lean_bps", 4.0))
        self._decisions = np.zeros(1, dtype=np.int64)

    def targets(self, view: View) -> Sequence[Target]:
        """A bid and an ask around the mid."""
        self._decisions += 1
        lean = self._lean_bps * view.position / view.max_position
        size = view.quote_size
        return [
            Target("buy", view.mid * (1 - (lean + self._half_spread_bps) / 1e4), size),
            Target("sell", view.mid * (1 - (lean - self._half_spread_bps) / 1e4), size),
        ]

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """What is remembered."""
        return {"decisions": self._decisions}
