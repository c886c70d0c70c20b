"""What bids and fast cancels bought, counted by hand."""

from typing import Any

from papertrader.services.monitor.facts.bids import Bids
from papertrader.services.monitor.facts.facts import AccountFacts, MarketFacts
from papertrader.services.monitor.facts.hearing import HEARING
from papertrader.services.monitor.facts.market import follow_quotes
from papertrader.services.monitor.report.report import _priority
from papertrader.shared.messages import Cancel, Trades
from tests.messages import ack, fill, place

MS = 1_000_000
T = 1_700_000_000 * 1_000_000_000


def printed(*prints: tuple[float, str, float, float]) -> Trades:
    """Prints: ms after T, aggressor, price, size."""
    sides: list[Any] = [side for _, side, _, _ in prints]
    return Trades(
        ts=T,
        recv_ts=T,
        times=[T + round(ms * MS) for ms, *_ in prints],
        prices=[price for *_, price, _ in prints],
        sizes=[size for *_, size in prints],
        aggressors=sides,
        trade_ids=list(range(len(prints))),
    )


def test_queue_passed_and_fills_of_orders_with_a_bid_are_counted() -> None:
    bids = Bids()
    for number, bid_bps in ((1, 0.5), (2, 0.5), (3, 0.0)):
        bids.on_place(place(T, order_id=number, priority_bps=bid_bps))
        bids.on_ack(ack(None, T, order_id=number, queue_passed=2.0 if bid_bps else None))
        bids.on_ack(ack(None, T, order_id=number, status="filled", filled_size=1.0 if number == 1 else 0.0))
    found = bids.summary(0.25)
    assert (found["orders"], found["filled"], found["queue_passed"], found["paid"]) == (2, 1, 4.0, 0.25)
    assert bids.open == {}
    bids.on_trades(printed((0, "buy", 1.0, 1.0)))
    assert bids.prints == [], "nobody takes"


def test_what_others_took_in_the_time_that_a_bid_saved() -> None:
    """2 bp save 90 ms: 0.4 bought in it at the price or above."""
    market, facts = MarketFacts(), AccountFacts()
    HEARING["orders"](facts, place(T, order_id=4, time_in_force="ioc", priority_bps=2.0), T)
    prints = printed(
        (-1, "buy", 100.0, 5.0),
        (30, "buy", 100.0, 0.1),
        (90, "buy", 100.1, 0.3),
        (91, "buy", 100.0, 9.0),
        (40, "sell", 100.0, 7.0),
        (40, "buy", 99.9, 7.0),
    )
    market.previous_ts = market.ts = T
    follow_quotes(market, facts, [prints], 0.0)
    HEARING["fills"](facts, fill(T, order_id=4, side="buy", price=100.0, size=1.0, maker=False), T)
    HEARING["acks"](facts, ack(None, T, order_id=4, status="filled", filled_size=1.0), T)
    follow_quotes(market, facts, [], 0.0)
    assert facts.bids.before_others == 0, "its time is not over"
    market.previous_ts = market.ts = T + 200 * MS
    follow_quotes(market, facts, [], 0.0)
    assert facts.bids.before_others == 0.1 + 0.3
    assert (facts.bids.taken, facts.bids.prints) == ([], [])


def test_no_more_is_before_others_than_was_taken() -> None:
    bids = Bids(open={1: 2.0})
    bids.on_trades(printed((30, "sell", 99.0, 5.0)))
    bids.on_fill(fill(T, order_id=1, side="sell", price=99.0, size=2.0, maker=False))
    bids.compare(T + 91 * MS)
    assert bids.before_others == 2.0


def test_fast_cancels_and_the_takers_that_they_escaped() -> None:
    facts = AccountFacts()
    for number, won_by_ms in ((1, 20.0), (2, None)):
        HEARING["orders"](facts, Cancel(ts=T, order_id=number, fast=True), T)
        HEARING["acks"](facts, ack(None, T, order_id=number, status="cancelled", won_by_ms=won_by_ms), T)
    HEARING["orders"](facts, Cancel(ts=T, order_id=3), T)
    assert (facts.bids.fast_cancels, facts.bids.fast_cancels_won) == (2, 1)


def test_report_is_silent_of_what_nobody_bought() -> None:
    assert _priority(Bids().summary(0.0)) == []
    assert len(_priority(Bids(orders=1, fast_cancels_won=1).summary(0.5))) == 3
