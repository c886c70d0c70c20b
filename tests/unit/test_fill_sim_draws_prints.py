"""The queue as draws, kernel by kernel, by hand: what prints take, whom they reach, and what decides."""

import numpy as np
import pytest

from papertrader.services.fill_sim import draws as kernels
from papertrader.services.fill_sim.state import LINES
from papertrader.shared.market.records import Record, Records
from tests.unit.drawing import REACHED, UNKNOWN, ahead, draws_of, message, order_with, settings_with


def test_print_newer_than_what_was_taken_in_is_remembered_as_traded() -> None:
    """And what waited from before it is taken in first: 3 shown of 5."""
    draws = draws_of(5.0, 5.0)
    order = order_with(seen_ts=10, pending_ts=20, pending=3.0, displayed=5.0, ahead_at_join=5.0, traded_ts=9)
    kernels.explain(order, draws, settings_with(), 20, 1.0)
    assert (order["pending_ts"], order["traded"], order["traded_ts"]) == (20, 1, 20), "of its own time it waits on"
    kernels.explain(order, draws, settings_with(), 21, 0.5)
    assert (order["pending_ts"], order["seen_ts"], order["displayed"], order["traded"]) == (0, 20, 3, 0.5)
    kernels.explain(order, draws, settings_with(), 22, 0.25)
    assert (order["traded"], order["traded_ts"]) == (0.75, 22)


def test_message_of_the_first_instants_is_taken_in_too() -> None:
    order = order_with(seen_ts=0, pending_ts=1, pending=3.0, displayed=5.0, ahead_at_join=5.0)
    kernels.explain(order, draws_of(5.0), settings_with(), 2, 0.5)
    assert (order["pending_ts"], order["displayed"]) == (0, 3)
    order = order_with(seen_ts=5, displayed=5.0)
    kernels.explain(order, draws_of(5.0), settings_with(), 6, 0.5)
    assert (order["seen_ts"], order["displayed"]) == (5, 5), "nothing waited"


@pytest.mark.parametrize(
    ("volume", "back", "credit"),
    [(1.0, [2.5, 0.5, 1.0, 0.25], 3.0), (4.0, [4.0, 2.0, 2.5, 1.0], 0.0), (9.0, [4.0, 2.0, 2.5, 1.0], 0.0)],
)
@pytest.mark.parametrize("ts", [10, 9])
def test_late_print_gives_back_its_share_of_what_was_taken_off(
    ts: int, volume: float, back: list[float], credit: float
) -> None:
    """A shrink of 4 at 10 took 2, 2, 2 and 1 off: a print of 1 explains a quarter of it, of 4 or more all."""
    draws = draws_of(2.0, 0.0, 0.5, 0.0)
    draws[1, :5] = 2.0, 2.0, 2.0, 1.0, 3.0
    order = order_with(seen_ts=10, credit_ts=10, credit=4.0)
    kernels.explain(order, draws, settings_with(), ts, volume)
    assert ahead(draws, 5) == [*back, REACHED]
    assert draws[1, :5].tolist() == [4.0 - back[0], 2.0 - back[1], 2.5 - back[2], 1.0 - back[3], 3.0]
    assert (order["credit"], order["traded"]) == (credit, 0)


@pytest.mark.parametrize(
    ("ts", "credit", "given"), [(9, 0.5, True), (10, 0.0, False), (9, 0.0, False), (15, 4.0, False)]
)
def test_late_print_is_given_back_only_by_a_shrink_after_it(ts: int, credit: float, given: bool) -> None:
    draws = draws_of(2.0, taken=1.0)
    kernels.explain(order_with(seen_ts=20, credit_ts=10, credit=credit), draws, settings_with(), ts, 0.5)
    assert ahead(draws, 1) == [3.0 if given else 2.0]


def test_print_takes_from_the_front_of_every_draw_and_reaches_those_behind_whose_queue_something_is_left() -> None:
    """4 left, a lot of 1: reached is who has at most 3 ahead. The others keep what the print did not take."""
    draws, order = draws_of(0.0, 0.5, 3.0, 3.5, 4.25, REACHED, 7.0), order_with()
    assert kernels.walk(order, draws, 4.0, 1.0) == 3
    assert ahead(draws, 8) == [-2.0, -2.0, -2.0, 0.0, 0.25, REACHED, 3.0, REACHED]
    assert draws[1, :3].tolist() == [0.0, 0.5, 3.0]
    assert order["ahead"] == pytest.approx(3.25 / 3)
    kernels.keep_reached(draws)
    assert ahead(draws, 8) == [REACHED, REACHED, REACHED, 0.0, 0.25, REACHED, 3.0, REACHED]
    assert draws[1].tolist() == [0] * LINES


def test_deciding_draw_is_that_of_its_place_least_ahead_first() -> None:
    draws = np.zeros((2, LINES))
    draws[0], draws[1] = -2.0, 9.0
    draws[1, :6] = 3.0, 0.5, 2.0, 0.5, 0.0, 1.0
    draws[0, 5], draws[0, 6] = 1.0, REACHED  # not newly reached: one waits, one was reached before
    found = [kernels.deciding_ahead(draws, place) for place in range(8)]
    assert found == [0.0, 0.0, 0.5, 0.5, 2.0, 3.0, 9.0, 9.0]


