"""Moments against what a set would count, and learning that does not care into how many parts a sweep is cut."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from papertrader.services.estimator import kappa as intensity
from papertrader.shared.market.moments import KEPT, MOMENTS, is_new
from papertrader.shared.market.records import Record

S = 1_000_000_000
PRIOR = (2500.0, 5.0, 0.1, 1.0)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from([-2, -1, 1, 2])), max_size=120))
def test_as_many_moments_as_there_are_different_ones(heard: list[tuple[int, int]]) -> None:
    """At most 160 differ; with so few within reach of memory none is counted twice."""
    moments = np.zeros(1, dtype=MOMENTS)[0]
    recent: list[tuple[int, int]] = []
    for ts, side in heard:
        assert is_new(moments, ts, side) == ((ts, side) not in recent[-KEPT:])
        if (ts, side) not in recent[-KEPT:]:
            recent.append((ts, side))
    assert moments["count"] == len(recent)


sweep = st.tuples(
    st.sampled_from([1, -1]), st.lists(st.tuples(st.integers(1, 4), st.integers(1, 6)), min_size=1, max_size=4)
)


def fill(kappa: Record, side: int, level: int, size: float, number: int) -> None:
    order_id, price = 10 * number + level, 100 - side * 0.01 * level
    intensity.on_own_fill(kappa, side, price, size, 100.0, True, number * S, order_id)


@settings(deadline=None, max_examples=60)
@given(st.lists(sweep, min_size=1, max_size=12))
def test_kappa_does_not_depend_on_the_number_of_partial_fills(sweeps: list[tuple[int, list[tuple[int, int]]]]) -> None:
    """However many prints a sweep was made of, and in whatever order they are heard."""
    whole, cut = (np.zeros(1, dtype=intensity.KAPPA)[0] for _ in range(2))
    for state in (whole, cut):
        state["exposure_s"][:8], state["exposure_distance"][:8] = 60.0, 60.0 * 1e-4
    for number, (side, orders) in enumerate(sweeps, start=1):
        levels = dict(orders)
        prints = [(level, part) for level, parts in levels.items() for part in range(parts)]
        for level in levels:
            intensity.on_own_fill(
                whole, side, 100 - side * 0.01 * level, 1.0, 100.0, True, number * S, 10 * number + level
            )
        for level, _ in sorted(prints, key=lambda entry: entry[1]):
            intensity.on_own_fill(
                cut, side, 100 - side * 0.01 * level, 0.1, 100.0, True, number * S, 10 * number + level
            )
    for state in (whole, cut):
        intensity.compute(state, *PRIOR)
    assert whole["moments"]["count"] == cut["moments"]["count"] == len(sweeps)
    assert (whole["mean"], whole["sd"], whole["intensity"]) == (cut["mean"], cut["sd"], cut["intensity"])
