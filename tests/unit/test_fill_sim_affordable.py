"""What an account can pay for, by hand, at the very boundaries: by margin, in spot, and of a print that is late."""

from typing import Any

import pytest

from papertrader.shared import messages as m
from tests.unit.fill_sim_session import Session, book, cancel, context, modify, ns, place, prints
from tests.unit.test_fill_sim_account import take
from tests.unit.test_fill_sim_money import SPOT, begun

LINEAR = m.Instrument(ts=ns(0), tick_size=0.1, lot_size=0.001)


def answered(session: Session, ms: float, *orders: m.Place) -> list[str]:
    """What became of orders decided at `ms`."""
    session.round(ms + 150, said=orders)
    return [session.statuses(order.order_id)[0][0] for order in orders]


def test_margin_may_be_used_up_to_the_last_cent() -> None:
    """1000 at leverage 2 carry 20 of 100, and nothing more."""
    session = begun(LINEAR, initial_cash=1000.0, leverage=2.0)
    assert answered(session, 1000, place(1000, 1, "buy", 99.9, 20)) == ["accepted"]
    assert answered(session, 1200, place(1200, 2, "buy", 99.8, 0.001)) == ["rejected"]


@pytest.mark.parametrize(("side", "price", "other", "sign"), [("buy", 100.1, "sell", 1), ("sell", 99.9, "buy", -1)])
def test_margin_of_more_is_of_the_position_that_results(side: str, price: float, other: str, sign: int) -> None:
    """4 held at the mid of 90 or 110 that lost 10.1 a unit, 960 left: 8 of 120 at the mark, the 4 held and 4 more."""
    session = begun(LINEAR, initial_cash=1000.4, leverage=1.0)
    take(session, 1000, 1, side, price, 4)
    mid = 100 - sign * 10
    levels = [(mid - 0.1, 1000.0)], [(mid + 0.1, 1000.0)]
    session.round(1300, book(1250, *levels), context(1260, mark=120.0))
    at = mid - 0.2 * sign
    assert answered(session, 1300, place(1300, 2, side, at, 4.001)) == ["rejected"]
    assert answered(session, 1500, place(1500, 3, side, at, 3.999)) == ["accepted"]
    assert answered(session, 1700, place(1700, 4, other, mid + 0.2 * sign, 4)) == ["accepted"]


def test_order_may_turn_the_position_into_one_that_is_no_larger() -> None:
    """10 long of 11 possible, then the mark doubles: 20 may be sold, 20.001 not, nor half as much again."""
    session = begun(LINEAR, initial_cash=1100.0, leverage=1.0)
    take(session, 1000, 1, "buy", 100.1, 10)
    session.round(1300, context(1250, mark=200.0))
    sells = (place(1300, 2, "sell", 100.1, 25), place(1300, 3, "sell", 100.1, 20.001))
    assert answered(session, 1300, *sells) == ["rejected", "rejected"]
    assert answered(session, 1500, place(1500, 4, "sell", 100.1, 20)) == ["accepted"]


def test_spot_spends_all_of_its_cash_and_no_more() -> None:
    for size, status in ((10.0, "accepted"), (10.005, "rejected"), (9.995, "accepted")):
        session = begun(SPOT, initial_cash=999.0)
        assert answered(session, 1000, place(1000, 1, "buy", 99.9, size)) == [status]


def test_spot_pays_the_fee_of_the_whole_value() -> None:
    """4 at 99.9 are 399.6, and 1 % of that is 3.996."""
    for cash, status in ((403.59, "rejected"), (403.6, "accepted")):
        session = begun(SPOT, initial_cash=cash, maker_fee_bps=100.0)
        assert answered(session, 1000, place(1000, 1, "buy", 99.9, 4.0)) == [status]


def test_rebate_pays_for_nothing_in_advance() -> None:
    session = begun(SPOT, initial_cash=999.0, maker_fee_bps=-50.0, taker_fee_bps=-40.0)
    assert answered(session, 1000, place(1000, 1, "buy", 99.9, 10.01)) == ["rejected"]
    assert answered(session, 1200, place(1200, 2, "buy", 99.9, 10.0)) == ["accepted"]


def test_spot_sells_all_that_it_holds_and_no_more() -> None:
    session = begun(SPOT)
    take(session, 1000, 1, "buy", 100.1, 2)
    assert answered(session, 1200, place(1200, 2, "sell", 100.3, 3)) == ["rejected"]
    assert answered(session, 1400, place(1400, 3, "sell", 100.3, 1.5)) == ["accepted"]
    assert answered(session, 1600, place(1600, 4, "sell", 100.3, 0.6)) == ["rejected"], "1.5 may be sold already"
    assert answered(session, 1800, place(1800, 5, "sell", 100.3, 0.5)) == ["accepted"]


