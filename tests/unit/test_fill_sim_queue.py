"""The line of orders: worked by hand."""

import pytest

from tests.unit.fill_sim_session import ASKS, BIDS, bbo, book, cancel, gap, place, prints, quoted


def with_bid(size: float) -> list[tuple[float, float]]:
    """The standard bids with another size at the best."""
    return [(99.9, size), *BIDS[1:]]


def test_order_joins_behind_displayed_size() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    assert session.ahead(1) == 10
    assert session.acks[0].status == "accepted"
    assert session.acks[0].queue_ahead == 10
    assert session.acks[0].live_ts - session.acks[0].ts == 0


def test_queue_at_join_is_larger_of_last_before_and_first_after() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    assert session.orders["ahead_at_join"][0] == 10
    grown = quoted()
    grown.round(1300, said=(place(1200, 1, "buy", 99.9, 1),))
    grown.round(1400, book(1400, with_bid(14), ASKS))
    assert grown.ahead(1) == 14
    assert grown.orders["ahead_at_join"][0] == 14
    shrunk = quoted()
    shrunk.round(1300, said=(place(1200, 1, "buy", 99.9, 1),))
    shrunk.round(1400, book(1400, with_bid(6), ASKS))
    assert shrunk.orders["ahead_at_join"][0] == 10
    assert shrunk.ahead(1) == 6, "no more can be ahead than is displayed"


def test_print_consumes_queue_then_fills_what_reaches_the_order() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, prints(1250, "sell", (99.9, 9)))
    assert session.ahead(1) == pytest.approx(1)
    session.round(1400, prints(1350, "sell", (99.9, 1.4)))
    assert [fill.size for fill in session.fills] == [pytest.approx(0.4)]
    session.round(1500, prints(1450, "sell", (99.9, 5)))
    assert [fill.size for fill in session.fills] == [pytest.approx(0.4), pytest.approx(0.6)]
    assert session.statuses(1) == [("accepted", "none"), ("filled", "none")]


def test_wrong_aggressor_at_the_price_moves_nothing() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, prints(1250, "buy", (99.9, 50)))
    assert session.ahead(1) == 10
    assert not session.fills


@pytest.mark.parametrize("aggressor", ["buy", "sell"])
def test_print_strictly_through_fills_at_limit_price_whatever_the_queue(aggressor: str) -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, prints(1250, aggressor, (99.8, 0.3)))
    (fill,) = session.fills
    assert (fill.price, fill.size, fill.through, fill.maker) == (99.9, 0.3, True, True)
    assert fill.queue_ahead_at_join == 10
    assert session.ahead(1) == 0


def test_print_at_worse_level_does_not_reach_the_order() -> None:
    session = quoted(place(1000, 1, "buy", 99.8, 1))
    session.round(1300, prints(1250, "sell", (99.9, 500)))
    assert not session.fills
    session.round(1400, said=(cancel(1300, 1),))
    assert session.statuses(1)[-1] == ("cancelled", "never_touched")


def test_traded_volume_is_netted_out_of_the_shrink() -> None:
    """10 → 4 with 6 traded: no cancels. Counting the shrink again would put the order at the front."""
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, prints(1250, "sell", (99.9, 6)), book(1260, with_bid(4), ASKS))
    assert session.ahead(1) == pytest.approx(4)


def test_shrink_shown_before_its_print_counts_once() -> None:
    """Book first: 10 → 4, all ahead, then the print of 6 that did it. Ahead: 4, not 0."""
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, book(1250, with_bid(4), ASKS), prints(1250, "sell", (99.9, 6)))
    assert session.ahead(1) == pytest.approx(4)
    assert not session.fills


def test_print_beyond_the_shrink_shown_before_it_reaches_the_order() -> None:
    """Book first: 10 → 0, then the print of 12 that took 10 of others and had 2 left for us."""
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, book(1250, BIDS[1:], ASKS), prints(1250, "sell", (99.9, 10.4)))
    assert [fill.size for fill in session.fills] == [pytest.approx(0.4)]


@pytest.mark.parametrize(
    ("cancels", "exponent", "ahead"),
    [
        # 16 displayed, 10 ahead (6 joined behind), then 4 cancelled: f = 10/16
        ("power", 3.5, 10 - 4 * (10 / 16) ** 3.5),
        ("power", 1.0, 7.5),
        ("pro_rata", 3.5, 7.5),
        ("ahead", 3.5, 6.0),
        ("behind", 3.5, 10.0),
    ],
)
def test_cancels_leave_from_ahead_by_rule(cancels: str, exponent: float, ahead: float) -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1), cancels=cancels, cancel_exponent=exponent)
    session.round(1300, book(1250, with_bid(16), ASKS))
    assert session.ahead(1) == 10, "what joins stands behind"
    session.round(1400, book(1350, with_bid(12), ASKS))
    assert session.ahead(1) == pytest.approx(ahead)


