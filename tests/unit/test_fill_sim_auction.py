"""Classes within a block, bids for a place in it and fast cancels, by hand."""

from typing import Any

import pytest

from papertrader.shared import messages as m
from papertrader.shared.log.subjects import Market
from tests.unit.fill_sim_session import ASKS, BIDS, Levels, Session, book, cancel, modify, ns, place, prints

BLOCK_MS = 70
LATENCIES: dict[str, Any] = {
    "placement_latency_ms": 100.0,
    "cancel_latency_ms": 100.0,
    "fast_cancel_latency_ms": 30.0,
    "latency_burst_s": 0.0,
    "late_print_ms": 200.0,
}


def on_hyperliquid(**settings: Any) -> Session:
    session = Session(market=Market("hyperliquid", "ABC"), **(LATENCIES | settings))
    session.round(1000, book(1000, BIDS, ASKS))
    return session


def block_end(ms: float) -> int:
    """When the block of a session time ends, ns."""
    return (ns(ms) // (BLOCK_MS * 1_000_000) + 1) * BLOCK_MS * 1_000_000


def bids(size: float) -> Levels:
    """The standard bids with so much at the best."""
    return [(99.9, size), *BIDS[1:]]


@pytest.mark.parametrize("time_in_force", ["ioc", "gtc"])
def test_what_takes_waits_for_the_end_of_its_block(time_in_force: str) -> None:
    """Decided at 1000 it arrives at 1100; where there are no blocks it takes then."""
    order = place(1000, 1, "buy", 100.1, 1.0, time_in_force=time_in_force)
    session = on_hyperliquid()
    session.round(1300, said=(order,))
    assert [fill.ts for fill in session.fills] == [block_end(1100)]
    elsewhere = Session(**LATENCIES)
    elsewhere.round(1000, book(1000, BIDS, ASKS))
    elsewhere.round(1300, said=(order,))
    assert [fill.ts for fill in elsewhere.fills] == [ns(1100)]


def test_cancels_of_a_block_come_before_its_takers() -> None:
    """The best ask goes 1 ms before the block ends: who arrived before meets the next one."""
    session = on_hyperliquid()
    gone_ms = 1000 + (block_end(1100) - ns(1000)) / 1e6 - 1
    order = place(1000, 1, "buy", 100.2, 1.0, time_in_force="ioc")
    session.round(1300, book(gone_ms, BIDS, ASKS[1:]), said=(order,))
    assert [fill.price for fill in session.fills] == [100.2]


def test_own_cancel_comes_before_own_taker_of_its_block() -> None:
    """The offer of 100.0 is cancelled within the block in which the buyer arrives, who does not meet it."""
    arrives_ms = (block_end(1300) - ns(1000)) / 1e6 + 1000 + 5
    session = on_hyperliquid(cancel_latency_ms=10.0, fast_cancel_latency_ms=10.0, late_print_ms=0.0)
    session.round(1200, book(1190, BIDS, ASKS), said=(place(1000, 1, "sell", 100.0, 1.0),))
    buyer = place(arrives_ms - 100, 2, "buy", 100.1, 1.0, time_in_force="ioc")
    session.round(arrives_ms - 100, said=())
    session.round(arrives_ms + 200, said=(buyer, cancel(arrives_ms + 20, 1)))
    assert session.statuses(1)[-1] == ("cancelled", "never_touched")
    assert [fill.order_id for fill in session.fills] == [2]


def test_post_only_orders_and_their_changes_do_not_wait() -> None:
    session = on_hyperliquid()
    session.round(1150, said=(place(1000, 1, "buy", 99.9, 1.0),))
    session.round(1500, said=(modify(1200, 1, 99.8, 1.0),))
    assert [(ack.status, ack.ts) for ack in session.acks] == [("accepted", ns(1100)), ("modified", ns(1300))]


def test_a_change_counts_as_what_it_places() -> None:
    session = on_hyperliquid()
    session.round(1250, said=(place(1000, 1, "buy", 99.9, 1.0, time_in_force="gtc"),))
    session.round(1500, said=(modify(1250, 1, 99.8, 1.0),))
    assert [ack.ts for ack in session.acks] == [block_end(1100), block_end(1350)]


def test_a_change_of_what_is_under_way_counts_as_that_too() -> None:
    """A change of a GTC order, sent with it; and one of a post-only order beside it."""
    session = on_hyperliquid()
    orders = (place(1000, 1, "buy", 99.9, 1.0, time_in_force="gtc"), place(1000, 2, "buy", 99.9, 1.0))
    session.round(1500, said=(*orders, modify(1200, 1, 99.8, 1.0), modify(1200, 2, 99.8, 1.0)))
    assert [(ack.order_id, ack.ts) for ack in session.acks if ack.status == "modified"] == [
        (2, ns(1300)),
        (1, block_end(1300)),
    ]


@pytest.mark.parametrize("venue", ["hyperliquid", "test"])
def test_of_two_in_a_block_who_arrives_first_takes_first(venue: str) -> None:
    """Whoever was heard first, and wherever there are blocks."""
    first_ms = (block_end(1200) - ns(1000)) / 1e6 + 1000
    session = Session(market=Market(venue, "ABC"), **(LATENCIES | {"block_ms": float(BLOCK_MS)}))
    session.round(1000, book(1000, BIDS, ASKS))
    late = place(first_ms - 60, 1, "buy", 100.1, 1.0, time_in_force="ioc")
    early = place(first_ms - 80, 2, "buy", 100.1, 1.0, time_in_force="ioc")
    session.round(1700, said=(late, early))
    assert [(fill.order_id, fill.ts) for fill in session.fills] == [
        (order_id, block_end(first_ms + 40)) for order_id in (2, 1)
    ]


@pytest.mark.parametrize(("bid_bps", "sooner_ms"), [(0.0, 0), (1.0, 45), (2.0, 90), (8.0, 360), (50.0, 360)])
def test_an_ioc_order_comes_45_ms_sooner_for_each_basis_point_up_to_8(bid_bps: float, sooner_ms: float) -> None:
    session = on_hyperliquid(placement_latency_ms=500.0)
    session.round(1900, said=(place(1000, 1, "buy", 100.1, 1.0, time_in_force="ioc", priority_bps=bid_bps),))
    assert [fill.ts for fill in session.fills] == [block_end(1500 - sooner_ms)]


def test_a_bid_brings_nobody_before_he_sends() -> None:
    session = on_hyperliquid()
    session.round(1900, said=(place(1000, 1, "buy", 100.1, 1.0, time_in_force="ioc", priority_bps=8.0),))
    assert [fill.ts for fill in session.fills] == [block_end(1000)]


def test_who_bids_most_comes_first_among_those_who_bid_the_limit() -> None:
    session = on_hyperliquid()
    orders = [
        place(1000, number, "buy", 100.1, 1.0, time_in_force="ioc", priority_bps=bid)
        for number, bid in ((1, 8.0), (2, 10.0), (3, 9.0))
    ]
    session.round(1900, said=tuple(orders))
    assert [fill.order_id for fill in session.fills] == [2, 3, 1]


def test_a_bid_of_just_the_limit_comes_before_who_bids_less_and_arrived_sooner() -> None:
    """Both arrive in one block, who bids 8 bp 10 ms after who bids nothing."""
    session = on_hyperliquid(placement_latency_ms=500.0)
    end_ms = (block_end(1600) - ns(1000)) / 1e6 + 1000
    late = place(end_ms - 5 - 140, 1, "buy", 100.1, 1.0, time_in_force="ioc", priority_bps=8.0)
    early = place(end_ms - 15 - 500, 2, "buy", 100.1, 1.0, time_in_force="ioc")
    session.round(2300, said=(early, late))
    assert [(fill.order_id, fill.ts) for fill in session.fills] == [(1, block_end(1600)), (2, block_end(1600))]


@pytest.mark.parametrize(("bid_bps", "ended"), [(10_000.0, "filled"), (10_000.5, "rejected"), (-0.5, "rejected")])
def test_up_to_all_of_the_value_can_be_bid(bid_bps: float, ended: str) -> None:
    session = on_hyperliquid()
    session.round(1900, said=(place(1000, 1, "buy", 100.1, 1.0, time_in_force="ioc", priority_bps=bid_bps),))
    assert session.statuses(1)[-1] == (ended, "none" if ended == "filled" else "no_priority")
    assert session.account.priority_fees == (pytest.approx(100.1) if ended == "filled" else 0)


def test_an_ioc_order_pays_for_what_is_filled() -> None:
    """10 at 100.1 and 2 of the 5 wanted at 100.2 is not: limit 100.1. 1001 · 5 bp = 0.5005."""
    session = on_hyperliquid(taker_fee_bps=4.5)
    session.round(1900, said=(place(1000, 1, "buy", 100.1, 15.0, time_in_force="ioc", priority_bps=5.0),))
    (fill,) = session.fills
    assert (fill.size, fill.fee) == (10.0, pytest.approx(1001 * 4.5e-4))
    ended = session.acks[-1]
    assert (ended.status, ended.priority_fee) == ("expired", pytest.approx(0.5005))
    money = session.account
    assert (money.fees, money.priority_fees) == (pytest.approx(fill.fee + 0.5005), pytest.approx(0.5005))
    assert money.cash == pytest.approx(10_000 - 1001 - money.fees)
    assert money.residual == pytest.approx(0, abs=1e-9)


def joined(sizes: list[tuple[float, float]], model: str, after: float | None = None, **order: Any) -> Session:
    """An order decided at 1000 that joins the best bid at 1500: its size at times before, and at 1600."""
    session = on_hyperliquid(placement_latency_ms=500.0, fill_model=model)
    messages = [book(ms, bids(size), ASKS) for ms, size in sizes]
    if after is not None:
        messages += [book(1600, bids(after), ASKS), book(1650, bids(after), ASKS)]
    session.round(1010, said=(place(1000, 1, "buy", 99.9, 1.0, **order),))
    session.round(1700, *messages)
    return session


TAIL = [(1050.0, 10.0), (1200.0, 13.0)]


@pytest.mark.parametrize("model", ["draws", "fifo"])
@pytest.mark.parametrize(
    ("sizes", "ahead", "passed"),
    [
        (TAIL, 10.0, 3.0),
        ([(1050.0, 10.0), (1200.0, 6.0), (1300.0, 9.0)], 6.0, 3.0),
        ([(1050.0, 14.0)], 14.0, 0.0),
        ([(1099.0, 14.0), (1101.0, 15.0)], 14.0, 1.0),
        ([(1100.0, 14.0), (1101.0, 15.0)], 10.0, 5.0),
        ([], 10.0, 0.0),
    ],
)
def test_a_bid_comes_before_what_joined_in_the_last_400_ms(
    model: str, sizes: list[tuple[float, float]], ahead: float, passed: float
) -> None:
    """The tail begins at 1100: what the level has grown by since it was smallest from then on."""
    session = joined(sizes, model, priority_bps=2.0)
    (ack,) = session.acks
    assert (session.ahead(1), ack.queue_passed, ack.queue_ahead) == (ahead, passed, ahead)
    assert joined(sizes, model, priority_bps=0.01).ahead(1) == ahead, "the least bid is the highest"


def test_of_a_level_out_of_sight_nobody_knows_what_joined_it() -> None:
    session = on_hyperliquid(placement_latency_ms=500.0)
    session.round(1010, said=(place(1000, 1, "buy", 99.5, 1.0, priority_bps=2.0),))
    session.round(1700, book(1150, BIDS, ASKS), book(1200, [*BIDS, (99.5, 10.0)], ASKS))
    assert (session.ahead(1), session.acks[0].queue_passed) == (10.0, 0.0)
    session = on_hyperliquid(placement_latency_ms=500.0)
    session.round(1010, said=(place(1000, 1, "buy", 99.7, 1.0, priority_bps=2.0),))
    session.round(1700, book(1150, BIDS[:2], ASKS))
    assert session.acks[0].queue_passed is None


@pytest.mark.parametrize("model", ["draws", "fifo"])
def test_what_joins_until_the_next_message_stands_behind_a_bid(model: str) -> None:
    assert joined(TAIL, model, after=18.0, priority_bps=2.0).ahead(1) == 10.0
    assert joined(TAIL, model, after=18.0).ahead(1) >= 13.0


def test_after_a_level_was_not_seen_for_longer_than_the_tail_a_part_of_what_joins_is_ahead() -> None:
    assert joined([(1050.0, 10.0)], "draws", after=18.0, priority_bps=2.0).ahead(1) > 10.0
    assert joined([(1100.0, 10.0)], "draws", after=18.0, priority_bps=2.0).ahead(1) == 10.0


def test_a_post_only_order_pays_for_all_of_it_when_it_is_placed() -> None:
    """99.9 · 1 · 2 bp = 0.01998, whether it is filled or not."""
    session = joined(TAIL, "draws", priority_bps=2.0)
    assert session.acks[0].priority_fee == pytest.approx(0.01998)
    session.round(2500, said=(cancel(1700, 1),))
    ended, money = session.acks[-1], session.account
    assert (ended.status, ended.priority_fee) == ("cancelled", pytest.approx(0.01998))
    assert (money.fees, money.priority_fees) == (pytest.approx(0.01998), pytest.approx(0.01998))
    assert money.cash == pytest.approx(10_000 - 0.01998)
    assert money.residual == pytest.approx(0, abs=1e-9)


def test_an_order_without_a_bid_passes_nothing_and_pays_nothing() -> None:
    (ack,) = joined(TAIL, "draws").acks
    assert (ack.queue_passed, ack.priority_fee, ack.queue_ahead) == (None, None, 13.0)


@pytest.mark.parametrize(
    "order",
    [
        {"time_in_force": "gtc", "priority_bps": 1.0},
        {"reduce_only": True, "priority_bps": 1.0},
    ],
)
def test_nothing_is_sold_to_gtc_and_to_reduce_only_post_only_orders(order: dict[str, Any]) -> None:
    session = on_hyperliquid()
    session.round(1010, said=(place(1000, 2, "buy", 100.1, 1.0, time_in_force="ioc"),))
    session.round(1900, said=(place(1200, 1, "sell", 100.2, 1.0, **order),))
    assert session.statuses(1) == [("rejected", "no_priority")]
    assert session.account.priority_fees == 0


def test_nothing_is_sold_where_there_are_no_blocks() -> None:
    session = Session(**LATENCIES)
    session.round(1000, book(1000, BIDS, ASKS))
    session.round(1900, said=(place(1000, 1, "buy", 99.9, 1.0, priority_bps=1.0),))
    assert session.statuses(1) == [("rejected", "no_priority")]


def resting(**settings: Any) -> Session:
    """The only order at 100.0, live since 1100, at 1300."""
    session = on_hyperliquid(**settings)
    session.round(1300, said=(place(1000, 1, "buy", 100.0, 1.0),))
    return session


@pytest.mark.parametrize(
    ("print_ms", "filled", "won_by_ms"),
    [(1329, True, None), (1350, False, 20.0), (1400, False, None), (1420, False, None)],
)
@pytest.mark.parametrize("settings", [{}, {"fast_cancels": True}])
def test_a_fast_cancel_beats_the_takers_of_the_time_that_it_saves(
    print_ms: float, filled: bool, won_by_ms: float | None, settings: dict[str, Any]
) -> None:
    """Sent at 1300 it takes effect at 1330, where one without `f` would at 1400."""
    session = resting(**settings)
    sent = cancel(1300, 1, fast=not settings)
    session.round(1700, prints(print_ms, "sell", (100.0, 1.0)), said=(sent,))
    assert bool(session.fills) == filled
    assert session.acks[-1].won_by_ms == (None if won_by_ms is None else pytest.approx(won_by_ms))


def test_a_cancel_without_f_is_late_for_the_same_taker() -> None:
    session = resting()
    session.round(1700, prints(1350, "sell", (100.0, 1.0)), said=(cancel(1300, 1),))
    assert len(session.fills) == 1


def test_a_taker_of_the_other_side_is_no_race() -> None:
    session = resting()
    session.round(1700, prints(1350, "buy", (100.0, 1.0)), said=(cancel(1300, 1, fast=True),))
    assert session.acks[-1].won_by_ms is None


def test_no_fast_cancel_for_what_waits_for_the_mark() -> None:
    session = on_hyperliquid()
    stop = m.Trigger(ts=ns(1000), order_id=1, side="sell", price=90.0, size=1.0, trigger_price=99.0, trigger="stop")
    session.round(1300, said=(stop,))
    session.round(1700, said=(cancel(1300, 1, fast=True),))
    assert session.statuses(1) == [("waiting", "none"), ("refused", "no_priority")]
    session.round(2100, said=(cancel(1700, 1),))
    assert session.statuses(1)[-1] == ("cancelled", "never_triggered")
