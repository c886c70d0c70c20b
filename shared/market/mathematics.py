"""exp, log, log1p and powers that are the same on every machine, to the last bit.

The C library's differ in the last bit between its versions and between processors, since it picks a variant with or
without fused multiply-add when a program starts. These need nothing but additions, multiplications and divisions of
binary64, which IEEE 754 defines exactly, and neither numba nor LLVM contracts or reorders those without fast-math.
Tables come from `decimal`, which rounds correctly. Each result is within 1 unit in the last place of the true value
(measured: 0.52), for every input from the subnormal numbers to infinity; a result that is subnormal is too.

Methods after Tang (1989, 1990), table-driven, as in ARM's Optimized Routines.
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from typing import Final

import numpy as np
import numpy.typing as npt

from papertrader.shared.kernels import njit

BITS: Final = 7
N: Final = 1 << BITS
"""Entries of the tables: 2^(i/N), and ln of N parts of [0.706, 1.41)."""
FIRST_PART: Final = 0x3FE6955500000000
"""The bits of the float at which the parts begin: 1 lies within one of them, and its logarithm is exactly 0 there."""
SMALLEST_NORMAL: Final = 2.0**-1022
TO_INTEGER: Final = 1.5 * 2.0**52
"""Added and subtracted again, it rounds to the nearest integer."""
UPPER_HALF: Final = -(1 << 27)
"""A mask that leaves 26 bits of a float's 53: a product of two such floats is exact."""
FARTHEST: Final = 750.0
"""exp of more is infinity, of less than its negative 0."""


def _rounded(value: Decimal, fraction_bits: int) -> float:
    """The multiple of 2^−fraction_bits nearest to a value."""
    return float(int((value * 2**fraction_bits).to_integral_value())) / 2.0**fraction_bits


def _powers_of_two() -> npt.NDArray[np.float64]:
    """2^(i/N) and the part of itself that it lacks to be exact, shape (N, 2)."""
    table = np.empty((N, 2))
    for i in range(N):
        exact = (Decimal(i) / N * Decimal(2).ln()).exp()
        table[i, 0] = float(exact)
        table[i, 1] = float(exact / Decimal(table[i, 0]) - 1)
    return table


def _logarithms() -> npt.NDArray[np.float64]:
    """1/c, ln c to 43 binary places, and what that lacks, shape (N, 3); c is near the middle of its part.

    1/c has at most 9 bits, so z/c − 1 is exact for every z of the part.
    """
    table = np.empty((N, 3))
    edges = (np.arange(N + 1) * (1 << 52 - BITS) + FIRST_PART).view(np.float64)
    for i in range(N):
        low, high = edges[i], edges[i + 1]
        places = 2 * N if low >= 1.0 else N
        inverse = 1.0 if low < 1.0 < high else np.rint(2.0 / (low + high) * places) / places
        exact = -Decimal(inverse).ln()
        table[i, 0], table[i, 1] = inverse, _rounded(exact, 43)
        table[i, 2] = float(exact - Decimal(table[i, 1]))
    return table


with localcontext() as context:
    context.prec = 50
    _LN2: Final = Decimal(2).ln()
    POWERS: Final = _powers_of_two()
    LOGARITHMS: Final = _logarithms()
    PARTS_PER_UNIT: Final = float(N / _LN2)
    PART_HIGH: Final = _rounded(_LN2 / N, 42)
    PART_LOW: Final = float(_LN2 / N - Decimal(PART_HIGH))
    LN2: Final = float(_LN2)
    LN2_HIGH: Final = _rounded(_LN2, 42)
    LN2_LOW: Final = float(_LN2 - Decimal(LN2_HIGH))
    TENS: Final = np.array([float(f"1e{exponent}") for exponent in range(-323, 309)])


@njit(cache=True)
def exp(x: float) -> float:
    """e^x."""
    return _exp(x, 0.0)


@njit(cache=True)
def log(x: float) -> float:
    """ln x; −inf at 0, NaN below."""
    return _log(x)[0]


@njit(cache=True)
def log1p(x: float) -> float:
    """ln(1 + x), exact for small x too; −inf at −1, NaN below."""
    if abs(x) < 1e-17 or not x < np.inf:
        return x
    sum_ = 1.0 + x
    if sum_ <= 0.0:
        return log(sum_)
    added = sum_ - 1.0
    lost = (1.0 - (sum_ - added)) + (x - added)  # 1 + x = sum_ + lost, exactly (Knuth)
    high, low = _log(sum_)
    return high + (low + lost / sum_)


@njit(cache=True)
def power(base: float, exponent: float) -> float:
    """base^exponent of a base that is not negative, NaN of one that is; 1 if the base is 1 or the exponent 0."""
    if base == 1.0 or exponent == 0.0:
        return 1.0
    high, low = _log(base)
    product = exponent * high
    if not abs(product) < FARTHEST:
        return _exp(product, 0.0)
    exponent_upper, high_upper = _upper(exponent), _upper(high)
    rest = (exponent - exponent_upper) * high_upper + exponent * ((high - high_upper) + low)
    return _exp(exponent_upper * high_upper, rest)


