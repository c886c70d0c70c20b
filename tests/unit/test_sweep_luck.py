"""What the best of many owes to luck, against a reference by hand and against worlds in which nobody earns."""

from array import array
from collections.abc import Sequence

import numpy as np
import pytest

from papertrader.replay.sweep.luck import luck, walk_forward
from papertrader.replay.sweep.outcomes import Blocks, Outcome
from papertrader.services.monitor.report.statistics import Interval

MINUTE = 60_000_000_000


def with_minutes(pnl: Sequence[float], name: int = 0, start_ts: int = 0) -> Outcome:
    blocks = Blocks(
        array("q", [start_ts + MINUTE * number for number in range(len(pnl))]),
        array("q", [60] * len(pnl)),
        array("d", pnl),
    )
    total = float(sum(pnl))
    rate = Interval(total / len(pnl) * 60.0, None, None)
    return Outcome({"a.x": name}, len(pnl) / 60, total, rate, 0.0, 0.0, 0.0, 0, None, None, 0.0, blocks)


def test_luck_of_two_opposite_variants_by_hand() -> None:
    """One earns 1 in the first of five minutes, the other -1: of n draws of that minute the best seems to earn n less
    the one that was its own mean, whichever sign. Its mean is half of the binomial's mean absolute deviation."""
    up, down = [1.0, 0.0, 0.0, 0.0, 0.0], [-1.0, 0.0, 0.0, 0.0, 0.0]
    found = luck([with_minutes(up), with_minutes(down, 1)], resamples=200_000)
    assert found is not None
    chances = [0.8**5, 5 * 0.2 * 0.8**4, 10 * 0.2**2 * 0.8**3, 10 * 0.2**3 * 0.8**2, 5 * 0.2**4 * 0.8, 0.2**5]
    per_hour = [60.0 * abs(count - 1) / 5 for count in range(6)]
    assert found.expected == pytest.approx(np.dot(chances, per_hour), rel=0.01)
    assert found.best == pytest.approx(60.0 / 5)
    assert found.deflated == found.best - found.expected
    assert found.p_value == pytest.approx(1 - chances[1], abs=0.01), "all worlds but those that draw it just once"


def test_luck_grows_with_variants_that_differ_and_not_with_those_that_are_the_same() -> None:
    random = np.random.Generator(np.random.PCG64(1))
    noise = random.normal(size=(40, 60))
    many = luck([with_minutes(row.tolist(), place) for place, row in enumerate(noise)])
    two = luck([with_minutes(row.tolist(), place) for place, row in enumerate(noise[:2])])
    same = luck([with_minutes(noise[0].tolist(), place) for place in range(40)])
    assert many is not None
    assert two is not None
    assert same is not None
    sigma = 60.0 / np.sqrt(60)
    assert many.expected == pytest.approx(2.16 * sigma, rel=0.1), "the expected largest of 40 normals"
    assert two.expected == pytest.approx(0.564 * sigma, rel=0.25), "of two"
    assert abs(same.expected) < 0.1 * sigma


def test_among_variants_that_earn_nothing_the_best_is_rarely_believed() -> None:
    random = np.random.Generator(np.random.PCG64(7))
    believed = 0
    for _ in range(300):
        rows = random.normal(size=(10, 100)) + random.normal(size=100)  # they share the market
        found = luck([with_minutes(row.tolist(), place) for place, row in enumerate(rows)], resamples=300)
        assert found is not None
        believed += found.p_value < 0.05
    assert 3 <= believed <= 30, "about 15 of 300"


def test_a_variant_that_earns_is_believed() -> None:
    random = np.random.Generator(np.random.PCG64(3))
    rows = random.normal(size=(20, 100))
    rows[4] += 1.0
    found = luck([with_minutes(row.tolist(), place) for place, row in enumerate(rows)])
    assert found is not None
    assert found.p_value < 0.01
    assert found.deflated > 0


def test_what_cannot_be_compared_is_not_said() -> None:
    assert luck([with_minutes([1.0] * 9)]) is None
    assert luck([with_minutes([1.0] * 4), with_minutes([2.0] * 4)]) is None
    assert luck([with_minutes([1.0] * 9), with_minutes([2.0] * 9, start_ts=5)]) is None
    assert walk_forward([with_minutes([1.0] * 3)], 3) is None


def test_walking_forward_trades_each_part_with_what_was_best_before() -> None:
    """Three parts of two minutes: x is best in the first, y in the first two, so x then y is traded."""
    x, y = [2.0, 1.0, -1.0, -2.0, 0.5, 0.5], [1.0, 1.0, 5.0, 5.0, -4.0, 2.0]
    found = walk_forward([with_minutes(x, 0), with_minutes(y, 1)], 2)
    assert found is not None
    assert [step.variant for step in found.steps] == [{"a.x": 0}, {"a.x": 1}]
    assert [step.start_ts for step in found.steps] == [2 * MINUTE, 4 * MINUTE]
    assert [step.before for step in found.steps] == pytest.approx([60 * 1.5, 60 * 3.0])
    assert [step.after for step in found.steps] == pytest.approx([60 * -1.5, 60 * -1.0])
    assert found.pnl_per_hour == Interval(pytest.approx(60 * -1.25), None, None)
    assert found.hindsight == pytest.approx(60 * 2.0), "y over the last four minutes"
