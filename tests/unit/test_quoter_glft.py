"""GLFT quotes, worked by hand."""

import math
from typing import Any

import numpy as np
import pytest

from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.glft import (
    TARGET,
    TERMS,
    VIEW,
    fill_probability,
    floor_to_lot,
    glft_half_spread_bps,
    outward_tick,
    price_terms,
    quote,
    skew_bps,
    smallest_size,
    step_ticks,
)
from papertrader.shared.market.records import settings_records

NEUTRAL = {"levels": 1, "adverse_weight_bps": 0.0, "toxicity_weight_bps": 10.0}


def view_of(**changes: Any) -> Any:
    """A market at 1000 with a tick of 0.01, flat, at the prior."""
    view = np.zeros(1, dtype=VIEW)[0]
    values = {
        "ts": 1,
        "bid_tick": 99_990,
        "ask_tick": 100_010,
        "tick_size": 0.01,
        "ticks_per_unit": 100.0,
        "lot_size": 0.001,
        "bid": 999.9,
        "ask": 1000.1,
        "mid": 1000.0,
        "max_position": 2.5,
        "kappa": 2500.0,
        "intensity": 0.1,
        "sigma_bps": 1.0,
        "toxicity_bid": 0.3,
        "toxicity_ask": 0.3,
        "adverse_base_rate": 0.3,
        "cal_gamma": 1.0,
        "maker_fee_bps": 1.5,
        "can_short": 1,
        "can_increase": 1,
        "quotes_bid": 1,
        "quotes_ask": 1,
        "fill_bid": 0.5,
        "fill_ask": 0.5,
        "fill_slope": -1.7,
        "fill_curve": 0.2,
    }
    for name, value in {**values, **changes}.items():
        view[name] = value
    view["fair"] = changes.get("fair", view["mid"])
    return view


def settings(**changes: Any) -> Any:
    return settings_records([QuoterConfig(**changes)])[0]


def terms_of(view: Any, **changes: Any) -> Any:
    terms = np.zeros(1, dtype=TERMS)[0]
    price_terms(view, settings(**changes), terms)
    return terms


def targets_of(view: Any, **changes: Any) -> Any:
    targets, terms = np.zeros(16, dtype=TARGET), np.zeros(1, dtype=TERMS)
    return targets[: quote(view, settings(**changes), terms[0], targets)]


def test_glft_half_spread_at_the_prior_is_worked_by_hand() -> None:
    # c1 = ln(1.04)/100; c2 = sqrt(100/(2*0.1*2500) * 1.04^26)
    by_hand = 1e4 * math.log(1.04) / 100 + 0.5 * math.sqrt(0.2 * 1.04**26)
    assert glft_half_spread_bps(2500.0, 0.1, 1.0, 100.0) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(4.2944, abs=1e-4)


def test_glft_half_spread_with_no_risk_aversion_is_one_over_kappa() -> None:
    assert glft_half_spread_bps(2500.0, 0.1, 1.0, 1e-9) == pytest.approx(4.0, abs=1e-4)


def test_glft_half_spread_falls_with_kappa_and_intensity_and_rises_with_sigma() -> None:
    middle = glft_half_spread_bps(2500.0, 0.1, 1.0, 100.0)
    assert glft_half_spread_bps(5000.0, 0.1, 1.0, 100.0) < middle
    assert glft_half_spread_bps(2500.0, 0.2, 1.0, 100.0) < middle
    assert glft_half_spread_bps(2500.0, 0.1, 2.0, 100.0) > middle


@pytest.mark.parametrize("sigma", [0.01, 0.85, 1.0, 1.2, 50.0])
@pytest.mark.parametrize(("share", "low", "high"), [(0.5, 3.0, 8.0), (0.8, 8.0, 15.0)])
def test_skew_at_a_share_of_the_largest_position_is_in_its_range(
    share: float, low: float, high: float, sigma: float
) -> None:
    skew = skew_bps(share * 2.5, 2.5, sigma, settings())
    assert low <= skew <= high
    assert skew_bps(-share * 2.5, 2.5, sigma, settings()) == -skew


def test_skew_at_the_reference_sigma_is_linear_in_the_position() -> None:
    assert skew_bps(1.25, 2.5, 1.0, settings()) == pytest.approx(6.25)
    assert skew_bps(1.25, 2.5, 9.0, settings()) == pytest.approx(7.5)
    assert skew_bps(0.0, 2.5, 1.0, settings()) == 0.0


def test_reservation_price_of_a_long_position_is_below_the_mid() -> None:
    terms = terms_of(view_of(position=1.25))
    assert terms["reservation_price"] == pytest.approx(1000 * (1 - 6.25e-4))
    assert terms_of(view_of(position=-1.25))["reservation_price"] == pytest.approx(1000 * (1 + 6.25e-4))


