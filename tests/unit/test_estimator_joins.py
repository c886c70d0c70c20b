"""What touches between full books tell of the share of joins, worked by hand."""

import numpy as np
import pytest

from papertrader.services.estimator import joins
from papertrader.shared.market.events import Events
from papertrader.shared.market.records import Record
from tests.unit.lines import ASK, MS, TICK, Market, S, full, touch, trade


def joined(*messages: Events) -> Record:
    market = Market()
    market.hear(*messages)
    return market.state["joins"]


def test_half_of_a_growth_was_there_before_half_of_the_moments() -> None:
    """10, and 14 from the middle on: on average 12, half of the 4 that joined."""
    state = joined(
        full(S, [(TICK, 10.0)], worst_bid=TICK),
        touch(S + 250 * MS, TICK, 14.0),
        full(S + 500 * MS, [(TICK, 14.0)], worst_bid=TICK),
    )
    assert (state["tested"], state["agreed"], state["joins"], state["sum"]) == (1, 1, 1, 0.5)


def test_what_was_printed_had_joined() -> None:
    """10, 2 of them traded, 4 join at three quarters of the time."""
    state = joined(
        full(S, [(TICK, 10.0)], worst_bid=TICK),
        trade(S + 100 * MS, ASK, TICK, 2.0),
        touch(S + 100 * MS, TICK, 8.0),
        touch(S + 375 * MS, TICK, 12.0),
        full(S + 500 * MS, [(TICK, 12.0)], worst_bid=TICK),
    )
    assert (state["joins"], state["sum"]) == (1, pytest.approx(0.25))


def test_only_levels_that_are_the_best_all_the_time_tell() -> None:
    state = joined(
        full(S, [(TICK, 10.0)], worst_bid=TICK),
        touch(S + 100 * MS, TICK + 1, 1.0),
        touch(S + 200 * MS, TICK, 14.0),
        full(S + 500 * MS, [(TICK, 14.0)], worst_bid=TICK),
    )
    assert state["tested"] == 0


def test_touches_that_lack_what_full_books_show_are_no_evidence() -> None:
    state = joined(full(S, [(TICK, 10.0)], worst_bid=TICK), full(S + 500 * MS, [(TICK, 14.0)], worst_bid=TICK))
    assert (state["tested"], state["agreed"], state["joins"]) == (1, 0, 0)


def test_posterior_of_the_share_weighs_prior_and_evidence_by_their_precision() -> None:
    """100 shares of 1/2: variance at least 1e-4, so 1/(1e-6 + 9e-4) = 1,109.9, beside the prior's 156.25."""
    state = np.zeros(1, dtype=joins.JOINS)[0]
    state["tested"] = state["agreed"] = state["joins"] = 100
    state["sum"], state["squares"] = 50.0, 25.0
    mean, sd = joins.posterior(state)
    assert mean == pytest.approx((156.25 * 0.45 + 1109.88 * 0.5) / 1266.13, rel=1e-5)
    assert sd == pytest.approx(1266.13**-0.5, rel=1e-5)
    state["agreed"] = 79
    assert joins.posterior(state) == (0.45, 0.08)
