"""Orders that belong to others, worked by hand: children of a parent, siblings, and those of a whole position."""

from typing import Any

import pytest

from papertrader.services.fill_sim.state import BAD_TRIGGER_PRICE, POST_ONLY_WOULD_CROSS
from papertrader.shared import messages as m
from tests.unit.fill_sim_session import BIDS, Session, book, cancel, context, place, prints, quoted
from tests.unit.test_fill_sim_account import take
from tests.unit.test_fill_sim_triggers import held, placed, trigger


def bracket(session: Session, ms: float, parent: m.Place) -> None:
    """A parent of 1, its take-profit 11 and its stop 12."""
    exits = {"reduce_only": True, "parent": parent.order_id, "group": parent.order_id}
    session.round(
        ms + 200,
        said=(
            parent,
            trigger(ms, 11, "sell", 95.0, 1, 101.0, trigger="take_profit", **exits),
            trigger(ms, 12, "sell", 95.0, 1, 99.0, **exits),
        ),
    )


def test_children_wait_for_their_parent_and_then_for_the_mark() -> None:
    session = quoted()
    session.round(1400, context(1350, mark=100.0))
    bracket(session, 1400, place(1400, 1, "buy", 99.9, 1, time_in_force="gtc"))
    assert session.statuses(11) == session.statuses(12) == [("waiting", "waits_for_parent")]
    session.round(1700, context(1650, mark=98.0))
    assert session.statuses(12) == [("waiting", "waits_for_parent")], "the entry has not been filled"
    session.round(1800, context(1750, mark=100.0))
    session.round(1900, prints(1850, "sell", (99.8, 5.0)))
    assert session.statuses(11)[-1] == session.statuses(12)[-1] == ("waiting", "none")
    session.round(2000, context(1950, mark=99.0))
    assert session.statuses(12)[-1] == ("filled", "none")
    assert session.statuses(11)[-1] == ("cancelled", "sibling_filled")
    assert session.account.position == 0
    waited = [ack for ack in session.acks if ack.status in ("waiting", "triggered")]
    assert [ack.live_ts for ack in waited] == [0] * 5, "nobody learns from what was never live"


def test_a_parent_that_takes_at_once_has_its_children_waiting_at_once() -> None:
    session = quoted()
    session.round(1400, context(1350, mark=100.0))
    bracket(session, 1400, place(1400, 1, "buy", 100.1, 1, time_in_force="ioc"))
    for child in (11, 12):
        assert session.statuses(child) == [("waiting", "waits_for_parent"), ("waiting", "none")]


def test_children_go_with_a_parent_that_is_rejected_or_cancelled() -> None:
    session = quoted()
    session.round(1400, context(1350, mark=100.0))
    bracket(session, 1400, place(1400, 1, "buy", 100.1, 1))
    assert session.statuses(1) == [("rejected", "post_only_would_cross")]
    assert session.statuses(11) == session.statuses(12) == [("rejected", "post_only_would_cross")]
    assert session.exchange.account_states[0]["rejected"][POST_ONLY_WOULD_CROSS] == 3
    bracket(session, 1600, place(1600, 2, "buy", 99.9, 1, time_in_force="gtc"))
    session.round(2000, said=(cancel(1800, 2),))
    assert session.statuses(11)[-1] == session.statuses(12)[-1] == ("cancelled", "parent_ended")


def test_child_that_cannot_wait_is_rejected_when_its_parent_is_live() -> None:
    session = quoted()
    session.round(1400, context(1350, mark=100.0))
    child = trigger(1400, 12, "sell", 95.0, 1, 99.05, parent=1)
    session.round(1600, said=(place(1400, 1, "buy", 99.9, 1, time_in_force="gtc"), child))
    assert session.statuses(1) == [("accepted", "none")]
    assert session.statuses(12) == [("rejected", "bad_trigger_price")]
    assert session.exchange.account_states[0]["rejected"][BAD_TRIGGER_PRICE] == 1


@pytest.mark.parametrize(
    ("parent", "at", "ended"),
    [
        (place(1400, 1, "buy", 100.1, 1), 99.0, "rejected"),
        (place(1400, 1, "buy", 99.9, 1), 99.05, "rejected"),
        (place(1400, 1, "buy", 99.9, 1), 99.0, "cancelled"),
        (None, 99.0, "cancelled"),
    ],
    ids=["with a parent that is rejected", "when their parent is live", "with a parent that ends", "with a position"],
)
@pytest.mark.parametrize(("count", "gone"), [(64, 0), (4, 3)])
def test_each_of_a_full_table_ends_once_and_none_that_was_gone_before(
    parent: m.Place | None, at: float, ended: str, count: int, gone: int
) -> None:
    session = held(placement_latency_ms=100.0, cancel_latency_ms=10.0)
    fields: dict[str, Any] = {"parent": 1} if parent else {"whole_position": True, "reduce_only": True}
    crowd = [trigger(1400, 100 + n, "sell", 95.0, 1 if parent else 0, at, **fields) for n in range(count)]
    decided_ms = 1410 if parent else 1550
    cancels = [cancel(decided_ms, 100 + n) for n in range(count - gone, count)]
    placed(session, *([parent] if parent else []), *crowd, *cancels)
    if parent:
        session.round(1900, said=(cancel(1700, 1),))
    else:
        take(session, 1600, 4, "sell", 99.9, 2)
    ends = [ack.status for ack in session.acks if ack.order_id >= 100 and ack.status != "waiting"]
    assert sorted(ends) == sorted([ended] * (count - gone) + ["cancelled"] * gone)


