"""Orders that wait for the mark, worked by hand: when they are triggered, what they become, and who goes with whom."""

from typing import Any

import pytest

from papertrader.services.fill_sim.state import BAD_TRIGGER_PRICE, NEVER_TRIGGERED, POST_ONLY_WOULD_CROSS
from papertrader.shared import messages as m
from tests.unit.fill_sim_session import ASKS, BIDS, Session, bbo, book, cancel, context, ns, place, prints, quoted
from tests.unit.test_fill_sim_account import take


def trigger(ms: float, order_id: int, side: Any, price: float, size: float, at: float, **more: Any) -> m.Trigger:
    """An order with a trigger decided at a session time; a stop if nothing else is said."""
    fields = {"trigger": "stop", **more}
    return m.Trigger(ts=ns(ms), order_id=order_id, side=side, price=price, size=size, trigger_price=at, **fields)


def held(size: float = 2, **settings: Any) -> Session:
    """A session at 1300 ms, so much long at 100.1, the mark at 100."""
    session = quoted(**settings)
    take(session, 1200, 1, "buy", 100.1, size)
    session.round(1400, context(1350, mark=100.0))
    return session


def placed(session: Session, *orders: m.Message) -> None:
    """Let orders take effect; the session is at 1600 ms then."""
    session.round(1600, said=orders)


@pytest.mark.parametrize(
    ("side", "kind", "at", "before", "met"),
    [
        ("sell", "stop", 99.5, 99.6, 99.5),
        ("buy", "stop", 100.5, 100.4, 100.5),
        ("sell", "take_profit", 100.5, 100.4, 100.5),
        ("buy", "take_profit", 99.5, 99.6, 99.5),
    ],
)
def test_the_mark_triggers_at_the_trigger_price_and_not_before(
    side: str, kind: str, at: float, before: float, met: float
) -> None:
    session = held()
    price = 95.0 if side == "sell" else 105.0
    placed(session, trigger(1400, 2, side, price, 1, at, trigger=kind))
    assert session.statuses(2) == [("waiting", "none")]
    session.round(1700, context(1650, mark=before))
    assert session.statuses(2) == [("waiting", "none")]
    session.round(1800, context(1750, mark=met))
    assert session.statuses(2) == [
        ("waiting", "none"),
        ("triggered", "none"),
        ("accepted", "none"),
        ("filled", "none"),
    ]
    assert (session.fills[-1].price, session.fills[-1].size) == (99.9 if side == "sell" else 100.1, 1)
    assert session.fills[-1].ts == ns(1750), "the mark's own time, without a latency"


def test_what_waits_needs_no_margin_fills_by_no_print_and_was_never_live() -> None:
    session = held()
    placed(session, trigger(1400, 2, "sell", 95.0, 1_000, 99.0))
    session.round(1700, prints(1650, "sell", (98.0, 500.0)))
    assert session.statuses(2) == [("waiting", "none")]
    assert session.acks[-1].live_ts == 0
    session.round(1900, said=(cancel(1700, 2),))
    assert session.statuses(2)[-1] == ("cancelled", "never_triggered")
    assert session.acks[-1].live_ts == 0, "so nobody learns from it as from a quote"
    session.round(2000, context(1950, mark=90.0))
    assert len(session.fills) == 1


def test_what_ended_waiting_is_counted_as_what_it_was() -> None:
    session = held()
    placed(session, trigger(1400, 2, "sell", 95.0, 1, 99.0), trigger(1400, 3, "sell", 95.0, 1, 99.05))
    session.round(1900, said=(cancel(1700, 2),))
    account = session.exchange.account_states[0]
    assert (account["cancelled"], account["unfilled"][NEVER_TRIGGERED], sum(account["unfilled"])) == (1, 1, 1)
    assert (account["rejected"][BAD_TRIGGER_PRICE], sum(account["rejected"])) == (1, 1)


def test_a_triggered_limit_rests_and_is_filled_as_any_order() -> None:
    session = held()
    placed(session, trigger(1400, 2, "sell", 100.3, 1, 100.2, trigger="take_profit", time_in_force="gtc"))
    session.round(1700, context(1650, mark=100.2))
    assert session.statuses(2)[-1] == ("accepted", "none")
    assert session.ahead(2) == 30, "at the back of the line at its price"
    session.round(1800, prints(1750, "buy", (100.4, 1.0)))
    assert session.statuses(2)[-1] == ("filled", "none")
    assert session.fills[-1].price == 100.3


def test_a_market_trigger_takes_no_worse_than_its_price() -> None:
    session = held(12)
    placed(session, trigger(1400, 2, "sell", 99.9, 12, 99.9))
    session.round(1700, context(1650, mark=99.5))
    assert [fill.size for fill in session.fills if fill.order_id == 2] == [10]
    assert session.statuses(2)[-1] == ("expired", "none")


