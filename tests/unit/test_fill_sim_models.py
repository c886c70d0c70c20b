"""The flat and through models, the adverse-fill test, and the coins."""

import numpy as np
import pytest

from papertrader.services.fill_sim.chance import FILL_COIN, quantile, uniform
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.lots import whole_lots
from papertrader.services.fill_sim.matching import fill_probability
from papertrader.services.fill_sim.settings import settings_of
from tests.unit.fill_sim_session import cancel, place, prints, quoted


@pytest.mark.parametrize(
    ("right", "through", "print_size", "age_s", "expected"),
    [
        (True, False, 1.0, 5, 0.3 * 1 * 1 * 0.4),
        (True, True, 1.0, 5, 0.3 * 1.5 * 1 * 0.4),
        (True, False, 0.1, 5, 0.3 * 0.5 * 0.4),
        (True, False, 9.0, 5, 0.3 * 2.0 * 0.4),
        (True, False, 1.0, 1, 0.3 * 0.4 * 0.7),
        (True, False, 1.0, 10, 0.3 * 0.4),
        (True, False, 1.0, 10.1, 0.3 * 0.4 * 1.3),
        (False, True, 9.0, 100, 0.3 * 0.3),
    ],
)
def test_flat_probability_by_hand(right: bool, through: bool, print_size: float, age_s: float, expected: float) -> None:
    settings = settings_of([FillSimConfig(fill_model="flat")])[0]
    assert fill_probability(settings, right, through, print_size, 1.0, age_s) == pytest.approx(expected)


def test_flat_probability_is_at_most_095() -> None:
    settings = settings_of([FillSimConfig(fill_model="flat", fill_prob_base=1.0, queue_position_factor=1.0)])[0]
    assert fill_probability(settings, True, True, 9.0, 1.0, 100) == 0.95


def test_coins_are_uniform_and_depend_on_all_they_are_for() -> None:
    coins = np.array([uniform(1, FILL_COIN, order, trade) for order in range(100) for trade in range(100)])
    assert abs(coins.mean() - 0.5) < 0.02
    assert abs(np.quantile(coins, 0.1) - 0.1) < 0.02
    assert 0 <= coins.min() < coins.max() < 1
    assert abs(np.corrcoef(coins[:-1], coins[1:])[0, 1]) < 0.03
    once = uniform(1, FILL_COIN, 5, 6)
    assert once == uniform(1, FILL_COIN, 5, 6)
    assert len({once, uniform(2, FILL_COIN, 5, 6), uniform(1, 2, 5, 6), uniform(1, FILL_COIN, 6, 5)}) == 4


def test_quantiles_are_linear_through_zero_and_level_beyond_the_last() -> None:
    u, ms = np.array([0.5, 1.0, 1.0]), np.array([80.0, 200.0, 200.0])
    assert [quantile(at, u, ms) for at in (0.0, 0.25, 0.5, 0.75, 0.999999)] == pytest.approx(
        [0, 40, 80, 140, 200], abs=1e-3
    )
    assert quantile(0.999, np.array([0.0, 0.0]), np.array([100.0, 100.0])) == 100


def test_flat_orders_share_a_print_of_which_each_gets_04() -> None:
    """40 orders of 0.5 and prints of 0.5: 0.2 each, but never more than the print together."""
    session = quoted(*(place(1000, number, "buy", 99.9, 0.5) for number in range(1, 41)), fill_model="flat")
    for number in range(100):
        session.round(1300 + number, prints(1300 + number, "sell", (99.9, 0.5), first_id=1000 + number))
    assert max(fill.size for fill in session.fills) == pytest.approx(0.2)
    by_print: dict[int, float] = {}
    for fill in session.fills:
        by_print[fill.trade_id] = by_print.get(fill.trade_id, 0) + fill.size
    assert max(by_print.values()) == pytest.approx(0.5), "three winners of 0.2 would be more than the print"


def test_flat_rate_is_the_probability() -> None:
    """One order, 3000 prints of a hundredth of it: p = 0.3 · 1 · 0.5 · 0.4 · 0.7, then ·1 after one second."""
    session = quoted(place(1000, 1, "buy", 99.9, 100), fill_model="flat")
    trades = [prints(1300 + 3 * number, "sell", (99.9, 0.05), first_id=number) for number in range(3000)]
    session.round(10_500, *trades)
    assert len(session.fills) / 3000 == pytest.approx(0.06, abs=0.015)
    assert all(fill.size == pytest.approx(0.02) for fill in session.fills)


def test_flat_wrong_aggressor_fills_at_its_own_rate() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 100), fill_model="flat")
    session.round(10_500, *(prints(1300 + 3 * n, "buy", (99.9, 0.05), first_id=n) for n in range(3000)))
    assert len(session.fills) / 3000 == pytest.approx(0.09, abs=0.02)
    session.round(10_600, said=(cancel(10_500, 1),))


def test_flat_unlucky_order_ends_by_coin() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1), fill_model="flat", fill_prob_base=0.0)
    session.round(1300, prints(1250, "sell", (99.8, 100)))
    session.round(1500, said=(cancel(1300, 1),))
    assert session.statuses(1)[-1] == ("cancelled", "coin")


def test_through_model_ignores_prints_at_the_price() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1), fill_model="through")
    session.round(1300, prints(1250, "sell", (99.9, 500)))
    assert not session.fills
    session.round(1400, prints(1350, "sell", (99.8, 0.4)))
    assert [fill.size for fill in session.fills] == [0.4]
    unfilled = quoted(place(1000, 1, "buy", 99.9, 1), fill_model="through")
    unfilled.round(1300, prints(1250, "sell", (99.9, 500)))
    unfilled.round(1500, said=(cancel(1300, 1),))
    assert unfilled.statuses(1)[-1] == ("cancelled", "not_through")


def test_adverse_fill_ratio_marks_its_share_of_orders() -> None:
    orders = tuple(place(1000, number, "buy", 99.9, 0.01) for number in range(1, 61))
    session = quoted(*orders, adverse_fill_ratio=0.5)
    session.round(1300, prints(1250, "sell", (99.9, 500)))
    at_touch = len(session.fills)
    assert 20 <= at_touch <= 40, "half of them are filled at the price"
    session.round(1400, prints(1350, "sell", (99.8, 500)))
    assert len(session.fills) == 60, "and all of them by a print through it"
    assert sum(fill.through for fill in session.fills) == 60 - at_touch


@pytest.mark.parametrize(
    "latency", [-1.0, 70_000.0, ((0.5, 80.0), (0.4, 90.0)), ((0.5, 80.0), (0.9, 70.0)), ((0.0, 80.0),), ()]
)
def test_absurd_latency_is_refused(latency: object) -> None:
    with pytest.raises(ValueError, match="placement_latency_ms"):
        FillSimConfig(placement_latency_ms=latency)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("lot", "size", "whole"),
    [(1e-5, 0.00455000000001, 0.00455), (1e-5, 1.5e-14, 0.0), (0.1, 0.29999999999999993, 0.3), (5.0, 12.0, 10.0)],
)
def test_fill_sizes_are_whole_lots(lot: float, size: float, whole: float) -> None:
    """0.00455 of lots of 0.00001 is 455 lots, written as the nearest float; dust fills nothing."""
    market = np.zeros(1, dtype=[("lot_size", "f8")])
    market["lot_size"] = lot
    assert whole_lots(market[0], size) == whole
