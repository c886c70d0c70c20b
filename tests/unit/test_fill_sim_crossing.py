"""Which own orders a crossing book fills, by how much and how often, by hand."""

import pytest

from papertrader.shared import messages as m
from tests.unit.fill_sim_session import ASKS, BIDS, Session, book, cancel, place, quoted
from tests.unit.test_fill_sim_account import take


def drawn(*orders: m.Place, **settings: object) -> Session:
    """Orders in the model that fills by crossing books."""
    return quoted(*orders, fill_model="draws", **settings)


LOCKED = book(1300, BIDS[1:], [(99.9, 2.0), (100.0, 5.0), *ASKS])
"""An ask of 2 at 99.9, and worse ones."""


def test_bid_is_crossed_by_the_asks_at_its_price_and_below() -> None:
    session = drawn(place(1000, 1, "buy", 99.9, 9))
    session.round(1300, LOCKED)
    assert [(fill.size, fill.through) for fill in session.fills] == [(2.0, True)]
    session.round(1400, book(1350, [(99.7, 1.0)], [(99.8, 1.5), (99.9, 2.0), (100.0, 5.0)]))
    assert [fill.size for fill in session.fills] == [2.0, 1.5]
    assert int(session.exchange.account_states["fills_crossed"][0]) == 2


def test_ask_is_crossed_by_the_bids_at_its_price_and_above() -> None:
    session = drawn(place(1000, 1, "sell", 100.1, 9))
    session.round(1300, book(1250, [(100.2, 1.0), (100.1, 2.0), (100.0, 4.0)], [(100.3, 1.0)]))
    assert [(fill.size, fill.through) for fill in session.fills] == [(3.0, True)]
    assert session.exchange.account_states["crossed"][0].tolist() == [0, 3]


def test_size_that_crosses_again_after_it_did_not_fills_again() -> None:
    session = drawn(place(1000, 1, "buy", 99.9, 3))
    session.round(1300, LOCKED)
    session.round(1400, book(1350, BIDS, ASKS))
    session.round(1500, book(1450, BIDS[1:], [(99.9, 2.0), *ASKS]))
    assert [fill.size for fill in session.fills] == [2.0, 1.0], "and 3 were wanted"


def test_orders_share_what_crosses_best_price_first() -> None:
    session = drawn(place(1000, 1, "buy", 99.8, 1), place(1000, 2, "buy", 99.9, 1), place(1000, 3, "buy", 99.9, 3))
    session.round(1300, book(1250, [(99.6, 1.0)], [(99.7, 0.5), (99.8, 1.0), (99.9, 2.0)]))
    assert [(fill.order_id, fill.size) for fill in session.fills] == [(2, 1.0), (3, 2.5)]


def test_book_older_than_what_was_seen_fills_nothing() -> None:
    session = drawn(place(1000, 1, "buy", 99.9, 1))
    session.round(1400, book(1310, BIDS, ASKS), LOCKED)
    assert not session.fills


@pytest.mark.parametrize(("ms", "filled"), [(1100, False), (1100.001, True), (1249.999, True), (1250, False)])
def test_book_crosses_an_order_after_its_join_and_before_its_cancel(ms: float, filled: bool) -> None:
    """Live at 1100, cancelled at 1250."""
    session = Session(fill_model="draws", late_print_ms=500.0)
    session.round(1000, book(1000, BIDS, ASKS))
    session.round(1090, said=(place(1000, 1, "buy", 99.9, 1),))
    session.round(1095, said=(cancel(1200, 1),))
    session.round(1300, book(ms, BIDS[1:], [(99.9, 2.0), *ASKS]))
    assert bool(session.fills) == filled


def test_older_message_does_not_make_the_same_size_cross_again() -> None:
    """2 cross; a message from before they did arrives; the next one shows the same 2."""
    session = drawn(place(1000, 1, "buy", 99.9, 9))
    session.round(1300, LOCKED)
    session.round(1350, book(1240, BIDS, ASKS))
    session.round(1450, book(1400, BIDS[1:], [(99.9, 2.0), *ASKS]))
    assert [fill.size for fill in session.fills] == [2.0]


def test_what_crossed_a_side_is_forgotten_while_there_is_no_order_of_it() -> None:
    """2 cross the only ask; the next message crosses the bid, and no ask; the next ask is crossed by 2 again."""
    session = drawn(place(1000, 1, "sell", 100.1, 2), place(1000, 2, "buy", 99.8, 1))
    session.round(1300, book(1250, [(100.1, 2.0)], [(100.3, 1.0)]))
    session.round(1350, book(1340, [(99.6, 1.0)], [(99.7, 1.0)]))
    session.round(1450, said=(place(1350, 3, "sell", 100.1, 2),))
    session.round(1600, book(1550, [(100.1, 2.0)], [(100.3, 1.0)]))
    assert [(fill.order_id, fill.size) for fill in session.fills] == [(1, 2.0), (2, 1.0), (3, 2.0)]


def test_size_that_still_crosses_fills_once_and_less_than_a_lot_nothing() -> None:
    session = drawn(place(1000, 1, "buy", 99.9, 9))
    session.round(1250, book(1230, BIDS[1:], [(99.9, 0.0005), *ASKS]))
    assert not session.fills
    session.round(1400, LOCKED, book(1350, BIDS[1:], [(99.9, 2.0), *ASKS]))
    assert [fill.size for fill in session.fills] == [2.0]


def test_marked_order_that_is_crossed_is_touched_and_not_filled() -> None:
    session = drawn(place(1000, 1, "buy", 99.9, 1), adverse_fill_ratio=1.0)
    session.round(1300, LOCKED)
    assert not session.fills
    session.round(1500, said=(cancel(1300, 1),))
    session.round(1600, book(1600, BIDS, ASKS))
    assert session.statuses(1)[-1] == ("cancelled", "not_through")


def test_book_that_crosses_nothing_checks_no_margin_within_a_round() -> None:
    """Where the mid stands for the mark it decides once a round: what was below in between is above again."""
    session = Session(fill_model="draws", initial_cash=50.0, leverage=20.0)
    session.round(1000, book(1000, BIDS, ASKS))
    take(session, 1000, 1, "buy", 100.1, 5)
    session.round(1150, said=(place(1050, 2, "buy", 80.0, 0.1),))
    session.round(1300, book(1200, [(81.9, 1.0)], [(82.0, 1.0)]), book(1250, BIDS, ASKS))
    assert session.account.position == 5


def test_fill_by_a_crossing_book_cuts_what_reduces_the_position() -> None:
    session = drawn()
    take(session, 1200, 1, "buy", 100.1, 2)
    session.round(1450, said=(place(1300, 2, "sell", 100.1, 2), place(1300, 3, "sell", 100.3, 2, reduce_only=True)))
    session.round(1600, book(1550, [(100.1, 5.0)], [(100.3, 1.0)]))
    assert session.account.position == 0
    assert session.statuses(3)[-1] == ("cancelled", "reduce_only")
