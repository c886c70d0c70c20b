"""The built-in strategy: GLFT quotes around a reservation price, as pure functions of one view of the market.

Guéant, Lehalle & Fernandez-Tapia (2013), Guéant (2017). Everything is additive in basis points of the mid, each part
is published, and inventory acts in one place only, the reservation price.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market import fill_forecast
from papertrader.shared.market.book import price_of
from papertrader.shared.market.logistic import probability
from papertrader.shared.market.mathematics import exp, log1p, ten_to
from papertrader.shared.market.money import quote_value
from papertrader.shared.market.records import Record, Records

VIEW: Final = np.dtype(
    [
        ("ts", "i8"),
        ("bid_tick", "i8"),
        ("ask_tick", "i8"),
        ("significant_figures", "i8"),  # 0: only the tick counts
        ("params_version", "i8"),
        ("levels", "i8"),  # quotes a side at most
        ("tick_size", "f8"),
        ("ticks_per_unit", "f8"),
        ("lot_size", "f8"),
        ("min_notional", "f8"),  # quote currency
        ("inverse_size", "f8"),  # quote currency of an inverse contract, 0 for any other market
        ("bid", "f8"),
        ("ask", "f8"),
        ("mid", "f8"),
        ("fair", "f8"),  # the microprice, its imbalance to a quarter
        ("position", "f8"),  # base units, of an inverse market contracts; + is long
        ("max_position", "f8"),
        ("quote_size", "f8"),  # base units, as the settings have it
        ("kappa", "f8"),
        ("intensity", "f8"),
        ("sigma_bps", "f8"),
        ("toxicity_bid", "f8"),
        ("toxicity_ask", "f8"),
        ("adverse_base_rate", "f8"),
        ("log_sigma_bps", "f8"),  # of the last minute
        ("fill_bid", "f8"),  # log-odds of a fill within 10 s at distance 0: of bids, of asks,
        ("fill_ask", "f8"),
        ("fill_slope", "f8"),  # and how they change with z and z²
        ("fill_curve", "f8"),
        ("cal_gamma", "f8"),
        ("maker_fee_bps", "f8"),
        ("equity", "f8"),  # NaN before the first account message; so for the margin
        ("margin_available", "f8"),
        ("regime", "i1"),
        ("can_short", "i1"),  # whether more can be sold than is held: not in spot
        ("can_increase", "i1"),  # whether the margin allows to add to the position
        ("toxicity_trusted", "i1"),  # whether toxicity has shown skill, and so is a forecast of now
        ("quotes_bid", "i1"),  # whether toxicity lets a side be quoted
        ("quotes_ask", "i1"),
    ],
    align=True,
)
"""All that a decision may depend on."""
TERMS: Final = np.dtype(
    [
        ("fee_bps", "f8"),
        ("glft_bps", "f8"),
        ("adverse_selection_bps", "f8"),
        ("toxicity_bid_bps", "f8"),
        ("toxicity_ask_bps", "f8"),
        ("floor_bps", "f8"),
        ("cal_gamma", "f8"),
        ("half_spread_bid_bps", "f8"),
        ("half_spread_ask_bps", "f8"),
        ("skew_bps", "f8"),
        ("reservation_price", "f8"),
        ("joins_bid", "i1"),  # whether the first level joins the touch
        ("joins_ask", "i1"),
    ],
    align=True,
)
"""The parts of the last decision."""
TARGET: Final = np.dtype(
    [
        ("tick", "i8"),
        ("size", "f8"),
        ("p_fill", "f8"),
        ("p_adverse", "f8"),
        ("priority_bps", "f8"),
        ("level", "i1"),
        ("side", "i1"),
    ],
    align=True,
)
"""A quote that is wanted; `level` counts from the inside of its side."""

SIGMA_RATIO_LOW: Final = 0.85
SIGMA_RATIO_HIGH: Final = 1.2
TOXICITY_STEPS: Final = 20
"""Prices heed toxicity to a twentieth: it moves all the time, and a quote is not worth moving for less."""
TICK_TOLERANCE: Final = 1e-6
"""A price this close to the grid is on it, in ticks."""


@njit(cache=True)
def glft_half_spread_bps(kappa: float, intensity: float, sigma_bps: float, risk_aversion: float) -> float:
    """Guéant's (2017) half-spread c1 + ½ σ c2 for order size Δ = 1, in bp of price.

    c1 = (1/ξ) ln(1 + ξ/κ) and c2 = √(ξ/(2 A κ) · (1 + ξ/κ)^(κ/ξ + 1)), with κ in 1/(fraction of price), A in fills
    per second, σ in bp per √s. As ξ goes to 0 this goes to 1/κ.
    """
    c1 = log1p(risk_aversion / kappa) / risk_aversion
    growth = exp((kappa / risk_aversion + 1) * log1p(risk_aversion / kappa))
    c2 = np.sqrt(risk_aversion / (2 * intensity * kappa) * growth)
    return 1e4 * c1 + 0.5 * sigma_bps * c2


@njit(cache=True)
def skew_bps(position: float, max_position: float, sigma_bps: float, settings: Record) -> float:
    """How far below the mid the reservation price lies, in bp: positive when long, linear in the position.

    inventory_skew_bps · (q / q_max) · clamp(σ / σ_reference, 0.85, 1.2). The default of 12.5 bp gives 3 to 8 bp at
    half the largest position and 8 to 15 bp at 80 % of it, whatever σ is.
    """
    ratio = min(max(sigma_bps / settings.sigma_reference_bps, SIGMA_RATIO_LOW), SIGMA_RATIO_HIGH)
    return settings.inventory_skew_bps * position / max_position * ratio


@njit(cache=True)
def floor_bps(view: Record, settings: Record) -> float:
    """The least half-spread, in bp: half a tick, or the fee and the least edge."""
    half_tick = 0.5 * view.tick_size / view.mid * 1e4
    return max(half_tick, view.maker_fee_bps + settings.min_edge_bps)


@njit(cache=True)
def half_spread_bps(view: Record, settings: Record, terms: Record, toxicity_bps: float) -> float:
    """floor ∨ (fee + cal_gamma · (glft + adverse selection + toxicity)), in bp.

    cal_gamma multiplies only what lies above the fee.
    """
    above_fee = terms.glft_bps + terms.adverse_selection_bps + toxicity_bps
    half_spread = min(view.maker_fee_bps + view.cal_gamma * above_fee, settings.max_half_spread_bps)
    return max(terms.floor_bps, half_spread)


@njit(cache=True)
def excess_steps(toxicity: float, base_rate: float) -> int:
    """How far a side's toxicity lies above the base rate, in twentieths; 0 below it."""
    return max(0, int(np.rint((toxicity - base_rate) * TOXICITY_STEPS)))


