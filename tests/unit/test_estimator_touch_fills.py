"""Market sweeps as hypothetical fills of the touch: observation, label, order of forecast and learning, gaps."""

import numpy as np
import pytest

from papertrader.services.estimator import touch_fills
from papertrader.shared.market.events import EVENT, PRINT
from tests.unit.test_features import S, book_at, seen

BUY, SELL = 1, -1
TICK = 0.01
LATER = 50_000_000
FIRST = np.uint64(0)


def new_fills():
    fills = np.zeros(1, dtype=touch_fills.TOUCH_FILLS)[0]
    touch_fills.start(fills)
    return fills


def meet(fills, ts, mid=100.0, leaning=0.0):
    """Begin a round at `ts` that holds prints."""
    touch_fills.begin_round(fills)
    before = fills["before"]
    before["fresh"], before["ts"], before["mid"] = 1, ts, mid
    before["bid"], before["ask"] = 9_999, 10_001
    before["vector"] = 0.0
    before["vector"][0] = leaning


def print_of(aggressor, beyond=0):
    event = np.zeros(1, dtype=EVENT)[0]
    event["kind"], event["side"] = PRINT, aggressor
    event["tick"] = 10_000 + aggressor * (1 + beyond)
    return event


def prints_of(*aggressors):
    return np.array([print_of(aggressor) for aggressor in aggressors])


def sweep(fills, ts, aggressor, mid=100.0, leaning=0.0, beyond=0):
    meet(fills, ts, mid, leaning)
    touch_fills.on_print(fills, print_of(aggressor, beyond), TICK)
    touch_fills.end_round(fills)


def test_one_observation_for_a_side_and_round_before_anything_of_the_round():
    fills = new_fills()
    meet(fills, 7 * S, leaning=0.5)
    for aggressor in (BUY, BUY, SELL, BUY):
        touch_fills.on_print(fills, print_of(aggressor), TICK)
    assert fills["count"] == 2
    assert fills["rows"]["side"][:2].tolist() == [SELL, BUY], "a taker who buys fills an ask"
    assert fills["rows"]["inputs"][:2, 1].tolist() == [0.5, -0.5], "bids that outweigh speak against an ask"
    assert fills["rows"]["ts"][0] == 7 * S


def test_no_observation_without_a_mid():
    fills = new_fills()
    sweep(fills, S, BUY, mid=0.0)
    assert fills["count"] == 0


def test_sweeps_of_a_side_within_50_ms_are_one_observation():
    fills, (features, book) = new_fills(), (seen(book_at(S))[0], book_at(S)[0])
    for ts, aggressor in ((S, BUY), (S + LATER - 1, BUY), (S + LATER - 1, SELL), (S + LATER, BUY)):
        book["ts"] = ts
        touch_fills.begin_round(fills)
        touch_fills.meet_prints(fills, features, book, prints_of(aggressor), FIRST)
        touch_fills.on_print(fills, print_of(aggressor), TICK)
    assert fills["rows"]["ts"][:3].tolist() == [S, S + LATER - 1, S + LATER]
    assert (fills["count"], fills["rows"]["side"][:3].tolist()) == (3, [SELL, BUY, SELL])
    book["ts"] = S + LATER + 1
    touch_fills.begin_round(fills)
    touch_fills.meet_prints(fills, features, book, prints_of(BUY, SELL), FIRST)
    assert fills["before"]["fresh"] == 0, "no side is observed again so soon: nothing is written down"
    book["ts"] = S + 2 * LATER - 1
    touch_fills.meet_prints(fills, features, book, prints_of(BUY, BUY), FIRST)
    assert fills["before"]["fresh"] == 0, "sellers are observed again, but there are none"
    touch_fills.meet_prints(fills, features, book, prints_of(BUY, SELL), FIRST)
    assert fills["before"]["fresh"] == 1


@pytest.mark.parametrize(
    ("aggressor", "mid", "adverse"),
    [(BUY, 100.011, 1), (BUY, 100.009, 0), (BUY, 99.0, 0), (SELL, 99.989, 1), (SELL, 99.991, 0), (SELL, 101.0, 0)],
)
def test_adverse_is_a_move_of_more_than_1_bp_against_the_order_that_was_hit(aggressor, mid, adverse):
    fills = new_fills()
    sweep(fills, S, aggressor)
    touch_fills.settle(fills, 7 * S, mid)
    assert fills["model_5s"]["happened"] == adverse
    assert fills["model_5s"]["outcomes"] == fills["model_1s"]["outcomes"] == 1