@pytest.mark.parametrize("cancels", ["power", "pro_rata", "ahead", "behind"])
def test_cancels_leave_from_ahead_by_any_rule_where_nobody_stands_behind(cancels: str) -> None:
    """10 ahead of 10 displayed, 4 cancelled: they were ahead. The rules differ only once others have joined behind."""
    session = quoted(place(1000, 1, "buy", 99.9, 1), cancels=cancels)
    session.round(1300, book(1250, with_bid(6), ASKS))
    assert session.ahead(1) == pytest.approx(6)


def test_cancels_never_leave_more_ahead_than_displayed() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1), cancels="behind")
    session.round(1300, book(1250, with_bid(16), ASKS), book(1260, with_bid(3), ASKS))
    assert session.ahead(1) == 3


def test_level_that_is_not_shown_is_frozen() -> None:
    session = quoted(place(1000, 1, "buy", 99.7, 1))
    assert session.ahead(1) == 30
    session.round(1300, book(1250, BIDS[:2], ASKS))
    assert session.ahead(1) == 30, "it left the window: frozen, not empty"
    session.round(1400, bbo(1350, (99.9, 1), (100.1, 1)))
    assert session.ahead(1) == 30
    session.round(1500, book(1450, [*BIDS[:2], (99.7, 12.0)], ASKS))
    assert session.ahead(1) == 12


def test_level_never_shown_is_unknown_until_it_is_shown() -> None:
    session = quoted(place(1000, 1, "buy", 99.5, 1))
    assert session.acks[0].queue_ahead is None
    session.round(1300, prints(1250, "sell", (99.5, 100)))
    assert not session.fills, "nothing is known of the line there"
    session.round(1400, book(1350, [*BIDS, (99.5, 8.0)], ASKS))
    assert session.ahead(1) == 8
    session.round(1500, prints(1450, "sell", (99.5, 8.5)))
    assert session.fills[0].size == pytest.approx(0.5)
    assert session.fills[0].queue_ahead_at_join == 8


def test_order_alone_inside_the_spread_is_first_in_line() -> None:
    session = quoted(place(1000, 1, "buy", 100.0, 1))
    assert session.ahead(1) == 0
    session.round(1300, prints(1250, "sell", (100.0, 0.2)))
    assert session.fills[0].size == pytest.approx(0.2)


def test_two_own_orders_at_a_level_share_the_line() -> None:
    """Line: 10 external, own 1, 5 external, own 2 (15 ahead). A print of 13 fills own 1 and takes 2 more external."""
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, book(1210, with_bid(15), ASKS))
    session.round(1400, said=(place(1300, 2, "buy", 99.9, 1),))
    assert (session.ahead(1), session.ahead(2)) == (10, 15)
    session.round(1500, book(1420, with_bid(15), ASKS), prints(1450, "sell", (99.9, 13)))
    assert [(fill.order_id, fill.size) for fill in session.fills] == [(1, pytest.approx(1))]
    assert session.ahead(2) == pytest.approx(15 - 12)
    session.round(1600, book(1550, with_bid(2), ASKS))
    assert session.ahead(2) == 2, "what we took of the print left the real book all the same"


def test_one_print_never_fills_more_than_its_size() -> None:
    orders = tuple(place(1000, number, "buy", price, 1) for number, price in enumerate((99.9, 99.9, 99.8), start=1))
    session = quoted(*orders)
    session.round(1300, prints(1250, "sell", (99.7, 1.5)))
    assert [(fill.order_id, fill.size) for fill in session.fills] == [(1, 1), (2, 0.5)], "best price, then first come"


def test_gap_sends_orders_to_the_back() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, prints(1250, "sell", (99.9, 9)), book(1260, with_bid(25), ASKS))
    assert session.ahead(1) == pytest.approx(1)
    session.round(1400, gap(1300, 1390))
    assert session.ahead(1) == 25
    session.round(1500, book(1450, with_bid(40), ASKS))
    assert session.ahead(1) == 40, "anything may have happened up to the first message after it"


def test_ask_mirrors_bid() -> None:
    session = quoted(place(1000, 1, "sell", 100.1, 1))
    assert session.ahead(1) == 10
    session.round(1300, prints(1250, "buy", (100.1, 10.5)))
    assert [(fill.side, fill.size, fill.price) for fill in session.fills] == [("sell", pytest.approx(0.5), 100.1)]
    session.round(1400, prints(1350, "buy", (100.2, 0.1)))
    assert session.fills[-1].through


def test_print_before_the_order_was_live_is_not_for_it() -> None:
    """A print of 1050 delivered after the order went live at 1100."""
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, prints(1050, "sell", (99.9, 50)))
    assert not session.fills
    assert session.ahead(1) == 10
    session.round(1400, said=(cancel(1300, 1),))
    assert session.statuses(1)[-1] == ("cancelled", "touched_before_live")


def test_print_at_the_very_time_of_going_live_is_for_it() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, prints(1100, "sell", (99.8, 50)))
    assert session.fills[0].ts == session.acks[0].live_ts
