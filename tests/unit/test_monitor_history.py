"""Bounded history: rings, decimation, blocks; and the statistics read from it."""

import numpy as np
import pytest

from papertrader.services.monitor.facts.facts import AccountFacts, MarketFacts
from papertrader.services.monitor.facts.history import (
    BLOCKS,
    FILL_ROWS,
    SERIES_ROWS,
    fills_until,
    keep_fill,
    keep_markout,
    keep_sample,
    kept_fills,
    kept_series,
    new_history,
)
from papertrader.services.monitor.report.statistics import block_bootstrap_mean, wilson
from tests.messages import fill, markout
from tests.unit.monitoring import START, S

T = START


def sampled(samples: int) -> tuple[AccountFacts, list[int]]:
    facts, history, market = AccountFacts(), new_history(), MarketFacts()
    for second in range(samples):
        market.ts = T + second * S
        keep_sample(history, market, facts)
        market.ts += S // 2
        keep_sample(history, market, facts)
    return facts, ((kept_series(history, facts)["ts"] - T) // S).tolist()


def test_series_takes_one_sample_a_second() -> None:
    assert sampled(3)[1] == [0, 1, 2]


def test_full_series_drops_every_second_sample_and_doubles_its_step() -> None:
    facts, seconds = sampled(SERIES_ROWS + 6)
    assert facts.sample_every_s == 2
    assert seconds == list(range(0, SERIES_ROWS + 6, 2))


def test_thinned_series_keeps_the_newest_sample() -> None:
    facts, history, market = AccountFacts(), new_history(), MarketFacts()
    for second in range(100):
        market.ts = T + second * S
        keep_sample(history, market, facts)
    thin = ((kept_series(history, facts, 30)["ts"] - T) // S).tolist()
    assert len(thin) <= 30
    assert thin[-1] == 99
    assert set(np.diff(thin)) == {4}


def test_fill_ring_keeps_the_last_fills_in_order() -> None:
    facts, history = AccountFacts(), new_history()
    for number in range(1, FILL_ROWS + 4):
        facts.fills.now = number
        keep_fill(history, facts, fill(T + number, fill_id=number), T + number + 1)
    ids = kept_fills(history, facts)["fill_id"]
    assert (ids[0], ids[-1], len(ids)) == (4, FILL_ROWS + 3, FILL_ROWS)
    assert (np.diff(ids) == 1).all()
    assert fills_until(history, facts, "ts", T + 10) == 10
    assert fills_until(history, facts, "heard_ts", T + 10) == 9
    assert fills_until(history, facts, "ts", T) == 3  # those that left the ring are older than any in it


def test_markouts_are_summed_by_horizon_apart_for_unfilled_quotes() -> None:
    facts, history = AccountFacts(), new_history()
    for value in (1.0, 2.0, 6.0):
        keep_markout(history, facts, markout(T, fill_ts=T, horizon_s=5.0, markout_bps=value), 100.0)
    keep_markout(history, facts, markout(T, filled=False, horizon_s=5.0, markout_bps=-4.0), 100.0)
    keep_markout(history, facts, markout(T, resolved=False, horizon_s=5.0, mid=None, markout_bps=None), 100.0)
    row = history.markouts[2]
    assert (row["n"], row["sum_bps"], row["sum_square_bps"]) == (3, 9.0, 41.0)
    assert (row["unresolved"], row["unfilled_n"], row["unfilled_sum_bps"]) == (1, 1, -4.0)
    assert history.markouts["n"].sum() == 3


def test_blocks_are_minutes_of_fill_time_and_join_when_they_run_out() -> None:
    facts, history = AccountFacts(), new_history()
    for minute, value in ((0, 1.0), (1, 2.0), (3, 4.0)):
        keep_markout(history, facts, markout(T, fill_ts=T + minute * 60 * S, horizon_s=5.0, markout_bps=value), 100.0)
    assert history.block_sum[2, :4].tolist() == [1.0, 2.0, 0.0, 4.0]
    late = T + BLOCKS * 60 * S
    keep_markout(history, facts, markout(T, fill_ts=late, horizon_s=5.0, markout_bps=8.0), 100.0)
    assert facts.block_s == 120
    assert history.block_sum[2, :2].tolist() == [3.0, 4.0]
    assert history.block_sum[2, BLOCKS // 2] == 8.0
    assert history.block_n[2].sum() == 4


# --- statistics


def test_bootstrap_mean_weighs_fills_and_not_blocks() -> None:
    interval = block_bootstrap_mean(np.array([10.0, 0.0, 2.0]), np.array([5, 0, 1]))
    assert interval is not None
    assert interval == (2.0, None, None)  # two blocks are too few for an interval


def test_bootstrap_without_observations_says_nothing() -> None:
    assert block_bootstrap_mean(np.zeros(4), np.zeros(4, dtype=np.int64)) is None


def test_bootstrap_is_deterministic_and_covers_the_mean_of_clustered_data() -> None:
    random = np.random.Generator(np.random.PCG64(3))
    covered = 0
    for _ in range(100):
        counts = random.integers(1, 6, size=60)
        cluster = random.normal(1.0, 2.0, size=60)  # fills of one block share most of their luck
        sums = cluster * counts
        interval = block_bootstrap_mean(sums, counts, resamples=400)
        assert interval == block_bootstrap_mean(sums, counts, resamples=400)
        assert interval is not None
        assert interval.low is not None
        assert interval.high is not None
        covered += interval.low <= 1.0 <= interval.high
    assert 86 <= covered <= 99  # 95 % nominal, somewhat less with 60 blocks


def test_many_blocks_are_joined_and_keep_the_mean() -> None:
    interval = block_bootstrap_mean(np.arange(1440.0), np.ones(1440, dtype=np.int64))
    assert interval is not None
    assert interval.value == 719.5
    assert interval.low is not None
    assert interval.low < 719.5


def test_wilson_interval_of_half_in_ten() -> None:
    low, high = wilson(0.5, 10)
    assert (low, high) == (pytest.approx(0.2366, abs=1e-4), pytest.approx(0.7634, abs=1e-4))
    assert wilson(0.0, 0) == (0.0, 1.0)
