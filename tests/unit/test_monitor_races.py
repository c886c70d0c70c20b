"""Cancels against takers, worked by hand."""

import pytest

from papertrader.services.monitor.facts.facts import AccountFacts
from papertrader.services.monitor.facts.hearing import HEARING
from papertrader.services.monitor.facts.races import Races
from papertrader.shared.messages import Cancel
from tests.messages import ack, fill, markout
from tests.unit.monitoring import START

T, MS = START, 1_000_000


def test_a_cancel_without_a_fill_was_in_time() -> None:
    races = Races()
    races.on_fill(fill(T, order_id=7))
    races.on_cancel(Cancel(ts=T + 10, order_id=7))
    races.on_ack(ack(None, T + 300 * MS, order_id=7, status="cancelled"))
    assert races.summary() == {
        "in_time": 1, "lost": 0, "lost_by_a_block": 0, "late_ms": None, "worth": 0.0, "worth_by_a_block": 0.0
    }  # fmt: skip


def test_fills_since_the_decision_lose_the_race() -> None:
    """Order 7 is filled 50 ms before its cancel takes effect, less than a block; order 8 by 250 ms, and wholly."""
    races = Races()
    for order_id, filled_ms, size, bps in ((7, 250, 2.0, -1.0), (8, 50, 1.0, -3.0)):
        races.on_cancel(Cancel(ts=T, order_id=order_id))
        races.on_fill(fill(T + filled_ms * MS, fill_id=order_id, order_id=order_id, size=size))
        status, reason = ("cancelled", "none") if order_id == 7 else ("refused", "unknown_order")
        races.on_ack(ack(None, T + filled_ms * MS, order_id=8, status="filled"))
        races.on_ack(ack(None, T + 300 * MS, order_id=order_id, status=status, reason=reason))
        races.on_markout(markout(T, fill_id=order_id, order_id=order_id, price=100.0, size=size, markout_bps=bps))
    assert (races.in_time, races.lost, races.lost_by_a_block) == (0, 2, 1)
    found = races.summary()
    assert found["late_ms"] == pytest.approx((50 + 250) / 2)
    assert found["worth_by_a_block"] == pytest.approx(-1e-4 * 200)
    assert found["worth"] == pytest.approx(-1e-4 * 200 - 3e-4 * 100)


def test_other_refusals_and_markouts_are_none_of_its_business() -> None:
    facts = AccountFacts()
    HEARING["acks"](facts, ack(None, T, order_id=5, status="refused", reason="unknown_order"), T)
    HEARING["markouts"](facts, markout(T), T)
    HEARING["orders"](facts, Cancel(ts=T, order_id=5), T)
    HEARING["fills"](facts, fill(T + 5, order_id=5), T)
    HEARING["acks"](facts, ack(None, T + 9, order_id=5, status="cancelled"), T)
    assert (facts.races.lost, facts.races.in_time) == (1, 0)
