"""What each message says of a queue, by hand: which levels it shows, what is old, what came late, what only grew."""

import numpy as np
import pytest

from papertrader.services.fill_sim.queue import consume
from papertrader.services.fill_sim.state import ORDER
from papertrader.shared import messages as m
from tests.unit.fill_sim_session import ASKS, BIDS, Levels, Session, bbo, book, place, prints, quoted

BID = place(1000, 1, "buy", 99.9, 1)
"""Behind the 10 at 99.9."""


def bids(size: float) -> Levels:
    """The standard bids with so much at 99.9."""
    return [(99.9, size), *BIDS[1:]]


def joined(*orders: m.Place, **settings: object) -> Session:
    """Orders live at 1100 ms, which no message has shown the level of since."""
    session = Session(**settings)
    session.round(1000, book(1000, BIDS, ASKS))
    session.round(1100, said=orders)
    return session


def crowded(**settings: object) -> Session:
    """10 ahead of the order at 99.9, 6 behind."""
    session = quoted(BID, **settings)
    session.round(1300, book(1220, bids(16), ASKS))
    return session


def test_touch_shows_its_own_level_and_better_ones_and_none_behind() -> None:
    """Of 14 at the touch the first message says that all are ahead, of 0 inside the spread too; behind it says nothing.

    So the next message, of more size everywhere, is the second for the former and the first for the latter.
    """
    prices = {1: ("buy", 99.9), 2: ("buy", 99.8), 3: ("sell", 100.1), 4: ("sell", 100.2)}
    session = joined(*(place(1000, number, side, price, 1) for number, (side, price) in prices.items()))
    session.round(1300, bbo(1200, (99.9, 14), (100.1, 15)))
    session.round(1400, book(1350, [(99.9, 20), (99.8, 26)], [(100.1, 20), (100.2, 27)]))
    assert [session.ahead(number) for number in prices] == [14, 26, 15, 27]


def test_touch_tells_that_levels_better_than_it_are_empty() -> None:
    session = Session()
    session.round(1000, book(1000, [(99.9, 10.0)], [(100.4, 10.0)]))
    session.round(1100, said=(place(1000, 1, "buy", 100.0, 1), place(1000, 2, "sell", 100.3, 1)))
    session.round(1300, bbo(1200, (99.9, 10), (100.4, 10)))
    session.round(1400, book(1350, [(100.0, 5.0), (99.9, 10.0)], [(100.3, 6.0), (100.4, 10.0)]))
    assert (session.ahead(1), session.ahead(2)) == (0, 0), "who joined after the touch stands behind"


def test_queue_behind_the_touch_is_known_at_join() -> None:
    session = quoted(place(1000, 1, "buy", 99.8, 1), place(1000, 2, "sell", 100.3, 1))
    assert [ack.queue_ahead for ack in session.acks] == [20, 30]


def test_queue_at_join_counts_what_traded_before_the_first_message() -> None:
    """10 before; 4 traded and then 10 shown: 14 were there."""
    session = joined(BID)
    session.round(1300, prints(1150, "sell", (99.9, 4)), book(1200, BIDS, ASKS))
    assert session.orders["ahead_at_join"][0] == 14
    assert session.ahead(1) == 10


def test_small_cancel_and_small_growth_are_told_apart() -> None:
    """10 ahead, 6 behind: half a unit cancelled from ahead leaves 9.5, half a unit more stands behind."""
    session = crowded(cancels="ahead")
    session.round(1400, book(1350, bids(15.5), ASKS))
    assert session.ahead(1) == 9.5
    session.round(1500, book(1450, bids(16.0), ASKS))
    assert session.ahead(1) == 9.5


def test_queue_may_shrink_to_less_than_one_but_not_below_nothing() -> None:
    """Of 16, 9.5 leave: from ahead 0.5 is left of 10. By the share to the power of 0, as many as leave: nothing is."""
    session = crowded(cancels="ahead")
    session.round(1400, book(1350, bids(6.5), ASKS))
    assert session.ahead(1) == 0.5
    session = crowded(cancels="power", cancel_exponent=0.0)
    session.round(1400, book(1350, bids(4.0), ASKS))
    assert session.ahead(1) == 0
    session.round(1500, prints(1450, "sell", (99.9, 0.25)))
    assert [fill.size for fill in session.fills] == [0.25]


def test_no_more_than_all_of_the_cancels_leave_from_ahead() -> None:
    """Own 1 behind 10, own 2 behind 15. Of a print of 13 own 1 has 1, so 3 are ahead of own 2, and 2 are left to see.

    The next message shows 1: one was cancelled, and no more than that is ahead.
    """
    session = quoted(BID)
    session.round(1300, book(1210, bids(15), ASKS))
    session.round(1400, said=(place(1300, 2, "buy", 99.9, 1),))
    session.round(1500, book(1420, bids(15), ASKS), prints(1450, "sell", (99.9, 13)))
    session.round(1600, book(1550, bids(1), ASKS))
    assert session.ahead(2) == 1


