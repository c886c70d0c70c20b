"""Money as venues count it, worked by hand: inverse contracts, spot, fees by tier, the account's word on it."""

from typing import Any

import pytest

from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.fees import fees_bps
from papertrader.services.fill_sim.service import FillSim
from papertrader.shared import messages as m
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.config import SettingsError
from tests.unit.fill_sim_session import (
    ASKS,
    BIDS,
    HOUR_MS,
    MARKET,
    Session,
    book,
    cancel,
    context,
    modify,
    ns,
    place,
    prints,
)
from tests.unit.test_fill_sim_account import take

INVERSE = m.Instrument(
    ts=ns(0), tick_size=0.1, lot_size=1.0, kind="inverse", contract_size=100.0, funding_interval_s=3600
)
SPOT = m.Instrument(ts=ns(0), tick_size=0.1, lot_size=0.001, kind="spot")
DEEP_BIDS = [(price, 1000.0) for price, _ in BIDS]
DEEP_ASKS = [(price, 1000.0) for price, _ in ASKS]


def begun(instrument: m.Instrument, **settings: Any) -> Session:
    """A session at 1000 ms with a deep book around a mid of 100."""
    session = Session(instrument, **settings)
    session.round(1000, book(1000, DEEP_BIDS, DEEP_ASKS))
    return session


def test_inverse_contracts_earn_the_difference_of_the_reciprocals_in_coin() -> None:
    """10 contracts of 100 bought at 100.1, sold at 110.1: 1000·(1/100.1 − 1/110.1) coins; a fee of 10 bp each."""
    session = begun(INVERSE, taker_fee_bps=10.0, initial_cash=100.0)
    take(session, 1000, 1, "buy", 100.1, 10)
    account = session.account
    assert account.position == 10
    assert account.average_entry_price == 100.1
    assert account.unrealised == pytest.approx(1000 * (1 / 100.1 - 1 / 100.0), rel=1e-12)
    session.round(1300, book(1250, [(110.1, 1000)], [(110.3, 1000)]))
    assert session.account.unrealised == pytest.approx(1000 * (1 / 100.1 - 1 / 110.2), rel=1e-12)
    take(session, 1300, 2, "sell", 110.1, 10)
    account = session.account
    assert account.realised == pytest.approx(1000 * (1 / 100.1 - 1 / 110.1), rel=1e-12)
    assert account.fees == pytest.approx(1000 * (1 / 100.1 + 1 / 110.1) * 1e-3, rel=1e-12)
    assert account.turnover == pytest.approx(1000 * (1 / 100.1 + 1 / 110.1), rel=1e-12)
    assert account.total == pytest.approx(account.realised - account.fees, rel=1e-12)
    assert account.equity == pytest.approx(100 + account.total, rel=1e-15)
    assert account.residual == pytest.approx(0, abs=1e-14)


def test_inverse_average_is_the_price_whose_worth_is_the_mean() -> None:
    session = begun(INVERSE, initial_cash=100.0)
    take(session, 1000, 1, "sell", 99.9, 10)
    session.round(1300, book(1250, [(199.8, 1000)], [(200.0, 1000)]))
    take(session, 1300, 2, "sell", 199.8, 10)
    account = session.account
    assert account.average_entry_price == pytest.approx(2 / (1 / 99.9 + 1 / 199.8), rel=1e-12), "the harmonic mean"
    assert account.total == pytest.approx(-1000 * (2 / account.average_entry_price - 2 / 199.9), rel=1e-12)


@pytest.mark.parametrize(("side", "price", "sign"), [("buy", 100.1, -1), ("sell", 99.9, 1)])
def test_inverse_funding_and_margin_are_in_coin(side: str, price: float, sign: int) -> None:
    """10 contracts of 100 at a mark of 125 are worth 8 coins."""
    session = begun(INVERSE, leverage=5.0, initial_cash=100.0)
    take(session, 1000, 1, side, price, 10)
    session.round(1400, context(1350, mark=125.0, funding_rate=1e-4))
    assert session.account.notional == pytest.approx(8.0)
    assert session.account.margin_used == pytest.approx(8.0 / 5)
    assert session.account.maintenance_margin == pytest.approx(8.0 / 10)
    session.round(HOUR_MS, book(HOUR_MS, DEEP_BIDS, DEEP_ASKS))
    assert session.account.funding == pytest.approx(sign * 8.0 * 1e-4, rel=1e-12)
    assert session.account.residual == pytest.approx(0, abs=1e-14)


