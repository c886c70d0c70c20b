"""Money on what venues really send: small tapes, the right values by hand, told by the services' own folds."""

from pathlib import Path
from typing import Any

import pytest

from papertrader.replay.order import Answered, Trial
from papertrader.shared.messages import Place
from papertrader.shared.service.config import Settings
from tests.case_tapes import (
    EIGHT_HOURS_MS,
    HOUR_AT_MS,
    HOUR_MS,
    MS,
    T0,
    binance,
    over_the_hour,
    source_of,
    spot,
    written,
)


def asked(path: Path, ms: int, side: Any, price: float, size: float, **fill_sim: Any) -> Answered:
    """What became of an order that takes what it can."""
    place = Place(ts=(T0 + ms) * MS, order_id=1, side=side, price=price, size=size, time_in_force="gtc")
    settings = {"leverage": 50.0, "taker_fee_bps": 0.0, **fill_sim}
    return Trial(source_of(path), Settings({"fill_sim": settings}), [place]).run()


@pytest.mark.parametrize(
    ("hours", "funding"),
    [(8, -80.008), (1, 0.0), (2, 0.0), (4, 0.0)],
)
def test_binance_pays_at_the_time_that_it_names_and_at_no_other_hour(
    tmp_path: Path, hours: int, funding: float
) -> None:
    """1 · 100 010 · 0.0008 at T; nothing at the full hours before it."""
    midnight_ms = -(T0 % EIGHT_HOURS_MS)
    middle_ms = midnight_ms + hours * HOUR_MS
    tape = binance(tmp_path / "BTCUSDT.txt", middle_ms, midnight_ms + EIGHT_HOURS_MS)
    answer = asked(tape, middle_ms - 50_000, "buy", 100_000.0, 1.0)
    assert answer.account.position == 1
    assert answer.account.funding == pytest.approx(funding, rel=1e-12)


def test_binance_symbol_of_four_hours_pays_the_whole_rate_at_its_own_time(tmp_path: Path) -> None:
    midnight_ms = -(T0 % EIGHT_HOURS_MS)
    middle_ms = midnight_ms + 4 * HOUR_MS
    tape = binance(tmp_path / "BTCUSDT.txt", middle_ms, middle_ms)
    answer = asked(tape, middle_ms - 50_000, "buy", 100_000.0, 1.0)
    assert answer.account.funding == pytest.approx(-80.008, rel=1e-12)


@pytest.mark.parametrize(("side", "price", "funding"), [("buy", 100_000.0, -9.9), ("sell", 99_999.0, 9.9)])
def test_hyperliquid_pays_every_hour_on_the_oracle(tmp_path: Path, side: str, price: float, funding: float) -> None:
    """1 · 99 000 · 0.0001, whatever the mark is."""
    tape = written(tmp_path / "BTC.txt", over_the_hour())
    answer = asked(tape, HOUR_AT_MS - 50_000, side, price, 1.0)
    assert answer.account.funding == pytest.approx(funding, rel=1e-12)


@pytest.mark.parametrize("coin", ["PURR/USDC", "@107"])
def test_spot_coin_that_is_not_held_cannot_be_sold(tmp_path: Path, coin: str) -> None:
    tape = written(tmp_path / "tape.txt", spot(coin))
    answer = asked(tape, 2_000, "sell", 0.19, 2_000.0)
    assert answer.orders[0].reason == "insufficient_balance"
    assert answer.account.position == 0
    assert answer.account.leverage == 1
    bought = asked(tape, 2_000, "buy", 0.191, 2_000.0, leverage=10.0)
    assert bought.account.cash == pytest.approx(10_000 - 382.0, rel=1e-12)
    assert bought.account.margin_available == bought.account.cash
