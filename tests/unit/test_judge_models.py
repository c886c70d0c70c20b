"""What each model says of one shadow, by hand, and how forecasts are scored."""

import numpy as np
import pytest

from papertrader.replay.judge.feeds import Market
from papertrader.replay.judge.models import MODELS, play
from papertrader.replay.judge.scores import scores
from papertrader.services.fill_sim.config import FillSimConfig
from tests.unit.judging import SECOND_NS, add, cancel, market, stands, trade


def forecast(market_: Market, model: str, feed: int = 0) -> list[float]:
    """The probabilities of every shadow."""
    return play(market_, feed, model, 30 * SECOND_NS, FillSimConfig())["p"].tolist()


@pytest.mark.parametrize("model", sorted(set(MODELS) - {"fifo", "flat", "touch", "through"}))
def test_print_that_passes_the_queue_fills(model):
    played = market(add(1, 1, 5.0, 100), add(2, 2, 5.0, 100), trade(3, 1, 5.0, 100), trade(4, 2, 1.0, 100))
    assert forecast(played, model) == [1.0, 0.0]


def test_fifo_takes_a_later_joiner_of_the_first_message_as_ahead():
    played = market(add(1, 1, 5.0, 100), add(2, 2, 5.0, 100), trade(3, 1, 5.0, 100), trade(4, 2, 1.0, 100))
    assert forecast(played, "fifo") == [0.0, 0.0]


@pytest.mark.parametrize("model", sorted(set(MODELS) - {"flat", "touch"}))
def test_print_that_only_consumes_the_queue_does_not_fill(model):
    assert forecast(market(add(1, 1, 5.0, 100), trade(3, 1, 5.0, 100)), model) == [0.0]


def test_touch_is_filled_by_any_print_at_the_price():
    assert forecast(market(add(1, 1, 5.0, 100), trade(3, 1, 1.0, 100)), "touch") == [1.0]


def test_flat_adds_up_the_coins_of_the_prints():
    # b 0.3, size factor 0.5, queue 0.4, up to 1 s old 0.7, then 1
    played = market(add(1, 1, 10.0, 100), trade(1.5, 1, 1.0, 100), trade(3, 1, 1.0, 100))
    first, second = 0.3 * 0.5 * 0.4 * 0.7, 0.3 * 0.5 * 0.4
    assert forecast(played, "flat")[0] == pytest.approx(first + (1 - first) * second)


@pytest.mark.parametrize("model", ["draws", "hftbacktest_risk_averse", "hftbacktest_power3", "nautilus_queue_position"])
def test_book_that_crosses_fills(model):
    assert forecast(market(add(1, 1, 5.0, 100), cancel(2, 1, 5.0, 100), add(3, 2, 1.0, 100, -1)), model)[0] == 1.0


def test_fifo_is_not_filled_by_a_book_that_crosses():
    assert forecast(market(add(1, 1, 5.0, 100), cancel(2, 1, 5.0, 100), add(3, 2, 1.0, 100, -1)), "fifo")[0] == 0.0


def test_snapshot_feed_knows_the_arrival_before_the_shadow():
    played = market(stands(3, 2.0, 100), add(0.7, 1, 5.0, 100), trade(0.8, 3, 2.0, 100), trade(0.9, 1, 4.0, 100))
    for feed in (1, 2):
        assert forecast(played, "draws", feed) == [0.0]


def test_cancel_is_ahead_in_a_share_of_the_draws():
    # 10 ahead, 10 behind, a cancel of 10, then a print of 5: reached where the cancel was ahead: .15/1.15
    arrival, joiner = add(1, 1, 1e-6, 100), add(2, 60, 10.0, 100)
    played = market(stands(50, 10.0, 100), arrival, joiner, cancel(3, 60, 10.0, 100), trade(4, 50, 5.0, 100))
    forecasts = []
    for seed in range(400):
        result = play(played, 0, "draws", 30 * SECOND_NS, FillSimConfig(seed=seed))
        forecasts.append(result["p"][0])
    assert np.mean(forecasts) == pytest.approx(0.15 / 1.15, abs=0.01)


def test_scores_of_the_truth_are_perfect_and_of_the_base_rate_nothing():
    rows = []
    for number in range(40):
        order = 10 * number
        rows += [add(number + 0.1, order, 5.0, 100), add(number + 0.2, order + 1, 5.0, 100)]
        rows += trade(number + 0.3, order, 5.0, 100)
        rows += [*trade(number + 0.4, order + 1, 2.0, 100), cancel(number + 0.5, order + 1, 3.0, 100)]
    played = market(*rows, horizon_s=0.5)
    results = play(played, 0, "draws", SECOND_NS // 2, FillSimConfig())
    scored = scores(played, results)
    assert scored["skill"] == 1.0
    assert scored["fills_ratio"] == 1.0
    assert scored["time_error_s"] == 0.0
    assert scored["markout_gap_bps"] == pytest.approx(0.0, abs=1e-9)
    assert scored["reliability"] == [[0.0, 0.0, 40], [1.0, 1.0, 40]]
    results["p"] = 0.5
    base = scores(played, results)
    assert base["skill"] == pytest.approx(0.0, abs=1e-12)
    assert base["log_loss"] == pytest.approx(np.log(2))
    low, high = base["skill_interval"]
    assert low <= 0.0 <= high