@pytest.mark.parametrize(
    ("in_front", "before", "reached", "expected", "variance"),
    [
        (0, 0.0, 0.25, 0.25, 0.25 * 0.75),
        (0, 0.5, 0.75, 0.5, 0.25),  # half of those that were left
        (0, 0.5, 0.5, 0.0, 0.0),
        (0, 1.0, 1.0, 0.0, 0.0),
        (1, 0.5, 0.75, 0.0, 0.0),  # it was filled already: nothing more is expected
    ],
)
def test_share_reached_grows_with_its_hazard(
    in_front: int, before: float, reached: float, expected: float, variance: float
) -> None:
    order = order_with(in_front=in_front, reached=before, expected=2.0, variance=1.0)
    kernels.grow(order, reached)
    assert (order["reached"], order["expected"], order["variance"]) == (reached, 2 + expected, 1 + variance)


@pytest.mark.parametrize(("at_join", "kept"), [(5.0, 5.0), (UNKNOWN, 0.0)])
def test_order_that_the_market_went_past_has_nobody_ahead(at_join: float, kept: float) -> None:
    order, draws = order_with(joining=1, pending_ts=5, ahead=3.0, ahead_at_join=at_join), draws_of(3.0, 0.5)
    kernels.come_to_front(order, draws)
    assert ahead(draws, 3) == [0.0, 0.0, REACHED]
    assert [order[name] for name in ("ahead", "ahead_at_join", "joining", "pending_ts")] == [0, kept, 0, 0]


def test_market_that_got_to_the_order_reaches_every_draw() -> None:
    order, draws = order_with(joining=1, pending_ts=5, ahead=3.0, reached=0.5), draws_of(3.0, 0.5)
    kernels.reach_every(order, draws)
    assert set(draws[0]) == {REACHED}
    assert [order[name] for name in ("ahead", "joining", "pending_ts", "in_front")] == [0, 0, 0, 1]
    assert (order["reached"], order["expected"]) == (1, 1)


def reach(order: Record, draws: Records, left: float) -> float:
    """What of a print of which so much is left gets as far as the order, in lots of 1."""
    event = message(30)
    event["size"] = 0.5
    return kernels.within_reach(order, draws, settings_with(), event, left, 1.0)


def test_order_in_front_has_all_that_is_left_and_one_of_an_unknown_queue_nothing() -> None:
    order = order_with(in_front=1, seen_ts=20, ahead_at_join=UNKNOWN)
    assert reach(order, draws_of(3.0), 4.0) == 4
    assert order["traded"] == 0.5
    assert reach(order_with(seen_ts=20, ahead_at_join=UNKNOWN), draws_of(*[UNKNOWN] * LINES), 4.0) == 0


@pytest.mark.parametrize(
    ("decision", "before", "reached_now", "behind"),
    [
        (0.0, 0, 1, 4.0),  # the first draw reached decides: nothing is ahead of it
        (1 / 64, 0, 3, 4.0),
        (1 / 32, 0, 3, 3.5),  # of three, the one at the second place
        (1 / 16, 0, 3, 3.0),
        (3 / 32, 0, 3, 0.0),  # as much as is reached is not passed
        (3 / 32, 3, 3, 4.0),  # counted from what was reached before
        (4 / 32, 3, 3, 3.5),
        (0.5, 0, 0, 0.0),
    ],
)
def test_draw_at_the_place_of_the_decision_says_how_much_is_left(
    decision: float, before: int, reached_now: int, behind: float
) -> None:
    """Newly reached are draws with 0, 0.5 and 1 ahead; all others have 9."""
    sizes = [0.0, 0.5, 1.0][:reached_now]
    draws = draws_of(*sizes, *[9.0] * (LINES - before - len(sizes)))
    order = order_with(seen_ts=20, ahead_at_join=9.0, decision=decision, reached=before / LINES)
    assert reach(order, draws, 4.0) == behind
    assert order["in_front"] == (1 if behind else 0)
    assert order["reached"] == pytest.approx((before + reached_now) / LINES)
    assert sorted(set(draws[0])) == ([REACHED, 5.0] if before + reached_now else [5.0])


def wait(order: Record, draws: Records, left: float) -> None:
    """A print of 0.5 comes, of which so much is left behind an own order that is not filled."""
    event = message(30)
    event["size"] = 0.5
    kernels.wait_behind(order, draws, settings_with(), event, left)


def test_line_behind_an_own_order_that_is_not_filled_moves_and_reaches_nobody() -> None:
    draws, order = draws_of(5.0, 2.0, 0.0, 0.5), order_with(seen_ts=20, ahead_at_join=5.0)
    wait(order, draws, 1.5)
    assert ahead(draws, 6) == [3.5, 0.5, 0.0, 0.0, REACHED, REACHED]
    assert (order["ahead"], order["reached"], order["traded"]) == (1.0, 0, 0.5)


@pytest.mark.parametrize("known", [{"in_front": 1, "ahead_at_join": 5.0}, {"ahead_at_join": UNKNOWN}])
def test_order_in_front_and_one_of_an_unknown_queue_have_no_line_that_moves(known: dict[str, float]) -> None:
    draws, order = draws_of(5.0, 2.0), order_with(seen_ts=20, **known)
    wait(order, draws, 1.5)
    assert (ahead(draws, 3), order["traded"]) == ([5.0, 2.0, REACHED], 0.5)
