"""Margin by hand, kernel by kernel, and what an account may still place, at the very boundaries."""

import pytest

from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.margin import (
    check_margin,
    equity_at_mark,
    is_below_maintenance,
    leverage_at,
    maintenance_margin,
    mark_of,
    resting,
    tier_of,
)
from papertrader.services.fill_sim.settings import settings_of
from papertrader.services.fill_sim.state import NEVER, SPOT, new_accounts, new_market
from papertrader.shared.market.records import Record

SETTINGS = settings_of([FillSimConfig(leverage=50.0)])
NO_TIERS: tuple[tuple[float, ...], ...] = ()
TIERS = ((0.0, 0.05, 0.02, 0.0), (1000.0, 0.1, 0.05, 30.0))
"""Floor, initial rate, maintenance rate, deduction."""


def market_at(mark: float, tiers: tuple[tuple[float, ...], ...] = NO_TIERS, **fields: float) -> Record:
    """A market with this mark, linear unless told."""
    market = new_market()[0]
    market["mark"], market["tiers_count"] = mark, len(tiers)
    for row, tier in enumerate(tiers):
        for name, value in zip(("floor", "initial", "maintenance", "deduction"), tier, strict=True):
            market[f"tier_{name}"][row] = value
    for name, value in fields.items():
        market[name] = value
    return market


def account_with(position: float, cash: float) -> Record:
    """An account with this position and cash."""
    account = new_accounts(SETTINGS)[0]
    account["position"], account["cash"] = position, cash
    return account


@pytest.mark.parametrize(
    ("mark", "kind", "expected"), [(110.0, 0, 110.0), (0.5, 0, 0.5), (0.0, 0, 100.0), (110.0, SPOT, 100.0)]
)
def test_mark_is_the_venues_and_the_mid_where_it_is_unknown_or_spot(mark: float, kind: int, expected: float) -> None:
    assert mark_of(market_at(mark, mid=100.0, kind=kind)) == expected


def test_tier_begins_at_its_floor() -> None:
    market = market_at(1.0, TIERS)
    assert [tier_of(market, value) for value in (0.0, 999.0, 1000.0, 5000.0)] == [0, 0, 1, 1]
    assert tier_of(market_at(1.0), 500.0) == -1


@pytest.mark.parametrize(
    ("tiers", "maximum", "size", "kind", "expected"),
    [
        (NO_TIERS, 0.0, 5.0, 0, 50.0),  # the account's own, while nothing is told
        (NO_TIERS, 20.0, 5.0, 0, 20.0),
        (NO_TIERS, 1.0, 5.0, 0, 1.0),
        (TIERS, 0.0, 5.0, 0, 20.0),
        (TIERS, 0.0, -10.0, 0, 10.0),
        (((0.0, 0.0, 0.02, 0.0),), 0.0, 5.0, 0, 50.0),  # a tier that tells no initial rate
        (TIERS, 20.0, 5.0, SPOT, 1.0),
    ],
)
def test_leverage_is_the_least_that_anyone_allows(
    tiers: tuple[tuple[float, ...], ...], maximum: float, size: float, kind: int, expected: float
) -> None:
    market = market_at(100.0, tiers, maximum_leverage=maximum, kind=kind)
    assert leverage_at(market, SETTINGS[0], size, 100.0) == expected


def test_rows_beyond_the_tiers_told_count_nothing() -> None:
    market = market_at(100.0)
    market["tier_initial"][-1] = 0.5
    assert leverage_at(market, SETTINGS[0], 5.0, 100.0) == 50


