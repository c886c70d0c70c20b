"""When latencies are slow together, by hand."""

import numpy as np
import pytest

from papertrader.services.fill_sim.bursts import in_bursts, is_slow, movement, note_move
from papertrader.services.fill_sim.chance import LATENCY_BURST, uniform
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.settings import settings_of
from papertrader.services.fill_sim.state import new_market
from papertrader.shared.market.records import Record

S = 1_000_000_000


def moving(*mids: tuple[int, float]) -> Record:
    """A market whose mid became that, at so many seconds."""
    market = new_market()[0]
    for second, mid in mids:
        note_move(market, mid, second * S)
        market["mid"] = mid
    return market


@pytest.mark.parametrize(("u", "calm", "burst"), [(0.0, 0.0, 0.9), (0.5, 0.475, 0.95), (0.95, 0.905, 0.995)])
def test_where_bursts_put_a_quantile(u: float, calm: float, burst: float) -> None:
    """Calm: .95 u, and what of that is above .9 is spread over the rest: .9 + (.95 u − .9)·2."""
    assert in_bursts(u, True, False) == pytest.approx(calm)
    assert in_bursts(u, True, True) == pytest.approx(burst)
    assert in_bursts(u, False, True) == u


def test_movement_is_that_of_the_second_before_over_the_mean() -> None:
    """1 % up and down in the seconds 10 and 110, none else: 2 % and 2 % of 101 seconds' mean."""
    way = 0.01 + (1 - 1 / 1.01)
    market = moving((10, 100.0), (10, 101.0), (10, 100.0), (110, 101.0), (110, 100.0))
    assert market["mean_moved"] == pytest.approx(way / 100), "of the 100 seconds from 10 to 109"
    assert movement(market, 110 * S + 5) == 0.0, "nothing moved in second 109"
    assert movement(market, 111 * S) == pytest.approx(min(way / (way / 100), 8.0))
    assert movement(market, 112 * S) == 0.0


def test_a_second_that_ended_is_the_one_before() -> None:
    """Each second the mid of a half moves by 1 %, but the first, in which it begins."""
    mids = [(second, 0.5 + 0.005 * (second % 2)) for second in range(1, 201)]
    market = moving(*mids)
    assert market["moving_n"] == 199
    assert market["mean_moved"] == pytest.approx(0.01 * 198 / 199, rel=0.01), "of the seconds 1 to 199"
    assert movement(market, 200 * S) == pytest.approx(1.0, abs=0.02)
    assert movement(market, 201 * S) == pytest.approx(1.0, abs=0.02)


def test_movement_is_not_known_in_the_first_minute_nor_where_nothing_moves() -> None:
    """59 seconds have ended in second 159, 60 in the next."""
    mids = ((100, 100.0), (101, 105.0), (158, 100.0))
    assert movement(moving(*mids, (159, 101.0)), 159 * S) == 1.0
    assert movement(moving(*mids, (160, 101.0)), 160 * S) == 0.0
    assert movement(moving((100, 100.0), (200, 100.0)), 200 * S) == 1.0


def test_seconds_are_those_of_the_clock_and_ten_minutes_are_remembered() -> None:
    second = 1_763_370_001
    market = moving((second - 10_000, 100.0))
    note_move(market, 101.0, second * S - 1)
    assert (market["moving_n"], market["moved"]) == (600, pytest.approx(0.01))
    note_move(market, 101.0, second * S)
    assert (market["moving_n"], market["moved_before"], market["moved"]) == (
        601,
        pytest.approx(0.01),
        pytest.approx(0.01),
    )


def test_a_burst_is_a_hash_of_seed_and_stretch() -> None:
    settings, market = settings_of([FillSimConfig(seed=7)])[0], new_market()[0]
    slow = [is_slow(market, settings, second * S) for second in range(500)]
    assert slow == [uniform(7, LATENCY_BURST, second, 0) < 0.05 for second in range(500)]


def test_the_chance_of_a_burst_follows_the_market_and_is_one_in_twenty_in_the_mean() -> None:
    """With the share .5 a calm second has 1/20 · .5, one of four times the mean 1/20 · 2.5."""
    shares = {}
    for share in (0.0, 0.5):
        settings = settings_of([FillSimConfig(latency_burst_market=share)])[0]
        for moved in (0.0, 1.0, 4.0):
            market = new_market()[0]
            market["moving_n"], market["mean_moved"], market["moved_before"] = 600, 1e-4, moved * 1e-4
            market["moving_second"] = 2**40
            shares[share, moved] = np.mean([is_slow(market, settings, second * S) for second in range(4_000)])
    assert [shares[0.0, moved] for moved in (0.0, 1.0, 4.0)] == [pytest.approx(0.05, abs=0.012)] * 3
    expected = (0.025, 0.05, 0.125)
    assert [shares[0.5, moved] for moved in (0.0, 1.0, 4.0)] == [pytest.approx(each, abs=0.012) for each in expected]


def test_who_is_slow_in_a_calm_market_is_slow_in_a_moving_one() -> None:
    settings = settings_of([FillSimConfig(latency_burst_market=0.5)])[0]
    calm, fast = new_market()[0], new_market()[0]
    for market, moved in ((calm, 0.0), (fast, 3e-4)):
        market["moving_n"], market["mean_moved"], market["moved_before"] = 600, 1e-4, moved
        market["moving_second"] = 2**40
    slow = [(is_slow(calm, settings, second * S), is_slow(fast, settings, second * S)) for second in range(500)]
    assert all(moving_ for calm_, moving_ in slow if calm_)
