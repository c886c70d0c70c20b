"""The account's books by hand, kernel by kernel: which mid, what a fill books, what a reset leaves, what is written."""

import numpy as np
import pytest

from papertrader.services.fill_sim.account import (
    average,
    mid_before,
    on_mid,
    reset_money,
    settle,
    total_of,
    trade,
    write_account,
)
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.settings import settings_of
from papertrader.services.fill_sim.state import MIDS, SPOT, new_accounts, new_market
from papertrader.shared.market.book import NO_ASK, new_book
from papertrader.shared.market.records import Record, record_dtype
from papertrader.shared.messages import Account

SETTINGS = settings_of([FillSimConfig(initial_cash=1000.0, leverage=5.0, maker_fee_bps=1.0, taker_fee_bps=2.0)])


def account_with(**fields: float) -> Record:
    """An account of 1000, with these fields."""
    account = new_accounts(SETTINGS)[0]
    for name, value in fields.items():
        account[name] = value
    return account


def market_at(mid: float, **fields: float) -> Record:
    """A market with this mid, linear unless told."""
    market = new_market()[0]
    market["mid"] = mid
    for name, value in fields.items():
        market[name] = value
    return market


def book_of(ts: int, bid: int, ask: int) -> Record:
    """A book with this touch, in ticks of 0.1."""
    book = new_book()[0]
    book["ts"], book["best_bid"], book["best_ask"], book["tick_size"] = ts, bid, ask, 0.1
    return book


def market_of(*mids: tuple[int, float]) -> Record:
    """A market in which these mids were seen at these times."""
    market = market_at(0.0)
    for ts, mid in mids:
        on_mid(market, book_of(ts, round(mid * 10) - 1, round(mid * 10) + 1))
    return market


def test_mid_is_remembered_when_it_changes_and_a_book_of_one_side_leaves_it() -> None:
    market = market_of((10, 0.5))
    assert market["mid"] == pytest.approx(0.5), "also one below 1"
    on_mid(market, book_of(20, 4, 6))
    on_mid(market, book_of(30, 4, NO_ASK))
    assert market["mid"] == pytest.approx(0.5)
    assert market["mids_count"] == 1
    on_mid(market, book_of(40, 6, 8))
    assert (market["mid_ts"][1], market["mids"][1], market["mids_count"]) == (40, pytest.approx(0.7), 2)


def test_mid_before_is_the_last_strictly_before_or_the_oldest() -> None:
    market = market_of((10, 5.0), (20, 6.0), (30, 7.0))
    found = [mid_before(market, ts) for ts in (5, 10, 11, 20, 21, 30, 31)]
    assert found == pytest.approx([5, 5, 5, 5, 6, 6, 7])


def test_mid_before_goes_back_as_far_as_is_remembered() -> None:
    """One mid more than there is room for: the first is forgotten."""
    market = market_of(*((10 * number, 10.0 + number) for number in range(MIDS + 1)))
    assert mid_before(market, 5) == pytest.approx(11), "the oldest that is left"
    assert mid_before(market, 21) == pytest.approx(12)
    assert mid_before(market, 10 * MIDS + 1) == pytest.approx(10 + MIDS)


def test_position_earns_the_move_of_the_mid_once() -> None:
    account, market = account_with(position=3.0, mid=10.0), market_at(10.5)
    settle(account, market)
    settle(account, market)
    assert account["inventory"] == 1.5
    assert account["mid"] == 10.5


def test_profit_is_cash_and_position_at_the_mid_less_what_there_was() -> None:
    assert total_of(account_with(cash=700.0, position=4.0), market_at(100.0), SETTINGS[0]) == 100


@pytest.mark.parametrize(("side", "cash"), [(1, 1000 - 2 * 9 - 0.25), (-1, 1000 + 2 * 9 - 0.25)])
def test_fill_books_its_parts(side: int, cash: float) -> None:
    """2 at 9 for a fee of 0.25, the mid then 9.5, now 10: the spread had 0.5 a unit, and so had what was held since."""
    account, market = account_with(), market_at(10.0)
    trade(account, market, side, 9.0, 2.0, 0.25, 9.5)
    assert account["spread"] == side * 1.0
    assert account["inventory"] == side * 1.0
    assert (account["cash"], account["fees"], account["turnover"]) == (cash, 0.25, 18)
    assert (account["position"], account["average_entry_price"]) == (side * 2, 9)


