"""What a liquidation costs and says, for accounts of any position and cash, by hand."""

from typing import Any

import pytest

from papertrader.services.fill_sim.state import SYSTEM_ORDER_ID
from papertrader.shared import messages as m
from tests.unit.fill_sim_session import Session, cancel, context, ns, place
from tests.unit.test_fill_sim_liquidation import TIERS, trading
from tests.unit.test_fill_sim_triggers import trigger

INVERSE = m.Instrument(
    ts=ns(0), tick_size=0.1, lot_size=1.0, kind="inverse", contract_size=100.0, margin_tiers=TIERS[:1]
)


def liquidated(position: float, cash: float, mark: float, venue: str = "test", **settings: Any) -> Session:
    """A session in which the mark becomes that of an account of this position and cash."""
    session = trading(venue, **({"leverage": 20.0} | settings))
    state = session.exchange.account_states
    state["position"], state["cash"] = position, cash
    session.round(1300, context(1250, mark))
    return session


@pytest.mark.parametrize(("position", "side"), [(1.0, "sell"), (-1.0, "buy"), (0.5, "sell"), (-0.5, "buy")])
def test_whole_position_is_closed_at_the_mark(position: float, side: str) -> None:
    """1 % of equity, 2 % maintain."""
    session = liquidated(position, position * -100 + abs(position), 100.0)
    (fill,) = session.fills
    assert (fill.side, fill.size, fill.price, fill.fee) == (side, abs(position), 100, 0)
    assert session.account.position == 0


def test_position_is_closed_by_one_order_of_the_exchanges_own() -> None:
    session = trading(leverage=20.0)
    state = session.exchange.account_states
    state["position"], state["cash"], state["sequence"] = 5.0, -495.0, 41
    session.round(1300, context(1250, 100.0))
    accepted, filled = session.acks
    assert (accepted.order_id, filled.order_id) == (SYSTEM_ORDER_ID + 42, SYSTEM_ORDER_ID + 42)
    assert (accepted.filled_size, filled.filled_size, accepted.size) == (0, 5, 5)
    assert (accepted.live_ts, accepted.first_fill_ts, filled.first_fill_ts) == (accepted.ts, 0, accepted.ts)
    assert [int(state[name][0]) for name in ("placed", "accepted", "liquidations", "orders_count")] == [1, 1, 1, 0]


def test_order_that_closes_has_no_draws_whatever_the_order_before_it_had() -> None:
    """A drawn order that expected a part of a fill stood in the same row of the table."""
    session = trading(leverage=20.0, fill_model="draws")
    session.round(1150, said=(place(1000, 1, "buy", 99.9, 1),))
    state = session.exchange.account_states
    state["orders"][0, 0]["expected"], state["orders"][0, 0]["reached"] = 0.25, 0.25
    state["position"], state["cash"] = 5.0, -495.0
    session.round(1300, context(1250, 100.0))
    own = [ack for ack in session.acks if ack.order_id > SYSTEM_ORDER_ID]
    assert [(ack.fill_probability, ack.fills_expected, ack.fills_variance) for ack in own] == [(None, None, None)] * 2


def test_everything_that_waits_for_the_mark_goes_and_nothing_else() -> None:
    session = trading(leverage=20.0)
    session.round(1150, said=tuple(trigger(1000, number, "buy", 200.0, 1, 190.0) for number in (1, 2, 3)))
    state = session.exchange.account_states
    state["position"], state["cash"] = 5.0, -495.0
    session.round(1300, context(1250, 100.0))
    assert [session.statuses(number)[-1] for number in (1, 2, 3)] == [("cancelled", "liquidated")] * 3
    assert (state["triggers_count"][0], session.account.position) == (0, 0)


def test_cancelled_order_that_waits_for_late_prints_ends_as_cancelled() -> None:
    session = trading(leverage=20.0, late_print_ms=5000.0)
    session.round(1150, said=(place(1000, 1, "buy", 99.8, 0.1), place(1000, 2, "buy", 99.7, 0.1)))
    session.round(1250, said=(cancel(1150, 1),))
    session.exchange.account_states["position"], session.exchange.account_states["cash"] = 5.0, -495.0
    session.round(1300, context(1280, 100.0))
    assert session.statuses(1)[-1] == ("cancelled", "never_touched")
    assert session.statuses(2)[-1] == ("cancelled", "liquidated")


@pytest.mark.parametrize(
    ("equity", "left"),
    [(6.0, 6.0), (5.99, 0.0)],  # 2/3 of the 9 that 450 need, and less
)
def test_backstop_begins_below_its_share_of_the_maintenance_margin(equity: float, left: float) -> None:
    session = liquidated(5.0, equity - 450.0, 90.0, "hyperliquid", taker_fee_bps=0.0)
    assert session.account.equity == pytest.approx(left, abs=1e-9)


@pytest.mark.parametrize(("equity", "price"), [(-0.5, 100.1), (-10.0, 102.0), (0.5, 100.0)])
def test_account_that_owes_is_closed_where_nothing_is_left(equity: float, price: float) -> None:
    """5 long at a mark of 100: the price at which cash and position are worth nothing together."""
    session = liquidated(5.0, equity - 500.0, 100.0)
    assert session.fills[0].price == pytest.approx(price, rel=1e-12)


def test_price_where_nothing_is_left_may_be_below_one() -> None:
    session = liquidated(100.0, -60.0, 0.5)
    assert session.fills[0].price == pytest.approx(0.6, rel=1e-12)


@pytest.mark.parametrize("cash", [-10.0, -0.5, 0.0])
def test_short_that_no_price_can_save_is_closed_at_the_mark_without_a_fee(cash: float) -> None:
    """Short 1 and no cash left: only a price of nothing or less would leave nothing."""
    session = liquidated(-1.0, cash, 100.0, liquidation_fee_bps=100.0)
    assert (session.fills[0].price, session.fills[0].fee) == (100, 0)


def test_inverse_long_without_any_coin_is_closed_at_the_mark() -> None:
    """Without coin there is no price at which 10 contracts are worth nothing: it would be infinite."""
    session = liquidated(10.0, 0.0, 50.0, instrument=INVERSE, liquidation_fee_bps=100.0)
    assert (session.fills[0].price, session.fills[0].fee) == (50, 0)


@pytest.mark.parametrize(("equity", "fee"), [(0.5, 0.5), (1.75, 1.5)])
def test_fee_is_taker_fee_and_penalty_and_no_more_than_the_equity(equity: float, fee: float) -> None:
    """30 bp of 500 are 1.5."""
    session = liquidated(5.0, equity - 500.0, 100.0, taker_fee_bps=10.0, liquidation_fee_bps=20.0)
    assert session.fills[0].fee == pytest.approx(fee, rel=1e-12)
