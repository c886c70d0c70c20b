"""Every estimator finds the truth that generated its data."""

import numpy as np
import pytest

from papertrader.services.estimator import kappa as intensity
from papertrader.services.estimator import regime as regimes
from papertrader.services.estimator import sigma as volatility
from papertrader.services.estimator.config import EstimatorConfig
from papertrader.services.estimator.service import Estimator
from papertrader.shared.messages import Bbo
from tests.unit.learning import ACCOUNT, MARKET, MS, Log, S

NO_FORGETTING = 1e9
PRIOR = (2500.0, 5.0, 0.1, 1.0)
WEAK_PRIOR = (2500.0, 1.0, 0.1, 0.1)


def quoted_fills(random, kappa_true, intensity_true, fills):
    """Orders one after another at 1 to 10 bp, each filled by a Poisson process or cancelled after 10 s."""
    state = np.zeros(1, dtype=intensity.KAPPA)[0]
    while state["own_fills"] < fills:
        distance = random.uniform(1e-4, 10e-4)
        wait_s = random.exponential(1.0 / (intensity_true * np.exp(-kappa_true * distance)))
        place = intensity.bin_of(distance)
        state["exposure_s"][place] += min(wait_s, 10.0)
        state["exposure_distance"][place] += min(wait_s, 10.0) * distance
        if wait_s < 10.0:
            intensity.on_own_fill(state, 1, 100.0 * (1 - distance), 1.0, 100.0, True)
    return state


@pytest.mark.parametrize(("kappa_true", "intensity_true"), [(1500.0, 0.3), (2500.0, 0.5), (5000.0, 1.0)])
def test_kappa_and_intensity_after_300_fills(kappa_true, intensity_true):
    """300 fills leave a standard deviation of about 5 % at κ 5000, 9 % at 2500 and 14 % at 1500, where 1 to 10 bp span
    little more than one e-fold; with a weak prior the posterior says so.
    """
    random = np.random.Generator(np.random.PCG64(7))
    means, levels, weak_means, weak_sds = np.zeros((4, 60))
    for run in range(60):
        state = quoted_fills(random, kappa_true, intensity_true, 300)
        intensity.compute(state, *PRIOR)
        means[run], levels[run] = state["mean"], state["intensity"]
        intensity.compute(state, *WEAK_PRIOR)
        weak_means[run], weak_sds[run] = state["mean"], state["sd"]
    assert np.mean(np.abs(means / kappa_true - 1) < 0.2) > 0.75
    assert means.mean() == pytest.approx(kappa_true, rel=0.08)  # the prior draws towards 2500
    assert levels.mean() == pytest.approx(intensity_true, rel=0.15)
    assert 0.85 < np.mean(np.abs(weak_means - kappa_true) < 2 * weak_sds) <= 1.0
    assert weak_sds.mean() == pytest.approx(weak_means.std(), rel=0.35)


def test_kappa_does_not_return_the_own_half_spread():
    """As long at 8 and 9 bp as at 1 bp: the mean distance of the fills would say another κ."""
    random = np.random.Generator(np.random.PCG64(3))
    state = np.zeros(1, dtype=intensity.KAPPA)[0]
    for distance in (8.1e-4, 9.1e-4, 1.1e-4):
        place = intensity.bin_of(distance)
        state["exposure_s"][place], state["exposure_distance"][place] = 20_000.0, 20_000.0 * distance
    for distance in (8.1e-4, 9.1e-4, 1.1e-4):
        for _ in range(random.poisson(0.05 * np.exp(-4000 * distance) * 20_000)):
            intensity.on_own_fill(state, 1, 100.0 * (1 - distance), 1.0, 100.0, True)
    intensity.compute(state, *PRIOR)
    assert state["mean"] == pytest.approx(4000, rel=0.15)


def test_market_kappa_of_exponential_reaches_within_five_percent():
    random = np.random.Generator(np.random.PCG64(5))
    state = np.zeros(1, dtype=intensity.KAPPA)[0]
    for _ in range(4000):
        intensity.on_second(state, 1, NO_FORGETTING, 1, random.exponential(1 / 2500.0), 1)
    assert intensity.market_kappa(state, 5000.0, 5.0) == pytest.approx(2500, rel=0.05)


