"""κ by hand: exposure from acks, each fill once, the posterior, confidence, reach of the market."""

import numpy as np
import pytest

from papertrader.services.estimator import kappa as intensity
from papertrader.shared.market.records import record_of
from tests.unit.learning import S, ack

PRIOR = (2500.0, 5.0, 0.1, 1.0)


@pytest.fixture
def kappa():
    return np.zeros(1, dtype=intensity.KAPPA)[0]


def hear(kappa, message):
    intensity.on_ack(kappa, record_of(message))


def exposure(kappa):
    return {i: float(s) for i, s in enumerate(kappa["exposure_s"]) if s}


@pytest.mark.parametrize(
    ("side", "price", "expected_bps"), [(1, 99.96, 4.0), (-1, 100.04, 4.0), (1, 100.04, 0.0), (-1, 99.96, 0.0)]
)
def test_distance_is_how_far_beyond_the_mid_an_order_stands(side, price, expected_bps):
    assert intensity.distance_of(side, price, 100.0) * 1e4 == pytest.approx(expected_bps)


def test_on_own_fill_counts_each_fill_once_at_its_distance_from_the_mid_at_placement(kappa):
    intensity.on_own_fill(kappa, 1, 99.96, 2.0, 100.0, True)
    intensity.on_own_fill(kappa, -1, 100.02, 1.0, 100.0, True)
    assert (kappa["own_fills"], kappa["fills"], kappa["own_volume"]) == (2, 2.0, 3.0)
    assert kappa["fill_distance"] == pytest.approx(6e-4)


def test_taker_fill_is_an_own_fill_but_says_nothing_about_intensity(kappa):
    intensity.on_own_fill(kappa, 1, 100.05, 2.0, 100.0, False)
    assert (kappa["own_fills"], kappa["fills"], kappa["fill_distance"], kappa["dropped"]) == (1, 0.0, 0.0, 0)


def test_fill_without_a_mid_is_counted_as_dropped(kappa):
    intensity.on_own_fill(kappa, 1, 100.0, 1.0, np.nan, True)
    assert (kappa["own_fills"], kappa["fills"], kappa["dropped"]) == (1, 0.0, 1)


def test_order_is_exposed_from_live_to_its_terminal_ack(kappa):
    hear(kappa, ack(10 * S, "accepted", price=99.949))  # 5.1 bp: bin 20
    intensity.on_round(kappa, 13 * S)
    assert exposure(kappa) == {20: pytest.approx(3.0)}
    hear(kappa, ack(17 * S, "cancelled", price=99.949))
    intensity.on_round(kappa, 99 * S)
    assert exposure(kappa) == {20: pytest.approx(7.0)}
    assert kappa["exposure_distance"][20] == pytest.approx(7.0 * 5.1e-4)
    assert kappa["working"] == 0


def test_modified_order_goes_on_at_its_new_distance(kappa):
    hear(kappa, ack(10 * S, "accepted", price=99.949))
    hear(kappa, ack(12 * S, "modified", price=99.989))
    hear(kappa, ack(15 * S, "filled", price=99.989))
    assert exposure(kappa) == {20: pytest.approx(2.0), 4: pytest.approx(3.0)}


@pytest.mark.parametrize(
    ("bps", "place"),
    [(0.0, 0), (0.24, 0), (0.26, 1), (7.9, 31), (8.1, 32), (9.1, 33), (38.5, 62), (41.0, 63), (1e9, 63)],
)
def test_bins_are_a_quarter_basis_point_wide_near_the_mid_and_one_farther_out(bps, place):
    assert intensity.bin_of(bps * 1e-4) == place


def test_distance_beyond_the_last_bin_keeps_its_mean(kappa):
    hear(kappa, ack(10 * S, "accepted", price=99.0))
    intensity.on_round(kappa, 20 * S)
    assert kappa["exposure_distance"][63] / kappa["exposure_s"][63] == pytest.approx(0.01)