def test_a_condition_that_holds_already_triggers_at_once() -> None:
    session = held()
    placed(session, trigger(1400, 2, "sell", 95.0, 1, 100.0))
    assert [status for status, _ in session.statuses(2)] == ["waiting", "triggered", "accepted", "filled"]
    assert session.fills[-1].ts == ns(1500)


def test_without_a_mark_the_mid_triggers_at_the_rounds_end() -> None:
    session = quoted()
    take(session, 1200, 1, "buy", 100.1, 2)
    placed(session, trigger(1400, 2, "sell", 95.0, 2, 99.5))
    session.round(1800, bbo(1650, (99.4, 5), (99.5, 5)))
    assert session.statuses(2) == [("waiting", "none")], "the round's end is the moment, the rest is the next one's"
    session.round(1900)
    assert [status for status, _ in session.statuses(2)][-1] == "filled"
    assert session.fills[-1].ts == ns(1800)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trigger_price": 0.0}, "bad_trigger_price"),
        ({"trigger_price": -5.0}, "bad_trigger_price"),
        ({"trigger_price": 99.55}, "bad_trigger_price"),
        ({"price": 99.6}, "bad_trigger_price"),
        ({"price": 99.45, "time_in_force": "gtc"}, "off_tick"),
        ({"price": 50.0}, "too_far_from_mid"),
        ({"size": 0.0}, "bad_size"),
        ({"size": 0.0005}, "off_lot"),
        ({"side": "buy", "price": 105.0, "whole_position": True, "reduce_only": True}, "reduce_only"),
        ({"whole_position": True}, "reduce_only"),
        ({"replaces": 77}, "unknown_order"),
        ({"parent": 77}, "unknown_order"),
        ({"order_id": 3}, "duplicate_order_id"),
    ],
)
def test_what_cannot_wait_is_rejected(fields: dict[str, Any], reason: str) -> None:
    session = held()
    placed(session, place(1400, 3, "sell", 100.3, 1))
    asked = m.Trigger(ts=ns(1600), order_id=2, side="sell", price=95.0, size=1, trigger_price=99.5, trigger="stop")
    whole = {name: getattr(asked, name) for name in asked.__struct_fields__} | fields
    session.round(1800, said=(m.Trigger(**whole),))
    assert session.statuses(fields.get("order_id", 2))[-1] == ("rejected", reason)


def test_so_many_may_wait() -> None:
    session = held()
    placed(session, *(trigger(1400, 10 + n, "sell", 95.0, 1, 99.0) for n in range(65)))
    assert [session.statuses(10 + n)[-1][0] for n in range(65)] == ["waiting"] * 64 + ["rejected"]
    assert session.statuses(74)[-1] == ("rejected", "too_many_orders")


def test_a_reduce_only_trigger_is_cut_to_the_position_and_rejected_without_one() -> None:
    session = held()
    placed(
        session,
        trigger(1400, 2, "sell", 95.0, 5, 99.5, reduce_only=True),
        trigger(1400, 3, "sell", 95.0, 5, 99.0, reduce_only=True),
    )
    session.round(1700, context(1650, mark=99.5))
    assert session.fills[-1].size == 2
    assert session.account.position == 0
    session.round(1800, context(1750, mark=99.0))
    assert session.statuses(3) == [("waiting", "none"), ("triggered", "none"), ("rejected", "reduce_only")]


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


def test_one_that_replaces_another_takes_its_place_in_one_step() -> None:
    session = held()
    placed(session, trigger(1400, 2, "sell", 95.0, 1, 99.0))
    session.round(1800, said=(trigger(1600, 3, "sell", 95.0, 1, 98.0, replaces=2),))
    assert [(ack.order_id, ack.status) for ack in session.acks[-2:]] == [(3, "waiting"), (2, "cancelled")]
    session.round(2000, said=(trigger(1800, 4, "sell", 95.0, 1, 97.05, replaces=3),))
    assert session.statuses(4) == [("rejected", "bad_trigger_price")]
    assert session.statuses(3)[-1] == ("cancelled", "never_triggered"), "the old one is gone all the same"


@pytest.mark.parametrize("action", ["reset", "flatten"])
def test_an_operator_who_begins_afresh_leaves_nothing_waiting(action: Any) -> None:
    session = held()
    placed(session, trigger(1400, 2, "sell", 95.0, 1, 99.0))
    session.round(1900, said=(m.Control(ts=ns(1600), action=action),))
    assert session.statuses(2)[-1] == ("cancelled", "reset" if action == "reset" else "never_triggered")
    session.round(2100, context(2050, mark=90.0))
    assert not [fill for fill in session.fills if fill.order_id == 2]