@njit(cache=True)
def price_terms(view: Record, settings: Record, terms: Record) -> None:
    """Write every part of both half-spreads and the reservation price into `terms`."""
    intensity = max(view.intensity, settings.min_intensity)
    terms.fee_bps = view.maker_fee_bps
    terms.cal_gamma = view.cal_gamma
    terms.glft_bps = glft_half_spread_bps(view.kappa, intensity, view.sigma_bps, settings.risk_aversion)
    terms.adverse_selection_bps = settings.adverse_weight_bps * view.adverse_base_rate
    bid_steps, ask_steps = (
        excess_steps(view.toxicity_bid, view.adverse_base_rate),
        excess_steps(view.toxicity_ask, view.adverse_base_rate),
    )
    terms.toxicity_bid_bps = settings.toxicity_weight_bps * bid_steps / TOXICITY_STEPS
    terms.toxicity_ask_bps = settings.toxicity_weight_bps * ask_steps / TOXICITY_STEPS
    terms.floor_bps = floor_bps(view, settings)
    terms.half_spread_bid_bps = half_spread_bps(view, settings, terms, terms.toxicity_bid_bps)
    terms.half_spread_ask_bps = half_spread_bps(view, settings, terms, terms.toxicity_ask_bps)
    terms.skew_bps = skew_bps(view.position, view.max_position, view.sigma_bps, settings)
    terms.reservation_price = view.fair * (1 - terms.skew_bps / 1e4)
    terms.joins_bid = joins(view, settings, 1)
    terms.joins_ask = joins(view, settings, -1)


@njit(cache=True)
def joins(view: Record, settings: Record, side: int) -> bool:
    """Whether a side's first level joins the touch.

    * toxicity has shown skill and lets the side be quoted, and
    * the position on that side is no larger than a share of the largest.
    """
    quoted = view.quotes_bid if side > 0 else view.quotes_ask
    small = side * view.position <= settings.join_position_share * view.max_position
    return view.toxicity_trusted == 1 and quoted == 1 and small


@njit(cache=True)
def step_ticks(tick: int, ticks_per_unit: float, significant_figures: int) -> int:
    """Ticks between the prices that the venue's significant figures allow near `tick`; whole prices always are.

    The tick size must be a power of ten; `significant_figures` 0 means no such rule.
    """
    if significant_figures == 0:
        return 1
    whole = max(int(ticks_per_unit), 1)
    step = 1
    while step < whole and tick >= step * int(ten_to(significant_figures)):
        step *= 10
    return min(step, whole)


