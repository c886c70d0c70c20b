"""When latencies are slow together: bursts, by chance or the more the market has just moved.

In one of twenty stretches of time all latencies are from the slowest tenth. With a share s of the chance that follows
the market, a stretch is one with the chance 1/20 · (1 − s + s·m): m is the way of the mid in the second before the
decision, over its mean of ten minutes, eight at most. The mean of m is 1, so slow ones do not become more, but come
when it matters. Measured on recorded days: see decision 032.
"""

from typing import Final

from papertrader.services.fill_sim.chance import LATENCY_BURST, uniform
from papertrader.shared.kernels import njit
from papertrader.shared.market.records import Record

SLOW: Final = 0.9
"""The quantile from which on a latency is slow."""
BURSTS: Final = 0.05
"""The share of time in which all are."""
SECOND_NS: Final = 1_000_000_000
REMEMBERED_S: Final = 600
"""How many seconds the mean movement is of."""
KNOWN_S: Final = 60
"""From how many on it is known."""
LARGEST_MOVE: Final = 8.0


@njit(cache=True)
def note_move(market: Record, mid: float, ts: int) -> None:
    """Add the way of the mid, which is to be `mid` at `ts`, to its second."""
    end_seconds(market, ts)
    if market.mid > 0:
        market.moved += abs(mid / market.mid - 1)


@njit(cache=True)
def end_seconds(market: Record, ts: int) -> None:
    """Begin the second of `ts`: those that ended go into the mean, and the last of them is the one before."""
    second = ts // SECOND_NS
    ended = second - market.moving_second
    if ended <= 0:
        return
    if market.moving_second > 0:
        for number in range(min(ended, REMEMBERED_S)):
            market.moving_n += 1
            moved = market.moved if number == 0 else 0.0
            market.mean_moved += (moved - market.mean_moved) / min(market.moving_n, REMEMBERED_S)
    market.moved_before = market.moved if ended == 1 else 0.0
    market.moving_second, market.moved = second, 0.0


@njit(cache=True)
def movement(market: Record, ts: int) -> float:
    """How far the mid went in the second before that of `ts`, over its mean; 1 while that is not known."""
    if market.moving_n < KNOWN_S or market.mean_moved <= 0:
        return 1.0
    later = ts // SECOND_NS - market.moving_second
    moved = market.moved_before if later <= 0 else (market.moved if later == 1 else 0.0)
    return min(moved / market.mean_moved, LARGEST_MOVE)


@njit(cache=True)
def is_slow(market: Record, settings: Record, ts: int) -> bool:
    """Whether the stretch of `ts` is one in which all are slow."""
    chance = BURSTS
    if settings.burst_market > 0:
        chance = BURSTS * (1 + settings.burst_market * (movement(market, ts) - 1))
    return uniform(settings.seed, LATENCY_BURST, ts // settings.burst_ns, 0) < chance


@njit(cache=True)
def in_bursts(u: float, bursts: bool, slow: bool) -> float:
    """A number in [0, 1) moved to where bursts put it: over all stretches of time it is uniform still."""
    if not bursts:
        return u
    if slow:
        return SLOW + (1 - SLOW) * u
    calm = u * (1 - BURSTS)
    return calm if calm < SLOW else SLOW + (calm - SLOW) * (1 - SLOW) / (1 - BURSTS - SLOW)
