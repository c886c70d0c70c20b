"""How long a maker leaves his orders: the product-limit estimate, by hand."""

import numpy as np

from papertrader.replay.twin.intentions import LONGEST_NS, intended_cancels, lifetimes
from papertrader.replay.twin.record import LiveFill, LiveOrder

S = 1_000_000_000


def order(
    placed_s: float, cancelled_s: float = 0.0, filled_s: float = 0.0, time_in_force: str = "post_only"
) -> LiveOrder:
    fills = (LiveFill(round(filled_s * S), 100.0, 1.0),) if filled_s else ()
    return LiveOrder(
        live_id=str(placed_s),
        symbol="A",
        side="buy",
        price=100.0,
        size=1.0,
        time_in_force="ioc" if time_in_force == "ioc" else "post_only",
        placed_ts=round(placed_s * S),
        ended_ts=round(cancelled_s * S),
        status="cancelled" if cancelled_s else "filled" if filled_s else "open",
        fills=fills,
    )


def test_survival_is_the_product_limit_estimate() -> None:
    # lifetimes 1 (cancelled), 2 (filled), 3 (cancelled), 4 (cancelled): 3/4, then 2 of 4 left: 3/4·1/2, then 0
    known = lifetimes([order(10, 11), order(10, filled_s=12), order(10, 13), order(10, 14)])
    assert known.ages.tolist() == [1 * S, 3 * S, 4 * S]
    assert np.allclose(known.survival, [0.75, 0.375, 0.0])


def test_an_age_beyond_is_drawn_from_those_that_get_as_old() -> None:
    known = lifetimes([order(10, 11), order(10, filled_s=12), order(10, 13), order(10, 14)])
    assert known.after(2 * S, 0.1) == 3 * S
    assert known.after(2 * S, 0.9) == 4 * S
    assert known.after(4 * S, 0.5) == 4 * S + LONGEST_NS


def test_cancelled_orders_keep_their_cancel_and_takers_need_none() -> None:
    cancels = intended_cancels([order(10, 11), order(12, time_in_force="ioc"), order(20, filled_s=20.5)])
    assert cancels[:2] == [11 * S, 0]
    assert cancels[2] in (21 * S, round(20.5 * S) + LONGEST_NS)


def test_without_a_cancel_orders_are_left_for_the_longest_time() -> None:
    assert intended_cancels([order(20, filled_s=21)]) == [21 * S + LONGEST_NS]
