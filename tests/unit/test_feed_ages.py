"""What measured times say of latencies, by hand; and that a relation is found where there is one."""

import numpy as np
import pytest

from papertrader.services.feed.live.ages import (
    Tied,
    Trip,
    clock_ahead_ms,
    distribution,
    movement,
    slow_seconds,
    table,
    tied,
)
from papertrader.services.feed.live.latency_settings import implied
from papertrader.services.feed.live.probe import Probed
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.shared.market.latencies import ENTRY

S = 1_000_000_000


def test_distribution_of_values() -> None:
    found = distribution(np.arange(101.0))
    assert found == (101, 5.0, 50.0, 90.0, 99.0, 100.0)
    assert distribution(np.zeros(0)) is None


@pytest.mark.parametrize(
    ("trips", "ahead_ms"),
    [
        ([], None),
        ([Trip(100.0, None)], None),
        ([Trip(100.0, -50.0)], 0.0),
        ([Trip(100.0, -50.5)], 0.0),
        ([Trip(100.0, 50.5)], 0.0),
        ([Trip(100.0, -50.6)], -50.6),
        ([Trip(100.0, 50.6)], 50.6),
        ([Trip(100.0, 3.0), Trip(99.0, 70.0), Trip(101.0, 0.0), Trip(102.0, 0.0)], 70.0),
        ([Trip(100.0 + i, clock) for i, clock in enumerate((70.0, 72.0, 10.0, *(0.0,) * 9))], 70.0),
    ],
)
def test_clock_is_ahead_where_no_part_of_a_trip_explains_it(trips: list[Trip], ahead_ms: float | None) -> None:
    """Where the venue's time, told in whole ms, may have been that of any moment of each of the quickest, none is."""
    assert clock_ahead_ms(trips) == ahead_ms


@pytest.mark.parametrize(
    ("n", "quantiles"), [(9, []), (10, [0.05, 0.5]), (50, [0.05, 0.5, 0.9]), (499, [0.05, 0.5, 0.9])]
)
def test_a_table_has_no_quantile_beyond_which_hardly_any_value_lies(n: int, quantiles: list[float]) -> None:
    assert [q for q, _ in table(np.arange(float(n)))] == quantiles


def test_a_table_is_never_below_nothing() -> None:
    assert table(np.linspace(-10.0, 10.0, 101)) == ((0.05, 0.0), (0.5, 0.0), (0.9, 8.0))


def test_seconds_that_are_slow_for_most() -> None:
    """38 values in ten seconds; the slowest tenth are three in second 3 and one in second 7; second 9 has but two."""
    ts = [second * S + part for second in range(9) for part in range(4)] + [9 * S, 9 * S + 1]
    ms = np.ones(38)
    ms[12:15], ms[28] = 100.0, 100.0
    seconds, bursts, held = slow_seconds(ts, ms)
    assert seconds.tolist() == list(range(9))
    assert np.flatnonzero(bursts).tolist() == [3]
    assert held == 3 / 4


def test_movement_of_the_second_before_over_its_mean() -> None:
    """From second 1000 the mid goes up and down once a second, in second 1090 five times."""
    ts, mids, mid = [], [], 100.0
    for second in range(1000, 1100):
        for part in range(5 if second == 1090 else 1):
            mid = 201.0 - mid if mid != 100.0 else 101.0
            ts.append(second * S + part)
            mids.append(mid)
    found = movement(ts, np.array(mids), np.array([1030, 1090, 1091, 1092]))
    assert np.isnan(found[0]), "not known in the first minute"
    assert found[1] == pytest.approx(1.0, abs=0.05)
    assert found[2] == pytest.approx(5.0 / (95 / 91), rel=0.05)


@pytest.mark.parametrize(("share", "low", "high"), [(0.6, 0.3, 0.9), (0.0, -0.4, 0.4)])
def test_what_of_the_chance_of_bursts_follows_the_market_is_found(share: float, low: float, high: float) -> None:
    random = np.random.default_rng(1)
    moved = np.minimum(random.exponential(1.0, 20_000), 8.0)
    bursts = random.random(20_000) < 0.05 * (1 - share + share * moved)
    found = tied(moved, bursts)
    assert isinstance(found, Tied)
    assert low < found.share < high
    assert found.low < share < found.high


def test_a_short_probe_says_nothing_of_bursts() -> None:
    assert tied(np.ones(899), np.ones(899, dtype=bool)) is None
    assert tied(np.arange(1000.0), np.zeros(1000, dtype=bool)) is None


def probed(trips: int = 100, ages: int = 1_000, clock_ms: float | None = None) -> Probed:
    """Round trips of 80 ms; data 200 ms old, every 10 ms."""
    ts = tuple(number * S // 100 for number in range(ages))
    return Probed(np.full(trips, 80.0), clock_ms, ts, np.full(ages, 200.0), np.full(ages, 100.0), 0)


def test_half_a_round_trip_and_the_age_of_data_are_settings() -> None:
    found = {item.name: item.value for item in implied("binance", probed())}
    assert found["placement_latency_ms"] == ((0.05, 40.0), (0.5, 40.0), (0.9, 40.0))
    assert found["cancel_latency_ms"] == found["modify_latency_ms"] == found["placement_latency_ms"]
    assert found["response_latency_ms"] == tuple((q, 200.0) for q in (0.05, 0.5, 0.9, 0.99))
    assert "fast_cancel_latency_ms" not in found
    used = FillSimConfig(**found).latencies("binance")
    assert (used.new, used.response) == (found["placement_latency_ms"], found["response_latency_ms"])


def test_where_the_venues_own_time_is_published_it_is_added() -> None:
    found = {item.name: item.value for item in implied("hyperliquid", probed())}
    assert found["placement_latency_ms"] == tuple((q, ms + 40.0) for q, ms in ENTRY)
    assert found["fast_cancel_latency_ms"] == tuple((q, ms + 40.0 - 70.0) for q, ms in ENTRY)
    assert FillSimConfig(**found).latencies("hyperliquid").fast_cancel == found["fast_cancel_latency_ms"]


def test_what_was_not_measured_is_left_out() -> None:
    assert implied("binance", probed(trips=19, ages=19)) == []
    assert [item.name for item in implied("binance", probed(trips=0))] == ["latency_preset", "response_latency_ms"]