def test_inverse_least_notional_is_in_quote_currency() -> None:
    rules = m.Instrument(ts=ns(0), tick_size=0.1, lot_size=1.0, kind="inverse", contract_size=10.0, min_notional=50.0)
    session = begun(rules, initial_cash=1000.0)
    session.round(1200, said=(place(1000, 1, "buy", 99.9, 4), place(1000, 2, "buy", 99.9, 5)))
    assert session.statuses(1) == [("rejected", "below_min_notional")], "4 contracts of 10"
    assert session.statuses(2) == [("accepted", "none")]


def test_spot_cannot_be_sold_short() -> None:
    session = begun(SPOT)
    session.round(1200, said=(place(1000, 1, "sell", 99.9, 1, time_in_force="ioc"), place(1000, 2, "sell", 100.1, 1)))
    assert session.statuses(1) == [("rejected", "insufficient_balance")]
    assert session.statuses(2) == [("rejected", "insufficient_balance")]
    take(session, 1200, 3, "buy", 100.1, 2)
    session.round(1500, said=(place(1300, 4, "sell", 100.3, 1.5), place(1300, 5, "sell", 100.3, 0.5)))
    session.round(1600, said=(place(1500, 6, "sell", 100.3, 0.001),))
    assert [session.statuses(order)[0][0] for order in (4, 5, 6)] == ["accepted", "accepted", "rejected"]
    session.round(1800, said=(cancel(1600, 5),))
    session.round(2000, said=(place(1800, 7, "sell", 100.2, 0.5),))
    assert session.statuses(7) == [("accepted", "none")], "a cancelled order holds nothing back"
    session.round(2200, said=(modify(2000, 7, 100.2, 0.6),))
    assert session.statuses(7)[-1] == ("refused", "insufficient_balance")


def test_spot_has_no_leverage_and_cash_pays_for_everything() -> None:
    """1000 buy 9 at 100.1 with 10 bp of fee; then 98.2 are left, less what rests at the bid."""
    session = begun(SPOT, initial_cash=1000.0, leverage=50.0, taker_fee_bps=10.0, maker_fee_bps=10.0)
    session.round(1200, said=(place(1000, 1, "buy", 100.1, 9.99, time_in_force="ioc"),))
    assert session.statuses(1) == [("rejected", "insufficient_balance")], "999.999 and the fee of 1 are more"
    take(session, 1200, 2, "buy", 100.1, 9)
    account = session.account
    left = 1000 - 900.9 - 0.9009
    assert account.cash == pytest.approx(left, rel=1e-12)
    assert (account.leverage, account.maintenance_margin) == (1.0, 0.0)
    assert account.margin_available == account.cash
    assert account.equity == pytest.approx(left + 900, rel=1e-12)
    session.round(1500, said=(place(1300, 3, "buy", 99.9, 0.9),))
    session.round(1600, said=(place(1400, 4, "buy", 99.9, 0.09), place(1400, 5, "buy", 99.9, 0.081)))
    assert [session.statuses(order)[0][0] for order in (3, 4, 5)] == ["accepted", "rejected", "accepted"]


def test_spot_pays_no_funding() -> None:
    session = begun(SPOT)
    take(session, 1000, 1, "buy", 100.1, 2)
    session.round(1400, context(1350, mark=100.0, funding_rate=1e-4))
    session.round(2 * HOUR_MS, book(2 * HOUR_MS, DEEP_BIDS, DEEP_ASKS))
    assert session.account.funding == 0


