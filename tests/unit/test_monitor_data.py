"""Is the data good enough: each doubt worked by hand, the check that tells it, and what a trader asks first."""

from collections.abc import Mapping
from typing import Any

import pytest

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts import hearing
from papertrader.services.monitor.facts.data import DataQuality, doubts
from papertrader.services.monitor.facts.facts import AccountFacts, MarketFacts, filled_orders
from papertrader.services.monitor.facts.liveness import FEED, ServiceHealth
from papertrader.services.monitor.kernel import verdict
from papertrader.services.monitor.report.summary import account_summary
from papertrader.services.monitor.service import Monitor
from papertrader.shared.messages import Instrument
from papertrader.shared.service.fold import Received
from tests.messages import account, ack, fill, markout, place
from tests.unit.monitoring import ACCOUNT, MARKET, START, S, Session

CONFIG = MonitorConfig()
RULES = Instrument(ts=START, tick_size=0.01, lot_size=0.1)


def purged() -> DataQuality:
    return seen()._replace(purged=True)


def seen(refused: Mapping[str, int] | None = None, joined: int = 0, unknown: int = 0, **market: Any) -> DataQuality:
    sound: dict[str, Any] = {"depths": 900, "touches": 0, "prints": 100, "books": 900, "instrument": RULES}
    return DataQuality(MarketFacts(**(sound | market)), refused or {}, joined, unknown)


@pytest.mark.parametrize(
    ("quality", "expected"),
    [
        (seen(), []),
        (seen(locked_books=9), []),
        (seen(locked_books=6, crossed_books=4), ["locked_books"]),
        (seen(locked_books=4, books=49), []),
        (seen(locked_books=5, books=49), ["locked_books"]),
        (seen({"locked_book": 9, "crossed_book": 1}), ["locked_books"]),
        (seen({"price_off": 4}, depths=12, books=12, prints=0), []),
        (seen({"price_off": 5}, depths=12, books=12, prints=0), ["refused_data"]),
        (seen({"price_off": 10}), []),
        (seen({"price_off": 10, "stale_print": 1}), ["refused_data"]),
        (seen({"unknown_message": 90}, depths=0, books=0, prints=0), ["refused_data"]),
        (seen(depths=0, touches=100, books=100), ["no_depth"]),
        (seen(depths=0, touches=99, books=99), []),
        (seen(joined=10, unknown=2), []),
        (seen(joined=10, unknown=3), ["unknown_queues"]),
        (seen(joined=4, unknown=4), []),
        (seen(joined=5, unknown=5), ["unknown_queues"]),
        (seen(instrument=Instrument(ts=0, tick_size=0.01, lot_size=1.0, inferred=("tick_size", "lot_size"))), []),
        (
            seen(instrument=Instrument(ts=0, tick_size=0.01, lot_size=1.0, doubtful=("tick_size",))),
            ["instrument_inferred"],
        ),
        (purged(), ["log_purged"]),
    ],
)
def test_doubt_is_raised_beyond_its_limit(quality: DataQuality, expected: list[str]) -> None:
    assert [doubt.name for doubt in doubts(quality, CONFIG)] == expected


@pytest.mark.parametrize(("locked", "crossed", "remedy"), [(9, 5, "tick"), (5, 9, "contradict")])
def test_remedy_is_for_what_is_seen_more_often(locked: int, crossed: int, remedy: str) -> None:
    (doubt,) = doubts(seen(locked_books=locked, crossed_books=crossed), MonitorConfig())
    assert remedy in doubt.remedy


def test_shares_are_of_what_was_there() -> None:
    quality = seen({"price_off": 30, "stale_print": 10}, joined=8, unknown=2, locked_books=90, touches=60)
    assert quality.locked_share == 0.1
    assert quality.refused_share == 40 / (40 + 900 + 60 + 100)
    assert quality.unknown_queue_share == 0.25
    refused = seen({"locked_book": 60, "crossed_book": 40}, locked_books=40)
    assert (refused.locked_share, refused.crossed_share) == (0.1, 0.04), "of 900 books and 100 that were refused"
    empty = DataQuality(MarketFacts(), {}, 0, 0)
    assert (empty.locked_share, empty.refused_share, empty.unknown_queue_share) == (0.0, 0.0, 0.0)


def monitored(session: Session, seconds: float) -> Monitor:
    monitor = Monitor(MARKET, {ACCOUNT: CONFIG})
    for round_ in session.rounds(seconds):
        monitor.fold(round_)
    return monitor


def test_check_passes_on_sound_data_and_fails_with_the_feeds_word_that_it_refused_much() -> None:
    monitor = monitored(Session(), 60)
    assert monitor.checklist(ACCOUNT).checks["data"].state == "pass"
    monitor.liveness = {FEED: ServiceHealth(bad_messages={"price_off": 60, "fold_not_waited_for": 5}, final=True)}
    checks = monitor.checklist(ACCOUNT).checks
    assert checks["data"].state == "fail"
    assert "60 price_off" in checks["data"].cause
    assert "fold_not_waited_for" not in checks["data"].cause
    assert verdict(checks).startswith("These numbers cannot be trusted: 11.1% of the market data is refused")
    found = account_summary(monitor, ACCOUNT)["data"]
    assert found["refused"] == {"price_off": 60}
    assert list(found["doubts"]) == ["refused_data", "fold_not_waited_for"]


def test_check_waits_for_data() -> None:
    assert monitored(Session(), 5).checklist(ACCOUNT).checks["data"].state == "waiting"