@pytest.mark.parametrize("status", ["rejected", "refused", "cancelled", "modified"])
def test_ack_of_an_order_that_was_never_accepted_changes_nothing(kappa, status):
    hear(kappa, ack(10 * S, status))
    intensity.on_round(kappa, 20 * S)
    assert exposure(kappa) == {}
    assert kappa["working"] == 0


def test_refused_command_does_not_end_the_order(kappa):
    hear(kappa, ack(10 * S, "accepted"))
    hear(kappa, ack(11 * S, "refused"))
    assert kappa["working"] == 1


def test_orders_beyond_the_table_are_counted(kappa):
    for order_id in range(70):
        hear(kappa, ack(10 * S, "accepted", order_id=order_id))
    assert (kappa["working"], kappa["dropped"]) == (64, 6)


def test_other_orders_stay_when_one_ends(kappa):
    for order_id in range(5):
        hear(kappa, ack(10 * S, "accepted", order_id=order_id))
    hear(kappa, ack(11 * S, "cancelled", order_id=1))
    assert sorted(kappa["orders"]["order_id"][: kappa["working"]]) == [0, 2, 3, 4]


def test_posterior_without_data_is_the_prior(kappa):
    intensity.compute(kappa, *PRIOR)
    assert kappa["mean"] == pytest.approx(2500.0, rel=0.01)
    assert kappa["sd"] == pytest.approx(2500.0 / np.sqrt(5.0), rel=0.02)
    assert kappa["intensity"] == pytest.approx(0.1)


def test_posterior_is_the_numerical_integral_over_kappa_and_intensity(kappa):
    """Two bins, three fills, integrated by brute force over both parameters."""
    seconds, distances = np.array([40.0, 100.0]), np.array([1.1e-4, 6.1e-4])
    for i, (t, d) in enumerate(zip(seconds, distances, strict=True)):
        kappa["exposure_s"][i], kappa["exposure_distance"][i] = t, t * d
    for price in (99.989, 99.989, 99.939):
        intensity.on_own_fill(kappa, 1, price, 1.0, 100.0, True)
    intensity.compute(kappa, *PRIOR)

    slope = np.linspace(50.0, 20_000.0, 1500)[:, None]
    level = np.linspace(1e-5, 1.0, 1500)[None, :]
    log_p = 4 * np.log(slope) - 0.002 * slope - level / 0.1  # Gamma(5, 0.002) and Gamma(1, 10)
    log_p = log_p + 3 * np.log(level) - slope * (1.1e-4 * 2 + 6.1e-4)
    log_p = log_p - level * sum(t * np.exp(-slope * d) for t, d in zip(seconds, distances, strict=True))
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = float((p * slope).sum())
    assert kappa["mean"] == pytest.approx(mean, rel=0.01)
    assert kappa["sd"] == pytest.approx(float(np.sqrt((p * slope**2).sum() - mean**2)), rel=0.01)
    assert kappa["intensity"] == pytest.approx(4 / (10 + sum(seconds * np.exp(-kappa["mean"] * distances))))


def test_fills_at_the_same_distances_mean_a_smaller_kappa_the_more_time_was_spent_near_the_mid(kappa):
    """The same fills: what was quoted but did not fill must matter."""
    other = np.zeros(1, dtype=intensity.KAPPA)[0]
    for state, near_s, far_s in ((kappa, 10.0, 1000.0), (other, 1000.0, 10.0)):
        state["exposure_s"][[2, 30]] = near_s, far_s
        state["exposure_distance"][[2, 30]] = near_s * 0.6e-4, far_s * 7.6e-4
        for _ in range(10):
            intensity.on_own_fill(state, 1, 99.96, 1.0, 100.0, True)
        intensity.compute(state, *PRIOR)
    assert kappa["mean"] > other["mean"]


