"""The judge's exact book: what becomes of a shadow, and what each feed shows; by hand."""

import numpy as np

from papertrader.replay.judge.feeds import market_of
from papertrader.replay.judge.orders import HIDDEN, order_data
from papertrader.shared.market.events import LEVEL, PRINT, SNAPSHOT, TOUCH
from tests.unit.judging import add, cancel, fates, market, modify, stands, trade


def test_shadow_is_filled_when_an_order_behind_it_is_executed():
    # shadow behind order 1; order 2 stands behind the shadow
    played = market(add(1, 1, 5.0, 100), add(2, 2, 5.0, 100), trade(3, 1, 5.0, 100), trade(4, 2, 1.0, 100))
    assert fates(played)[0] == 4.0
    assert fates(played)[1] is None
    assert played.shadows["ahead"].tolist() == [5.0, 10.0]


def test_shadow_is_not_filled_by_the_order_ahead_of_it():
    assert fates(market(add(1, 1, 5.0, 100), trade(3, 1, 5.0, 100))) == [None]


def test_trade_at_a_worse_price_fills():
    played = market(add(1, 1, 5.0, 100), cancel(2, 1, 5.0, 100), stands(7, 1.0, 99), trade(3, 7, 1.0, 99))
    assert fates(played) == [3.0]


def test_opposite_order_that_rests_at_the_price_fills():
    assert fates(market(add(1, 1, 5.0, 100), cancel(2, 1, 5.0, 100), add(3, 2, 1.0, 100, -1)))[0] == 3.0


def test_nothing_counts_after_the_horizon():
    assert fates(market(add(1, 1, 5.0, 100), add(2, 2, 5.0, 100), trade(4, 2, 1.0, 100), horizon_s=2.5)) == [None, None]


def test_modify_to_a_larger_size_loses_its_place():
    # order 1 grows and stands behind shadow 1 from then on
    played = market(add(1, 1, 5.0, 100), modify(2, 1, 6.0, 100), trade(3, 1, 1.0, 100))
    assert fates(played) == [3.0]


def test_modify_to_a_smaller_size_keeps_its_place():
    assert fates(market(add(1, 1, 5.0, 100), modify(2, 1, 4.0, 100), trade(3, 1, 1.0, 100))) == [None]


def test_hidden_trade_at_the_price_fills_what_is_shown():
    columns = {
        "ts": np.array([1, 2]),
        "order": np.array([1, -1]),
        "size": np.array([5.0, 1.0]),
        "tick": np.array([100, 100]),
        "action": np.array([1, HIDDEN]),
        "side": np.array([1, -1]),
    }
    assert market_of(order_data(columns, 0.1, "hidden"), 100).shadows["filled_ts"].tolist() == [2]


def test_l2_has_every_change_and_every_print():
    events = market(add(1, 1, 5.0, 100), trade(3, 1, 2.0, 100)).feeds[0]
    rows = [(event["kind"], event["tick"], event["size"]) for event in events[4:]]
    assert rows == [(LEVEL, 100, 5.0), (PRINT, 100, 2.0), (LEVEL, 100, 3.0)]


def test_snapshots_come_every_500_ms_and_show_what_was_there_by_then():
    events = market(add(1.0, 1, 5.0, 100), add(2.2, 2, 1.0, 95)).feeds[1]
    starts = events[(events["kind"] == SNAPSHOT) & (events["side"] == 1)]
    assert starts["ts"].tolist() == [500_000_000, 1_000_000_000, 1_500_000_000, 2_000_000_000]
    at_one = events[(events["ts"] == 1_000_000_000) & (events["kind"] == LEVEL)]
    assert at_one["tick"].tolist() == [100, 90, 110]
    assert at_one["last"].tolist() == [0, 0, 1]


def test_hl_shows_the_touch_only_where_it_changed():
    events = market(add(0.5, 1, 5.0, 100), add(2.0, 2, 1.0, 95)).feeds[2]
    touches = events[(events["kind"] == TOUCH) & (events["side"] == 1)]
    assert touches[["ts", "tick"]].tolist() == [(110_000_000, 90), (550_000_000, 100)]
    assert len(events[(events["kind"] == SNAPSHOT) & (events["side"] == 1)]) == 3
