"""What the number of orders at a level tells of its changes, by hand: one that left, several, none, and who joined."""

import numpy as np
import pytest

from papertrader.services.fill_sim import behind, changes, recent
from papertrader.services.fill_sim import draws as kernels
from papertrader.services.fill_sim.recent import note_orders, orders_at
from papertrader.services.fill_sim.state import LINES
from papertrader.shared.market.events import EVENT, LEVEL
from papertrader.shared.market.orders_told import UNTOLD, more_orders
from papertrader.shared.market.records import Record
from tests.unit.drawing import REACHED, ahead, draws_of, order_with, settings_with
from tests.unit.lines import ASK, BID, TICK, full, rows, touch


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        ((3, 9.0), (2, 7.0), -1),
        ((3, 9.0), (3, 7.0), 0),
        ((3, 9.0), (0, 0.0), -3),
        ((3, 9.0), (8, 0.0), -3),
        ((0, 0.0), (2, 5.0), 2),
        ((0, 9.0), (2, 5.0), UNTOLD),
        ((3, 9.0), (0, 5.0), UNTOLD),
        ((0, 9.0), (0, 0.0), UNTOLD),
        ((3, 0.0), (2, 5.0), 2),
        ((3, 0.5), (2, 0.25), -1),
        ((0, 0.5), (2, 0.25), UNTOLD),
        ((3, 0.5), (0, 0.25), UNTOLD),
        ((2, 0.5), (0, 0.0), -2),
    ],
)
def test_orders_are_counted_where_both_messages_tell(before, after, more) -> None:
    assert more_orders(*before, *after) == more


def test_what_was_printed_may_have_been_any_number_of_orders() -> None:
    order = order_with(displayed=9.0, orders=3, pending=7.0, pending_orders=2)
    assert changes.more_in(order) == -1
    order["traded"] = 0.5
    assert changes.more_in(order) == UNTOLD


@pytest.mark.parametrize("odds", [1e12, 1e-12])
def test_single_order_was_where_so_much_is(odds: float) -> None:
    """One of 5 leaves 16: with 4 ahead it was behind, with 12 ahead it was ahead, with 8 the odds decide."""
    draws = draws_of(4.0, 12.0, 8.0, 0.0, 5.0, 11.0)
    changes.lose(order_with(), draws, odds, 5.0, 16.0, 11.0, -1)
    assert ahead(draws, 6) == ([4.0, 7.0, 3.0, 0.0, 0.0, 6.0] if odds > 1 else [4.0, 7.0, 8.0, 0.0, 5.0, 11.0])


def test_nobody_tells_how_many_left_then_the_odds_decide_alone() -> None:
    draws = draws_of(4.0, 12.0)
    changes.lose(order_with(), draws, 1e-12, 5.0, 16.0, 11.0, UNTOLD)
    assert ahead(draws, 2) == [4.0, 11.0]


def test_several_that_left_are_drawn_as_a_whole() -> None:
    draws, whole = draws_of(*[8.0] * LINES), draws_of(*[8.0] * LINES)
    changes.lose(order_with(changes=2), draws, 1.0, 8.0, 16.0, 8.0, -4)
    changes.lose(order_with(changes=2), whole, 1.0, 8.0, 16.0, 8.0, UNTOLD)
    assert set(ahead(draws, LINES)) == {0.0, 8.0}
    assert ahead(draws, LINES) == ahead(whole, LINES)


def test_one_that_became_smaller_is_no_order_of_that_size() -> None:
    """Nobody left: a shrink as large as the order behind is not taken for its cancel."""
    order = order_with(changes=1)
    order["behind"]["single"], order["behind"]["common"] = 0.98, 0.01
    behind.grow(order["behind"], 2.0, False, 1)
    changes.lose(order, draws_of(*[8.0] * LINES), 1.0, 2.0, 10.0, 8.0, 0)
    assert order["behind"]["count"] == 1
    changes.lose(order, draws_of(*[8.0] * LINES), 1.0, 2.0, 10.0, 8.0, -1)
    assert order["behind"]["count"] == 0


@pytest.mark.parametrize(("more", "shares"), [(1, {0.0, 6.0}), (2, {0.0, 3.0, 6.0}), (3, {0.0, 2.0, 4.0, 6.0})])
def test_counted_joins_stood_ahead_or_not_as_whole_orders(more: int, shares: set[float]) -> None:
    means = []
    for stream in range(60):
        order, draws = order_with(stream=stream * 10**9), draws_of(*[0.0] * (LINES - 1))
        changes.join_around(order, draws, 6.0, more)
        assert set(ahead(draws, LINES - 1)) <= shares
        assert draws[0, LINES - 1] == REACHED
        means.append(float(draws[0, :-1].mean()) / 6)
    assert np.mean(means) == pytest.approx(order_with()["join_share"], abs=0.03)