def test_quotes_of_a_long_position_both_move_down() -> None:
    flat, long = targets_of(view_of(), levels=1), targets_of(view_of(position=0.5), levels=1)
    # 20 % of the largest position: 2.5 bp of 1000 are 25 ticks
    assert list(flat["tick"] - long["tick"]) == [25, 25]


def test_half_spread_is_the_fee_and_cal_gamma_times_the_rest() -> None:
    full = terms_of(view_of(), **NEUTRAL)
    hungry = terms_of(view_of(cal_gamma=0.3), **NEUTRAL)
    assert full["half_spread_bid_bps"] == pytest.approx(1.5 + 4.2944, abs=1e-4)
    assert hungry["half_spread_bid_bps"] == pytest.approx(1.5 + 0.3 * 4.2944, abs=1e-4)


def test_half_spread_below_the_floor_is_the_fee_and_the_least_edge() -> None:
    terms = terms_of(view_of(cal_gamma=0.0), **NEUTRAL, min_edge_bps=0.7)
    assert terms["half_spread_bid_bps"] == terms["floor_bps"] == pytest.approx(2.2)


def test_half_spread_in_a_market_of_large_ticks_is_half_a_tick() -> None:
    coarse = view_of(tick_size=2.0, ticks_per_unit=0.0, bid_tick=499, ask_tick=501)
    assert terms_of(coarse, **NEUTRAL)["half_spread_bid_bps"] == pytest.approx(10.0)


def test_half_spread_beyond_the_largest_is_the_largest() -> None:
    assert terms_of(view_of(sigma_bps=900.0), max_half_spread_bps=30.0)["half_spread_ask_bps"] == 30.0


def test_intensity_near_zero_counts_as_the_least_intensity() -> None:
    assert terms_of(view_of(intensity=1e-9))["glft_bps"] == terms_of(view_of(intensity=0.01))["glft_bps"]


def test_adverse_selection_term_is_its_weight_times_the_base_rate() -> None:
    assert terms_of(view_of(), adverse_weight_bps=2.0)["adverse_selection_bps"] == pytest.approx(0.6)


def test_toxicity_on_the_bid_widens_the_bid_only() -> None:
    calm, toxic = terms_of(view_of(), **NEUTRAL), terms_of(view_of(toxicity_bid=0.7), **NEUTRAL)
    assert toxic["toxicity_bid_bps"] == pytest.approx(10 * (0.7 - 0.3))
    assert toxic["half_spread_bid_bps"] - calm["half_spread_bid_bps"] == pytest.approx(4.0)
    assert toxic["half_spread_ask_bps"] == calm["half_spread_ask_bps"]


def test_toxicity_below_the_base_rate_does_not_tighten() -> None:
    assert terms_of(view_of(toxicity_ask=0.1), **NEUTRAL)["toxicity_ask_bps"] == 0.0


def test_ladder_spaces_its_levels_by_the_half_spread() -> None:
    # 5.7944 bp of 1000 is 57.944 ticks: rounded outward to 58 and, half as far again, to 87
    targets = targets_of(view_of(), levels=2, adverse_weight_bps=0.0)
    assert list(targets["tick"]) == [100_000 - 58, 100_000 - 87, 100_000 + 58, 100_000 + 87]
    assert list(targets["side"]) == [1, 1, -1, -1]
    assert list(targets["level"]) == [0, 1, 0, 1]


def test_ladder_on_a_coarse_grid_keeps_its_levels_apart() -> None:
    coarse = view_of(tick_size=2.0, ticks_per_unit=0.0, bid_tick=499, ask_tick=501)
    assert list(targets_of(coarse, levels=3)["tick"]) == [499, 498, 497, 501, 502, 503]


def test_ladder_never_quotes_a_price_of_zero() -> None:
    penny = view_of(bid_tick=1, ask_tick=2, tick_size=1.0, ticks_per_unit=0.0, mid=1.5, lot_size=1.0)
    assert all(targets_of(penny, levels=3)["tick"] >= 1)


def test_target_carries_both_forecasts() -> None:
    view = view_of(toxicity_bid=0.3, toxicity_ask=0.2, fill_ask=0.9)
    targets = targets_of(view, levels=1, adverse_weight_bps=0.0)
    z = 5.8 / math.sqrt(10)
    expected = [1 / (1 + math.exp(-(at_mid - 1.7 * z + 0.2 * z * z))) for at_mid in (0.5, 0.9)]
    assert targets["p_fill"] == pytest.approx(expected)
    assert list(targets["p_adverse"]) == [0.3, 0.2]