def test_a_liquidation_leaves_nothing_waiting() -> None:
    session = held(10, initial_cash=100.0, leverage=20.0)
    placed(session, trigger(1400, 2, "sell", 45.0, 1, 50.0))
    session.round(1700, context(1650, mark=60.0))
    assert session.statuses(2)[-1] == ("cancelled", "liquidated")


def test_triggers_of_one_mark_come_in_the_order_in_which_they_were_placed() -> None:
    session = held(12)
    placed(session, *(trigger(1400, n, "sell", 95.0, 4, 99.0 + n / 10) for n in (4, 3, 2)))
    session.round(1700, context(1650, mark=98.0))
    assert [fill.order_id for fill in session.fills[1:]] == [4, 3, 2]


def test_triggers_come_in_their_order_whatever_became_of_others() -> None:
    """Whoever leaves the table leaves his place in it to the last."""
    session = held(12)
    placed(session, *(trigger(1400, n, "sell", 95.0, 1, 99.0) for n in (2, 3, 4, 5)))
    session.round(1800, said=(cancel(1600, 2),))
    session.round(2000, said=(trigger(1800, 6, "sell", 95.0, 1, 99.0), cancel(1850, 3)))
    session.round(2100, said=(trigger(2000, 7, "sell", 95.0, 1, 98.0),))
    session.round(2200, context(2150, mark=99.0))
    assert [fill.order_id for fill in session.fills[1:]] == [4, 5, 6]


def test_nobody_trades_with_himself() -> None:
    session = quoted(place(1000, 1, "sell", 100.1, 1), place(1000, 2, "sell", 100.2, 1), place(1000, 3, "buy", 99.9, 1))
    session.round(1500, said=(place(1300, 4, "buy", 100.2, 5, time_in_force="ioc"),))
    assert session.statuses(4)[-1] == ("filled", "none")
    assert session.statuses(1)[-1] == ("cancelled", "self_trade")
    assert [session.statuses(n)[-1][0] for n in (2, 3)] == ["accepted", "accepted"], "he did not get that far"
    session.round(1800, said=(place(1600, 5, "buy", 100.2, 50, time_in_force="gtc"),))
    assert session.statuses(2)[-1] == ("cancelled", "self_trade")


def test_what_takes_when_it_is_triggered_goes_no_farther_from_the_mid_than_any_order() -> None:
    """At a mid of 95 a fifth above it is 114; a limit that rests keeps its price."""
    session = held()
    rests = {"trigger": "take_profit", "time_in_force": "gtc"}
    placed(session, trigger(1400, 2, "buy", 120.0, 1, 100.5), trigger(1400, 3, "sell", 120.0, 1, 100.5, **rests))
    session.round(1700, book(1620, [(94.9, 5.0)], [(95.1, 5.0)]), context(1650, mark=100.5))
    told = {ack.order_id: ack.price for ack in session.acks if ack.status == "triggered"}
    assert told == {2: pytest.approx(114.0), 3: 120.0}
    assert [(fill.price, fill.size) for fill in session.fills if fill.order_id == 2] == [(95.1, 1)]


@pytest.mark.parametrize("kind", ["perpetual", "spot"])
def test_a_context_triggers_nothing_where_the_mid_is_the_mark(kind: Any) -> None:
    """Of spot a mark does not count; a venue that says none has contexts all the same."""
    session = Session(m.Instrument(ts=ns(0), tick_size=0.1, lot_size=0.001, kind=kind))
    session.round(1000, book(1000, BIDS, ASKS))
    take(session, 1000, 1, "buy", 100.1, 2)
    placed(session, trigger(1400, 2, "sell", 95.0, 1, 99.5))
    told = context(1680, mark=90.0 if kind == "spot" else None, funding_rate=0.0)
    session.round(1700, bbo(1650, (99.3, 5), (99.5, 5)), told)
    session.round(1800)
    assert [status for status, _ in session.statuses(2)] == ["waiting", "triggered", "accepted", "filled"]
    assert session.fills[-1].ts == ns(1700), "the round's end, not the context"


def test_marks_below_one_trigger_as_any() -> None:
    session = Session(m.Instrument(ts=ns(0), tick_size=0.001, lot_size=1))
    session.round(1000, book(1000, [(0.499, 500.0)], [(0.501, 500.0)]), context(1000, mark=0.5))
    take(session, 1000, 1, "buy", 0.501, 100)
    placed(session, trigger(1400, 2, "sell", 0.45, 100, 0.49))
    session.round(1700, context(1650, mark=0.49))
    assert session.statuses(2)[-1] == ("filled", "none")
