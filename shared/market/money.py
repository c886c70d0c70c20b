"""What a price is worth: one rule for the money of linear contracts, spot and inverse contracts.

A unit of size bought at a price p costs worth(p), and profit is always side·size·(worth(exit) − worth(entry)), in the
currency that the market settles in:

* linear contracts and spot: worth(p) = p, in quote currency; sizes are base units;
* inverse contracts: worth(p) = −c/p, in the base coin; sizes are contracts of c units of quote currency each.
"""

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.messages import Instrument


def inverse_size(instrument: Instrument) -> float:
    """The c of an inverse contract, 0 for any other market: what the functions here take."""
    return instrument.contract_size if instrument.kind == "inverse" else 0.0


@njit(cache=True)
def worth(price: float, inverse_size: float) -> float:
    """What a unit bought at `price` costs, in the settlement currency; 0 while there is no price."""
    if inverse_size == 0:
        return price
    return -inverse_size / price if price > 0 else 0.0


@njit(cache=True)
def price_worth(value: float, inverse_size: float) -> float:
    """The price that is worth `value`: the inverse of `worth`; infinite where an inverse contract is worth nothing."""
    if inverse_size == 0:
        return value
    return -inverse_size / value if value != 0 else np.inf


@njit(cache=True)
def notional(size: float, price: float, inverse_size: float) -> float:
    """The value of `size` units at `price`, in the settlement currency; never negative."""
    return abs(size * worth(price, inverse_size))


@njit(cache=True)
def quote_value(size: float, price: float, inverse_size: float) -> float:
    """The value of `size` units at `price` in quote currency, which rules of the venue are written in."""
    return size * (price if inverse_size == 0 else inverse_size)
