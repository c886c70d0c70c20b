"""Whose cancel it was, by the sizes of those who joined behind an own order: worked by hand."""

import numpy as np
import pytest

from papertrader.services.fill_sim import behind
from papertrader.services.fill_sim import draws as kernels
from papertrader.services.fill_sim.changes import lose
from papertrader.shared.market.orders_told import UNTOLD
from papertrader.shared.market.records import record_of
from tests.messages import estimate
from tests.unit.drawing import UNKNOWN, ahead, draws_of, order_with, settings_with


def order_before(*sizes, single=0.98, common=0.1, **fields):
    """An order behind which these have joined."""
    order = order_with(**fields)
    order["behind"]["single"], order["behind"]["common"] = single, common
    for size in sizes:
        behind.grow(order["behind"], size, False, UNTOLD)
    return order


def test_what_grows_after_the_join_stands_behind():
    order = order_before(2.0, 3.0)
    assert order["behind"]["sizes"][:2].tolist() == [2.0, 3.0]
    behind.grow(order["behind"], 1.0, True, UNTOLD)
    assert np.isnan(order["behind"]["single"]), "around the join nobody knows"


def test_so_many_are_remembered_and_who_leaves_leaves_no_hole():
    order = order_before(*range(1, 25))
    behind.likelihoods(order["behind"], 1.0)
    assert order["behind"]["count"] == 23
    assert order["behind"]["sizes"][:23].tolist() == list(range(2, 25))
    assert np.isnan(order_before(*range(1, 26))["behind"]["single"]), "more than are remembered"


@pytest.mark.parametrize(("single", "taken_for"), [(0.5, 0.5), (1.0, 0.98)])
def test_order_begins_with_what_the_market_tells_which_is_never_sure(single, taken_for):
    order = order_before(2.0)
    behind.begin(order["behind"], single, 0.2)
    assert [order["behind"][name] for name in ("single", "common", "count")] == [taken_for, 0.2, 0]


def test_cancel_as_large_as_none_behind_was_ahead_but_for_what_is_no_single_order():
    assert behind.likelihoods(order_before(2.0, 3.0)["behind"], 1.0) == (1.0, pytest.approx(0.02))


def test_where_nobody_is_behind_but_who_is_not_single_it_was_ahead():
    assert behind.likelihoods(order_before()["behind"], 1.0) == (1.0, pytest.approx(0.02))


def test_cancel_as_large_as_none_known_may_have_been_one_of_unknown_size():
    """One of two behind has a size that nobody knows."""
    order = order_before(2.0)
    behind.grow(order["behind"], 3.0, False, 0)
    assert behind.likelihoods(order["behind"], 9.0) == (1.0, pytest.approx(1 - 0.98 / 2))


def test_cancel_as_large_as_one_behind_was_likely_that():
    """One of two; nobody else has its size: g = (0 + 2·0.1)/(1 + 2); behind .98/2 + .02·g."""
    order = order_before(2.0, 3.0)
    common = 0.2 / 3
    assert behind.likelihoods(order["behind"], 2.0) == (pytest.approx(common), pytest.approx(0.49 + 0.02 * common))
    assert (order["behind"]["count"], order["behind"]["sizes"][0]) == (1, 3.0)


def test_size_that_many_have_tells_little():
    """Three of four: g = (2 + 0.2)/(3 + 2) = .44, behind .98·3/4 + .02·.44."""
    order = order_before(1.0, 1.0, 5.0, 1.0)
    assert behind.likelihoods(order["behind"], 1.0) == (pytest.approx(0.44), pytest.approx(0.735 + 0.0088))
    assert order["behind"]["sizes"][:3].tolist() == [1.0, 1.0, 5.0]


def test_without_knowledge_the_odds_are_as_they_were():
    assert behind.likelihoods(order_before(2.0, single=UNKNOWN)["behind"], 2.0) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("known", "by_chance", "heard"), [(True, 0.2, True), (True, 0.3, True), (False, 0.2, False), (True, 0.4, False)]
)
def test_sizes_count_where_the_feed_tells_single_orders_and_sizes_differ(known, by_chance, heard):
    told = {"cancel_odds": 0.6, "cancel_odds_known": known, "join_share": 0.5, "cancels_single_share": 0.9}
    learned = np.zeros(1, dtype=behind.LEARNED)[0]
    behind.hear(learned, record_of(estimate(1, **told, cancels_by_chance=by_chance)))
    assert (learned["single"] == 0.9, learned["common"] == by_chance) == (heard, heard)
    assert np.isnan(learned["single"]) != heard
    assert np.isnan(learned["cancel_odds"]) != known
    assert np.isnan(learned["join_share"])


@pytest.mark.parametrize(("cancelled", "left"), [(4.0, 8.0), (3.0, 5.0)])
def test_draws_lose_what_was_ahead_and_keep_what_was_not(cancelled, left):
    """8 ahead, 4 joined behind: a cancel of 4 was theirs, one of 3 was ahead; in nearly every draw."""
    order, draws = order_before(4.0, common=0.01, cancel_odds=1.0), draws_of(*[8.0] * 32)
    lose(order, draws, 1.0, cancelled, 12.0, 12.0 - cancelled, UNTOLD)
    assert ahead(draws, 32).count(left) >= 29


def test_new_order_knows_nobody_behind_it():
    order = order_before(2.0)
    kernels.begin(order, settings_with())
    kernels.start(order, draws_of(), 5.0, 0, 10)
    assert order["behind"]["count"] == 0
    assert np.isnan(order["behind"]["single"])


def test_message_taken_in_tells_who_joined_behind():
    for full, joining, count in ((0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 1, 0)):
        order = order_before(pending_ts=9, pending=7.0, displayed=5.0, ahead_at_join=5.0)
        order["pending_full"], order["joining"] = full, joining
        kernels.take_in(order, draws_of(5.0), settings_with())
        assert order["behind"]["count"] == count
        assert not count or order["behind"]["sizes"][0] == 2.0
    order = order_before(pending_ts=9, pending=5.0, displayed=5.0, ahead_at_join=5.0)
    kernels.take_in(order, draws_of(5.0), settings_with())
    assert order["behind"]["count"] == 0, "nobody joined"
