"""What measured times say of latencies: distributions, bursts, and whether these come when the market moves. Pure."""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]
Table: TypeAlias = tuple[tuple[float, float], ...]
QUANTILES: Final = (0.05, 0.5, 0.9, 0.99, 0.999)
BEYOND: Final = 5
"""So many values must lie beyond a quantile for it to be told."""
SLOW: Final = 0.9
LEAST_IN_SECOND: Final = 3
"""A second with fewer values is not judged."""
LEAST_SECONDS: Final = 900
"""It takes so many to tell whether bursts follow the market."""
KNOWN_S: Final = 60
REMEMBERED_S: Final = 600
LARGEST_MOVE: Final = 8.0
BLOCK_S: Final = 60
RESAMPLES: Final = 500
CLOSEST: Final = 0.25
"""The share of the round trips, the quickest, that tell the error of this machine's clock."""
HALF_A_MS: Final = 0.5
"""How far a time that is told in whole ms may be from its middle."""


class Distribution(NamedTuple):
    """Of measured times, ms."""

    n: int
    p5: float
    p50: float
    p90: float
    p99: float
    largest: float


class Tied(NamedTuple):
    """The share of a burst's chance that follows the market, with its 95 % interval."""

    share: float
    low: float
    high: float


class Trip(NamedTuple):
    """A round trip, and how far this machine's clock is ahead of what the venue told if both ways took as long, ms."""

    ms: float
    clock_ms: float | None


def clock_ahead_ms(trips: Sequence[Trip]) -> float | None:
    """How far this machine's clock is ahead of the venue's: 0 where ways that differ explain it, None where none told.

    The venue tells its time, to half a millisecond, at some moment of the trip: each trip leaves half of itself open.
    """
    quickest = sorted(trips, key=lambda trip: trip.ms)[: max(int(len(trips) * CLOSEST), 1)]
    told = [trip for trip in quickest if trip.clock_ms is not None]
    if not told:
        return None
    if all(abs(trip.clock_ms or 0.0) <= trip.ms / 2 + HALF_A_MS for trip in told):
        return 0.0
    return float(np.median([trip.clock_ms for trip in told]))


def distribution(ms: Floats) -> Distribution | None:
    """The distribution of values, None of none."""
    if not len(ms):
        return None
    return Distribution(len(ms), *np.quantile(ms, (0.05, 0.5, 0.9, 0.99, 1.0)).tolist())


def table(ms: Floats) -> Table:
    """Values as a quantile table: no quantile beyond which hardly any value lies, nothing below 0; () of too few."""
    told = [q for q in QUANTILES if len(ms) >= max(2, round(1 / (1 - q))) * BEYOND]
    found = np.maximum.accumulate(np.maximum(np.quantile(ms, told), 0.0)) if told else np.zeros(0)
    return tuple((q, round(float(value), 1)) for q, value in zip(told, found, strict=True))


def slow_seconds(ts: Sequence[int], ms: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_], float]:
    """Seconds that can be judged, whether more than half of each is of the slowest tenth, and what share of that tenth
    they hold."""
    second, place = np.unique(np.asarray(ts, dtype=np.int64) // 1_000_000_000, return_inverse=True)
    slow = ms > np.quantile(ms, SLOW)
    count, slow_count = np.bincount(place), np.bincount(place, slow)
    judged = count >= LEAST_IN_SECOND
    bursts = slow_count > count / 2
    held = float(slow_count[judged & bursts].sum() / max(slow.sum(), 1))
    return second[judged], bursts[judged], held


def movement(ts: Sequence[int], mids: Floats, seconds: npt.NDArray[np.int64]) -> Floats:
    """How far the mid went in the second before each of `seconds`, over its mean of ten minutes; NaN in the first."""
    second = np.asarray(ts, dtype=np.int64) // 1_000_000_000
    first, last = int(second[0]), int(max(second[-1], seconds[-1] if len(seconds) else 0))
    way = np.bincount(second - first, np.abs(np.diff(np.log(mids), prepend=np.log(mids[0]))), last - first + 1)
    mean, moved = 0.0, np.full(len(way) + 1, np.nan)
    for number, value in enumerate(way, start=1):
        mean += (value - mean) / min(number, REMEMBERED_S)
        if number >= KNOWN_S and mean > 0:
            moved[number] = min(value / mean, LARGEST_MOVE)
    found: Floats = moved[np.clip(seconds - first, 0, len(way))]
    return found


def tied(moved: Floats, bursts: npt.NDArray[np.bool_]) -> Tied | None:
    """How far the chance of a burst follows the movement before it: s of chance·(1 − s + s·movement), by least squares.

    The interval resamples minutes. None where too few seconds, or no bursts, were seen.
    """
    known = ~np.isnan(moved)
    x, y = moved[known], bursts[known].astype(np.float64)
    if len(y) < LEAST_SECONDS or not y.any() or np.ptp(x) == 0:
        return None
    blocks = np.array_split(np.arange(len(y)), len(y) // BLOCK_S)
    random = np.random.default_rng(0)
    shares = []
    for _ in range(RESAMPLES):
        rows = np.concatenate([blocks[number] for number in random.integers(0, len(blocks), len(blocks))])
        if y[rows].any() and np.ptp(x[rows]) > 0:
            shares.append(_share(x[rows], y[rows]))
    low, high = np.quantile(shares, (0.025, 0.975)).tolist()
    return Tied(_share(x, y), low, high)


def _share(x: Floats, y: Floats) -> float:
    slope, height = np.polyfit(x, y, 1)
    return float(slope / (slope + height))