@pytest.mark.parametrize(
    ("tiers", "maximum", "size", "mark", "inverse_size", "expected"),
    [
        (TIERS, 0.0, 1.0, 100.0, 0.0, 2.0),
        (TIERS, 0.0, -1.0, 100.0, 0.0, 2.0),
        (TIERS, 0.0, 0.25, 100.0, 0.0, 0.5),
        (TIERS, 0.0, 10.0, 100.0, 0.0, 1000 * 0.05 - 30),
        (((0.0, 0.05, 0.02, 30.0),), 0.0, 1.0, 100.0, 0.0, 0.0),  # the deduction is more than the rate needs
        (NO_TIERS, 40.0, 4.0, 100.0, 0.0, 5.0),  # half of 400/40
        (NO_TIERS, 1.0, 4.0, 100.0, 0.0, 200.0),
        (NO_TIERS, 0.0, 4.0, 100.0, 0.0, 4.0),  # half of 400/50
        (TIERS, 0.0, 5.0, 50.0, 100.0, 500 * 0.02 / 50),  # 5 contracts of 100, in coin
        (TIERS, 0.0, 5.0, 2.0, 1.0, 5 * 0.02 / 2),
        (TIERS, 0.0, 0.0, 0.0, 100.0, 0.0),  # no position needs none, at no price too
    ],
)
def test_maintenance_margin_is_by_tier_or_half_of_the_least_initial_one(
    tiers: tuple[tuple[float, ...], ...],
    maximum: float,
    size: float,
    mark: float,
    inverse_size: float,
    expected: float,
) -> None:
    market = market_at(mark, tiers, maximum_leverage=maximum, inverse_size=inverse_size)
    assert maintenance_margin(market, SETTINGS[0], size, mark) == pytest.approx(expected, rel=1e-15)


def test_spot_needs_no_maintenance_margin() -> None:
    assert maintenance_margin(market_at(100.0, TIERS, kind=SPOT), SETTINGS[0], 5.0, 100.0) == 0


def test_equity_is_cash_and_the_position_at_the_mark() -> None:
    assert equity_at_mark(account_with(3.0, -200.0), market_at(100.0, mid=90.0)) == 100


@pytest.mark.parametrize(
    ("position", "cash", "mark", "kind", "below"),
    [
        (1.0, -99.0, 100.0, 0, True),  # 1 of equity, 2 of 100 maintain
        (-1.0, 101.0, 100.0, 0, True),
        (5.0, -490.0, 100.0, 0, False),  # 10 of equity, and 10 maintain
        (5.0, -490.5, 100.0, 0, True),
        (1.0, -0.499, 0.5, 0, True),
        (0.0, -1.0, 100.0, 0, False),  # no position to take over
        (5.0, -600.0, 100.0, SPOT, False),
        (5.0, -1.0, 0.0, 0, False),  # no price to judge by
    ],
)
def test_account_is_below_its_maintenance_margin(
    position: float, cash: float, mark: float, kind: int, below: bool
) -> None:
    market = market_at(mark, TIERS, kind=kind)
    market["mid"] = 100.0 if kind == SPOT else 0.0
    assert is_below_maintenance(account_with(position, cash), market, SETTINGS[0]) == below


def test_liquidation_is_due_once_and_when_it_was_first_found() -> None:
    account, market = account_with(5.0, -400.0), market_at(100.0, TIERS)
    check_margin(account, market, SETTINGS[0], 7)
    assert account["liquidation_ts"] == NEVER, "100 of equity"
    market["mark"] = 81.0
    check_margin(account, market, SETTINGS[0], 8)
    check_margin(account, market, SETTINGS[0], 9)
    assert (account["liquidation_ts"], account["next_ts"]) == (8, 8)
    market["mark"] = 100.0
    check_margin(account, market, SETTINGS[0], 10)
    assert account["liquidation_ts"] == 8


def test_what_rests_is_the_unfilled_part_of_the_live_orders_of_the_side() -> None:
    account = account_with(0.0, 0.0)
    rows = ((1, 1, 5.0, 1.0, NEVER), (2, 1, 7.0, 0.0, NEVER), (3, -1, 11.0, 0.0, NEVER), (4, 1, 13.0, 0.0, 99))
    for order, row in zip(account["orders"], rows, strict=False):
        order["order_id"], order["side"], order["size"], order["filled"], order["cancel_ts"] = row
    account["orders_count"] = len(rows)
    assert (resting(account, 1, 0), resting(account, 1, 2), resting(account, -1, 2)) == (11, 4, 11)
