"""The one-second grid, volatility, jumps, percentiles and the regime filter, by hand."""

import numpy as np
import pytest

from papertrader.services.estimator import regime as regimes
from papertrader.services.estimator import sigma as volatility
from papertrader.shared.market import seconds as grid
from papertrader.shared.market.seconds import NS_PER_S

HALF_LIVES = (300.0, 10.0, 1800.0)


def sigma_of(returns):
    sigma = np.zeros(1, dtype=volatility.SIGMA)[0]
    for log_return in returns:
        volatility.on_return(sigma, log_return, *HALF_LIVES)
    return sigma


def new_grid():
    return np.zeros(1, dtype=grid.SECONDS)[0], np.zeros(1, dtype=grid.SECOND)[0]


def test_grid_closes_a_second_with_the_last_mid_at_or_before_its_end():
    seconds, second = new_grid()
    assert not grid.close(seconds, 10 * NS_PER_S, second)
    grid.on_mid(seconds, 100.0, 1.0)  # exactly at the end of second 10: it belongs to it
    assert not grid.close(seconds, 10 * NS_PER_S, second)
    assert grid.close(seconds, 10 * NS_PER_S + 1, second)
    assert (second["ts"], second["seconds"]) == (10 * NS_PER_S, 1)
    assert np.isnan(second["log_return"])
    grid.on_mid(seconds, 101.0, 2.0)
    grid.on_print(seconds)
    assert grid.close(seconds, 11 * NS_PER_S + 5, second)
    assert second["log_return"] == pytest.approx(np.log(1.01))
    assert (second["spread_bps"], second["prints"]) == (2.0, 1)


def test_grid_counts_the_silent_seconds():
    seconds, second = new_grid()
    grid.on_mid(seconds, 100.0, 1.0)
    grid.close(seconds, 10 * NS_PER_S, second)
    assert grid.close(seconds, 14 * NS_PER_S, second)  # ends 10, 11, 12, 13 have passed, 14 has not
    assert (second["seconds"], second["ts"]) == (4, 13 * NS_PER_S)
    assert not grid.close(seconds, 14 * NS_PER_S, second)


def test_grid_drops_the_return_over_a_gap():
    seconds, second = new_grid()
    grid.close(seconds, 1, second)
    grid.on_mid(seconds, 100.0, 1.0)
    grid.close(seconds, NS_PER_S + 1, second)
    grid.on_gap(seconds)
    grid.close(seconds, 9 * NS_PER_S, second)
    assert np.isnan(second["log_return"])
    assert np.isnan(second["spread_bps"])
    grid.on_mid(seconds, 150.0, 1.0)
    grid.close(seconds, 9 * NS_PER_S + 1, second)
    assert np.isnan(second["log_return"])
    grid.on_mid(seconds, 150.0 * np.exp(1e-4), 1.0)
    grid.close(seconds, 10 * NS_PER_S + 1, second)
    assert second["log_return"] == pytest.approx(1e-4)
    assert seconds["dropped"] == 1


def test_realised_volatility_of_constant_returns_is_their_size():
    assert volatility.realised_bps(sigma_of([3e-4, -3e-4, 3e-4])) == pytest.approx(3.0)


def test_realised_volatility_weighs_returns_by_age():
    keep = 0.5 ** (1 / 300)
    assert volatility.realised_bps(sigma_of([1e-4, 2e-4])) == pytest.approx(np.sqrt((keep * 1 + 4) / (keep + 1)))


def test_bipower_of_constant_returns_is_larger_by_the_root_of_half_pi():
    assert volatility.bipower_bps(sigma_of([3e-4, -3e-4, 3e-4])) == pytest.approx(3.0 * np.sqrt(np.pi / 2))


def test_bipower_takes_no_product_over_a_gap():
    sigma = sigma_of([1e-4, 1e-4, np.nan, 50e-4])
    assert sigma["returns"] == 3
    assert volatility.bipower_bps(sigma) == pytest.approx(np.sqrt(np.pi / 2))


def test_jump_ratio_is_one_while_unknown_and_rises_with_a_jump():
    random = np.random.Generator(np.random.PCG64(1))
    returns = random.normal(0, 1e-4, 600)
    assert volatility.jump_ratio(sigma_of([])) == 1.0
    assert volatility.jump_ratio(sigma_of(returns)) == pytest.approx(1.0, abs=0.15)
    returns[500] = 50e-4
    assert volatility.jump_ratio(sigma_of(returns)) > 3


def test_everything_is_finite_before_the_first_return():
    sigma = sigma_of([])
    assert volatility.realised_bps(sigma) == volatility.bipower_bps(sigma) == volatility.percentile_bps(sigma, 0.9) == 0


def test_percentiles_of_the_history_to_one_bin():
    sigma = sigma_of([])
    for bps, seconds in ((1.0, 80), (4.0, 20)):
        place = int(np.log(bps / volatility.LOWEST_BPS) / volatility.LOG_STEP)
        sigma["history"][place] = seconds
    assert volatility.percentile_bps(sigma, 0.1) == pytest.approx(1.0, rel=0.06)
    assert volatility.percentile_bps(sigma, 0.8) == pytest.approx(1.0, rel=0.06)
    assert volatility.percentile_bps(sigma, 0.9) == pytest.approx(4.0, rel=0.06)