def test_each_parent_has_children_of_its_own() -> None:
    """1 is live when its child comes, 3 is rejected, 2 is cancelled; 90 is nobody's and 77 is not there."""
    session = held()
    placed(session, place(1400, 1, "buy", 99.9, 1, time_in_force="gtc"), place(1400, 4, "sell", 100.3, 1))
    session.round(
        1900,
        said=(
            trigger(1600, 90, "sell", 95.0, 1, 99.0),
            trigger(1600, 11, "sell", 95.0, 1, 99.0, parent=1, group=1),
            place(1600, 2, "buy", 99.8, 1),
            trigger(1600, 21, "sell", 95.0, 1, 99.0, parent=2),
            trigger(1600, 22, "sell", 95.0, 1, 99.05, parent=2),
            place(1600, 3, "buy", 100.1, 1),
            trigger(1600, 31, "sell", 95.0, 1, 99.0, parent=3),
            trigger(1600, 71, "sell", 95.0, 1, 99.0, parent=77),
        ),
    )
    waits = [("waiting", "waits_for_parent")]
    assert session.statuses(11) == session.statuses(21) == waits
    assert session.statuses(22) == [("rejected", "bad_trigger_price")]
    assert session.statuses(31) == [("rejected", "post_only_would_cross")]
    assert session.statuses(71) == [("rejected", "unknown_order")]
    session.round(2200, said=(cancel(1900, 2),))
    assert session.statuses(21) == [*waits, ("cancelled", "parent_ended")]
    session.round(2400, prints(2300, "sell", (99.8, 5.0)))
    assert session.statuses(11) == [*waits, ("waiting", "none")]
    session.round(2600, context(2500, mark=99.0))
    assert session.statuses(90)[-1] == session.statuses(11)[-1] == ("filled", "none")
    assert session.statuses(4) == [("accepted", "none")], "it belongs to no group"


def test_children_of_a_parent_that_took_a_part_wait_all_the_same_but_not_of_one_cancelled_by_hand() -> None:
    session = quoted()
    session.round(1400, context(1350, mark=100.0))
    exits = {"reduce_only": True, "parent": 1, "group": 1}
    entry = place(1400, 1, "buy", 100.1, 15, time_in_force="ioc")
    session.round(1600, said=(entry, trigger(1400, 12, "sell", 95.0, 15, 99.0, **exits)))
    assert session.statuses(1)[-1][0] == "expired"
    assert session.statuses(12)[-1] == ("waiting", "none")
    session.round(1700, context(1650, mark=99.0))
    assert [fill.size for fill in session.fills if fill.order_id == 12] == [10], "cut to what is held"


@pytest.mark.parametrize(
    ("offered", "limit", "ends"),
    [(0.5, 100.1, ("waiting", "none")), (0.5, 100.0, ("cancelled", "parent_ended"))],
)
def test_children_of_a_parent_that_took_little_wait_and_of_one_that_took_nothing_end(
    offered: float, limit: float, ends: tuple[str, str]
) -> None:
    session = quoted()
    session.round(1400, book(1300, BIDS, [(100.1, offered)]), context(1350, mark=100.0))
    bracket(session, 1400, place(1400, 1, "buy", limit, 1, time_in_force="ioc"))
    assert session.statuses(1)[-1][0] == "expired"
    assert session.statuses(12)[-1] == ends


def test_a_resting_sibling_is_cancelled_when_the_other_is_filled() -> None:
    session = held()
    placed(
        session,
        trigger(1400, 2, "sell", 100.3, 2, 100.2, trigger="take_profit", time_in_force="gtc", group=2),
        trigger(1400, 3, "sell", 95.0, 2, 99.0, group=2),
    )
    session.round(1700, context(1650, mark=100.2))
    assert session.statuses(2)[-1] == ("accepted", "none")
    assert session.statuses(3)[-1] == ("waiting", "none"), "it is triggered, not filled"
    session.round(1800, context(1750, mark=99.0))
    assert session.statuses(3)[-1] == ("filled", "none")
    assert session.statuses(2)[-1] == ("cancelled", "sibling_filled")


def test_an_order_of_the_whole_position_follows_it() -> None:
    session = held()
    whole = {"whole_position": True, "reduce_only": True, "group": 2}
    placed(
        session,
        trigger(1400, 2, "sell", 95.0, 0, 99.0, **whole),
        trigger(1400, 3, "sell", 95.0, 0, 101.0, trigger="take_profit", **whole),
    )
    take(session, 1600, 4, "buy", 100.1, 1)
    session.round(1900, context(1850, mark=99.0))
    assert [fill.size for fill in session.fills if fill.order_id == 2] == [3]
    assert session.statuses(3)[-1] == ("cancelled", "sibling_filled")
    assert session.account.position == 0


def test_an_order_of_the_whole_position_goes_with_it() -> None:
    session = held()
    placed(session, trigger(1400, 2, "sell", 95.0, 0, 99.0, whole_position=True, reduce_only=True))
    take(session, 1600, 4, "sell", 99.9, 2)
    assert session.statuses(2)[-1] == ("cancelled", "reduce_only")
