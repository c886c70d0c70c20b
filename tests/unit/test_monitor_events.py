"""What an operator reads: a bounded list, repetitions counted, nothing lost that happened once."""

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.events import EVENTS_KEPT, TEXT_LIMIT, Events
from papertrader.services.monitor.facts.facts import AccountFacts
from papertrader.services.monitor.facts.hearing import HEARING
from papertrader.services.monitor.service import Monitor
from papertrader.shared.messages import Control
from tests.messages import account, ack, place
from tests.unit.monitoring import ACCOUNT, MARKET, Session

T = 1_700_000_000_000_000_000


def test_repetitions_are_counted_and_become_the_newest() -> None:
    events = Events()
    events.note(T, "warning", "order", "off tick")
    events.note(T + 1, "info", "control", "pause")
    events.note(T + 2, "warning", "order", "off tick")
    assert [(event.text, event.count, event.ts, event.number) for event in events.kept] == [
        ("pause", 1, T + 1, 2),
        ("off tick", 2, T + 2, 3),
    ]
    assert [event.text for event in events.since(2)] == ["off tick"]
    assert events.since(3) == []


def test_events_are_bounded_in_number_and_length() -> None:
    events = Events()
    for number in range(EVENTS_KEPT + 20):
        events.note(T + number, "info", "gap", f"{number} " + "x" * 1000)
    assert len(events.kept) == EVENTS_KEPT
    assert events.said == EVENTS_KEPT + 20
    assert events.kept[-1].text.startswith(f"{EVENTS_KEPT + 19} ")
    assert max(len(event.text) for event in events.kept) == TEXT_LIMIT


def test_commands_rejections_and_liquidations_are_events() -> None:
    facts = AccountFacts()
    HEARING["control"](facts, Control(ts=T, action="flatten"), T)
    HEARING["acks"](facts, ack(None, T, order_id=1, status="rejected", reason="off_tick"), T)
    HEARING["acks"](facts, ack(None, T, order_id=2, status="refused", reason="unknown_order"), T)
    HEARING["acks"](facts, ack(None, T, order_id=3, status="accepted"), T)
    HEARING["account"](facts, account(T), T)
    HEARING["account"](facts, account(T, liquidations=1), T)
    assert [(event.kind, event.level) for event in facts.events.kept] == [
        ("control", "info"),
        ("order", "warning"),
        ("order", "warning"),
        ("liquidation", "error"),
    ]
    assert facts.events.kept[1].text == "an order was rejected: off tick"
    assert facts.controls == 1


def test_a_live_order_knows_its_place_and_its_forecast() -> None:
    facts = AccountFacts()
    HEARING["orders"](facts, place(T, order_id=1, p_fill=0.25), T)
    assert (facts.working[1].p_fill, facts.working[1].queue_ahead) == (0.25, None)
    HEARING["acks"](facts, ack(None, T, order_id=1, status="accepted", queue_ahead=3.5), T)
    assert facts.working[1].queue_ahead == 3.5


def test_a_check_that_fails_is_an_event_with_its_cause_and_survives_a_checkpoint() -> None:
    monitor = Monitor(MARKET, {ACCOUNT: MonitorConfig()})
    for round_ in Session(("estimator",), 60).rounds(120):
        monitor.fold(round_)
    monitor.state()
    failed = [event for event in monitor.facts.accounts[ACCOUNT].events.kept if event.level == "error"]
    assert any("no estimate for" in event.text for event in failed)
