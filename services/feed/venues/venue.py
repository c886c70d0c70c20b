"""What the folder of a venue says of it."""

from collections.abc import Callable, Collection
from typing import NamedTuple

from papertrader.services.feed.adapter import Adapter


class Venue(NamedTuple):
    """A venue: its name is that of its folder, `example` an asset as the venue spells it.

    The rules of a tape's markets are inferred from their prices, and these two: significant figures that prices are
    rounded to (0: none), and least notional of an order. What is not `recorded` has no raw frames that a tape could
    hold.
    """

    name: str
    example: str
    adapter: Callable[[Collection[str] | None], Adapter]
    significant_figures: int = 0
    min_notional: float = 0.0
    recorded: bool = True