def test_forgetting_halves_everything_after_a_half_life_but_not_the_count_of_fills(kappa):
    hear(kappa, ack(10 * S, "accepted", price=99.949))
    intensity.on_round(kappa, 14 * S)
    intensity.on_own_fill(kappa, 1, 99.949, 1.0, 100.0, True)
    intensity.on_second(kappa, 1800, 1800.0, 3, 6e-4, 5)
    assert (kappa["fills"], kappa["exposure_s"][20], kappa["own_fills"]) == (0.5, pytest.approx(2.0), 1)
    assert kappa["fill_distance"] == pytest.approx(2.55e-4)
    assert (kappa["market_sweeps"], kappa["market_prints"]) == (3, 5)


def test_confidence_is_zero_without_fills_and_strictly_rising():
    values = [intensity.confidence(n) for n in range(200)]
    assert values[0] == 0
    assert values[10] == 0.5
    assert np.all(np.diff(values) > 0)


def test_market_kappa_is_the_conjugate_posterior_mean(kappa):
    intensity.on_second(kappa, 1, 1800.0, 10, 20e-4, 12)
    assert intensity.market_kappa(kappa, 2500.0, 5.0) == pytest.approx((5 + 10) / (5 / 2500 + 20e-4))


def at(kappa, price, ts, order_id):
    intensity.on_own_fill(kappa, 1, price, 1.0, 100.0, True, ts, order_id)


def test_orders_filled_in_one_moment_weigh_as_one_observation(kappa):
    """Three orders swept at once, integrated by brute force: the likelihood of all three to the power of a third."""
    seconds, distances = np.array([40.0, 40.0, 40.0]), np.array([1.1e-4, 3.1e-4, 6.1e-4])
    for t, d in zip(seconds, distances, strict=True):
        place = intensity.bin_of(d)
        kappa["exposure_s"][place], kappa["exposure_distance"][place] = t, t * d
    for order_id, d in enumerate(distances):
        at(kappa, 100.0 * (1 - d), 5 * S, order_id)
        at(kappa, 100.0 * (1 - d), 5 * S, order_id)  # in two parts
    assert (kappa["own_fills"], kappa["fills"], kappa["evidence"]) == (6, 3.0, 1.0)
    intensity.compute(kappa, *PRIOR)

    slope = np.linspace(50.0, 30_000.0, 3000)[:, None]
    level = np.linspace(1e-5, 1.0, 1500)[None, :]
    log_p = 4 * np.log(slope) - 0.002 * slope - level / 0.1
    likelihood = 3 * np.log(level) - slope * distances.sum()
    likelihood = likelihood - level * sum(t * np.exp(-slope * d) for t, d in zip(seconds, distances, strict=True))
    p = np.exp(log_p + likelihood / 3 - (log_p + likelihood / 3).max())
    p /= p.sum()
    mean = float((p * slope).sum())
    assert kappa["mean"] == pytest.approx(mean, rel=0.01)
    assert kappa["sd"] == pytest.approx(float(np.sqrt((p * slope**2).sum() - mean**2)), rel=0.01)


def test_moments_far_apart_in_the_log_are_not_mistaken_for_each_other(kappa):
    for index in range(200):
        at(kappa, 99.96, (index + 1) * S, 1)
        at(kappa, 99.95, (index + 1) * S, 2)
        at(kappa, 99.96, (index + 1) * S, 1)
    assert (kappa["moments"]["count"], kappa["fills"], kappa["own_fills"]) == (200, 400.0, 600)


def test_gap_ends_exposure_and_its_end_begins_it_anew(kappa):
    hear(kappa, ack(10 * S, "accepted", price=99.949))
    intensity.on_gap(kappa, 13 * S, 256 * S)
    intensity.on_round(kappa, 250 * S)
    assert exposure(kappa) == {20: pytest.approx(3.0)}
    intensity.on_round(kappa, 258 * S)
    assert exposure(kappa) == {20: pytest.approx(5.0)}
    intensity.on_second(kappa, 0, 1800.0, 1, 2e-4, 3)
    assert exposure(kappa) == {20: pytest.approx(5.0)}
    assert (kappa["market_prints"], kappa["market_sweeps"]) == (3, 1)
