"""How many orders a level has, where the venue tells it: the `id` of a row of a level or touch."""

from typing import Final

from papertrader.shared.kernels import njit

UNTOLD: Final = 2**31
"""Instead of a difference, where nobody tells."""


@njit(cache=True)
def more_orders(before: int, size_before: float, after: int, size_after: float) -> int:
    """How many orders more a level has, UNTOLD where it holds something and nobody tells how many."""
    before, after = before if size_before > 0 else 0, after if size_after > 0 else 0
    if (before == 0 and size_before > 0) or (after == 0 and size_after > 0):
        return UNTOLD
    return after - before
