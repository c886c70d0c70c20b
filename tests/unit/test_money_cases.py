"""Money on what venues really send: small tapes, the right values by hand, told by the services' own folds."""

from pathlib import Path
from typing import Any

import pytest

from papertrader.replay.order import Answered, Trial
from papertrader.shared.messages import Place
from papertrader.shared.service.config import Settings
from tests.unit.test_grid_cases import MS, T0, event, l2_book, source_of, written

HOUR_MS = 3_600_000
EIGHT_HOURS_MS = 8 * HOUR_MS


def asked(path: Path, ms: int, side: Any, price: float, size: float, **fill_sim: Any) -> Answered:
    """What became of an order that takes what it can."""
    place = Place(ts=(T0 + ms) * MS, order_id=1, side=side, price=price, size=size, time_in_force="gtc")
    settings = {"leverage": 50.0, "taker_fee_bps": 0.0, **fill_sim}
    return Trial(source_of(path), Settings({"fill_sim": settings}), [place]).run()


def around(settlement_ms: int) -> list[int]:
    """Every five seconds from a minute before a settlement until one after, since T0."""
    return [settlement_ms - 60_000 + 5_000 * step for step in range(24)]


def binance(path: Path, middle_ms: int, next_ms: int) -> Path:
    """A book that stands and a mark of 100 010, from a minute before until one after; `next_ms` is what `T` says."""
    frames: list[tuple[int, Any]] = []
    best = {"bids": [["99999.9", "2.000"]], "asks": [["100000.0", "2.000"]]}
    first, *later = around(middle_ms)
    touch = {"u": 1000, "b": "99999.9", "B": "2.000", "a": "100000.0", "A": "2.000"}
    frames.append((first - 100, event("BTCUSDT", "bookTicker", first - 100, **touch)))
    snapshot = {"symbol": "BTCUSDT", "lastUpdateId": 1000, "E": T0 + first, "T": T0 + first, **best}
    frames.append((first, snapshot))
    for number, ms in enumerate(later, 1001):
        size = f"2.{number % 3}00"
        changes = {"U": number, "u": number, "pu": number - 1, "b": [["99999.9", size]], "a": []}
        frames.append((ms, event("BTCUSDT", "depthUpdate", ms, **changes)))
        paid_ms = next_ms if ms < next_ms else next_ms + EIGHT_HOURS_MS
        mark = {"p": "100010.0", "P": "100010.0", "i": "100020.0", "r": "0.00080000", "T": T0 + paid_ms}
        frames.append((ms + 1, event("BTCUSDT", "markPriceUpdate", ms + 1, **mark)))
    return written(path, frames)


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
    hour_ms = HOUR_MS - T0 % HOUR_MS
    frames: list[tuple[int, Any]] = []
    prices = {"funding": "0.0001", "oraclePx": "99000.0", "markPx": "100000.0", "openInterest": "1000"}
    for ms in around(hour_ms):
        frames.append((ms, l2_book("BTC", ms, [("99999", "2")], [("100000", f"2.{ms // 5000 % 9}")])))
        frames.append((ms + 1, {"channel": "activeAssetCtx", "data": {"coin": "BTC", "ctx": prices}}))
    tape = written(tmp_path / "BTC.txt", frames)
    answer = asked(tape, hour_ms - 50_000, side, price, 1.0)
    assert answer.account.funding == pytest.approx(funding, rel=1e-12)


@pytest.mark.parametrize("coin", ["PURR/USDC", "@107"])
def test_spot_coin_that_is_not_held_cannot_be_sold(tmp_path: Path, coin: str) -> None:
    bids, asks = [("0.190", "5000"), ("0.189", "5000")], [("0.191", "5000.0"), ("0.192", "5000.0")]
    frames = [(ms, l2_book(coin, ms, bids, asks)) for ms in range(0, 5_000, 500)]
    tape = written(tmp_path / "tape.txt", frames)
    answer = asked(tape, 2_000, "sell", 0.19, 2_000.0)
    assert answer.orders[0].reason == "insufficient_balance"
    assert answer.account.position == 0
    assert answer.account.leverage == 1
    bought = asked(tape, 2_000, "buy", 0.191, 2_000.0, leverage=10.0)
    assert bought.account.cash == pytest.approx(10_000 - 382.0, rel=1e-12)
    assert bought.account.margin_available == bought.account.cash
