"""Funding, worked by hand: when it is paid, on what price, by whom; and the order of events at one instant."""

from typing import Any

import pytest

from papertrader.shared import messages as m
from tests.unit.fill_sim_session import ASKS, BIDS, HOUR_MS, ORIGIN_MS, Session, book, context, ns, place, prints
from tests.unit.test_fill_sim_account import take

RATE = 8e-4
EIGHT_HOURS_S = 8 * 3600
NEXT_MS = (ORIGIN_MS // (8 * HOUR_MS) + 1) * 8 * HOUR_MS - ORIGIN_MS
"""The next of 00, 08 and 16 UTC, in session time."""


def rules(**more: Any) -> m.Instrument:
    """An instrument whose funding is told."""
    return m.Instrument(ts=ns(0), tick_size=0.1, lot_size=0.001, **more)


def holding(instrument: m.Instrument, side: str = "buy", **settings: Any) -> Session:
    """A session with 2 bought at 100.1 (or sold at 99.9) at 1300 ms."""
    session = Session(instrument, **settings)
    session.round(1000, book(1000, BIDS, ASKS))
    take(session, 1200, 1, side, 100.1 if side == "buy" else 99.9, 2)
    return session


def named(ms: float, next_ms: float, rate: float | None = RATE, mark: float = 101.0, **more: Any) -> m.Context:
    """A context of a venue that names its settlements, as Binance does."""
    return context(ms, mark, rate, funding_period_s=EIGHT_HOURS_S, next_funding_ts=ns(next_ms), **more)


def test_funding_is_paid_when_the_venue_says_and_at_no_other_hour() -> None:
    session = holding(rules())
    session.round(1400, named(1350, NEXT_MS))
    session.round(NEXT_MS - 1, named(NEXT_MS - 1000, NEXT_MS, mark=102.0))
    assert session.account.funding == 0, "full hours have passed"
    session.round(NEXT_MS, book(NEXT_MS, BIDS, ASKS))
    assert session.account.funding == pytest.approx(-2 * 102.0 * RATE, rel=1e-12)
    session.round(NEXT_MS + HOUR_MS, book(NEXT_MS + HOUR_MS, BIDS, ASKS))
    assert session.account.funding == pytest.approx(-2 * 102.0 * RATE, rel=1e-12)


def test_settlement_named_later_than_the_rule_replaces_it() -> None:
    """The instrument says eight hours, the venue names a settlement six hours after that: nothing is due between."""
    session = holding(rules(funding_interval_s=EIGHT_HOURS_S))
    late = NEXT_MS + 6 * HOUR_MS
    session.round(1400, named(1350, late))
    session.round(late - 1, book(late - 1, BIDS, ASKS))
    assert session.account.funding == 0
    session.round(late, book(late, BIDS, ASKS))
    assert session.account.funding == pytest.approx(-2 * 101.0 * RATE, rel=1e-12)


def test_several_settlements_within_a_silence_are_all_paid() -> None:
    session = holding(rules())
    session.round(1400, named(1350, 5 * HOUR_MS))
    after = (5 + 3 * 8) * HOUR_MS
    session.round(after + 1, book(after + 1, BIDS, ASKS))
    assert session.account.funding == pytest.approx(4 * -2 * 101.0 * RATE, rel=1e-12)


def test_rate_of_the_next_period_is_not_paid_for_this_one() -> None:
    """The first context at and after the settlement carries the next rate and time; the mark of that instant counts."""
    session = holding(rules())
    session.round(1400, named(1350, NEXT_MS))
    rolled = named(NEXT_MS, NEXT_MS + 8 * HOUR_MS, rate=-5e-4, mark=104.0)
    session.round(NEXT_MS + 10, rolled)
    assert session.account.funding == pytest.approx(-2 * 104.0 * RATE, rel=1e-12)
    end = NEXT_MS + 8 * HOUR_MS
    session.round(end, named(end, end, rate=1e-4, mark=103.0))
    assert session.account.funding == pytest.approx(-2 * 104.0 * RATE - 2 * 103.0 * 1e-4, rel=1e-12), (
        "a context of the very settlement, still naming it, has the rate of it"
    )


def test_without_a_named_time_the_instruments_interval_counts_in_utc() -> None:
    """The rate is for an hour, the settlement each eight: eight times the rate."""
    session = holding(rules(funding_interval_s=EIGHT_HOURS_S))
    session.round(1400, context(1350, 101.0, 1e-4))
    session.round(NEXT_MS - 1, book(NEXT_MS - 1, BIDS, ASKS))
    assert session.account.funding == 0
    session.round(NEXT_MS, book(NEXT_MS, BIDS, ASKS))
    assert session.account.funding == pytest.approx(-2 * 101.0 * 8e-4, rel=1e-12)


def test_oracle_price_is_taken_where_the_instrument_says_so() -> None:
    session = holding(rules(funding_interval_s=3600, funding_price="oracle"), side="sell")
    session.round(1400, context(1350, 101.0, 1e-4, oracle_price=99.0))
    session.round(HOUR_MS, book(HOUR_MS, BIDS, ASKS))
    assert session.account.funding == pytest.approx(2 * 99.0 * 1e-4, rel=1e-12)


def test_oracle_that_is_not_known_is_the_mark() -> None:
    session = holding(rules(funding_interval_s=3600, funding_price="oracle"))
    session.round(1400, context(1350, 101.0, 1e-4))
    session.round(HOUR_MS, book(HOUR_MS, BIDS, ASKS))
    assert session.account.funding == pytest.approx(-2 * 101.0 * 1e-4, rel=1e-12)


def test_who_buys_before_the_settlement_pays_and_who_buys_at_it_does_not() -> None:
    """Both orders take effect within one silence that the settlement lies in."""
    session = Session(rules(), placement_latency_ms=0.0)
    session.round(NEXT_MS - 2000, book(NEXT_MS - 2000, BIDS, ASKS), named(NEXT_MS - 2000, NEXT_MS))
    early = place(NEXT_MS - 1, 1, "buy", 100.1, 1, time_in_force="ioc")
    at_it = place(NEXT_MS, 2, "buy", 100.1, 3, time_in_force="ioc")
    session.round(NEXT_MS + 1000, said=(early, at_it))
    assert session.account.position == 4
    assert session.account.funding == pytest.approx(-1 * 101.0 * RATE, rel=1e-12)


@pytest.mark.parametrize(("side", "print_price", "sign"), [("buy", 99.8, -1), ("sell", 100.2, 1)])
def test_print_of_before_the_settlement_that_comes_late_is_settled_too(
    side: str, print_price: float, sign: int
) -> None:
    session = Session(rules())
    session.round(1000, book(1000, BIDS, ASKS), named(1000, NEXT_MS))
    session.round(1200, said=(place(1000, 1, side, 99.9 if side == "buy" else 100.1, 1),))
    aggressor: m.Side = "sell" if side == "buy" else "buy"
    late = prints(NEXT_MS - 5, aggressor, (print_price, 5.0))
    session.round(NEXT_MS + 50, book(NEXT_MS + 20, BIDS, ASKS), late)
    assert session.account.position == -sign
    assert session.account.funding == pytest.approx(sign * 101.0 * RATE, rel=1e-12)
    assert session.account.residual == pytest.approx(0, abs=1e-9)


def test_settlement_that_is_already_past_names_nothing() -> None:
    session = holding(rules(funding_interval_s=3600))
    session.round(1400, context(1350, 101.0, 1e-4, next_funding_ts=ns(1100)))
    session.round(HOUR_MS - 1, book(HOUR_MS - 1, BIDS, ASKS))
    assert session.account.funding == 0
    session.round(HOUR_MS, book(HOUR_MS, BIDS, ASKS))
    assert session.account.funding == pytest.approx(-2 * 101.0 * 1e-4, rel=1e-12)


def test_symbol_whose_interval_changes_is_paid_as_named() -> None:
    """From eight hours to four: the venue's own times and rates count, each as it stands."""
    session = holding(rules(funding_interval_s=EIGHT_HOURS_S))
    session.round(1400, named(1350, NEXT_MS))
    four = context(NEXT_MS + 1, 101.0, 1e-4, funding_period_s=4 * 3600, next_funding_ts=ns(NEXT_MS + 4 * HOUR_MS))
    session.round(NEXT_MS + 10, four)
    session.round(NEXT_MS + 8 * HOUR_MS, book(NEXT_MS + 8 * HOUR_MS, BIDS, ASKS))
    assert session.account.funding == pytest.approx(-2 * 101.0 * (RATE + 2e-4), rel=1e-12)
