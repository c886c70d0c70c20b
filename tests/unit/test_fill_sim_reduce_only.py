"""Reduce-only orders, worked by hand: never larger than the position, never on its side."""

import pytest

from papertrader.shared import messages as m
from tests.unit.fill_sim_session import Session, modify, ns, place, prints, quoted
from tests.unit.test_fill_sim_account import take


def long_two() -> Session:
    """A session at 1300 ms, 2 long."""
    session = quoted()
    take(session, 1200, 1, "buy", 100.1, 2)
    return session


@pytest.mark.parametrize(("side", "price"), [("buy", 99.9), ("sell", 100.1)])
def test_without_a_position_there_is_nothing_to_reduce(side: str, price: float) -> None:
    session = quoted(place(1000, 1, side, price, 1, reduce_only=True))
    assert session.statuses(1) == [("rejected", "reduce_only")]


def test_order_on_the_positions_side_is_rejected_and_a_larger_one_is_cut() -> None:
    session = long_two()
    session.round(1500, said=(place(1300, 2, "buy", 99.9, 1, reduce_only=True),))
    session.round(1600, said=(place(1400, 3, "sell", 100.1, 5, reduce_only=True),))
    session.round(1700, said=(place(1500, 4, "sell", 100.2, 1.5, reduce_only=True),))
    assert session.statuses(2) == [("rejected", "reduce_only")]
    assert session.statuses(3) == [("accepted", "reduce_only")]
    assert session.acks[-2].size == 2
    assert session.statuses(4) == [("accepted", "none")]


def test_orders_shrink_with_the_position_and_go_with_it() -> None:
    session = long_two()
    session.round(1500, said=(place(1300, 2, "sell", 100.2, 2, reduce_only=True), place(1300, 3, "sell", 100.3, 1)))
    session.round(1600, said=(place(1400, 4, "sell", 100.3, 1.5, reduce_only=True),))
    take(session, 1600, 5, "sell", 99.9, 1)
    assert session.statuses(2)[-1] == ("modified", "reduce_only")
    assert session.statuses(4)[-1] == ("modified", "reduce_only")
    assert sorted(session.orders["size"].tolist()) == [1, 1, 1], "of the plain order nothing is taken"
    take(session, 1700, 6, "sell", 99.9, 1)
    assert session.account.position == 0
    assert session.statuses(2)[-1] == ("cancelled", "reduce_only")
    assert session.statuses(4)[-1] == ("cancelled", "reduce_only")
    assert session.orders["order_id"].tolist() == [3]


def test_one_print_through_two_orders_does_not_turn_the_position() -> None:
    session = long_two()
    said = tuple(place(1300, 2 + n, "sell", 100.1 + 0.1 * n, 1.5, reduce_only=True) for n in range(2))
    session.round(1500, said=said)
    session.round(1600, prints(1550, "buy", (100.5, 50.0)))
    assert session.account.position == 0
    assert [fill.size for fill in session.fills[1:]] == [1.5, 0.5]
    assert session.statuses(2)[-1] == ("filled", "none")
    assert session.statuses(3)[-1] == ("cancelled", "reduce_only")


def test_ioc_sells_no_more_than_is_held() -> None:
    session = long_two()
    order = place(1300, 2, "sell", 99.7, 5, time_in_force="ioc", reduce_only=True)
    session.round(1500, said=(order,))
    assert session.account.position == 0
    assert session.statuses(2) == [("accepted", "reduce_only"), ("filled", "none")]


def test_modify_cannot_make_it_larger_than_the_position() -> None:
    session = long_two()
    session.round(1500, said=(place(1300, 2, "sell", 100.2, 1, reduce_only=True),))
    session.round(1700, said=(modify(1500, 2, 100.3, 9),))
    assert session.statuses(2)[-1][0] == "modified"
    assert session.acks[-1].size == 2


def test_margin_never_stands_in_the_way_of_reducing() -> None:
    """Asks for twice the position are live, and for more there is no margin: what only reduces is allowed beside."""
    session = quoted(initial_cash=201.0, leverage=1.0)
    take(session, 1200, 1, "buy", 100.1, 2)
    session.round(1500, said=(place(1300, 2, "sell", 100.3, 4),))
    session.round(1600, said=(place(1400, 3, "sell", 100.2, 1), place(1400, 4, "sell", 100.2, 1, reduce_only=True)))
    assert session.statuses(3) == [("rejected", "insufficient_margin")]
    assert session.statuses(4) == [("accepted", "none")]


def test_orders_without_the_word_reduce_nothing() -> None:
    assert m.Place(ts=ns(0), order_id=1, side="buy", price=1.0, size=1.0).reduce_only is False
