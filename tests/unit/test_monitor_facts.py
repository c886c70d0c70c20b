"""What each message changes in the facts, and how counts are compared."""

from typing import Any

import pytest

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts import hearing
from papertrader.services.monitor.facts.facts import (
    MINUTE,
    AccountFacts,
    Counted,
    MarketFacts,
    fills_per_hour,
    forget_minutes,
    prints_per_minute,
)
from papertrader.services.monitor.facts.market import hear_market, read
from papertrader.services.monitor.service import Monitor
from papertrader.shared.messages import Bbo, Cancel, Control, Gap
from papertrader.shared.service.fold import Round
from papertrader.shared.service.market_data import MarketData
from tests.messages import account, ack, estimate, fill, markout, place
from tests.unit.monitoring import ACCOUNT, MARKET, START, S, book, instrument, trades

T = START


def hear(facts: AccountFacts, kind: str, message: Any, ts: int = T) -> None:
    hearing.HEARING[kind](facts, message, ts)


def test_order_goes_live_is_reduced_by_a_fill_and_leaves_when_filled() -> None:
    facts = AccountFacts()
    hear(facts, "orders", place(T, order_id=7, size=2.0))
    assert (facts.orders_placed, facts.working[7].asked_ts, facts.working[7].live_ts) == (1, T, 0)
    hear(facts, "acks", ack(None, T + 1, order_id=7, size=2.0), T + 1)
    assert (facts.accepted, facts.working[7].asked_ts, facts.working[7].live_ts) == (1, 0, T + 1)
    hear(facts, "fills", fill(T, order_id=7, size=0.5))
    assert facts.working[7].size == 1.5
    hear(facts, "acks", ack(None, T + 2, order_id=7, status="filled", filled_size=2.0))
    assert facts.working == {}
    assert facts.unfilled == {}


def test_cancel_waits_for_its_answer_and_a_refusal_is_an_answer() -> None:
    facts = AccountFacts()
    hear(facts, "orders", place(T, order_id=7))
    hear(facts, "acks", ack(None, T, order_id=7))
    hear(facts, "orders", Cancel(ts=T, order_id=7), T + 5)
    assert (facts.cancels, facts.working[7].asked_ts) == (1, T + 5)
    hear(facts, "acks", ack(None, T, order_id=7, status="refused", reason="unknown_order"))
    assert facts.working[7].asked_ts == 0


def test_unfilled_orders_are_counted_by_reason_apart_from_rejections_and_partial_fills() -> None:
    facts = AccountFacts()
    hear(facts, "acks", ack(None, T, order_id=1, status="cancelled", reason="never_touched"))
    hear(facts, "acks", ack(None, T, order_id=2, status="expired", reason="never_touched"))
    hear(facts, "acks", ack(None, T, order_id=3, status="cancelled", filled_size=0.4))
    hear(facts, "acks", ack(None, T, order_id=4, status="rejected", reason="off_tick"))
    assert facts.unfilled == {"never_touched": 2}
    assert facts.rejected == {"off_tick": 1}


@pytest.mark.parametrize(
    ("positions", "trips"),
    [((1, 2, 1), 0), ((1, 0), 1), ((1, -1), 1), ((1, 0, -1, 0), 2), ((1, -1, 1), 2), ((1, 1e-14), 1)],
)
def test_round_trip_is_a_return_to_zero_or_a_change_of_sign(positions: tuple[float, ...], trips: int) -> None:
    facts = AccountFacts()
    for position in positions:
        hear(facts, "fills", fill(T, position_after=float(position)))
    assert facts.round_trips == trips


def test_only_labels_of_fills_are_outcomes() -> None:
    facts = AccountFacts()
    hear(facts, "markouts", markout(T, adverse=True))
    hear(facts, "markouts", markout(T, horizon_s=1.0, label=False))
    hear(facts, "markouts", markout(T, filled=False, fill_id=0, label=False))
    hear(facts, "markouts", markout(T, resolved=False, mid=None, markout_bps=None, adverse_selection_bps=None))
    assert (facts.resolved.now, facts.unresolved, facts.adverse) == (1, 1, 1)


@pytest.mark.parametrize(("value", "agrees"), [(4, False), (5, True), (6, True), (7, True), (8, False)])
def test_reported_count_agrees_within_one_round_either_way(value: int, agrees: bool) -> None:
    facts = AccountFacts()
    for total in (5, 6):  # the log holds 5 fills two rounds ago, 6 a round ago, 7 now
        facts.fills.now = total
        hearing.next_round(facts)
    hear(facts, "estimate", estimate(T, own_fills=value))
    hear(facts, "fills", fill(T))
    hearing.end_round(facts, T)
    assert facts.kappa_fills == Counted(value, 5, 7, T)
    assert facts.kappa_fills.agrees is agrees


def test_departure_is_measured_from_the_base_rate_from_the_other_side_and_over_time() -> None:
    facts = AccountFacts()
    at_base = {"adverse_base_rate": 0.35, "classifier_ready": True, "classifier_samples": 40}
    hear(facts, "estimate", estimate(T, **at_base))
    assert (facts.departure, facts.departed_ts) == (0.0, 0)
    hear(facts, "estimate", estimate(T, toxicity_bid=0.5, toxicity_ask=0.5, **at_base), T + 1)
    assert facts.departure == pytest.approx(0.15)  # it has moved, although 0.5 says nothing
    hear(facts, "estimate", estimate(T, toxicity_bid=0.3, toxicity_ask=0.4, **at_base), T + 2)
    assert facts.departure == pytest.approx(0.2)
    assert facts.departed_ts == T + 2