@pytest.mark.parametrize(
    ("held", "entry", "side", "price", "size", "after", "average_price", "realised"),
    [
        (0.0, 0.0, 1, 100.1, 3.0, 3.0, 100.1, 0.0),  # the first fill's price, to the last bit
        (0.0, 0.0, -1, 0.7, 3.0, -3.0, 0.7, 0.0),
        (2.0, 100.0, 1, 106.0, 1.0, 3.0, 102.0, 0.0),
        (-2.0, 100.0, -1, 106.0, 1.0, -3.0, 102.0, 0.0),
        (0.5, 100.0, 1, 104.0, 0.5, 1.0, 102.0, 0.0),
        (0.5, 100.0, -1, 104.0, 0.25, 0.25, 100.0, 1.0),
        (3.0, 100.0, -1, 104.0, 2.0, 1.0, 100.0, 8.0),
        (-3.0, 100.0, 1, 104.0, 2.0, -1.0, 100.0, -8.0),
        (2.0, 100.0, -1, 104.0, 5.0, -3.0, 104.0, 8.0),
        (-2.0, 100.0, 1, 104.0, 5.0, 3.0, 104.0, -8.0),
        (2.0, 100.0, -1, 104.0, 2.0, 0.0, 0.0, 8.0),
        (0.1 + 0.2, 100.0, -1, 100.0, 0.3, 0.0, 0.0, 0.0),  # the dust of floats is no position,
        (1e6 + 1e-4, 100.0, -1, 100.0, 1e6, 0.0, 0.0, 0.0),  # nor is less than a billionth of the fill;
        (1e9 + 1, 100.0, -1, 100.0, 1e9, 1.0, 100.0, 0.0),  # a billionth is
    ],
)
def test_position_at_average_cost(
    held: float,
    entry: float,
    side: int,
    price: float,
    size: float,
    after: float,
    average_price: float,
    realised: float,
) -> None:
    account = account_with(position=held, average_entry_price=entry)
    average(account, market_at(100.0), side, price, size)
    assert (account["position"], account["average_entry_price"]) == (after, average_price)
    assert account["realised"] == pytest.approx(realised, abs=1e-9)


MONEY = ("realised", "spread", "inventory", "fees", "priority_fees", "funding", "turnover", "liquidations")


def test_reset_leaves_the_initial_cash_and_nothing_else() -> None:
    account = account_with(position=3.0, average_entry_price=9.0, cash=7.0, fills=5, **dict.fromkeys(MONEY, 4))
    reset_money(account, SETTINGS[0])
    assert account["cash"] == 1000
    assert [account[name] for name in ("position", "average_entry_price", *MONEY)] == [0] * 10
    assert account["fills"] == 5


def written(account: Record, market: Record) -> Record:
    """The account's message as of 7 ns."""
    out = np.zeros(1, dtype=record_dtype(Account))[0]
    write_account(account, market, SETTINGS[0], 7, out)
    return out


def test_account_message_by_hand() -> None:
    """2 at 90 while the mid is 100 and the mark 110: 20 unrealised; of a total of 50 the parts leave 3 unexplained."""
    parts = {"spread": 31.0, "inventory": 11.0, "fees": 2.0, "funding": 7.0, "realised": 13.0, "turnover": 17.0}
    account = account_with(position=2.0, average_entry_price=90.0, cash=850.0, mid=100.0, liquidations=4, **parts)
    out = written(account, market_at(100.0, mark=110.0))
    assert (out["ts"], out["position"], out["cash"], out["equity"], out["total"]) == (7, 2, 850, 1050, 50)
    assert {name: out[name] for name in parts} == parts
    assert (out["unrealised"], out["residual"]) == (20, 50 - (31 + 11 - 2 + 7))
    assert (out["mark_price"], out["notional"], out["leverage"], out["margin_used"]) == (110, 220, 5, 44)
    assert (out["margin_available"], out["maintenance_margin"], out["liquidations"]) == (1050 - 44, 22, 4)


@pytest.mark.parametrize(("position", "unrealised"), [(1.0, 10.0), (-1.0, -10.0), (0.0, 0.0)])
def test_unrealised_profit_is_of_the_position_that_is_held(position: float, unrealised: float) -> None:
    account = account_with(position=position, average_entry_price=90.0 if position else 0.0, mid=100.0)
    assert written(account, market_at(100.0))["unrealised"] == unrealised


def test_spot_may_spend_what_it_has_in_cash() -> None:
    account = account_with(position=2.0, average_entry_price=90.0, cash=850.0, mid=100.0)
    assert written(account, market_at(100.0, kind=SPOT))["margin_available"] == 850
