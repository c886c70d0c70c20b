"""What a price is worth, by hand: linear contracts in quote currency, inverse contracts in the base coin."""

import numpy as np
import pytest

from papertrader.shared.market.money import inverse_size, notional, price_worth, quote_value, worth
from papertrader.shared.messages import Instrument

INVERSE = 100.0
"""A contract of 100 units of quote currency."""


@pytest.mark.parametrize(
    ("price", "inverse_size", "expected"),
    [
        (250.0, 0.0, 250.0),
        (0.5, 0.0, 0.5),
        (250.0, INVERSE, -0.4),
        (0.5, INVERSE, -200.0),
        (1.0, 1.0, -1.0),
        (0.0, INVERSE, 0.0),  # no price yet
        (0.0, 0.0, 0.0),
    ],
)
def test_unit_is_worth_its_price_or_what_buys_the_contract(price: float, inverse_size: float, expected: float) -> None:
    assert worth(price, inverse_size) == expected


@pytest.mark.parametrize(
    ("value", "inverse_size", "expected"),
    [
        (250.0, 0.0, 250.0),
        (-0.4, INVERSE, 250.0),
        (-1.0, INVERSE, 100.0),
        (1.0, INVERSE, -100.0),
        (0.0, INVERSE, np.inf),
    ],
)
def test_price_of_a_worth_is_the_inverse(value: float, inverse_size: float, expected: float) -> None:
    assert price_worth(value, inverse_size) == expected


def test_notional_is_never_negative() -> None:
    assert notional(-3.0, 250.0, 0.0) == 750.0
    assert notional(-3.0, 250.0, INVERSE) == pytest.approx(1.2, rel=1e-15)


def test_contract_is_worth_the_same_quote_currency_at_any_price() -> None:
    assert quote_value(3.0, 250.0, 0.0) == 750.0
    assert quote_value(3.0, 250.0, INVERSE) == quote_value(3.0, 1.0, INVERSE) == 300.0
    assert quote_value(3.0, 250.0, 1.0) == 3.0


def test_only_an_inverse_contract_has_a_size_in_quote_currency() -> None:
    rules = {"ts": 0, "tick_size": 0.1, "lot_size": 1.0, "contract_size": INVERSE}
    assert inverse_size(Instrument(kind="inverse", **rules)) == INVERSE
    assert inverse_size(Instrument(kind="perpetual", **rules)) == 0