@pytest.mark.parametrize("sigma_bps", [0.5, 2.0, 10.0])
def test_sigma_of_a_geometric_brownian_motion_within_five_percent(sigma_bps):
    """The mid moves ten times a second on a grid of one tick = 0.01 bp; the fold sees nothing but touches."""
    random = np.random.Generator(np.random.PCG64(11))
    fold = Estimator(MARKET, {ACCOUNT: EstimatorConfig(sigma_half_life_s=3600.0)})
    start = 1_000 * S
    log = Log(start, tick_size=0.01)
    mids = 10_000 * np.exp(np.cumsum(random.normal(0, sigma_bps * 1e-4 / np.sqrt(10), 36_000)))
    ticks = np.rint(mids * 100) / 100
    for second in range(0, 3600, 60):
        quotes = [
            Bbo(
                ts=ts,
                recv_ts=ts,
                bid_price=float(ticks[index]) - 0.01,
                bid_size=1.0,
                ask_price=float(ticks[index]) + 0.01,
                ask_size=1.0,
            )
            for index in range(second * 10, second * 10 + 600)
            if (ts := start + index * 100 * MS + 1)
        ]
        outputs = fold.fold(log.round(market_data=quotes, until=start + (second + 60) * S))
    estimate = outputs[-1].message
    assert estimate.sigma_bps == pytest.approx(sigma_bps, rel=0.05)
    assert estimate.sigma_bipower_bps == pytest.approx(sigma_bps, rel=0.05)
    assert estimate.jump_ratio == pytest.approx(1.0, abs=0.05)
    assert estimate.sigma_p90_bps / estimate.sigma_p10_bps < 2  # one regime: it cannot look stuck


def test_jumps_separate_realised_from_bipower():
    random = np.random.Generator(np.random.PCG64(12))
    state = np.zeros(1, dtype=volatility.SIGMA)[0]
    for index in range(3600):
        jump = 20e-4 if index % 100 == 50 else 0.0
        volatility.on_return(state, random.normal(0, 1e-4) + jump, 3600.0, 10.0, 1800.0)
    assert volatility.realised_bps(state) == pytest.approx(np.sqrt(1 + 400 / 100), rel=0.05)
    assert volatility.bipower_bps(state) < 1.6
    assert volatility.jump_ratio(state) > 2


def regime_path(path_bps, seed):
    """The state in each second of a path of (σ in bp, seconds), with 1 bp of σ as the normal regime."""
    random = np.random.Generator(np.random.PCG64(seed))
    sigma, regime = np.zeros(1, dtype=volatility.SIGMA)[0], np.zeros(1, dtype=regimes.REGIME)[0]
    regimes.start(regime)
    states = []
    for sigma_bps, seconds in path_bps:
        for _ in range(seconds):
            volatility.on_return(sigma, random.normal(0, sigma_bps * 1e-4), 300.0, 10.0, 1800.0)
            prints = random.poisson(2 * sigma_bps**0.5)
            short_bps, spread_bps = volatility.short_bps(sigma), 1.0 + 0.2 * sigma_bps
            regimes.on_second(regime, short_bps, spread_bps, prints, 0.98, 3600.0)
            states.append(int(regime["state"]))
    return np.array(states), regime


def test_regime_follows_a_path_of_volatility():
    path = [(1.0, 900), (4.0, 300), (1.0, 300), (0.4, 300), (2.0, 300), (4.0, 300), (1.0, 300)]
    truth = {1.0: 1, 4.0: 3, 0.4: 0, 2.0: 2}
    hits = seen = 0
    for seed in range(10):
        states, regime = regime_path(path, seed)
        end = 0
        for sigma_bps, seconds in path:
            end += seconds
            segment = states[end - 240 : end]  # the filter has 60 s to notice, and the reference 600 s to be known
            hits += (segment == truth[sigma_bps]).sum()
            seen += len(segment)
        assert set(states) == {0, 1, 2, 3}
        assert regime["seconds"].sum() == pytest.approx(2100, abs=10)
    assert hits / seen > 0.8


def test_regime_of_a_steady_market_stays_normal():
    states, _ = regime_path([(1.0, 3600)], 1)
    assert (states == 1).mean() > 0.9
