"""Fills expected against fills had, and PnL over all worlds of the draws, by hand."""

import pytest

from papertrader.services.monitor.facts.worlds import Worlds
from papertrader.shared.messages import Account, Ack
from tests.unit.fill_sim_session import ns


def ended(side: str, price: float, filled: bool, expected: float | None, size: float = 2.0) -> Ack:
    """The last ack of an order."""
    variance = None if expected is None else expected * (1 - expected)
    return Ack(
        ts=ns(0),
        order_id=1,
        status="filled" if filled else "cancelled",
        reason="none",
        side=side,  # type: ignore[arg-type]
        price=price,
        size=size,
        filled_size=size if filled else 0.0,
        live_ts=ns(0),
        first_fill_ts=0,
        mid_at_placement=None,
        queue_ahead=None,
        p_fill=None,
        p_adverse=None,
        fill_probability=expected,
        fills_expected=expected,
        fills_variance=variance,
    )


def money(total: float) -> Account:
    """An account with that total."""
    zeros = dict.fromkeys(set(Account.__struct_fields__) - {"ts", "total", "fills", "orders_live"}, 0.0)
    return Account(ts=0, total=total, fills=0, orders_live=0, **zeros)


def test_orders_without_draws_count_for_nothing():
    worlds = Worlds()
    worlds.add(ended("buy", 100.0, False, None), 0.0)
    assert worlds.summary(money(0.0), 100.0) is None


def test_order_that_missed_adds_its_expected_value():
    # a bid of 2 at 100, reached in a quarter of the draws and not filled; the mid is 101, the fee 1 bp: worth 1.98
    worlds = Worlds()
    worlds.add(ended("buy", 100.0, False, 0.25), 1e-4)
    found = worlds.summary(money(5.0), 101.0)
    assert found is not None
    assert found["orders"], found["orders_filled"] == (1, 0)
    assert found["fills_expected"] == 0.25
    assert found["pnl_mean"] == pytest.approx(5.0 + 0.25 * 1.98)
    spread = 1.96 * (0.25 * 0.75) ** 0.5 * 1.98
    assert found["pnl_high"] - found["pnl_mean"] == pytest.approx(spread)
    assert found["pnl_mean"] - found["pnl_low"] == pytest.approx(spread)


def test_order_that_filled_takes_its_luck_off():
    # an ask of 2 at 100 filled with hazard .5, the mid at 103: it lost 6, half of which was bad luck
    worlds = Worlds()
    worlds.add(ended("sell", 100.0, True, 0.5), 0.0)
    found = worlds.summary(money(-6.0), 103.0)
    assert found is not None
    assert found["pnl_mean"] == pytest.approx(-3.0)


def test_certain_fills_leave_no_doubt():
    worlds = Worlds()
    for price in (100.0, 101.0, 99.5):
        worlds.add(ended("buy", price, True, 1.0), 1e-4)
    found = worlds.summary(money(3.0), 104.0)
    assert found is not None
    assert found["pnl_low"] == found["pnl_mean"] == found["pnl_high"] == pytest.approx(3.0)
    assert found["fills_expected_sd"] == 0.0
