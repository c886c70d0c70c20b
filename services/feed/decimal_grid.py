"""Floats as the decimals that they were meant to be, and the decimal grid that they lie on."""

import math
from collections.abc import Iterable
from typing import Final

import numpy as np

DIGITS: Final = 12
"""So many significant digits of a float are believed: beyond them is the noise of arithmetic."""
SINGLE_DIGITS: Final = 9
"""What is written with more and is exactly a number of 32 bits was one: a price of 1000.0999755859375."""


def meant(value: float) -> float:
    """The decimal that a float stands for: without the noise of arithmetic, or of 32 bits."""
    if len(_digits(value)) <= SINGLE_DIGITS:
        return value
    single = np.float32(value)
    return float(str(single)) if float(single) == value else float(f"{value:.{DIGITS}g}")


def decimals(value: float) -> int:
    """The decimals of the shortest number that reads as what `value` stands for."""
    text = repr(meant(value))
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        return max(len(mantissa.partition(".")[2].rstrip("0")) - int(exponent), 0)
    fraction = text.partition(".")[2]
    return 0 if fraction == "0" else len(fraction)


def _digits(value: float) -> str:
    return repr(value).partition("e")[0].replace(".", "").strip("-0")


def step(number_of_decimals: int) -> float:
    """The step of so many decimals; negative ones are tens."""
    return float(f"1e{-number_of_decimals}")


def common_step(values: Iterable[float], number_of_decimals: int) -> float:
    """The largest of 1, 2, 2.5 and 5 times a power of ten, the decimals' step or larger, that all values are
    multiples of.
    """
    scale = 10**number_of_decimals
    divisor = math.gcd(*(round(value * scale) for value in values))
    if divisor <= 1:
        return step(number_of_decimals)
    power = 10 ** int(math.log10(divisor))
    for factor in (power * 10, power * 5, power * 5 // 2, power * 2, power):
        if factor and divisor % factor == 0:
            return factor / scale
    return step(number_of_decimals)
