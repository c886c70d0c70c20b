"""What levels tell of queues, worked by hand: arrivals, cancels and their places, and the odds."""

from collections.abc import Callable

import numpy as np
import pytest

from papertrader.services.estimator import arrivals, odds, queues
from papertrader.shared.market.events import Events
from papertrader.shared.market.hashing import splitmix64
from papertrader.shared.market.records import Record
from tests.unit.lines import ASK, BID, TICK, Market, S, full, levels, trade

PRIOR_LOW, PRIOR_HIGH = 0.15 * np.exp(-1.96), 0.15 * np.exp(1.96)
Leaves = Callable[[np.random.Generator, list[float]], int]
"""Picks who leaves a line."""


def three_orders() -> Market:
    """Orders of 1, 2 and 3, in this order."""
    market = Market()
    market.hear(*(levels(2 + n, (BID, TICK, size)) for n, size in enumerate((1.0, 3.0, 6.0))))
    return market


def test_growths_are_orders_that_stand_in_line() -> None:
    assert three_orders().line() == (0.0, [1.0, 2.0, 3.0])


@pytest.mark.parametrize(("gone", "left"), [(1.0, [2.0, 3.0]), (2.0, [1.0, 3.0]), (3.0, [1.0, 2.0])])
def test_shrink_as_large_as_one_order_is_its_cancel_and_tells_where_it_stood(gone: float, left: list[float]) -> None:
    """An own order stands behind the first or the second of three, by the hash of the cancel's number."""
    market = three_orders()
    market.hear(levels(9, (BID, TICK, 6.0 - gone)))
    assert market.odds["cancels"] == 0, "a print may still explain it"
    market.hear(levels(10, (BID, TICK, 6.0 - gone)))
    assert market.line() == (0.0, left)
    assert (market.odds["tested"], market.odds["matched"], market.odds["cancels"]) == (1, 1, 1)
    front = int(splitmix64(1) % np.uint64(2)) + 1
    share = [1 / 6, 3 / 6][front - 1]
    assert market.seen == [pytest.approx(share, rel=0.15)]
    assert market.odds["ahead"] == ([1.0, 2.0, 3.0].index(gone) < front)


@pytest.mark.parametrize("first", ["print", "shrink"])
def test_what_prints_explain_came_off_the_front_whichever_came_first(first: str) -> None:
    market, shrink = three_orders(), levels(9, (BID, TICK, 4.0))
    printed = trade(9, ASK, TICK, 2.0)
    market.hear(*((printed, shrink) if first == "print" else (shrink, printed)))
    market.hear(levels(10, (BID, TICK, 4.0)))
    assert market.line() == (0.0, [1.0, 3.0])
    assert market.odds["tested"] == 0


def test_of_a_shrink_that_a_print_explains_in_part_the_rest_is_a_cancel() -> None:
    """1 was traded: what is left of 1, 2, 3 is 2, 3, and 3 of that is gone."""
    market = three_orders()
    market.hear(levels(9, (BID, TICK, 2.0)), trade(9, ASK, TICK, 1.0), levels(10, (BID, TICK, 2.0)))
    assert market.line() == (0.0, [2.0])
    assert (market.odds["matched"], market.odds["cancels"], market.odds["ahead"]) == (1, 1, 0)


def test_of_several_orders_of_one_size_the_youngest_goes_and_nothing_is_learned() -> None:
    market = Market()
    market.hear(*(levels(2 + n, (BID, TICK, size)) for n, size in enumerate((2.0, 3.0, 5.0))))
    market.hear(levels(9, (BID, TICK, 3.0)), levels(10, (BID, TICK, 3.0)))
    assert market.line() == (0.0, [2.0, 1.0])
    assert (market.odds["matched"], market.odds["cancels"]) == (1, 0)


def test_shrink_as_large_as_no_known_order_was_of_those_before_them() -> None:
    """5 are shown at first, of whom nobody knows; 2 arrive; 1.5 leave: they were ahead of an own order behind the 5."""
    market = Market()
    market.hear(full(2, bids=[(TICK, 5.0)], worst_bid=TICK), full(3, bids=[(TICK, 7.0)], worst_bid=TICK))
    assert market.line() == (0.0, [5.0, 2.0]), "a level that was known to be empty"
    market = Market()
    queues.forget(market.state)
    market.hear(levels(3, (BID, TICK + 1, 1.0)), levels(3, (BID, TICK, 5.0)), levels(4, (BID, TICK, 5.0)))
    market.state["lines"]["era"] += 1
    market.hear(levels(5, (BID, TICK, 7.0)))
    assert market.line() == (5.0, [2.0])
    market.hear(levels(6, (BID, TICK, 5.5)), levels(7, (BID, TICK, 5.5)))
    assert market.line() == (3.5, [2.0])
    assert (market.odds["tested"], market.odds["cancels"], market.odds["ahead"]) == (0, 1, 1)
    assert market.seen == [pytest.approx(5 / 7, rel=0.1)]


