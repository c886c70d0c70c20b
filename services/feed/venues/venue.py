"""What the folder of a venue says of it."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

from papertrader.services.feed.adapter import Adapter


def nothing_known(asset: str) -> dict[str, Any]:
    """Nothing is known of an asset by its name."""
    return {}


def nothing_written(frames: Iterable[bytes], asset: str) -> int:
    """How a venue writes sizes says nothing of their decimals."""
    return 0


class Venue(NamedTuple):
    """A venue: its name is that of its folder, `example` an asset as the venue spells it.

    The rules of a tape's markets are inferred from their prices, and these two: significant figures that prices are
    rounded to (0: none), and least notional of an order; `known` has what the venue documents of all its markets alike,
    or of one by its name: fields of Instrument, `inferred` for those that are only mostly so, and `price_decimals`, the
    most decimals that a price may have beside those of the size. `size_decimals` are those that an asset's sizes are
    written with, zeros included. What is not `recorded` has no raw frames that a tape could hold.
    """

    name: str
    example: str
    adapter: Callable[[Collection[str] | None], Adapter]
    significant_figures: int = 0
    min_notional: float = 0.0
    recorded: bool = True
    known: Callable[[str], dict[str, Any]] = nothing_known
    size_decimals: Callable[[Iterable[bytes], str], int] = nothing_written
