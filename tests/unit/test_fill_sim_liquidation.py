"""Maintenance margin and liquidation, worked by hand; and the order of events at one instant."""

from typing import Any

import pytest

from papertrader.services.fill_sim.service import FillSim
from papertrader.shared import messages as m
from papertrader.shared.log.subjects import Market
from tests.unit.fill_sim_session import ASKS, BIDS, HOUR_MS, Session, book, context, ns, place
from tests.unit.test_fill_sim_account import take

TIERS = (
    m.MarginTier(notional_floor=0.0, initial_rate=0.05, maintenance_rate=0.02),
    m.MarginTier(notional_floor=1000.0, initial_rate=0.1, maintenance_rate=0.05, maintenance_deduction=30.0),
)
RULES = m.Instrument(ts=ns(0), tick_size=0.1, lot_size=0.001, maximum_leverage=20.0, margin_tiers=TIERS)


def trading(venue: str = "test", instrument: m.Instrument = RULES, **settings: Any) -> Session:
    """A session at 1000 ms with a book of 10 at 99.9 and 100.1."""
    session = Session(instrument, **settings)
    session.exchange = FillSim(Market(venue, "ABC"), {"main": session.config})
    session.round(1000, book(1000, BIDS, ASKS))
    return session


@pytest.mark.parametrize(
    ("size", "mark", "margin"),
    [
        (5.0, 100.0, 500 * 0.02),
        (9.999, 100.0, 999.9 * 0.02),
        (10.0, 100.0, 1000 * 0.05 - 30),
        (10.0, 200.0, 2000 * 0.05 - 30),
    ],
)
def test_maintenance_margin_is_by_tier_and_continuous_where_a_tier_begins(
    size: float, mark: float, margin: float
) -> None:
    session = trading(leverage=20.0)
    take(session, 1000, 1, "buy", 100.2, size)
    session.round(1300, context(1250, mark))
    assert session.account.maintenance_margin == pytest.approx(margin, rel=1e-12)


def test_leverage_is_no_more_than_the_tier_and_the_venue_allow() -> None:
    session = trading(leverage=50.0)
    take(session, 1000, 1, "buy", 100.1, 5)
    session.round(1300, context(1250, 100.0))
    assert (session.account.leverage, session.account.margin_used) == (20.0, pytest.approx(500 / 20))
    session.round(1400, context(1350, 250.0))
    assert (session.account.leverage, session.account.margin_used) == (10.0, pytest.approx(1250 / 10))


def test_order_needs_margin_at_the_leverage_of_the_tier_that_it_leads_to() -> None:
    """Equity 60: at 20x 11.9 of 100 would do, but from 1000 on it is 10x: 6 at most."""
    session = trading(leverage=50.0, initial_cash=60.0)
    session.round(1200, said=(place(1000, 1, "buy", 99.9, 10.1),))
    session.round(1400, said=(place(1200, 2, "buy", 99.9, 9.9),))
    assert session.statuses(1) == [("rejected", "insufficient_margin")]
    assert session.statuses(2) == [("accepted", "none")]


@pytest.mark.parametrize(("told", "leverage", "rate"), [({"maximum_leverage": 40.0}, 10.0, 0.0125), ({}, 10.0, 0.05)])
def test_without_tiers_half_of_the_least_initial_margin_maintains(
    told: dict[str, Any], leverage: float, rate: float
) -> None:
    session = trading(instrument=m.Instrument(ts=ns(0), tick_size=0.1, lot_size=0.001, **told), leverage=leverage)
    take(session, 1000, 1, "sell", 99.9, 5)
    session.round(1300, context(1250, 100.0))
    assert session.account.maintenance_margin == pytest.approx(500 * rate, rel=1e-12)


def test_account_below_its_maintenance_margin_is_liquidated_at_the_mark() -> None:
    """5 at 100.1 with 50 of cash: at a mark of 92, equity 9.5 is above 9.2; at 91.5, 7 is below 9.15.

    Closed at 91.5 for 10 bp of taker fee and 20 bp of penalty; the live orders go, the one under way stays.
    """
    session = trading(initial_cash=50.0, leverage=20.0, liquidation_fee_bps=20.0)
    take(session, 1000, 1, "buy", 100.1, 5)
    session = _with_taker_fee(session)
    session.round(1300, said=(place(1150, 2, "buy", 99.5, 1), place(1150, 3, "sell", 100.5, 1)))
    session.round(1400, context(1350, 92.0))
    assert session.account.position == 5
    session.round(1500, context(1450, 91.5), said=(place(1420, 4, "sell", 100.6, 0.1),))
    account = session.of("account")[-1]
    assert account.position == 0
    assert account.liquidations == 1
    fee = 5 * 91.5 * 30e-4
    assert session.fills[-1].fee == pytest.approx(fee, rel=1e-12)
    assert (session.fills[-1].price, session.fills[-1].side, session.fills[-1].maker) == (91.5, "sell", False)
    assert account.equity == pytest.approx(50 - 5 * (100.1 - 91.5) - fee, rel=1e-12)
    assert account.total == pytest.approx(account.equity - 50, rel=1e-12)
    assert account.residual == pytest.approx(0, abs=1e-9)
    assert session.statuses(2)[-1] == ("cancelled", "liquidated")
    assert session.statuses(3)[-1] == ("cancelled", "liquidated")
    assert [(ack.status, ack.reason) for ack in session.acks if ack.order_id > 2**61] == [
        ("accepted", "liquidated"),
        ("filled", "liquidated"),
    ]
    session.round(1700)
    assert session.statuses(4)[0][0] == "accepted", "what was under way arrives and finds what is left"