def test_line_that_lost_what_it_cannot_have_lost_is_not_known_any_more() -> None:
    market = three_orders()
    market.hear(levels(9, (BID, TICK, 3.5)), levels(10, (BID, TICK, 4.5)))
    assert market.line() == (3.5, [1.0])
    assert (market.odds["tested"], market.odds["matched"], market.odds["cancels"]) == (1, 0, 0)


def test_level_that_a_full_book_lacks_is_empty_or_out_of_sight() -> None:
    market = Market()
    shown = [(TICK, 2.0), (TICK - 1, 3.0), (TICK - 2, 4.0)]
    market.hear(full(2, shown, worst_bid=TICK - 2), full(3, [shown[0]], worst_bid=TICK - 1))
    assert market.line(tick=TICK) == (0.0, [2.0])
    market.hear(full(4, [shown[0]], worst_bid=TICK - 1))
    assert market.line(tick=TICK - 1) == (0.0, [])
    assert not market.followed(tick=TICK - 2)


def test_deep_levels_teach_nothing() -> None:
    for better, learned in ((arrivals.NEAR - 1, 1), (arrivals.NEAR, 0)):
        market = three_orders()
        market.hear(*(levels(8, (BID, TICK + 1 + n, 1.0)) for n in range(better)))
        market.hear(levels(9, (BID, TICK, 4.0)), levels(10, (BID, TICK, 4.0)))
        assert market.odds["cancels"] == learned


def test_what_changes_too_far_away_is_not_followed_and_known_no_more() -> None:
    """20 levels, so 40 ticks are followed; 41 away 5 become 7 unseen, and 8 when the best level is gone."""
    market, far = Market(), TICK + 19 - 41
    market.hear(*(levels(2, (BID, TICK + n, 1.0)) for n in range(20)), levels(3, (BID, far, 5.0)))
    assert market.line(tick=far) == (0.0, [5.0]), "before that was measured"
    market.hear(levels(2 * S, (BID, far, 7.0)), levels(4 * S, (BID, TICK + 19, 0.0)))
    assert market.line(tick=far) == (0.0, [5.0])
    market.hear(levels(6 * S, (BID, far, 8.0)))
    assert market.line(tick=far) == (7.0, [1.0])


def test_looking_rests_as_soon_as_it_is_clear_that_evidence_does_not_count() -> None:
    state = np.zeros(1, dtype=odds.ODDS)[0]
    for number in range(100):
        assert not odds.rests(state, 61 * S)
        odds.examine(state, number % 2 == 0, False, 61 * S)
    assert [odds.rests(state, minute * 60 * S) for minute in (1, 2, 29, 30, 31)] == [True, True, True, False, True]


def test_after_a_gap_no_line_is_known() -> None:
    market = three_orders()
    queues.forget(market.state)
    assert not market.followed()


def test_more_orders_than_are_known_leave_the_first_in_front() -> None:
    market = Market()
    market.hear(*(levels(2 + n, (BID, TICK, 2.0**n)) for n in range(arrivals.KNOWN + 1)))
    before, known = market.line()
    assert (before, len(known)) == (1.0, arrivals.KNOWN)


def test_prior_is_what_is_known_at_first() -> None:
    estimate = Market().estimate()
    assert (estimate["cancel_odds_known"], estimate["join_share_known"]) == (0, 0)
    assert estimate["cancel_odds"] == pytest.approx(0.15, rel=0.01)
    assert estimate["cancel_odds_low"] == pytest.approx(PRIOR_LOW, rel=0.03)
    assert estimate["cancel_odds_high"] == pytest.approx(PRIOR_HIGH, rel=0.03)
    assert np.isnan(estimate["cancels_single_share"])
    assert estimate["join_share"] == 0.45
    assert estimate["join_share_low"] == pytest.approx(0.45 - 1.96 * 0.08)


