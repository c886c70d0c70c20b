"""Numbers as files hold them: times in units that nobody states, prices with the noise of a calculation."""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from papertrader.shared.market.tape import nanoseconds_in

DIGITS: Final = 12
"""Significant digits of a price or a size; what a double holds beyond them is left of a calculation."""


def in_nanoseconds(times: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Times of one column in ns: the largest of them tells the unit. What is no number becomes 0."""
    if times.dtype.kind == "f":
        times = np.where(np.isfinite(times), times, 0)
    largest = float(times.max(initial=0))
    unit = nanoseconds_in(int(largest))
    if times.dtype.kind == "f" and unit > 1:
        return np.rint(times.astype(np.longdouble) * unit).astype(np.int64)
    return times.astype(np.int64) * unit


def decimal(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """The decimals that prices or sizes were before they became floats.

    Where every value is a float32, whatever the column's type, each becomes the shortest decimal that such a number
    stands for; else each is rounded to 12 significant digits. Whole numbers stay as they are.
    """
    distinct, places = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True)
    with np.errstate(over="ignore", invalid="ignore"):
        single = distinct.astype(np.float32)
    is_single = bool(np.array_equal(single.astype(np.float64), distinct, equal_nan=True))
    text = [str(value) if is_single else f"{value:.{DIGITS}g}" for value in (single if is_single else distinct)]
    rounded = np.array([float(value) for value in text])
    kept = np.rint(distinct) == distinct
    return np.where(kept, distinct, rounded)[places].reshape(np.shape(values))