def test_spot_late_print_sells_no_more_than_is_held() -> None:
    """2 held; a sell of 2 is cancelled, another of 2 filled meanwhile, then a print of before the cancel comes."""
    session = begun(SPOT, late_print_ms=1000.0)
    take(session, 1000, 1, "buy", 100.1, 2)
    session.round(1300, said=(place(1100, 2, "sell", 100.3, 2),))
    session.round(1500, said=(cancel(1350, 2), place(1350, 3, "sell", 100.2, 2)))
    session.round(1600, prints(1550, "buy", (100.3, 2.0)))
    assert session.account.position == 0
    session.round(1700, prints(1390, "buy", (100.4, 50.0), first_id=7))
    assert session.account.position == 0
    assert [fill.order_id for fill in session.fills] == [1, 3]


def test_flatten_sells_the_spot_inventory() -> None:
    session = begun(SPOT)
    take(session, 1000, 1, "buy", 100.1, 2)
    session.round(1300, said=(place(1100, 2, "sell", 100.3, 2),))
    session.round(1500, said=(m.Control(ts=ns(1300), action="flatten"),))
    session.round(1700)
    assert session.account.position == 0
    assert session.statuses(2)[-1][0] == "cancelled"


@pytest.mark.parametrize(
    ("venue", "kind", "settings", "fees"),
    [
        ("hyperliquid", "perpetual", {}, (1.5, 4.5)),
        ("hyperliquid", "spot", {}, (4.0, 7.0)),
        ("hyperliquid", "perpetual", {"fee_tier": 4}, (0.0, 2.8)),
        ("hyperliquid", "perpetual", {"fee_tier": 1, "fee_discount_tier": 3}, (1.2 * 0.85, 4.0 * 0.85)),
        ("hyperliquid", "perpetual", {"maker_rebate_tier": 3, "fee_discount_tier": 6}, (-0.3, 4.5 * 0.6)),
        ("binance", "perpetual", {}, (2.0, 5.0)),
        ("binance", "perpetual", {"fee_tier": 9}, (0.0, 1.7)),
        ("binance", "perpetual", {"fee_discount_tier": 1}, (1.8, 4.5)),
        ("okx", "perpetual", {}, (1.5, 4.5)),
        ("binance", "perpetual", {"fee_tier": 9, "maker_fee_bps": -0.5}, (-0.5, 1.7)),
        ("hyperliquid", "perpetual", {"maker_rebate_tier": 1, "taker_fee_bps": 0.0}, (-0.1, 0.0)),
    ],
)
def test_fees_are_the_venues_by_tier_and_explicit_ones_win(
    venue: str, kind: m.MarketKind, settings: dict[str, Any], fees: tuple[float, float]
) -> None:
    assert fees_bps(FillSimConfig(**settings), venue, kind) == pytest.approx(fees, rel=1e-12)


@pytest.mark.parametrize(
    ("venue", "setting", "known"),
    [
        ("hyperliquid", {"fee_tier": 7}, "0 to 6"),
        ("binance", {"maker_rebate_tier": 1}, "0 to 0"),
        ("", {"fee_tier": 1}, ""),
    ],
)
def test_tier_that_the_venue_does_not_have_is_refused_by_name(venue: str, setting: dict[str, Any], known: str) -> None:
    with pytest.raises(SettingsError, match=f"{next(iter(setting))}.*{known}"):
        FillSim(Market(venue or "test", "ABC"), {"main": FillSimConfig(**setting)})


def test_account_says_its_fees_and_fills_pay_them() -> None:
    session = Session(maker_fee_bps=None, taker_fee_bps=None)
    session.exchange = FillSim(Market("binance", "BTCUSDT"), {"main": session.config})
    session.round(1000, book(1000, DEEP_BIDS, DEEP_ASKS))
    (account,) = session.of("account")
    assert (account.maker_fee_bps, account.taker_fee_bps) == (2.0, 5.0)
    take(session, 1000, 1, "buy", 100.1, 1)
    assert session.fills[0].fee == pytest.approx(100.1 * 5e-4, rel=1e-12)
    assert MARKET.venue != "binance"
