"""A counter-based hash: the same number for the same input, whatever happened before."""

import numpy as np

from papertrader.shared.kernels import njit


@njit(cache=True)
def splitmix64(value: int) -> np.uint64:
    """64 well mixed bits of an integer (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
    generators").
    """
    bits = np.uint64(value) + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@njit(cache=True)
def is_sampled(number: int, one_in: int) -> bool:
    """Whether a number belongs to the sample that takes one in `one_in`."""
    return bool(splitmix64(number) % np.uint64(one_in) == 0)