def test_order_joins_a_known_or_unknown_line_and_counts_as_filled_once() -> None:
    facts = AccountFacts()
    for order_id, tif in ((1, "post_only"), (2, "post_only"), (3, "ioc"), (4, "post_only")):
        hearing.on_command(facts, place(START, order_id=order_id, time_in_force=tif), START)
        hearing.on_ack(facts, ack(None, START, order_id=order_id, status="accepted", queue_ahead=None), START)
    hearing.on_fill(facts, fill(START, order_id=1), START)
    hearing.on_fill(facts, fill(START, order_id=1), START)
    assert filled_orders(facts) == 1
    came_into_view = {"queue_ahead": 4.0, "filled_size": 1.0}
    hearing.on_ack(facts, ack(None, START, order_id=1, status="filled", **came_into_view), START)
    kept_back = {"queue_ahead": None, "reason": "queue_not_reached"}
    hearing.on_ack(facts, ack(None, START, order_id=2, status="cancelled", **kept_back), START)
    never = {"queue_ahead": None, "reason": "never_touched"}
    hearing.on_ack(facts, ack(None, START, order_id=4, status="cancelled", **never), START)
    hearing.on_ack(facts, ack(None, START, order_id=3, status="expired", filled_size=0.5), START)
    hearing.on_fill(facts, fill(START, order_id=3), START)  # heard after the ack that ended it
    assert filled_orders(facts) == 2
    assert (facts.joined, facts.joined_unknown) == (2, 1), "one of the two that the market reached"


def test_exposure_is_the_positions_value_over_the_time_that_it_was_held() -> None:
    """2 x 100 for 10 s, then 1 x 110 for 30 s: mean (2000 + 3300)/40 = 132.5, peak 200."""
    facts = AccountFacts()
    for at_s, position, mark in ((0, -2.0, 100.0), (10, 1.0, 110.0), (40, 0.0, 110.0)):
        ts = START + at_s * S
        hearing.on_account(facts, account(ts, position=position, mark_price=mark), ts)
    assert facts.exposure_peak == 200.0
    assert facts.exposure_sum_s == 5_300.0


def test_summary_says_what_a_trader_asks_first() -> None:
    monitor = monitored(Session(), 600)
    found = account_summary(monitor, ACCOUNT)
    facts = monitor.facts.accounts[ACCOUNT]
    assert facts.account is not None
    assert found["duration_s"] == 599.75
    assert found["turnover"] == facts.account.turnover > 0
    assert found["position"] == facts.account.position
    assert 0 < found["exposure"]["mean"] <= found["exposure"]["peak"]
    assert 0 < found["filled_orders"] <= found["fills"] < found["orders"]
    assert found["adverse_rate"] == found["outcomes_adverse"] / found["outcomes_resolved"]
    assert found["pnl_per_turnover_bps"] == pytest.approx(facts.account.total / facts.account.turnover * 1e4)
    worth = found["markout"]
    assert worth["horizon_s"] == 5.0
    assert worth["low_bps"] < worth["mean_bps"] < worth["high_bps"]
    assert worth["low_bps"] < worth["notional_weighted_bps"] < worth["high_bps"]
    assert found["realised_excludes"] == "fees and funding"
    assert found["instrument"]["tick_size"] == 0.01
    assert found["data"]["doubts"] == {}


def test_markout_weighted_by_notional() -> None:
    """+10 bp on 100 and −2 bp on 300: the mean is 4, weighted (1000 − 600)/400 = 1."""
    monitor = monitored(Session(), 1)
    for number, (worth, price, size) in enumerate(((10.0, 100.0, 1.0), (-2.0, 100.0, 3.0))):
        message = markout(START, fill_id=number, price=price, size=size, markout_bps=worth, horizon_s=5.0)
        monitor._hear(Received("markouts", ACCOUNT, message, number))
    found = account_summary(monitor, ACCOUNT)["markout"]
    assert (found["n"], found["mean_bps"], found["notional_weighted_bps"]) == (2, 4.0, 1.0)


def test_contract_of_an_inverse_market_weighs_the_same_at_any_price() -> None:
    """+10 bp on one contract of 100 at a price of 100 and −2 bp on three at 50: (1000 − 600)/400 = 1."""
    monitor = monitored(Session(), 1)
    rules = Instrument(ts=START, tick_size=0.01, lot_size=1.0, kind="inverse", contract_size=100.0)
    monitor.facts.market.instrument = rules
    for number, (worth, price, size) in enumerate(((10.0, 100.0, 1.0), (-2.0, 50.0, 3.0))):
        message = markout(START, fill_id=number, price=price, size=size, markout_bps=worth, horizon_s=5.0)
        monitor._hear(Received("markouts", ACCOUNT, message, number))
    assert account_summary(monitor, ACCOUNT)["markout"]["notional_weighted_bps"] == 1.0


def test_adverse_rate_counts_moments() -> None:
    """A sweep that fills eight orders of one side is one outcome; the other side's fill at that time is another."""
    monitor = monitored(Session(), 1)
    for number in range(8):
        message = markout(START, fill_id=number, fill_ts=START, side="buy", adverse=True)
        monitor._hear(Received("markouts", ACCOUNT, message, number))
    other = markout(START, fill_id=8, fill_ts=START, side="sell", adverse=False)
    monitor._hear(Received("markouts", ACCOUNT, other, 8))
    facts = monitor.facts.accounts[ACCOUNT]
    assert (facts.resolved.now, facts.adverse, facts.outcome_moments, facts.adverse_moments) == (9, 8, 2, 1)
    assert account_summary(monitor, ACCOUNT)["adverse_rate"] == 0.5
