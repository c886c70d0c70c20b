"""The gateway's arithmetic, by hand."""

import pytest

from papertrader.services.gateway.kernel import (
    closed_profit,
    decimal,
    direction,
    entry_after,
    liquidation_price,
    requests_allowed,
    size_decimals,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(80_640.0, "80640.0"), (0.0, "0.0"), (-0.0, "0.0"), (0.00186, "0.00186"), (1.5, "1.5"), (-1e-12, "0.0")],
)
def test_numbers_keep_their_point(value: float, text: str) -> None:
    assert decimal(value) == text


@pytest.mark.parametrize(
    ("position", "side", "size", "profit", "entry", "words"),
    [
        (0.0, 1, 2.0, 0.0, 110.0, "Open Long"),
        (2.0, 1, 2.0, 0.0, 105.0, "Open Long"),
        (2.0, -1, 1.0, 10.0, 100.0, "Close Long"),
        (2.0, -1, 2.0, 20.0, 0.0, "Close Long"),
        (2.0, -1, 3.0, 20.0, 110.0, "Long > Short"),
        (-2.0, 1, 1.0, -10.0, 100.0, "Close Short"),
        (-2.0, 1, 5.0, -20.0, 110.0, "Short > Long"),
        (0.0, -1, 1.0, 0.0, 110.0, "Open Short"),
    ],
)
def test_a_fill_at_110_of_a_position_from_100(
    position: float, side: int, size: float, profit: float, entry: float, words: str
) -> None:
    assert closed_profit(position, 100.0, side, 110.0, size) == pytest.approx(profit)
    assert entry_after(position, 100.0 if position else 0.0, side, 110.0, size) == pytest.approx(entry)
    assert direction(position, side, size) == words


def test_liquidation_is_where_equity_meets_the_margin() -> None:
    price = liquidation_price(2.0, 100.0, 50.0, 5.0)
    assert price is not None
    assert 50.0 + 2.0 * (price - 100.0) == pytest.approx(0.025 * 2.0 * price)
    short = liquidation_price(-2.0, 100.0, 50.0, 5.0)
    assert short is not None
    assert short > 100.0
    assert liquidation_price(0.0, 100.0, 50.0, 0.0) is None
    assert liquidation_price(1.0, 100.0, 1_000.0, 1.0) is None


@pytest.mark.parametrize(
    ("free", "turnover", "cancels", "allowed"),
    [
        (10_000, 0.0, False, 10_000),
        (10_000, 2_500.9, False, 12_500),
        (10_000, 0.0, True, 20_000),
        (200_000, 50_000.0, True, 350_000),
    ],
)
def test_requests_are_earned_by_trading(free: int, turnover: float, cancels: bool, allowed: int) -> None:
    assert requests_allowed(free, turnover, cancels) == allowed


@pytest.mark.parametrize(("lot", "decimals"), [(1e-5, 5), (1.0, 0), (10.0, 0), (0.001, 3), (0.5, 1)])
def test_decimals_of_sizes(lot: float, decimals: int) -> None:
    assert size_decimals(lot) == decimals
