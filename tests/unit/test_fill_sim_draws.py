"""The queue as draws, by hand: join, cancels, prints, crossing books, the decision, and what is said of it."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest

from papertrader.services.fill_sim.changes import odds_ahead
from papertrader.shared import messages as m
from tests.messages import estimate
from tests.unit.fill_sim_session import ASKS, BIDS, Session, bbo, book, cancel, gap, ns, place, prints, quoted

Levels = list[tuple[float, float]]


def drawn(*orders: m.Message, **settings: Any) -> Session:
    """A session with orders live at 1100 ms behind the 10 at 99.9, shown again at 1200."""
    return quoted(*orders, fill_model="draws", **settings)


def bids(size: float) -> Levels:
    """The standard bids with so much at 99.9."""
    return [(99.9, size), *BIDS[1:]]


def draws_of(session: Session, order_id: int = 1) -> Any:
    """The sizes ahead in every draw of an order, −1 where it is reached."""
    orders = session.orders
    row = orders["row"][orders["order_id"] == order_id][0]
    return session.exchange.account_states[0]["draws"][row, 0]


def test_print_that_only_eats_the_queue_fills_nothing_and_the_next_lot_does():
    session = drawn(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, prints(1300, "sell", (99.9, 10.0)))
    assert not session.fills
    session.round(1400, prints(1400, "sell", (99.9, 0.4), first_id=2))
    assert [(fill.size, fill.fill_probability) for fill in session.fills] == [(0.4, 1.0)]


def test_cause_6_print_and_book_of_one_time_are_counted_once_whatever_their_order():
    # 10 ahead; a print of 4 and the book of 6 that it leaves, at one time: 6 are left, so a print of 3 fills nothing
    print_, left, touch = (
        prints(1300, "sell", (99.9, 4.0)),
        book(1300, bids(6.0), ASKS),
        bbo(1300, (99.9, 6.0), ASKS[0]),
    )
    for order in permutations((print_, left, touch)):
        session = drawn(place(1000, 1, "buy", 99.9, 1))
        session.round(1300, *order)
        session.round(1400, prints(1400, "sell", (99.9, 3.0), first_id=2))
        assert not session.fills
        assert draws_of(session).tolist() == [3.0] * 32
        session.round(1500, prints(1500, "sell", (99.9, 3.5), first_id=3))
        assert [fill.size for fill in session.fills] == [0.5]


def test_cause_6_right_after_joining():
    print_, left = prints(1150, "sell", (99.9, 4.0)), book(1150, bids(6.0), ASKS)
    for order in permutations((print_, left)):
        session = Session(fill_model="draws")
        session.round(1000, book(1000, BIDS, ASKS))
        session.round(1100, said=(place(1000, 1, "buy", 99.9, 1),))
        session.round(1150, *order)
        session.round(1400, prints(1400, "sell", (99.9, 3.0), first_id=2))
        assert not session.fills
        assert draws_of(session).tolist() == [3.0] * 32


def test_equal_book_print_and_shrunk_book_of_one_time():
    shown, print_, left = book(1300, BIDS, ASKS), prints(1300, "sell", (99.9, 4.0)), book(1300, bids(6.0), ASKS)
    for order in ((shown, print_, left), (print_, shown, left), (shown, left, print_)):
        session = drawn(place(1000, 1, "buy", 99.9, 1))
        session.round(1300, *order)
        session.round(1400, bbo(1400, (99.9, 6.0), ASKS[0]))
        assert draws_of(session).tolist() == [6.0] * 32


def test_late_print_gives_back_what_its_shrink_was_taken_for():
    session = drawn(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, book(1300, bids(6.0), ASKS))
    session.round(1400, book(1400, bids(6.0), ASKS))
    session.round(1500, prints(1290, "sell", (99.9, 4.0)))
    assert draws_of(session).tolist() == [6.0] * 32


def test_cancel_leaves_from_ahead_or_behind_as_the_odds_say():
    # 10 ahead, 30 join behind; then 20 leave within 100 ms: f = .25, odds w = (.15·.8 + .1)/(.8 + .1)
    ahead = []
    for seed in range(300):
        session = drawn(place(1000, 1, "buy", 99.9, 1), seed=seed)
        session.round(1300, book(1300, bids(40.0), ASKS))
        session.round(1400, book(1400, bids(20.0), ASKS))
        session.round(1500, book(1500, bids(20.0), ASKS))
        draws = draws_of(session)
        assert set(draws.tolist()) <= {0.0, 10.0}
        ahead.append(np.mean(draws == 0.0))
    odds = 0.22 / 0.9
    assert np.mean(ahead) == pytest.approx(0.25 * odds / (0.25 * odds + 0.75), abs=0.008)


def test_odds_grow_with_the_time_between_messages_that_show_whole_levels():
    assert odds_ahead(0.15, 0.8, 0.0) == pytest.approx(0.15)
    assert odds_ahead(0.15, 0.8, 0.8) == pytest.approx((0.15 + 1) / 2)
    assert odds_ahead(0.15, 0.8, 1e9) == pytest.approx(1.0)


def test_never_more_ahead_than_shown():
    session = drawn(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, book(1300, bids(4.0), ASKS))
    session.round(1400, book(1400, bids(4.0), ASKS))
    assert draws_of(session).max() == 4.0


def test_what_joined_around_the_join_is_partly_ahead():
    session = Session(fill_model="draws")
    session.round(1000, book(1000, BIDS, ASKS))
    session.round(1100, said=(place(1000, 1, "buy", 99.9, 1),))
    session.round(1200, book(1200, bids(18.0), ASKS))
    session.round(1300, bbo(1300, (99.9, 18.0), ASKS[0]))
    draws = draws_of(session)
    assert draws.min() >= 10.0
    assert draws.max() <= 18.0
    assert draws.std() > 0.5


def test_prints_since_the_last_message_are_not_ahead_any_more():
    session = Session(fill_model="draws")
    session.round(1000, book(1000, BIDS, ASKS))
    session.round(1050, prints(1050, "sell", (99.9, 7.0)), said=(place(1000, 1, "buy", 99.9, 1),))
    session.round(1150, prints(1150, "sell", (99.9, 1.0), first_id=2))
    assert draws_of(session).tolist() == [2.0] * 32


def test_level_better_than_the_touch_has_nobody_ahead():
    session = drawn(place(1000, 1, "buy", 100.0, 1))
    session.round(1300, prints(1300, "sell", (100.0, 0.25)))
    assert [fill.size for fill in session.fills] == [0.25]


def test_book_that_crosses_fills_up_to_what_crosses_once():
    session = drawn(place(1000, 1, "buy", 99.9, 3))
    crossing = book(1300, BIDS[1:], [(99.9, 2.0), *ASKS])
    session.round(1300, crossing)
    session.round(1310, book(1310, BIDS[1:], [(99.9, 2.0), *ASKS]))
    assert [(fill.size, fill.price, fill.trade_id, fill.through) for fill in session.fills] == [(2.0, 99.9, 0, True)]
    assert session.fills[0].fill_probability == 1.0
    session.round(1320, book(1320, BIDS[1:], [(99.9, 2.5), *ASKS]))
    assert [fill.size for fill in session.fills] == [2.0, 0.5]


def test_touch_that_locks_an_ask_fills_it():
    session = drawn(place(1000, 1, "sell", 100.1, 1))
    session.round(1300, bbo(1300, (100.1, 5.0), (100.2, 20.0)))
    assert [fill.size for fill in session.fills] == [1.0]


def test_book_that_crosses_fills_nothing_cancelled_before():
    session = drawn(place(1000, 1, "buy", 99.9, 3), late_print_ms=500.0)
    session.round(1290, said=(cancel(1200, 1),))
    session.round(1300, book(1300, BIDS[1:], [(99.9, 2.0), *ASKS]))
    assert not session.fills


def test_post_only_is_checked_against_prints_newer_than_the_book():
    # buyers took the ask at 100.1 and printed at 100.2: a bid at 100.1 crosses nothing any more
    for extra, status in (((), "rejected"), ((prints(1050, "buy", (100.1, 10.0), (100.2, 1.0)),), "accepted")):
        session = Session(fill_model="draws")
        session.round(1000, book(1000, BIDS, ASKS))
        session.round(1060, *extra, said=(place(1000, 1, "buy", 100.1, 1),))
        session.round(1150, prints(1150, "buy", (100.3, 1.0), first_id=9))
        assert session.acks[0].status == status


def test_post_only_is_rejected_where_a_seller_just_printed():
    session = Session(fill_model="draws")
    session.round(1000, book(1000, BIDS, ASKS))
    session.round(1060, prints(1050, "buy", (100.0, 1.0)), said=(place(1000, 1, "buy", 100.0, 1),))
    session.round(1150, prints(1150, "buy", (100.0, 1.0), first_id=9))
    assert session.statuses(1) == [("rejected", "post_only_would_cross")]


def test_own_orders_of_one_line_share_a_print_first_come_first_served():
    session = drawn(place(1000, 1, "buy", 99.9, 2), place(1000, 2, "buy", 99.9, 2))
    session.round(1300, prints(1300, "sell", (99.9, 13.0)))
    assert [(fill.order_id, fill.size) for fill in session.fills] == [(1, 2.0), (2, 1.0)]


def test_print_that_better_own_orders_had_alone_reaches_nobody_else():
    # the print through both prices is wholly the better order's: the other is in front then, and not yet expected
    session = drawn(place(1000, 1, "buy", 99.9, 5), place(1000, 2, "buy", 99.8, 5))
    session.round(1300, prints(1300, "sell", (99.7, 5.0)))
    assert [(fill.order_id, fill.size) for fill in session.fills] == [(1, 5.0)]
    assert session.orders["expected"].tolist() == [0.0]
    session.round(1400, prints(1400, "sell", (99.8, 1.0), first_id=2))
    assert [(fill.order_id, fill.size) for fill in session.fills] == [(1, 5.0), (2, 1.0)]
    assert session.orders["expected"].tolist() == [1.0]


def test_nobody_is_filled_behind_an_own_order_that_is_not():
    for seed in range(40):
        session = drawn(place(1000, 1, "buy", 99.9, 50), place(1000, 2, "buy", 99.9, 1), seed=seed)
        session.round(1300, book(1300, bids(5.0), ASKS))
        session.round(1400, prints(1400, "sell", (99.9, 20.0)))
        assert {fill.order_id for fill in session.fills} == {1}


@pytest.mark.parametrize(
    ("learned", "known", "in_force"), [(True, True, (0.6, 0.5)), (True, False, (0.2, 0.4)), (False, True, (0.2, 0.4))]
)
def test_new_order_takes_what_was_learned_if_that_is_wanted_and_known(learned, known, in_force):
    odds = {"cancel_odds": 0.6, "cancel_odds_known": known, "join_share": 0.5, "join_share_known": known}
    session = Session(fill_model="draws", learned_queue=learned, cancel_odds=0.2, join_share=0.4)
    session.round(1000, book(1000, BIDS, ASKS), said=(estimate(ns(900), **odds),))
    session.round(1100, said=(place(1000, 1, "buy", 99.9, 5),))
    session.round(1200, book(1200, BIDS, ASKS))
    order = session.orders[0]
    assert (order["cancel_odds"], order["join_share"]) == in_force


def uncertain(seed: int, decide: str = "chance", volume: float = 12.0) -> Session:
    """10 ahead and 10 behind, a cancel of 9, then a print: reached certainly if it was ahead, else only beyond 10."""
    session = drawn(place(1000, 1, "buy", 99.9, 5), seed=seed, decide=decide, cancel_odds=1.0)
    session.round(1300, book(1300, bids(20.0), ASKS))
    session.round(1400, book(1400, bids(11.0), ASKS))
    session.round(1500, prints(1500, "sell", (99.9, volume)))
    return session


def test_share_of_seeds_that_fill_is_the_probability():
    sessions = [uncertain(seed, volume=4.0) for seed in range(400)]
    probabilities = [float(np.mean(draws_of(s) < 0)) if not s.fills else s.fills[0].fill_probability for s in sessions]
    assert np.mean(probabilities) == pytest.approx(0.5, abs=0.02)
    assert np.mean([bool(s.fills) for s in sessions]) == pytest.approx(0.5, abs=0.07)
    expected = [s.orders["expected"][0] for s in sessions]
    assert expected == pytest.approx(probabilities)


def test_half_of_the_draws_decides_the_likeliest_path():
    for seed in range(60):
        session = uncertain(seed, decide="half", volume=4.0)
        assert bool(session.fills) == (np.mean(draws_of(session) < 0) > 0.5)


def test_size_comes_from_the_draw_that_decides():
    # a print of 12 reaches every draw: 11 behind 1 ahead, or 2 behind 10; the order wants 5
    sizes = {uncertain(seed).fills[0].size for seed in range(40)}
    assert sizes == {5.0, 2.0}


def test_order_that_ends_unfilled_says_its_probability():
    for seed in range(20):
        session = uncertain(seed, volume=4.0)
        if session.fills:
            continue
        session.round(1600, said=(cancel(1500, 1),))
        session.round(1700, book(1700, BIDS, ASKS))
        last = session.acks[-1]
        assert last.status == "cancelled"
        assert last.fill_probability is not None
        assert 0 < last.fill_probability < 1
        hazard = last.fill_probability
        assert last.fills_expected == pytest.approx(hazard)
        assert last.fills_variance == pytest.approx(hazard * (1 - hazard))
        return
    pytest.fail("every seed filled")


def test_after_a_gap_the_order_is_at_the_back():
    session = drawn(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, prints(1300, "sell", (99.9, 9.0)))
    session.round(1400, gap(1350, 1400))
    session.round(1500, book(1500, BIDS, ASKS))
    session.round(1600, prints(1600, "sell", (99.9, 9.5), first_id=2))
    assert not session.fills


def test_unknown_queue_waits_until_the_level_is_shown():
    session = drawn(place(1000, 1, "buy", 99.5, 1))
    session.round(1300, book(1300, [*BIDS, (99.5, 4.0)], ASKS))
    session.round(1400, book(1400, [(99.5, 4.0)], ASKS))
    session.round(1500, prints(1500, "sell", (99.5, 5.0)))
    assert [fill.size for fill in session.fills] == [1.0]


def test_rows_of_draws_are_given_back():
    session = Session(fill_model="draws")
    session.round(1000, book(1000, BIDS, ASKS))
    for number in range(1, 150):
        ms = 1000 + 100 * number
        session.round(ms, said=(place(ms - 100, number, "buy", 99.7, 1), cancel(ms - 100, number - 1)))
        session.round(ms + 50, book(ms + 50, BIDS, ASKS))
    assert session.exchange.account_states[0]["rows"].sum() == len(session.orders) <= 3


def test_flat_fills_one_lot_of_a_print_of_one_lot():
    rules = m.Instrument(ts=0, tick_size=0.1, lot_size=1.0)
    session = Session(rules, fill_model="flat", fill_prob_base=1.0, queue_position_factor=0.9)
    session.round(1000, book(1000, BIDS, ASKS))
    session.round(1100, said=(place(1000, 1, "buy", 99.9, 30),))
    for number in range(40):
        session.round(1200 + number, prints(1200 + number, "sell", (99.9, 1.0), first_id=number))
    assert {fill.size for fill in session.fills} == {1.0}


def test_what_rests_after_taking_is_not_crossed_by_the_size_that_it_took():
    """40 wanted up to 100.2, where 10 and 15 are shown: they are taken once, and only what comes beside fills more."""
    asks = [(100.1, 10.0), (100.2, 15.0), (100.3, 30.0)]
    session = Session(fill_model="draws")
    session.round(1000, book(1000, BIDS, asks))
    session.round(1100, said=(place(1000, 1, "buy", 100.2, 40, time_in_force="gtc"),))
    assert [(fill.size, fill.maker) for fill in session.fills] == [(10.0, False), (15.0, False)]
    session.round(1200, book(1200, BIDS, asks))
    session.round(1300, book(1300, BIDS, asks))
    assert len(session.fills) == 2
    session.round(1400, book(1400, BIDS, [(100.1, 14.0), *asks[1:]]))
    assert [(fill.size, fill.maker, fill.price) for fill in session.fills[2:]] == [(4.0, True, 100.2)]


@pytest.mark.parametrize("volumes", [(15.5,), (1.0, 14.5), (10.0, 5.5), (1.0, 4.0, 6.0, 4.0, 0.5), (10.5, 5.0)])
def test_sweep_fills_own_orders_of_a_level_alike_however_many_prints_it_makes(volumes: tuple[float, ...]):
    """10 ahead of both: of 15.5 the first order gets its 5 and the second one the 0.5 that are left."""
    session = drawn(place(1000, 1, "buy", 99.9, 5), place(1000, 2, "buy", 99.9, 2))
    session.round(1300, prints(1300, "sell", *((99.9, volume) for volume in volumes)))
    filled = {number: sum(fill.size for fill in session.fills if fill.order_id == number) for number in (1, 2)}
    assert filled == pytest.approx({1: 5.0, 2: 0.5})