@njit(cache=True)
def outward_tick(view: Record, side: int, price: float) -> int:
    """The allowed tick at `price` or next to it away from the market: buys round down, sells up.

    A price that would reach the opposite best is moved to one tick before it first, so that a post-only order rests.
    """
    scaled = price * view.ticks_per_unit if view.ticks_per_unit > 0 else price / view.tick_size
    if side > 0:
        tick = min(int(np.floor(scaled + TICK_TOLERANCE)), view.ask_tick - 1)
        step = step_ticks(tick, view.ticks_per_unit, view.significant_figures)
        return tick // step * step
    tick = max(int(np.ceil(scaled - TICK_TOLERANCE)), view.bid_tick + 1)
    step = step_ticks(tick, view.ticks_per_unit, view.significant_figures)
    return -(-tick // step) * step


@njit(cache=True)
def lots_per_unit(lot_size: float) -> float:
    """Lots in one base unit if the lot is a decimal fraction, else 0."""
    return np.round(1 / lot_size) if lot_size < 1 else 0.0


@njit(cache=True)
def size_of_lots(view: Record, lots: float) -> float:
    """The size of a whole number of lots, base units, the nearest float to its decimal."""
    per_unit = lots_per_unit(view.lot_size)
    return lots / per_unit if per_unit > 0 else lots * view.lot_size


@njit(cache=True)
def floor_to_lot(view: Record, size: float) -> float:
    """The largest multiple of the lot that is not above `size`, base units."""
    return size_of_lots(view, np.floor(size / view.lot_size + TICK_TOLERANCE))


@njit(cache=True)
def smallest_size(view: Record, price: float) -> float:
    """The smallest multiple of the lot, at least one, whose value at `price` the venue accepts."""
    least = view.min_notional / quote_value(1.0, price, view.inverse_size)
    return size_of_lots(view, max(1.0, np.ceil(least / view.lot_size - TICK_TOLERANCE)))


@njit(cache=True)
def fill_probability(view: Record, side: int, price: float) -> float:
    """The forecast of a fill within 10 s of going live, had the order been left alone (`fill_forecast`)."""
    z = fill_forecast.distance_z(side * (view.mid - price) / view.mid * 1e4, view.log_sigma_bps)
    at_mid = view.fill_bid if side > 0 else view.fill_ask
    return probability(at_mid + (view.fill_slope + view.fill_curve * z) * z)


@njit(cache=True)
def ladder(view: Record, settings: Record, terms: Record, side: int, targets: Records, count: int) -> int:
    """Append one side's levels to `targets` and return their new number.

    Level i lies at half-spread · (1 + level_spacing · i) from the reservation price, and at least one step beyond
    level i − 1. A first level that joins stands at the touch. A side that toxicity forbids has none.
    """
    if (view.quotes_bid if side > 0 else view.quotes_ask) == 0:
        return count
    joining = (terms.joins_bid if side > 0 else terms.joins_ask) == 1
    half_spread = terms.half_spread_bid_bps if side > 0 else terms.half_spread_ask_bps
    inner = 0
    for level in range(settings.levels):
        distance = view.mid * half_spread * (1 + settings.level_spacing * level) / 1e4
        tick = outward_tick(view, side, terms.reservation_price - side * distance)
        if level == 0 and joining:
            tick = outward_tick(view, side, price_of(view, view.bid_tick if side > 0 else view.ask_tick))
        if level > 0 and side * tick >= side * inner:
            tick = outward_tick(view, side, price_of(view, inner - side))
        if tick < 1:
            break
        price = price_of(view, tick)
        target = targets[count]
        target.side, target.level, target.tick, target.priority_bps = side, level, tick, 0.0
        size = settings.quote_notional / quote_value(1.0, view.mid, view.inverse_size)
        target.size = max(floor_to_lot(view, size), smallest_size(view, price))
        inner = tick
        count += 1
    return count


@njit(cache=True)
def lay(view: Record, settings: Record, terms: Record, targets: Records) -> int:
    """The quotes that GLFT wants, bids first, written into `targets` without forecasts; returns how many."""
    price_terms(view, settings, terms)
    bids = ladder(view, settings, terms, 1, targets, 0)
    return ladder(view, settings, terms, -1, targets, bids)


@njit(cache=True)
def quote(view: Record, settings: Record, terms: Record, targets: Records) -> int:
    """`lay`, each quote with the forecasts of its fill and of an adverse one."""
    count = lay(view, settings, terms, targets)
    for index in range(count):
        target = targets[index]
        target.p_fill = fill_probability(view, target.side, price_of(view, target.tick))
        target.p_adverse = view.toxicity_bid if target.side > 0 else view.toxicity_ask
    return count