def crowd(leaves: Leaves, merged: int = 1, seconds: int = 3000, seed: int = 5) -> Record:
    """Orders of sizes of their own arrive at one level, and leave as `leaves` picks one of them by its place."""
    draw, market = np.random.default_rng(seed), Market()
    market.hear(levels(2, (ASK, TICK + 5, 1.0)))
    line: list[float] = []
    messages: list[Events] = []
    for second in range(seconds * merged):
        if len(line) < 5:
            line.append(round(draw.uniform(1, 9), 4))
        else:
            line.pop(leaves(draw, line))
        if second % merged == 0:
            messages.append(levels((second // merged + 1) * S, (BID, TICK, sum(line))))
    market.hear(*messages)
    return market.estimate()


def by_size(draw: np.random.Generator, line: list[float]) -> int:
    return int(draw.choice(len(line), p=np.array(line) / sum(line)))


def mostly_the_last(draw: np.random.Generator, line: list[float]) -> int:
    return len(line) - 1 if draw.random() < 0.8 else int(draw.integers(len(line)))


def test_where_every_part_of_the_queue_is_as_likely_to_leave_the_odds_are_one() -> None:
    estimate = crowd(by_size)
    assert estimate["cancel_odds_known"]
    assert estimate["cancels_single_share"] > 0.95
    assert estimate["cancel_odds_low"] < 1 < estimate["cancel_odds_high"] < 1.4


def test_where_the_young_leave_the_odds_are_small() -> None:
    estimate = crowd(mostly_the_last)
    assert estimate["cancel_odds_known"]
    assert 0.02 < estimate["cancel_odds_low"] < estimate["cancel_odds_high"] < 0.25


def test_changes_that_are_merged_tell_nothing_and_the_posterior_is_the_prior() -> None:
    estimate = crowd(by_size, merged=5)
    assert not estimate["cancel_odds_known"]
    assert estimate["cancels_single_share"] < 0.6
    assert estimate["cancel_odds"] == pytest.approx(0.15, rel=0.01)


def test_sizes_that_match_by_chance_are_no_evidence() -> None:
    state = np.zeros(1, dtype=odds.ODDS)[0]
    for _ in range(500):
        odds.examine(state, True, True, S)
    assert not odds.is_known(state)
    for _ in range(500):
        odds.examine(state, True, False, S)
    assert odds.single_share(state) == 1
    assert odds.is_known(state)


def test_evidence_of_one_minute_counts_less_the_more_it_hangs_together() -> None:
    """50 cancels a minute, all ahead or all behind, beside 50 that take turns."""

    def spread(together: bool) -> tuple[float, float]:
        state = np.zeros(1, dtype=odds.ODDS)[0]
        state["mean"] = 1.0
        for minute in range(100):
            for n in range(50):
                ahead = minute % 2 == 0 if together else n % 2 == 0
                state["matched"] = state["tested"] = 200
                odds.observe(state, 0.5, ahead, minute * 60 * S)
        return state["high"] / state["low"], odds.power_of(state)

    (wide, weak), (narrow, strong) = spread(True), spread(False)
    assert strong == 1
    assert weak < 0.1
    assert wide > narrow**2


def counted(events: Events, orders: int) -> Events:
    """A message of one level, of so many orders."""
    events["id"] = orders
    return events


@pytest.mark.parametrize(
    ("size", "orders", "left"),
    [
        (7.0, 4, (0.0, [1.0, 2.0, 3.0, 1.0])),  # one arrived
        (8.0, 5, (8.0, [])),  # two
        (8.0, 3, (8.0, [])),  # one left and another, that is larger, arrived
        (4.0, 2, (0.0, [1.0, 3.0])),  # one left
        (3.0, 1, (3.0, [])),  # two
        (4.0, 3, (4.0, [])),  # one became smaller
        (6.0, 3, (0.0, [1.0, 2.0, 3.0])),
        (6.0, 2, (6.0, [])),
    ],
)
def test_where_orders_are_counted_only_one_at_a_time_is_an_arrival_or_a_cancel(
    size: float, orders: int, left: tuple[float, list[float]]
) -> None:
    market = Market()
    market.hear(*(counted(levels(2 + n, (BID, TICK, held)), n + 1) for n, held in enumerate((1.0, 3.0, 6.0))))
    assert market.line() == (0.0, [1.0, 2.0, 3.0])
    for ts in (9, 10):
        market.hear(counted(levels(ts, (BID, TICK, size)), orders))
    assert market.line() == left
    assert market.odds["cancels"] == (left == (0.0, [1.0, 3.0]))


def test_prints_may_have_met_any_number_of_counted_orders() -> None:
    market = Market()
    market.hear(*(counted(levels(2 + n, (BID, TICK, held)), n + 1) for n, held in enumerate((1.0, 3.0, 6.0))))
    market.hear(trade(8, ASK, TICK, 3.0), counted(levels(9, (BID, TICK, 3.0)), 1))
    market.hear(counted(levels(10, (BID, TICK, 3.0)), 1))
    assert market.line() == (0.0, [3.0])