def new_regime():
    regime = np.zeros(1, dtype=regimes.REGIME)[0]
    regimes.start(regime)
    return regime


def observe(regime, sigma_bps, seconds, spread_bps=1.0, prints=2):
    for _ in range(seconds):
        regimes.on_second(regime, sigma_bps, spread_bps, prints, 0.98, 3600.0)


def test_transition_rows_sum_to_one_and_prefer_neighbours():
    for i in range(4):
        row = [regimes.transition(i, j, 0.98) for j in range(4)]
        assert sum(row) == pytest.approx(1.0)
        assert row[i] == 0.98
    assert regimes.transition(0, 1, 0.98) == pytest.approx(4 * regimes.transition(0, 2, 0.98))


def test_one_filter_step_by_hand():
    regime = new_regime()
    observe(regime, 1.0, 599)
    assert not regimes.is_known(regime)
    observe(regime, 1.0, 1)
    assert regimes.is_known(regime)
    regime["probabilities"] = regimes.START
    regime["rate"] = regime["rate_weight"] * 2.0
    prior = [sum(regimes.START[i] * regimes.transition(i, j, 0.98) for i in range(4)) for j in range(4)]
    rate = (regime["rate"] * 0.5**0.1 + 2) / (regime["rate_weight"] * 0.5**0.1 + 1)
    signal = np.array([np.log(2.0), 0.0, np.log(rate)]) - regime["reference"]
    likelihood = np.exp(-0.5 * (((signal - regimes.EXPECTED) / regimes.SPREAD) ** 2).sum(axis=1))
    observe(regime, 2.0, 1)
    expected = np.array(prior) * likelihood
    assert regime["probabilities"] == pytest.approx(expected / expected.sum())


def test_reference_is_the_median_of_what_was_seen_to_a_bin():
    regime = new_regime()
    observe(regime, 1.0, 400)
    observe(regime, 9.0, 200)
    assert regime["reference"] == pytest.approx([0.0, 0.0, np.log(2.0)], abs=regimes.BIN)


def test_nothing_is_known_before_the_reference_is():
    regime = new_regime()
    observe(regime, 1.0, 300)
    observe(regime, 9.0, 299)
    assert (regime["state"], regime["changes"], regime["seconds"].sum()) == (1, 0, 0)
    assert regime["probabilities"] == pytest.approx(regimes.START)


@pytest.mark.parametrize("dead_s", [0, 60, 250, 3600])
@pytest.mark.parametrize("dead_bps", [0.0, 0.02])
def test_regime_does_not_depend_on_how_dead_the_beginning_was(dead_s, dead_bps):
    """A market at 0.5 bp is normal, whatever the recording begins with; a dead hour that moved a little is too much."""
    regime = new_regime()
    observe(regime, dead_bps, dead_s, prints=0)
    observe(regime, 0.5, 900)
    if dead_bps == 0.0 or dead_s < 900:
        assert regime["state"] == 1
        assert regime["seconds"][3] == 0


def test_time_since_the_last_change_and_what_volatility_did_in_it():
    regime = new_regime()
    observe(regime, 1.0, 3000)
    observe(regime, 4.0, 300)
    changed = int(regime["changes"])
    assert changed > 0
    assert 200 < regime["unchanged"] <= 300
    assert regime["sigma_ratio"] == pytest.approx(1.0, abs=0.15)
    for sigma_bps in (4.0, 10.0) * 10:  # within what is extreme here
        observe(regime, sigma_bps, 60)
    assert regime["changes"] == changed
    assert regime["unchanged"] > 1400
    assert np.log(regime["sigma_ratio"]) == pytest.approx(np.log(10 / 4), abs=2 * regimes.BIN)


@pytest.mark.parametrize(("multiple", "state"), [(0.4, 0), (1.0, 1), (2.0, 2), (4.5, 3)])
def test_states_are_ordered_by_volatility(multiple, state):
    regime = new_regime()
    observe(regime, 1.0, 600)
    observe(regime, multiple, 30, spread_bps=(0.9, 1.0, 1.3, 2.0)[state])
    assert regime["state"] == state
    assert regime["probabilities"].sum() == pytest.approx(1.0)


def test_regime_counts_its_seconds_and_its_changes():
    regime = new_regime()
    observe(regime, 1.0, 699)
    observe(regime, 4.0, 50)
    observe(regime, 1.0, 50)
    assert regime["changes"] >= 2
    assert regime["seconds"].sum() == 200
    assert regime["state"] == 1


def test_absurd_volatility_leaves_a_belief():
    regime = new_regime()
    observe(regime, 1.0, 600)
    for sigma_bps in (1e9, 0.0, 1e9):
        observe(regime, sigma_bps, 5, spread_bps=1e6, prints=10**9)
    assert regime["probabilities"].sum() == pytest.approx(1.0)


def test_second_without_a_spread_is_not_observed():
    regime = new_regime()
    observe(regime, 1.0, 3, spread_bps=np.nan)
    assert regime["observed"] == 0