@njit(cache=True)
def halved(times: float) -> float:
    """½^times: what is left after so many half-lives."""
    if not abs(times) < FARTHEST * 1.5:
        return 0.0 if times > 0.0 else -times * np.inf
    k = -times * N + TO_INTEGER - TO_INTEGER
    return _composed(int(k), (-times - k / N) * LN2)


@njit(cache=True)
def ten_to(exponent: int) -> float:
    """10^exponent, the nearest float; at least 1e-323, at most 1e308."""
    return TENS[min(max(exponent + 323, 0), len(TENS) - 1)]


@njit(cache=True)
def decade_of(x: float) -> int:
    """The largest n with 10^n <= x, for x from 1e-323 on."""
    return int(np.searchsorted(TENS, x, side="right")) - 324


def logs(values: Sequence[float] | Sequence[Sequence[float]]) -> npt.NDArray[np.float64]:
    """ln of every value, for constants."""
    return np.array([logs(value) if isinstance(value, Sequence) else log.py_func(value) for value in values])


def geometric(first: float, last: float, count: int) -> npt.NDArray[np.float64]:
    """`count` values from first to last, each as many times the one before, for constants."""
    steps = (power.py_func(last / first, step / (count - 1)) for step in range(count))
    return np.array([first * step for step in steps])


@njit(cache=True)
def _exp(x: float, tail: float) -> float:
    """e^(x + tail) = 2^(k/N) · e^r with |r| <= ln 2 / 2N; the tail is small beside x."""
    if not abs(x) < FARTHEST:
        return 0.0 if x < 0.0 else x * np.inf
    k = x * PARTS_PER_UNIT + TO_INTEGER - TO_INTEGER
    return _composed(int(k), x - k * PART_HIGH - k * PART_LOW + tail)


@njit(cache=True)
def _composed(k: int, r: float) -> float:
    """2^(k/N) · e^r."""
    entry = np.uint64(k & (N - 1))
    square = r * r
    relative = POWERS[entry, 1] + r + square * (1 / 2 + r * (1 / 6)) + square * square * (1 / 24 + r * (1 / 120))
    return _scaled(POWERS[entry, 0] + POWERS[entry, 0] * relative, k >> BITS)


@njit(cache=True)
def _scaled(y: float, exponent: int) -> float:
    """y · 2^exponent, rounded once; the exponent may be as low as −1100."""
    if -1022 <= exponent < 1024:
        return y * _two_to(exponent)
    half = exponent >> 1
    return y * _two_to(half) * _two_to(exponent - half)


@njit(cache=True)
def _two_to(exponent: int) -> float:
    return np.int64((exponent + 1023) << 52).view(np.float64)


@njit(cache=True)
def _upper(x: float) -> float:
    return np.int64(np.float64(x).view(np.int64) & UPPER_HALF).view(np.float64)


@njit(cache=True)
def _log(x: float) -> tuple[float, float]:
    """ln x as the sum of two floats, to 2^-66 of itself.

    x = 2^k z with z in [0.706, 1.41): ln x = k ln 2 + ln c + ln(1 + r), r = z/c − 1. The series of the last needs nine
    terms, the first two of them in twice the precision.
    """
    k = 0
    if not SMALLEST_NORMAL <= x < np.inf:
        if x == 0.0:
            return -np.inf, 0.0
        if not 0.0 < x < np.inf:
            return x if x > 0.0 else np.nan, 0.0
        x, k = x * 2.0**52, -52
    bits = np.float64(x).view(np.int64)
    offset = bits - FIRST_PART
    entry = np.uint64((offset >> (52 - BITS)) & (N - 1))
    exponent = offset >> 52
    k += int(exponent)
    z_bits = np.int64(bits - (exponent << 52))
    z, z_upper = z_bits.view(np.float64), np.int64((z_bits + (1 << 31)) & -(1 << 32)).view(np.float64)
    r_upper = z_upper * LOGARITHMS[entry, 0] - 1.0
    r_lower = (z - z_upper) * LOGARITHMS[entry, 0]
    r = r_upper + r_lower
    first = k * LN2_HIGH + LOGARITHMS[entry, 1]
    linear = first + r
    low = k * LN2_LOW + LOGARITHMS[entry, 2] + (first - linear + r)
    half = -0.5 * r_upper
    high = linear + r_upper * half
    low += r_lower * (half - 0.5 * r) + (linear - high + r_upper * half)
    square = r * r
    series = 1 / 5 - r * (1 / 6) + square * (1 / 7 - r * (1 / 8) + square * (1 / 9))
    low += r * square * (1 / 3 - r * (1 / 4) + square * series)
    total = high + low
    return total, high - total + low