def test_fill_probability_falls_with_distance_and_rises_with_sigma() -> None:
    at_mid, away = fill_probability(view_of(), 1, 1000.0), fill_probability(view_of(), 1, 999.6)
    assert at_mid == pytest.approx(1 / (1 + math.exp(-0.5)))
    assert fill_probability(view_of(), -1, 1000.4) == pytest.approx(away)
    assert away < fill_probability(view_of(log_sigma_bps=1.0), 1, 999.6) < at_mid


def test_reservation_price_is_around_the_fair_value() -> None:
    assert terms_of(view_of(fair=1000.05))["reservation_price"] == pytest.approx(1000.05)
    assert terms_of(view_of(fair=1000.05, position=1.25))["reservation_price"] == pytest.approx(1000.05 * (1 - 6.25e-4))


def test_first_level_joins_the_touch_where_toxicity_has_skill_and_lets_the_side_be_quoted() -> None:
    targets = targets_of(view_of(toxicity_trusted=1, quotes_ask=0), levels=2, adverse_weight_bps=0.0)
    assert list(targets["side"]) == [1, 1], "no asks"
    assert list(targets["tick"]) == [99_990, 100_000 - 87], "the touch, and the second level at its distance"


def test_untrusted_toxicity_joins_nowhere() -> None:
    assert list(targets_of(view_of(), levels=1, adverse_weight_bps=0.0)["tick"]) == [100_000 - 58, 100_000 + 58]


@pytest.mark.parametrize(("share", "bid_joins"), [(0.5, True), (0.51, False), (-0.51, True)])
def test_side_that_adds_to_half_of_the_largest_position_joins_no_more(share: float, bid_joins: bool) -> None:
    view = view_of(toxicity_trusted=1, position=share * 2.5)
    targets = targets_of(view, levels=1)
    assert (targets["tick"][0] == 99_990) == bid_joins
    assert (targets["tick"][1] == 100_010) == (share > -0.5)


@pytest.mark.parametrize(
    ("tick", "ticks_per_unit", "figures", "step"),
    [
        (99_999, 100.0, 5, 1),  # 999.99
        (100_000, 100.0, 5, 10),  # 1000.0
        (1_234_567, 100.0, 5, 100),  # 12345: whole prices are always allowed ...
        (12_345_678, 100.0, 5, 100),  # ... so 123456 may have six figures
        (110_500, 0.0, 5, 1),  # whole ticks
        (1_234_567, 100.0, 0, 1),  # no rule
        (123, 1e6, 5, 1),  # 0.000123
    ],
)
def test_step_of_significant_figures(tick: int, ticks_per_unit: float, figures: int, step: int) -> None:
    assert step_ticks(tick, ticks_per_unit, figures) == step


def test_outward_tick_rounds_buys_down_and_sells_up() -> None:
    view = view_of()
    assert outward_tick(view, 1, 999.456) == 99_945
    assert outward_tick(view, -1, 1000.454) == 100_046
    assert outward_tick(view, 1, 999.45) == 99_945
    assert outward_tick(view, -1, 1000.45) == 100_045


def test_outward_tick_keeps_to_the_significant_figures() -> None:
    view = view_of(significant_figures=5)
    assert outward_tick(view, 1, 999.456) == 99_945
    assert outward_tick(view, -1, 1000.454) == 100_050
    across = view_of(significant_figures=5, mid=9999.995, bid_tick=999_990, ask_tick=1_000_009)
    assert outward_tick(across, -1, 9999.95) == 1_000_000
    assert outward_tick(across, 1, 10_000.6) == 1_000_000


def test_outward_tick_never_reaches_the_opposite_best() -> None:
    view = view_of(bid_tick=99_999, ask_tick=100_001)
    assert outward_tick(view, 1, 1005.0) == 100_000
    assert outward_tick(view, -1, 995.0) == 100_000
    figures = view_of(bid_tick=100_010, ask_tick=100_020, significant_figures=5)
    assert outward_tick(figures, 1, 1005.0) == 100_010
    assert outward_tick(figures, -1, 995.0) == 100_020


def test_size_is_the_notional_in_whole_lots() -> None:
    assert targets_of(view_of(mid=999.0), levels=1, quote_notional=500.0)["size"][0] == 0.5  # 0.5005
    assert floor_to_lot(view_of(), 0.3) == 0.3
    assert floor_to_lot(view_of(lot_size=10.0), 99.9) == 90.0


def test_size_of_a_small_quote_is_the_least_that_the_venue_accepts() -> None:
    assert smallest_size(view_of(min_notional=10.0), 999.0) == 0.011
    assert smallest_size(view_of(), 999.0) == 0.001
    small = targets_of(view_of(min_notional=10.0), levels=1, quote_notional=1.0)
    assert list(small["size"]) == [0.011, 0.01]