def test_several_that_joined_behind_have_sizes_that_nobody_knows() -> None:
    """2 alone, then two together of 3: a cancel of 2 was the known one or one of two unknown, one of 9 of these.

    g = 0.2/(3 − 2 − 1 + 2) = .1; behind .98·(1 + 2·.1)/3 + .02·.1; with nobody known left 1 − .98·0/2 = 1.
    """
    order = order_with()
    order["behind"]["single"], order["behind"]["common"] = 0.98, 0.1
    behind.grow(order["behind"], 2.0, False, 1)
    behind.grow(order["behind"], 3.0, False, 2)
    assert order["behind"]["count"] == 3
    assert np.isnan(order["behind"]["sizes"][1:3]).all()
    assert behind.likelihoods(order["behind"], 2.0) == (pytest.approx(0.1), pytest.approx(0.392 + 0.002))
    assert behind.likelihoods(order["behind"], 9.0) == (1.0, 1.0)
    behind.grow(order["behind"], 1.0, False, 0)
    assert order["behind"]["count"] == 3, "one left and one joined that was larger"
    behind.grow(order["behind"], 1.0, False, behind.KNOWN)
    assert np.isnan(order["behind"]["single"])


def test_message_that_is_taken_in_hands_on_how_many_orders_the_level_had() -> None:
    order = order_with(pending_ts=9, pending=7.0, displayed=9.0, ahead_at_join=9.0, orders=3, pending_orders=2)
    kernels.take_in(order, draws_of(1.0, 8.0), settings_with())
    assert (order["orders"], order["displayed"]) == (2, 7.0)


def told(events, *orders: int):
    """The message, with so many orders at its levels."""
    events["id"][-len(orders) :] = orders
    return events


def known(shown: Record) -> tuple[int, int, int]:
    return orders_at(shown, BID, TICK), orders_at(shown, BID, TICK - 1), orders_at(shown, ASK, TICK)


def test_numbers_of_orders_are_remembered_by_level_until_a_message_does_not_tell() -> None:
    shown = np.zeros(1, dtype=recent.RECENT)[0]

    def hear(message) -> None:
        events = np.concatenate([rows(1, (1, BID, 1, 0.0)), message])
        note_orders(shown, events, np.uint64(len(events) - 1))

    hear(told(full(2, [(TICK, 5.0), (TICK - 1, 2.0)], [(1100, 1.0)], TICK - 1, 1100), 3, 1, 2))
    assert known(shown) == (3, 1, 0)
    assert orders_at(shown, ASK, 1100) == 2
    hear(told(touch(3, TICK, 6.0), 4, 2))
    assert known(shown) == (4, 1, 0)
    hear(touch(4, TICK, 6.0))
    assert known(shown) == (0, 0, 0)


def test_numbers_are_those_of_one_message_wherever_it_stands() -> None:
    """The first of an array whose end is of another message; and one behind another that is not looked at again."""
    events = np.zeros(4, dtype=EVENT)
    for row, (side, tick, orders, last) in enumerate([(1, 1, 3, 0), (-1, 9, 1, 1), (-1, 8, 1, 1), (1, 5, 9, 0)]):
        events[row]["kind"], events[row]["side"], events[row]["tick"] = LEVEL, side, tick
        events[row]["id"], events[row]["last"] = orders, last
    first, second = np.zeros(2, dtype=recent.RECENT)
    note_orders(first, events, np.uint64(1))
    assert [orders_at(first, BID, 1), orders_at(first, ASK, 9), orders_at(first, BID, 5)] == [3, 1, 0]
    note_orders(second, events, np.uint64(2))
    assert [orders_at(second, BID, 1), orders_at(second, ASK, 9), orders_at(second, ASK, 8)] == [0, 0, 1]
    events[2]["id"] = 0
    note_orders(first, events, np.uint64(2))
    assert orders_at(first, BID, 1) == 0


def test_of_more_orders_than_are_drawn_each_stands_for_several() -> None:
    draws = draws_of(*[0.0] * LINES)
    changes.join_around(order_with(), draws, 7.0, 20)
    assert set(ahead(draws, LINES)) <= set(range(8))
    assert changes.share_of(order_with(), 0, 1.0, 3) == 1.0
