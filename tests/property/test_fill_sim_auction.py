"""What bids can and cannot do, whatever the level does meanwhile."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from papertrader.shared.log.subjects import Market
from tests.unit.fill_sim_session import ASKS, BIDS, Session, book, ns, place, prints

SIZES = st.lists(st.tuples(st.integers(1_010, 1_690), st.integers(0, 40)), max_size=8)
PRINTS = st.lists(st.tuples(st.integers(1_010, 2_500), st.integers(1, 30)), max_size=6)
BPS = st.floats(0.01, 20.0)
EXAMPLES = 60


def session(**more: Any) -> Session:
    made = Session(
        market=Market("hyperliquid", "ABC"),
        **({"placement_latency_ms": 500.0, "latency_burst_s": 0.0, "late_print_ms": 200.0} | more),
    )
    made.round(1000, book(1000, BIDS, ASKS))
    return made


def joined(sizes: list[tuple[int, int]], printed: list[tuple[int, int]], bid_bps: float, model: str) -> Session:
    """A bid of 1 at 99.9 that joins at 1500, among books with so much there, and sales of so much at its price."""
    made = session(fill_model=model)
    made.round(1005, said=(place(1000, 1, "buy", 99.9, 1.0, priority_bps=bid_bps),))
    shown = [(ms, book(ms, [(99.9, float(size)), *BIDS[1:]] if size else BIDS[1:], ASKS)) for ms, size in sizes]
    sold = [
        (ms, prints(ms, "sell", (99.9, float(size)), first_id=number)) for number, (ms, size) in enumerate(printed, 1)
    ]
    made.round(2600, *(message for _, message in sorted(shown + sold, key=lambda item: item[0])))
    return made


@given(SIZES, PRINTS, BPS, st.sampled_from(["draws", "fifo"]))
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
def test_a_bid_never_stands_farther_back_and_costs_its_value(
    sizes: list[tuple[int, int]], printed: list[tuple[int, int]], bid_bps: float, model: str
) -> None:
    with_bid, without = joined(sizes, printed, bid_bps, model), joined(sizes, printed, 0.0, model)
    mine, other = with_bid.acks[0], without.acks[0]
    assert (mine.status, other.status) == ("accepted", "accepted")
    if mine.queue_ahead is not None and other.queue_ahead is not None:
        assert mine.queue_ahead <= other.queue_ahead
        assert mine.queue_passed is None or 0 <= mine.queue_passed <= 40
    assert sum(fill.size for fill in with_bid.fills) >= sum(fill.size for fill in without.fills)
    money = with_bid.account
    assert money.priority_fees == pytest.approx(99.9 * bid_bps * 1e-4)
    assert money.fees == pytest.approx(sum(fill.fee for fill in with_bid.fills) + money.priority_fees)
    assert money.residual == pytest.approx(0, abs=1e-6)


@given(BPS, BPS, st.integers(0, 900))
@settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
def test_more_is_never_later_and_nobody_is_before_he_sends(one_bps: float, other_bps: float, latency_ms: int) -> None:
    low, high = sorted((one_bps, other_bps))
    times = []
    for bid_bps in (0.0, low, high):
        made = session(placement_latency_ms=float(latency_ms))
        order = place(1000, 1, "buy", 100.1, 1.0, time_in_force="ioc", priority_bps=bid_bps)
        made.round(2600, said=(order,))
        times.append(made.fills[0].ts)
    assert ns(1000) < times[2] <= times[1] <= times[0] <= ns(1000 + latency_ms + 70)