def test_leverage_is_position_value_over_margin() -> None:
    monitor = Monitor(MARKET, {ACCOUNT: MonitorConfig()})
    facts = monitor.facts.accounts[ACCOUNT]
    message = _account(position=-2.0, mark_price=100.0, margin_used=20.0)
    hear(facts, "account", message)
    assert (facts.leverage_low, facts.leverage_high) == (10.0, 10.0)


@pytest.mark.parametrize(
    ("fields", "residual"),
    [
        ({"residual": 2e-6, "turnover": 1e3}, 2e-9),
        ({"residual": -2e-6, "turnover": 1e3}, 2e-9),
        ({"total": 1.0, "realised": 2.0, "fees": 0.5, "turnover": 100.0}, 0.005),
        ({"total": 2.0, "realised": 1.0, "unrealised": 1.5, "fees": 1.0, "funding": 0.5, "turnover": 9.0}, 0.0),
    ],
)
def test_residual_is_the_worse_of_both_identities_over_turnover(fields: dict[str, float], residual: float) -> None:
    facts = AccountFacts()
    hear(facts, "account", _account(**fields))
    assert facts.worst_residual == pytest.approx(residual)


def _account(**fields: float) -> Any:
    return account(T, **fields)


def test_count_of_an_account_that_starts_afresh_after_a_reset_is_continued() -> None:
    facts = AccountFacts()
    facts.fills.now = 4
    hear(facts, "control", Control(ts=T, action="reset"))
    hearing.end_round(facts, T)
    for _ in range(3):
        hearing.next_round(facts)
    hear(facts, "fills", fill(T))
    hear(facts, "account", _account(fills=1), T + 1)
    hearing.end_round(facts, T + 1)
    assert (facts.account_fills.value, facts.account_fills.agrees) == (5, True)


# --- the market


def round_at(ts: int, *messages: Any, previous_ts: int = 0) -> Round:
    return Round(number=1, ts=ts, previous_ts=previous_ts, heard=(), market_data=messages)


def hear_data(market: MarketFacts, data: MarketData, round_: Round) -> None:
    hear_market(market, round_, read(data, round_))


def test_answered_clock_lies_two_rounds_back() -> None:
    market, data = MarketFacts(), MarketData()
    for second in range(4):
        hear_data(market, data, round_at(T + second * S))
    assert market.ts == T + 3 * S
    assert market.answered_ts == T + S


def test_touch_prints_and_gaps_are_read_from_market_data() -> None:
    market, data = MarketFacts(), MarketData()
    hear_data(market, data, round_at(T, instrument(), book(T, 99.99, 100.01), trades(T, 100.01, "buy")))
    assert (market.bid, market.ask, market.mid, market.prints) == (99.99, 100.01, 100.0, 1)
    missed = Gap(ts=T, recv_ts=T, from_ts=T, to_ts=T + 9, reason="silence")
    empty = Bbo(ts=T, recv_ts=T, bid_price=None, bid_size=None, ask_price=100.01, ask_size=1.0)
    hear_data(market, data, round_at(T + S, missed, empty))
    assert (market.gaps, market.gap_ts, market.mid) == (1, T + 9, None)
    assert (market.books, market.one_sided_books) == (1, 1)


def test_print_rate_is_per_minute_of_the_last_five() -> None:
    market = MarketFacts(first_ts=T, ts=T + 30 * S, prints_by_minute=[3, 0, 0, 0, 0])
    assert prints_per_minute(market) == 3.0
    market.ts, market.prints_by_minute = T + 9 * MINUTE, [1, 2, 3, 4, 5]
    assert prints_per_minute(market) == 3.0


def test_minutes_shift_newest_first() -> None:
    minutes = [4, 3, 2]
    forget_minutes(minutes, 1)
    assert minutes == [0, 4, 3]
    forget_minutes(minutes, 10**9)
    assert minutes == [0, 0, 0]


def test_fill_rate_counts_quoted_time_only() -> None:
    facts = AccountFacts(fills_by_minute=[2, 1], quoted_s_by_minute=[60.0, 30.0])
    assert fills_per_hour(facts) == 120.0
    assert fills_per_hour(AccountFacts()) == 0.0


def quoting(*messages: Any) -> AccountFacts:
    """One second of a market around 100.00, with a bid at 99.95 and an ask at 100.05 live; these messages come."""
    monitor = Monitor(MARKET, {ACCOUNT: MonitorConfig()})
    monitor.fold(round_at(T, instrument(), book(T, 99.99, 100.01), trades(T, 100.0, "buy")))
    facts = monitor.facts.accounts[ACCOUNT]
    for order_id, side, price in ((1, "buy", 99.95), (2, "sell", 100.05)):
        hear(facts, "orders", place(T, order_id=order_id, side=side, price=price))
        hear(facts, "acks", ack(None, T, order_id=order_id))
    monitor.fold(round_at(T + S, *messages, previous_ts=T))
    return facts


def test_distance_of_the_nearest_quote_is_measured_from_its_touch() -> None:
    facts = quoting()
    assert facts.distance_bps_sum / facts.distance_samples == pytest.approx(4.0)
    assert facts.quoted_s == 1.0


@pytest.mark.parametrize(
    ("price", "aggressor", "touched", "through"),
    [
        (99.95, "sell", 1, 0),
        (99.94, "sell", 1, 1),
        (99.96, "sell", 0, 0),
        (99.94, "buy", 0, 0),
        (100.05, "buy", 1, 0),
        (100.06, "buy", 1, 1),
        (100.06, "sell", 0, 0),
    ],
)
def test_print_reaches_a_quote_only_from_its_own_side(price: float, aggressor: str, touched: int, through: int) -> None:
    facts = quoting(trades(T + S, price, aggressor))
    assert (facts.touched_prints, facts.through_prints, facts.through_since_fill) == (touched, through, through)
