"""Uncertainty of what paper trading measured: block bootstrap for markouts, Wilson for shares."""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

RESAMPLES: Final = 2_000
LIVE_RESAMPLES: Final = 300
"""Enough for what is drawn anew while a run goes on."""
LEAST_BLOCKS: Final = 5
MOST_BLOCKS: Final = 100
Z_95: Final = 1.959964


class Interval(NamedTuple):
    """An estimate with its 95 % interval; the bounds are `None` where there is too little to say."""

    value: float
    low: float | None
    high: float | None


def block_bootstrap_mean(
    block_sum: npt.NDArray[np.float64], block_n: npt.NDArray[np.int64], resamples: int = RESAMPLES, seed: int = 0
) -> Interval | None:
    """Mean per observation with the 95 % percentile interval of a block bootstrap; `None` without observations.

    Fills cluster in time, so blocks of time are drawn with replacement and not fills (Künsch 1989). Blocks without
    observations carry none and are left out; of more than a hundred, neighbours are joined, which is conservative.
    Fewer than five blocks give no interval. Equal inputs give equal outputs.
    """
    used = block_n > 0
    sums, counts = block_sum[used], block_n[used]
    if not len(counts):
        return None
    mean = float(sums.sum() / counts.sum())
    if len(counts) < LEAST_BLOCKS:
        return Interval(mean, None, None)
    joined = joined_starts(len(counts))
    sums, counts = np.add.reduceat(sums, joined), np.add.reduceat(counts, joined)
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = random.integers(0, len(counts), size=(resamples, len(counts)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(mean, float(low), float(high))


def joined_starts(blocks: int) -> npt.NDArray[np.int64]:
    """Where at most a hundred blocks begin that so many become: neighbours are joined, all but the last as many."""
    return np.arange(0, blocks, -(-blocks // MOST_BLOCKS))


def weighted_mean(weighted_sum: float, weights: float) -> float | None:
    """A mean from the sum of values times their weights and the sum of these; `None` without any."""
    return weighted_sum / weights if weights > 0 else None


def wilson(share: float, n: float) -> tuple[float, float]:
    """The 95 % Wilson score interval of a share seen in n trials (Wilson 1927); (0, 1) without trials."""
    if n <= 0:
        return 0.0, 1.0
    centre = (share + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half = Z_95 / (1 + Z_95**2 / n) * float(np.sqrt(share * (1 - share) / n + Z_95**2 / (4 * n * n)))
    return centre - half, centre + half
