"""Funding, kernel by kernel, in whole nanoseconds: what a venue's word means, when it is due, what is paid."""

import numpy as np
import pytest

from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.funding import (
    first_multiple,
    funding_price,
    hear_funding,
    hear_settlement,
    pay,
    pay_late,
    settle_funding,
)
from papertrader.services.fill_sim.settings import settings_of
from papertrader.services.fill_sim.state import NEVER, SPOT, new_accounts, new_market
from papertrader.shared.market.events import EVENT
from papertrader.shared.market.records import Record, Records


def market_with(**fields: float) -> Record:
    """A market at a mid of 100 with a mark of 110, with these fields."""
    market = new_market()[0]
    for name, value in {"mid": 100.0, "mark": 110.0, **fields}.items():
        market[name] = value
    return market


def row(id_: int, size: float = np.nan) -> Record:
    """A row of a context."""
    event = np.zeros(1, dtype=EVENT)[0]
    event["id"], event["size"] = id_, size
    return event


def holding(*positions: float) -> Records:
    """Accounts that hold these."""
    accounts = new_accounts(settings_of([FillSimConfig(initial_cash=1000.0)] * len(positions)))
    accounts["position"], accounts["changed"] = positions, 0
    return accounts


def test_settlement_is_at_the_first_multiple_after_the_clock() -> None:
    assert [first_multiple(clock, 10) for clock in (0, 9, 10, 11)] == [10, 10, 20, 20]
    assert first_multiple(5, 1) == 6
    assert first_multiple(5, 0) == NEVER


@pytest.mark.parametrize(
    ("from_oracle", "oracle", "price"), [(1, 90.0, 90.0), (1, 0.5, 0.5), (1, 0.0, 110.0), (0, 90.0, 110.0)]
)
def test_price_is_the_oracles_where_it_is_known_and_the_venue_takes_it(
    from_oracle: int, oracle: float, price: float
) -> None:
    assert funding_price(market_with(funding_from_oracle=from_oracle, oracle=oracle)) == price


@pytest.mark.parametrize(
    ("named_ts", "due_ts", "kind", "heard"),
    [
        (101, 200, 0, True),
        (100, 200, 0, False),  # that time has come, and is not the one that is due
        (99, 200, 0, False),
        (99, 99, 0, True),  # has come, and is still to be paid
        (1, 1, 0, True),
        (0, 0, 0, False),  # no time at all
        (101, 200, SPOT, False),
    ],
)
def test_settlement_is_named_for_a_time_to_come_or_still_due(
    named_ts: int, due_ts: int, kind: int, heard: bool
) -> None:
    market = market_with(next_funding_ts=due_ts, kind=kind)
    hear_settlement(market, row(named_ts), 100)
    assert (market["funding_named"], market["next_funding_ts"]) == ((1, named_ts) if heard else (0, due_ts))


def test_rate_is_heard_with_its_period_and_a_missing_one_leaves_the_last() -> None:
    market = market_with()
    hear_funding(market, row(10, 0.5), 25)
    assert [market[f"funding_{name}"] for name in ("rate", "period_ns", "step_ns")] == [0.5, 10, 10]
    assert market["next_funding_ts"] == 30
    hear_funding(market, row(10), 35)
    assert (market["funding_rate"], market["next_funding_ts"]) == (0.5, 30), "the step is the same"
    hear_funding(market, row(1, 0.25), 45)
    assert (market["funding_rate"], market["funding_period_ns"], market["next_funding_ts"]) == (0.25, 1, 46)


@pytest.mark.parametrize(("period_ns", "kind"), [(0, 0), (-1, 0), (10, SPOT)])
def test_rate_for_no_time_and_of_spot_says_nothing(period_ns: int, kind: int) -> None:
    market = market_with(kind=kind)
    hear_funding(market, row(period_ns, 0.5), 25)
    assert np.isnan(market["funding_rate"])
    assert market["funding_period_ns"] == 0


@pytest.mark.parametrize(("interval_ns", "due_ts"), [(40, 40), (1, 26)])
def test_instruments_interval_goes_before_the_rates_period(interval_ns: int, due_ts: int) -> None:
    market = market_with(funding_interval_ns=interval_ns)
    hear_funding(market, row(10, 0.5), 25)
    assert (market["funding_period_ns"], market["funding_step_ns"]) == (10, interval_ns)
    assert market["next_funding_ts"] == due_ts


def test_named_settlement_goes_on_by_the_period_of_the_rate() -> None:
    market = market_with(funding_named=1, next_funding_ts=33, funding_interval_ns=40)
    hear_funding(market, row(10, 0.5), 25)
    assert (market["funding_step_ns"], market["next_funding_ts"]) == (10, 33)


def settled(**fields: float) -> tuple[Record, Records]:
    """A settlement at 100 of a rate of 0.01 for 5 ns, paid every 20, by a long 3 and a short 1."""
    due = {"funding_rate": 0.01, "funding_period_ns": 5, "funding_step_ns": 20, "next_funding_ts": 100}
    market, accounts = market_with(**(due | fields)), holding(3.0, -1.0, 0.0)
    settle_funding(market, accounts)
    return market, accounts


def test_settlement_pays_size_times_price_times_rate_for_the_time_between() -> None:
    """4 times the rate of 1.1 a unit: 4.4."""
    market, accounts = settled()
    assert accounts["funding"] == pytest.approx([-13.2, 4.4, 0], rel=1e-15)
    assert accounts["cash"] == pytest.approx([986.8, 1004.4, 1000], rel=1e-15)
    assert accounts["changed"].tolist() == [1, 1, 0]
    assert (market["funded_ts"], market["next_funding_ts"]) == (100, 120)
    assert market["funded_per_unit"] == pytest.approx(4.4, rel=1e-15)


def test_settlement_of_an_inverse_contract_is_in_coin() -> None:
    _, accounts = settled(mark=50.0, inverse_size=100.0)
    assert accounts["funding"] == pytest.approx([-3 * 2 * 0.04, 2 * 0.04, 0], rel=1e-15)


@pytest.mark.parametrize(
    "unknown", [{"funding_rate": np.nan}, {"mark": 0.0, "mid": 0.0}, {"kind": SPOT}, {"mark": 0.0, "kind": SPOT}]
)
def test_nothing_is_paid_while_rate_or_price_is_unknown_nor_in_spot(unknown: dict[str, float]) -> None:
    market, accounts = settled(**unknown)
    assert accounts["funding"].tolist() == [0, 0, 0]
    assert market["funded_per_unit"] == 0
    assert market["next_funding_ts"] == 120


@pytest.mark.parametrize(
    ("size", "per_unit", "received"),
    [(2.0, 3.0, -6.0), (-1.0, 1.0, 1.0), (1.0, -1.0, 1.0), (0.0, 3.0, 0.0), (2.0, 0.0, 0.0)],
)
def test_account_changes_by_what_it_pays(size: float, per_unit: float, received: float) -> None:
    account = holding(0.0)[0]
    pay(account, size, per_unit)
    assert (account["cash"], account["funding"]) == (1000 + received, received)
    assert account["changed"] == (1 if received else 0)


@pytest.mark.parametrize(("ts", "received"), [(99, -6.0), (100, 0.0), (101, 0.0)])
def test_fill_booked_late_pays_if_it_was_before_the_settlement(ts: int, received: float) -> None:
    account, market = holding(0.0)[0], market_with(funded_ts=100, funded_per_unit=3.0)
    pay_late(account, market, 1, 2.0, ts)
    assert account["funding"] == received
    pay_late(account, market, -1, 2.0, ts)
    assert account["funding"] == 0