def _with_taker_fee(session: Session) -> Session:
    session.exchange.settings["taker_fee"] = 10e-4
    return session


def test_short_is_liquidated_when_the_mark_rises() -> None:
    session = trading(initial_cash=50.0, leverage=20.0)
    take(session, 1000, 1, "sell", 99.9, 5)
    session.round(1300, context(1250, 107.6))
    assert session.account.position == -5
    session.round(1400, context(1350, 107.9))
    assert session.account.position == 0
    assert session.account.equity == pytest.approx(50 - 5 * 8.0, rel=1e-9)


def test_more_is_not_lost_than_there_is() -> None:
    """The mark jumps past the price where nothing is left: the position is closed there, not at the mark."""
    session = trading(initial_cash=50.0, leverage=20.0, taker_fee_bps=5.0, liquidation_fee_bps=100.0)
    take(session, 1000, 1, "buy", 100.1, 5)
    session.round(1300, context(1250, 80.0))
    account = session.account
    assert account.position == 0
    assert account.equity == pytest.approx(0, abs=1e-9)
    assert session.fills[-1].fee == 0
    assert session.fills[-1].price == pytest.approx(100.1 - (50 - 500.5 * 5e-4) / 5, rel=1e-12)
    assert account.residual == pytest.approx(0, abs=1e-9)


def test_penalty_is_no_more_than_what_is_left() -> None:
    session = trading(initial_cash=50.0, leverage=20.0, liquidation_fee_bps=1000.0)
    take(session, 1000, 1, "buy", 100.1, 5)
    session.round(1300, context(1250, 91.0))
    assert session.fills[-1].price == 91.0
    assert session.fills[-1].fee == pytest.approx(50 - 5 * 9.1, rel=1e-9)
    assert session.account.equity == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("venue", "left"), [("hyperliquid", 0.0), ("test", 5.0)])
def test_backstop_of_hyperliquid_takes_what_is_left_below_two_thirds(venue: str, left: float) -> None:
    """At 91.1 equity 5 is below 2/3 of the maintenance margin of 9.11."""
    session = trading(venue, initial_cash=50.0, leverage=20.0, latency_preset="none")
    take(session, 1000, 1, "buy", 100.1, 5)
    session.round(1300, context(1250, 91.1))
    assert session.account.position == 0
    assert session.account.equity == pytest.approx(left, abs=1e-9)


def test_binance_charges_its_clearance_fee() -> None:
    session = trading("binance", initial_cash=50.0, leverage=20.0)
    take(session, 1000, 1, "buy", 100.1, 5)
    session.round(1300, context(1250, 91.7))
    assert session.fills[-1].fee == pytest.approx(5 * 91.7 * 125e-4, rel=1e-12), "1.25 %, of 8 that are left"


def test_without_a_mark_the_mid_decides_once_a_round() -> None:
    session = trading(initial_cash=50.0, leverage=20.0)
    take(session, 1000, 1, "buy", 100.1, 5)
    session.round(1300, book(1250, [(91.0, 10)], [(91.2, 10)]))
    session.round(1350)
    assert session.account.position == 0
    assert session.fills[-1].price == pytest.approx(91.1)


def test_funding_comes_before_the_check_and_the_check_before_orders() -> None:
    """At the hour: funding of 4 leaves 7.5, less than the 9.26 that maintain; the order of that instant comes after."""
    rules = m.Instrument(
        ts=ns(0), tick_size=0.1, lot_size=0.001, maximum_leverage=20.0, margin_tiers=TIERS, funding_interval_s=3600
    )
    session = trading(instrument=rules, initial_cash=50.0, leverage=20.0, placement_latency_ms=0.0)
    session.round(1000, said=(place(1000, 1, "buy", 100.1, 5, time_in_force="ioc"),))
    session.round(1200, context(1150, 92.4, 4 / (5 * 92.4)))
    closing = place(HOUR_MS, 2, "sell", 99.9, 5, time_in_force="ioc")
    session.round(HOUR_MS + 100, said=(closing,))
    assert session.account.funding == pytest.approx(-4.0, rel=1e-12)
    assert [fill.price for fill in session.fills] == [100.1, 92.4], "the order finds nothing to sell but its own"
    assert session.statuses(2)[0][0] == "rejected"


def test_reset_forgets_a_liquidation() -> None:
    session = trading(initial_cash=50.0, leverage=20.0)
    take(session, 1000, 1, "buy", 100.1, 5)
    session.round(1300, context(1250, 91.7))
    assert session.account.liquidations == 1
    session.round(1400, said=(m.Control(ts=ns(1350), action="reset"),))
    assert session.account.liquidations == 0
    assert session.account.equity == 50


def test_inverse_long_is_liquidated_in_coin() -> None:
    """10 contracts of 100 long at 100.1 with 1 coin: at m 1000/m − 1000/100.1 are lost, and 2 % of 1000/m maintain."""
    rules = m.Instrument(
        ts=ns(0), tick_size=0.1, lot_size=1.0, kind="inverse", contract_size=100.0, margin_tiers=TIERS[:1]
    )
    session = trading(instrument=rules, initial_cash=1.0, leverage=20.0)
    session.round(1100, book(1050, [(99.9, 100)], [(100.1, 100)]))
    take(session, 1100, 1, "buy", 100.1, 10)
    session.round(1400, context(1350, 93.0))
    assert session.account.position == 10, "1 − 0.7626 = 0.2374 of coin, 0.2151 maintain"
    session.round(1500, context(1450, 92.5))
    assert session.account.position == 0, "0.1792 of coin, 0.2162 maintain"
    assert session.account.equity == pytest.approx(1 - (1000 / 92.5 - 1000 / 100.1), rel=1e-9)