def test_second_own_order_is_filled_behind_the_external_size_between_the_two() -> None:
    """Line: 10, own 1, 5, own 2 of 2: a print of 17 leaves 1 for the last."""
    session = quoted(BID)
    session.round(1300, book(1210, bids(15), ASKS))
    session.round(1400, said=(place(1300, 2, "buy", 99.9, 2),))
    session.round(1500, book(1420, bids(15), ASKS), prints(1450, "sell", (99.9, 17)))
    assert [(fill.order_id, fill.size) for fill in session.fills] == [(1, 1), (2, 1)]


def test_message_of_the_same_instant_is_news_and_an_older_one_is_not() -> None:
    """16 shown and 12 at the same instant: 4 of the 10 ahead left. Then 20, and 13 from before it: nothing left."""
    session = quoted(BID, cancels="ahead")
    session.round(1300, book(1250, bids(16), ASKS), book(1250, bids(12), ASKS))
    assert session.ahead(1) == 6
    session.round(1400, book(1350, bids(20), ASKS), book(1340, bids(13), ASKS))
    assert session.ahead(1) == 6


def test_message_older_than_a_print_already_counted_says_nothing() -> None:
    """The book of before the print still shows 10; the one after it 7, all of the shrink traded."""
    session = quoted(BID, cancels="ahead")
    session.round(1300, prints(1260, "sell", (99.9, 3)), book(1250, BIDS, ASKS), book(1270, bids(7), ASKS))
    assert session.ahead(1) == 7


def test_message_of_the_instant_of_a_print_contains_it() -> None:
    """10, 6 traded, 9 shown at that instant: 5 joined behind the 4. Then 1 of the 9 is cancelled, from ahead."""
    session = quoted(BID, cancels="ahead")
    session.round(1300, prints(1250, "sell", (99.9, 6)), book(1250, bids(9), ASKS))
    assert session.ahead(1) == 4
    session.round(1400, book(1350, bids(8), ASKS))
    assert session.ahead(1) == 3


@pytest.mark.parametrize(("shown", "printed"), [(4.0, 6.0), (9.5, 0.5)])
def test_late_print_is_given_back_though_the_level_was_shown_again(shown: float, printed: float) -> None:
    session = quoted(BID)
    session.round(1300, book(1250, bids(shown), ASKS), book(1260, bids(shown), ASKS))
    session.round(1400, prints(1250, "sell", (99.9, printed)))
    assert session.ahead(1) == shown
    assert not session.fills


def test_late_print_larger_than_its_shrink_gets_as_far_as_the_rest_of_it() -> None:
    """10, shown as 4, then the print of 12 that did it: it took the 10 ahead, and 1 of its last 2 is ours."""
    session = quoted(BID)
    session.round(1300, book(1250, bids(4), ASKS), prints(1250, "sell", (99.9, 12)))
    assert [fill.size for fill in session.fills] == [1]


def test_print_between_a_shrink_and_the_message_after_it_takes_from_the_front() -> None:
    """10 shrank to 4 at 1250. A print of 3 at 1280 is not what shrank it, though the book of 1300 is there first."""
    session = quoted(BID)
    session.round(1400, book(1250, bids(4), ASKS), book(1300, bids(5), ASKS), prints(1280, "sell", (99.9, 3)))
    assert session.ahead(1) == 1


def test_print_at_the_instant_of_joining_takes_from_the_front() -> None:
    session = joined(BID)
    session.round(1150, prints(1100, "sell", (99.9, 4)))
    assert session.ahead(1) == 6


def test_nobody_is_ahead_once_the_market_traded_up_to_the_order() -> None:
    """Whatever the next message shows, its first or a later one, joined after the order."""
    session = joined(BID)
    session.round(1300, prints(1150, "sell", (99.8, 0.3)), book(1200, bids(5), ASKS))
    assert session.ahead(1) == 0
    session.round(1400, prints(1350, "sell", (99.9, 0.2), first_id=2))
    assert [fill.size for fill in session.fills] == [0.3, 0.2]


def test_fill_tells_the_queue_at_join_not_what_was_left_of_it() -> None:
    session = quoted(BID)
    session.round(1300, book(1250, bids(6), ASKS), prints(1280, "sell", (99.8, 0.3)))
    assert session.fills[0].queue_ahead_at_join == 10


def test_queue_at_join_of_a_level_never_shown_is_nothing_once_the_market_got_there() -> None:
    session = quoted(place(1000, 1, "buy", 99.5, 1))
    session.round(1300, prints(1250, "sell", (99.4, 0.3)))
    assert session.fills[0].queue_ahead_at_join == 0


def test_print_that_took_more_before_better_own_orders_than_is_ahead_takes_nothing_here() -> None:
    order = np.zeros(1, dtype=ORDER)[0]
    order["ahead"], order["seen_ts"] = 3.0, 100
    assert consume(order, 101, 9.0, 2.0, 5.0) == (2.0, 5.0)
    assert order["ahead"] == 0
