"""Sizes in whole lots, each the nearest float to its decimal: a venue trades nothing smaller."""

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.records import Record

SPECK = 1e-9
TOLERANCE = 1e-6
"""How much of a lot a float may lack of a whole one."""


@njit(cache=True)
def of_lots(lots: float, lot_size: float) -> float:
    """The size of a whole number of lots."""
    if lot_size < 1:
        return lots / np.rint(1 / lot_size)
    return lots * lot_size


@njit(cache=True)
def whole_lots(market: Record, size: float) -> float:
    """The largest whole number of lots in `size`; `size` itself while the lot is unknown."""
    if market.lot_size <= 0:
        return size
    return of_lots(np.floor(size / market.lot_size + TOLERANCE), market.lot_size)


@njit(cache=True)
def nearest_lot(market: Record, size: float) -> float:
    """A sum of whole lots without the dust of float addition; `size` itself while the lot is unknown."""
    if market.lot_size <= 0:
        return size
    return of_lots(np.rint(size / market.lot_size), market.lot_size)


@njit(cache=True)
def least_lot(market: Record) -> float:
    """The smallest size that fills, a little less than a lot for float dust; a speck while the lot is unknown."""
    return market.lot_size * (1 - TOLERANCE) if market.lot_size > 0 else SPECK
