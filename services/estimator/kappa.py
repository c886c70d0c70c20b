"""How fast fills become rarer with distance: κ and A of the fill intensity A·e^(−κδ).

Fills alone only return one's own spread, so they are weighed against exposure: the seconds that orders were live at
each distance. With N fills at distances δ and T_i seconds at distance δ_i the Poisson likelihood is
Σ (ln A − κδ) − A Σ T_i e^(−κδ_i). A has a Gamma(a, b) prior and is integrated out exactly; what remains is one
dimension, so the posterior of κ is computed on a grid and needs no iteration (Avellaneda & Stoikov 2008 for the
intensity; Guéant, Lehalle & Fernandez-Tapia 2013 for its use).

Orders that one taker fills together are not independent. Each of them counts once per moment, so that fills and
exposure stay comparable, but all of a moment weigh as much as one: the likelihood is raised to the power
moments/orders filled (a composite likelihood's magnitude adjustment, Pauli, Racugno & Ventura 2011).
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.mathematics import exp, geometric, halved, log, logs
from papertrader.shared.market.moments import MOMENTS, is_new
from papertrader.shared.market.records import Record, code
from papertrader.shared.messages import AckStatus

ORDERS: Final = 64
BINS: Final = 64
FINE_BINS: Final = 32
FINE_WIDTH: Final = 0.25e-4
COARSE_WIDTH: Final = 1e-4
"""Bins of distance, as a fraction of the mid: 0.25 bp wide up to 8 bp, then 1 bp up to 40 bp; the last is open."""
GRID: Final = geometric(100.0, 50_000.0, 128)
LOG_GRID: Final = logs(GRID.tolist())
NEGLIGIBLE: Final = 45.0
"""What is e to this smaller than the largest is below a rounding error of it, and so are all 128 points together."""
CONFIDENCE_MOMENTS: Final = 10.0
ACCEPTED: Final = code(AckStatus, "accepted")
MODIFIED: Final = code(AckStatus, "modified")
REFUSED: Final = code(AckStatus, "refused")

ORDER: Final = np.dtype([("order_id", "i8"), ("since_ts", "i8"), ("distance", "f8"), ("place", "i8")], align=True)
"""A working order; `place` is the bin of its distance."""
KAPPA: Final = np.dtype(
    [
        ("own_fills", "i8"),  # every fill, never forgotten
        ("moments", MOMENTS),  # when makers' fills happened, and on which side
        ("filled", MOMENTS),  # the same by order: partial fills of one order in one moment are one
        ("evidence", "f8"),  # moments with forgetting
        ("own_volume", "f8"),
        ("dropped", "i8"),  # orders and fills that could not be used: no room in the table, no mid
        ("fills", "f8"),  # orders filled in a moment, with forgetting: N
        ("fill_distance", "f8"),  # the sum of their distances
        ("exposure_s", "f8", (BINS,)),  # T_i with forgetting
        ("exposure_distance", "f8", (BINS,)),  # the sum of seconds times distance: the mean distance of a bin is exact
        ("market_prints", "i8"),
        ("market_sweeps", "f8"),  # aggressive orders with forgetting
        ("market_reach", "f8"),  # the sum of how far beyond the mid they reached
        ("gap_from_ts", "i8"),  # the last gap in the market data
        ("gap_to_ts", "i8"),
        ("working", "i8"),
        ("orders", ORDER, (ORDERS,)),
        ("stale", "i1"),  # a fill came since the posterior was computed
        ("computed_ts", "i8"),
        ("mean", "f8"),
        ("sd", "f8"),
        ("intensity", "f8"),
        ("peak", "i8"),  # the point of the grid at which the posterior was highest
        ("log_density", "f8", (len(GRID),)),  # room for the computation, so the next two
        ("used_seconds", "f8", (BINS,)),
        ("used_distance", "f8", (BINS,)),
    ],
    align=True,
)


@njit(cache=True)
def distance_of(side: int, price: float, mid: float) -> float:
    """δ: how far beyond the mid an order stands, as a fraction of the mid; 0 for one on the wrong side of it."""
    return max(side * (mid - price) / mid, 0.0)


@njit(cache=True)
def bin_of(distance: float) -> int:
    """The bin of a distance."""
    if distance < FINE_BINS * FINE_WIDTH:
        return int(distance / FINE_WIDTH)
    beyond = (distance - FINE_BINS * FINE_WIDTH) / COARSE_WIDTH
    return FINE_BINS + int(min(beyond, BINS - FINE_BINS - 1.0))


@njit(cache=True)
def on_own_fill(
    kappa: Record,
    side: int,
    price: float,
    size: float,
    mid_at_placement: float,
    maker: bool,
    ts: int = 0,
    order_id: int = 0,
) -> None:
    """Count a fill, exactly once; only the fill of a resting order says something about intensity.

    What happened on one side at one `ts` is one moment, and one observation of each order; at 0 it is one of its own.
    """
    kappa.own_fills += 1
    kappa.own_volume += size
    kappa.stale = 1
    if not maker:
        return
    if not mid_at_placement > 0:
        kappa.dropped += 1
        return
    if ts == 0:
        kappa.moments.count += 1
        kappa.evidence += 1.0
    elif is_new(kappa.moments, ts, side):
        kappa.evidence += 1.0
    if ts > 0 and not is_new(kappa.filled, ts, order_id):
        return
    kappa.fills += 1.0
    kappa.fill_distance += distance_of(side, price, mid_at_placement)


@njit(cache=True)
def on_ack(kappa: Record, ack: Record) -> None:
    """Keep the table of working orders: an order is exposed from going live until its terminal ack.

    A modified order goes on at its new distance from the mid at placement that the ack names.
    """
    if ack.status == REFUSED:
        return
    row = _find(kappa, ack.order_id)
    if row >= 0:
        _expose(kappa, kappa.orders[row], ack.ts)
        kappa.working -= 1
        kappa.orders[row] = kappa.orders[kappa.working]
    if ack.status == ACCEPTED:
        _work(kappa, ack, ack.live_ts)
    elif ack.status == MODIFIED and row >= 0:
        _work(kappa, ack, ack.ts)


@njit(cache=True)
def _work(kappa: Record, ack: Record, since_ts: int) -> None:
    if kappa.working == ORDERS or not ack.mid_at_placement > 0:
        kappa.dropped += 1
        return
    order = kappa.orders[kappa.working]
    order.order_id = ack.order_id
    in_gap = kappa.gap_from_ts <= since_ts < kappa.gap_to_ts
    order.since_ts = kappa.gap_to_ts if in_gap else since_ts
    order.distance = distance_of(ack.side, ack.price, ack.mid_at_placement)
    order.place = bin_of(order.distance)
    kappa.working += 1


@njit(cache=True)
def _find(kappa: Record, order_id: int) -> int:
    for row in range(kappa.working):
        if kappa.orders[row].order_id == order_id:
            return row
    return -1


@njit(cache=True)
def _expose(kappa: Record, order: Record, until_ts: int) -> None:
    seconds = (until_ts - order.since_ts) * 1e-9
    if seconds > 0:
        kappa.exposure_s[order.place] += seconds
        kappa.exposure_distance[order.place] += seconds * order.distance
        order.since_ts = until_ts


@njit(cache=True)
def on_round(kappa: Record, heard_ts: int) -> None:
    """Expose every working order up to `heard_ts`: until then every ack has been heard."""
    for row in range(kappa.working):
        _expose(kappa, kappa.orders[row], heard_ts)


@njit(cache=True)
def on_gap(kappa: Record, from_ts: int, to_ts: int) -> None:
    """Market data was missed: orders were exposed up to then, and are again from its end on."""
    on_round(kappa, from_ts)
    kappa.gap_from_ts, kappa.gap_to_ts = from_ts, to_ts
    for row in range(kappa.working):
        kappa.orders[row].since_ts = max(kappa.orders[row].since_ts, to_ts)


@njit(cache=True)
def on_second(kappa: Record, seconds: int, half_life_s: float, sweeps: int, reach: float, prints: int) -> None:
    """Forget a little, and count the aggressive orders of the market with the sum of their reaches."""
    keep = halved(seconds / half_life_s)
    kappa.evidence *= keep
    kappa.fills *= keep
    kappa.fill_distance *= keep
    for distance_bin in range(BINS):
        kappa.exposure_s[distance_bin] *= keep
        kappa.exposure_distance[distance_bin] *= keep
    kappa.market_prints += prints
    kappa.market_sweeps = kappa.market_sweeps * keep + sweeps
    kappa.market_reach = kappa.market_reach * keep + reach


@njit(cache=True)
def confidence(moments: int) -> float:
    """n/(n + 10) of the moments in which resting orders filled: 0 before the first, strictly rising."""
    return moments / (moments + CONFIDENCE_MOMENTS)


@njit(cache=True)
def market_kappa(kappa: Record, prior_mean: float, prior_strength: float) -> float:
    """Posterior mean of κ for exponential reaches, (α + n)/(β + Σx): a Gamma prior is conjugate to them.

    On a market whose orders mostly stop at the touch this reads the touch's distance from the mid.
    """
    return (prior_strength + kappa.market_sweeps) / (prior_strength / prior_mean + kappa.market_reach)


@njit(cache=True)
def expected_exposure(kappa: Record, slope: float) -> float:
    """Σ T_i e^(−κ δ_i): the exposure in seconds at the mid that would have brought as many fills."""
    total = 0.0
    for distance_bin in range(BINS):
        seconds = kappa.exposure_s[distance_bin]
        if seconds > 0:
            total += seconds * exp(-slope * kappa.exposure_distance[distance_bin] / seconds)
    return total


@njit(cache=True)
def compute(
    kappa: Record, prior_mean: float, prior_strength: float, intensity_mean: float, intensity_strength: float
) -> None:
    """Posterior mean and sd of κ, and the posterior mean of A at that κ.

    log p(κ) = (α − 1) ln κ − βκ − w κ Σδ − (a + w N) ln(b + w Σ T_i e^(−κ δ_i)), and one more ln κ because the
    grid's points are equally far apart in ln κ; w = moments/N. As −ln of a sum of exponentials is concave, so is
    this: it falls to both sides of its peak, and points where e to it is below a rounding error are left out.
    """
    weight = kappa.evidence / kappa.fills if kappa.fills > 0 else 1.0
    shape = intensity_strength + kappa.evidence
    rate = intensity_strength / intensity_mean
    linear = prior_strength / prior_mean + weight * kappa.fill_distance
    used = _note_exposure(kappa, weight)
    peak, last = min(max(kappa.peak, 0), len(GRID) - 1), len(GRID) - 1
    low = high = peak
    kappa.log_density[peak] = _log_density(kappa, peak, used, prior_strength, linear, shape, rate)
    while low > 0 and kappa.log_density[low] > kappa.log_density[peak] - NEGLIGIBLE:
        low -= 1
        kappa.log_density[low] = _log_density(kappa, low, used, prior_strength, linear, shape, rate)
        peak = low if kappa.log_density[low] > kappa.log_density[peak] else peak
    while high < last and kappa.log_density[high] > kappa.log_density[peak] - NEGLIGIBLE:
        high += 1
        kappa.log_density[high] = _log_density(kappa, high, used, prior_strength, linear, shape, rate)
        peak = high if kappa.log_density[high] > kappa.log_density[peak] else peak
    kappa.peak = peak
    _moments(kappa, low, high)
    kappa.intensity = shape / (rate + weight * expected_exposure(kappa, kappa.mean))
    kappa.stale = 0


@njit(cache=True)
def _note_exposure(kappa: Record, weight: float) -> int:
    """Gather the weighted exposure and the mean distance of the bins that hold any; returns their number."""
    used = 0
    for distance_bin in range(BINS):
        seconds = kappa.exposure_s[distance_bin]
        if seconds > 0:
            kappa.used_seconds[used] = weight * seconds
            kappa.used_distance[used] = kappa.exposure_distance[distance_bin] / seconds
            used += 1
    return used


@njit(cache=True)
def _log_density(
    kappa: Record, point: int, used: int, strength: float, linear: float, shape: float, rate: float
) -> float:
    """log p(κ) at a point of the grid, but for a constant."""
    slope, exposure = GRID[point], 0.0
    for row in range(used):
        exposure += kappa.used_seconds[row] * exp(-slope * kappa.used_distance[row])
    return float(strength * LOG_GRID[point] - linear * slope - shape * log(rate + exposure))


@njit(cache=True)
def _moments(kappa: Record, low: int, high: int) -> None:
    """Mean and sd over the grid's points from `low` to `high`."""
    highest = kappa.log_density[kappa.peak]
    weight, first, second = 0.0, 0.0, 0.0
    for point in range(low, high + 1):
        density = exp(kappa.log_density[point] - highest)
        weight += density
        first += density * GRID[point]
        second += density * GRID[point] ** 2
    kappa.mean = first / weight
    kappa.sd = np.sqrt(max(second / weight - kappa.mean**2, 0.0))