def test_each_horizon_has_the_mid_that_stood_when_it_ended():
    """A mid that came at the very end of the horizon still counts, so it settles what ended before it."""
    fills = new_fills()
    sweep(fills, 10 * S, BUY)
    touch_fills.settle(fills, 11 * S, 101.0)
    assert fills["model_1s"]["outcomes"] == 0
    touch_fills.settle(fills, 11 * S + 1, 101.0)
    touch_fills.settle(fills, 15 * S, 100.0)
    assert (fills["model_1s"]["happened"], fills["model_5s"]["outcomes"]) == (1, 0)
    touch_fills.settle(fills, 15 * S + 1, 100.0)
    assert (fills["model_5s"]["happened"], fills["model_5s"]["outcomes"]) == (0, 1)


def test_forecast_is_made_before_the_outcome_and_judged_as_it_was_made():
    fills = new_fills()
    sweep(fills, 10 * S, BUY, leaning=0.5)
    expected = float(touch_fills.PRIOR_5S[0] + 0.5 * touch_fills.PRIOR_5S[1])
    assert fills["rows"]["score_5s"][0] == pytest.approx(expected)
    sweep(fills, 11 * S, BUY, leaning=0.5)
    touch_fills.settle(fills, 15 * S + 1, 101.0)
    assert fills["model_5s"]["weights"][0] > touch_fills.PRIOR_5S[0]
    assert fills["rows"]["score_5s"][1] == pytest.approx(expected), "what is learned later changes no forecast made"
    p = 1 / (1 + np.exp(-expected))
    touch_fills.settle(fills, 16 * S + 1, 100.0)
    assert fills["skill_5s"]["squared_error"].sum() == pytest.approx((1 - p) ** 2 + p**2)


def test_sweep_beyond_the_touch_also_fills_an_order_where_it_ended_which_teaches_but_is_not_judged():
    fills = new_fills()
    meet(fills, 7 * S)
    for beyond in (0, 5, 3):
        touch_fills.on_print(fills, print_of(SELL, beyond), TICK)
    touch_fills.end_round(fills)
    assert fills["count"] == 2
    assert fills["rows"]["inputs"][:2, 8] == pytest.approx([0, np.log(1 + 5)]), "5 ticks of 0.01 are 5 bp of 100"
    touch_fills.settle(fills, 60 * S, 99.0)
    assert fills["model_5s"]["outcomes"] == 2
    assert fills["skill_5s"]["happened"].sum() == 1


def test_gap_drops_what_waits():
    fills = new_fills()
    sweep(fills, 10 * S, BUY)
    touch_fills.settle(fills, 12 * S, 100.0)
    touch_fills.on_gap(fills)
    touch_fills.settle(fills, 60 * S, 200.0)
    assert (fills["model_1s"]["outcomes"], fills["model_5s"]["outcomes"], fills["dropped"]) == (1, 0, 1)


def test_more_than_there_is_room_for_drops_the_oldest_and_counts_them():
    fills = new_fills()
    for i in range(touch_fills.WAITING + 3):
        fills["next_ts"] = 0
        sweep(fills, 10 * S + i, BUY)
    touch_fills.settle(fills, 60 * S, 100.0)
    assert fills["dropped"] == 3
    assert fills["model_5s"]["outcomes"] == fills["model_1s"]["outcomes"] == touch_fills.WAITING


def test_learns_a_market_where_the_touch_tells_what_comes():
    """Truth: a touch that leans against the order is followed by an adverse move eight times of ten, else two."""
    random = np.random.Generator(np.random.PCG64(3))
    fills = new_fills()
    for i in range(2500):
        leaning = float(random.choice((-0.8, 0.8)))
        sweep(fills, i * S * 6 + S, BUY, leaning=leaning)
        adverse = random.random() < (0.8 if leaning > 0 else 0.2)
        touch_fills.settle(fills, i * S * 6 + 6 * S + 2, 101.0 if adverse else 100.0)
    assert fills["skill_5s"]["skill_low"] > 0.1
    assert fills["skill_5s"]["auc_low"] > 0.7


def test_finds_no_skill_where_nothing_tells_what_comes():
    random = np.random.Generator(np.random.PCG64(4))
    fills = new_fills()
    for i in range(2500):
        sweep(fills, i * S * 6 + S, BUY, leaning=float(random.uniform(-1, 1)))
        touch_fills.settle(fills, i * S * 6 + 6 * S + 2, 101.0 if random.random() < 0.3 else 100.0)
    assert fills["skill_5s"]["skill_low"] <= 0
