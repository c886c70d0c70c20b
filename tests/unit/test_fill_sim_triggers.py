"""Orders that wait for the mark, worked by hand: when they are triggered, and what they become."""

from typing import Any

import pytest

from papertrader.services.fill_sim.state import BAD_TRIGGER_PRICE, NEVER_TRIGGERED
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
