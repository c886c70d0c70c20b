"""The odds that a cancel is ahead, from queues written by hand, and from simulated ones whose odds are known."""

import numpy as np
import pytest

from papertrader.replay.judge.cancels import NEAR, cancels
from papertrader.replay.judge.odds import odds_of
from papertrader.replay.judge.orders import OrderData, order_data
from tests.unit.judging import Row, add, cancel, modify, trade


def data(*rows: Row | list[Row]) -> OrderData:
    """Order data of the rows."""
    flat = [one for row in rows for one in (row if isinstance(row, list) else [row])]
    names = ("ts", "order", "size", "tick", "action", "side")
    columns = {name: np.array([row[index] for row in flat]) for index, name in enumerate(names)}
    columns["ts"] = (columns["ts"] * 1e9).astype(np.int64)
    return order_data(columns, 0.01, "test")


def test_a_cancel_seen_from_behind_the_first_of_two() -> None:
    """3 stand before 1: behind the first, 3/4 of the level is ahead. Whoever cancels is known."""
    first, second = add(0, 1, 3.0, 100), add(1, 2, 1.0, 100)
    (seen,) = cancels(data(first, second, cancel(2, 1, 3.0, 100)))
    assert (seen["ts"], seen["share"], seen["ahead"]) == (2_000_000_000, 0.75, 1)
    (seen,) = cancels(data(first, second, cancel(2, 2, 1.0, 100)))
    assert (seen["share"], seen["ahead"]) == (0.75, 0)


def test_trades_are_no_cancels_and_changes_are() -> None:
    """The taker leaves 1 of 3 to the first; the second moves away: 1/2 was ahead of the own order."""
    rows = add(0, 1, 3.0, 100), add(1, 2, 1.0, 100), trade(2, 1, 2.0, 100)
    assert not len(cancels(data(*rows)))
    (seen,) = cancels(data(*rows, modify(3, 2, 1.0, 99)))
    assert (seen["share"], seen["ahead"]) == (0.5, 0)
    assert len(cancels(data(*rows, modify(3, 2, 0.5, 100)))) == 1, "smaller at its price: part of it was cancelled"
    assert not len(cancels(data(*rows, modify(3, 2, 1.0, 100)))), "nothing changed"


def test_one_order_alone_tells_nothing() -> None:
    assert not len(cancels(data(add(0, 1, 3.0, 100), cancel(1, 1, 3.0, 100))))
    assert odds_of(data(add(0, 1, 3.0, 100), cancel(1, 1, 3.0, 100))) is None


@pytest.mark.parametrize(("better", "seen"), [(NEAR - 1, 1), (NEAR, 0)])
@pytest.mark.parametrize("side", [1, -1])
def test_deep_levels_do_not_count(better: int, seen: int, side: int) -> None:
    """One of the better levels was left before: it does not count either."""
    front = [add(0, 10 + n, 1.0, 100 + side * (n + 1), side) for n in range(better + 1)]
    left = cancel(1, 10, 1.0, 100 + side, side)
    line = add(2, 1, 3.0, 100, side), add(2, 2, 1.0, 100, side)
    assert len(cancels(data(*front, left, *line, cancel(3, 1, 3.0, 100, side)))) == seen


@pytest.mark.parametrize("odds", [0.2, 1.0])
def test_odds_of_a_simulated_line_are_found(odds: float) -> None:
    """Ten orders of one lot; seen from the middle a cancel is ahead with probability w/(w + 1). Then one more comes."""
    rng = np.random.default_rng(7)
    rows: list[Row] = [add(0, order, 1.0, 100) for order in range(10)]
    line, following = list(range(10)), 10
    for second in range(1, 3001):
        half = rng.random() < odds / (odds + 1)
        gone = line.pop(int(rng.integers(0, 5)) if half else int(rng.integers(5, 10)))
        rows += [cancel(second, gone, 1.0, 100), add(second, following, 1.0, 100)]
        line.append(following)
        following += 1
    seen = cancels(data(*rows))
    middle = seen["share"] == 0.5
    assert seen["ahead"][middle].mean() == pytest.approx(odds / (odds + 1), abs=0.06)
    found = odds_of(data(*rows))
    assert found is not None
    assert found.low < found.value < found.high
    assert found.cancels == 3000
    if odds == 1.0:
        assert found.low < 1.0 < found.high