def test_spot_cash_is_reserved_by_what_live_bids_may_still_cost() -> None:
    """1000: 5 wanted at 99.9, 1 of them filled, so 399.6 are reserved of 900.1: 500.5 are free, 5 at 99.8 fit.

    An ask in the market reserves no cash, nor does a bid whose cancel has taken effect.
    """
    session = begun(SPOT, initial_cash=1000.0, late_print_ms=5000.0)
    answered(session, 1000, place(1000, 1, "buy", 99.9, 5))
    session.round(1250, prints(1200, "sell", (99.8, 1.0)))
    assert session.account.position == 1
    assert answered(session, 1300, place(1300, 2, "sell", 100.3, 1)) == ["accepted"]
    assert answered(session, 1500, place(1500, 3, "buy", 99.8, 5.1)) == ["rejected"]
    assert answered(session, 1700, place(1700, 4, "buy", 99.8, 5)) == ["accepted"]
    session.round(2000, said=(cancel(1900, 4),))
    assert answered(session, 2000, place(2000, 5, "buy", 99.8, 5)) == ["accepted"]


def test_modified_order_does_not_compete_with_itself() -> None:
    """5 wanted, 1 filled: 900.1 are left and carry 9 more, 10 in all."""
    session = begun(SPOT, initial_cash=1000.0)
    answered(session, 1000, place(1000, 1, "buy", 99.9, 5))
    session.round(1250, prints(1200, "sell", (99.8, 1.0)))
    session.round(1500, said=(modify(1300, 1, 99.9, 10),))
    session.round(1800, said=(modify(1600, 1, 99.9, 10.1),))
    assert session.statuses(1)[1:] == [("modified", "none"), ("refused", "insufficient_balance")]


def late(side: str, price: float, through: float, **settings: Any) -> Session:
    """Two orders of 8, the first cancelled before the second; the second is filled by 6, then a print of before comes.

    It goes through the first, which the account has no money or coins for any more.
    """
    session = begun(SPOT, late_print_ms=1000.0, **settings)
    if side == "sell":
        take(session, 1000, 9, "buy", 100.1, 8)
    answered(session, 1200, place(1200, 1, side, price, 8))
    session.round(1500, said=(cancel(1400, 1), place(1400, 2, side, price, 8)))
    aggressor: m.Side = "sell" if side == "buy" else "buy"
    session.round(1600, prints(1550, aggressor, (through, 7.75)))
    session.round(1700, prints(1440, aggressor, (through, 50.0), first_id=7))
    return session


def test_late_print_buys_what_the_cash_still_pays_for() -> None:
    """850 buy 8 at 99.9 and its 1 % of fee; 7.75 cost 781.97, and 68.03 pay for 0.674 more."""
    session = late("buy", 99.9, 99.8, initial_cash=850.0, maker_fee_bps=100.0)
    assert [(fill.order_id, fill.size) for fill in session.fills] == [(2, 7.75), (1, 0.674)]
    assert 0 <= session.account.cash < 0.101


def test_late_print_sells_what_is_still_held() -> None:
    session = late("sell", 100.1, 100.2)
    assert [(fill.order_id, fill.size) for fill in session.fills[1:]] == [(2, 7.75), (1, 0.25)]


def test_late_print_leaves_what_a_reduce_only_order_may_not_take_to_the_next() -> None:
    """Long 2, then short 0.5, before a late print: it is the plain ask's alone, and no more than the print."""
    session = begun(LINEAR, late_print_ms=1000.0)
    session.round(1100, book(1050, [(99.9, 1000.0)], [(100.2, 1000.0)]))
    take(session, 1100, 1, "buy", 100.2, 2)
    asks = (place(1200, 2, "sell", 100.1, 2, reduce_only=True), place(1200, 3, "sell", 100.1, 5))
    assert answered(session, 1200, *asks) == ["accepted", "accepted"]
    session.round(1480, said=(cancel(1350, 2), place(1350, 4, "sell", 99.9, 2.5, time_in_force="ioc")))
    assert session.account.position == -0.5
    session.round(1550, prints(1390, "buy", (100.1, 1.0)))
    assert [(fill.order_id, fill.size) for fill in session.fills[2:]] == [(3, 1.0)]
