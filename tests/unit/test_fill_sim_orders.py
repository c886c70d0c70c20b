"""The life of an order: latency, validation, post-only, taking, cancel, modify, control."""

from typing import Any

import numpy as np
import pytest

from papertrader.services.fill_sim.commands import latency_ns
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.settings import settings_of
from papertrader.services.fill_sim.state import COMMAND_UNDER_WAY, new_market
from papertrader.shared import messages as m
from papertrader.shared.market.commands import PLACE
from tests.unit.fill_sim_session import ASKS, BIDS, Session, book, cancel, modify, ns, place, prints, quoted


def test_order_goes_live_after_placement_latency() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1), latency_ms=120, placement_latency_ms=120.0)
    assert session.acks[0].live_ts == ns(1120)


def test_latency_counts_from_the_decision_but_not_from_before_the_round() -> None:
    session = quoted()
    session.round(1250, said=())
    session.round(1300, said=(place(1100, 1, "buy", 99.9, 1),))
    session.round(1350, said=(place(1320, 2, "buy", 99.9, 1),))
    session.round(1500)
    assert [ack.live_ts for ack in session.acks] == [ns(1350), ns(1420)]


def test_latency_from_quantiles_is_the_same_again_and_within_the_table() -> None:
    table = ((0.5, 80.0), (0.9, 200.0))
    live = []
    for _ in range(2):
        session = Session(placement_latency_ms=table)
        session.round(1000, book(1000, BIDS, ASKS))
        session.round(2000, said=tuple(place(1000, number, "buy", 99.8, 0.1) for number in range(1, 61)))
        live.append(sorted(ack.live_ts - ns(1000) for ack in session.acks))
    assert live[0] == live[1]
    assert live[0][0] > 0
    assert live[0][-1] <= 200e6
    below = sum(latency <= 80e6 for latency in live[0])
    assert 20 <= below <= 40, "half of them up to the median"


def test_cancel_takes_effect_after_its_latency_and_before_a_print_of_that_time() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, prints(1249, "sell", (99.8, 0.1)), prints(1250, "sell", (99.8, 0.1)), said=(cancel(1200, 1),))
    assert [fill.ts for fill in session.fills] == [ns(1249)]
    assert session.acks[-1].status == "cancelled"
    assert session.acks[-1].ts == ns(1250)
    assert session.acks[-1].filled_size == pytest.approx(0.1)


def test_print_from_before_the_cancel_that_comes_late_still_fills() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1), late_print_ms=200.0)
    session.round(1300, book(1290, BIDS, ASKS), said=(cancel(1200, 1),))
    assert session.statuses(1) == [("accepted", "none")], "the cancel's ack waits for late prints"
    session.round(1400, prints(1249, "sell", (99.8, 0.1)), prints(1251, "sell", (99.8, 0.1), first_id=2))
    assert [fill.trade_id for fill in session.fills] == [1]
    session.round(1500)
    assert session.statuses(1)[-1] == ("cancelled", "none")
    assert session.acks[-1].ts == ns(1250)


def test_cancel_never_overtakes_its_own_order() -> None:
    session = quoted()
    session.round(1400, said=(place(1200, 1, "buy", 99.9, 1), cancel(1210, 1)))
    assert [ack.status for ack in session.acks] == ["accepted", "cancelled"]
    assert session.acks[1].ts == ns(1300)


def test_cancel_of_an_unknown_order_is_refused() -> None:
    session = quoted()
    session.round(1300, said=(cancel(1200, 7),))
    assert session.statuses(7) == [("refused", "unknown_order")]
    session.round(1400, said=(modify(1300, 8, 99.9, 1),))
    assert session.statuses(8) == [("refused", "unknown_order")]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"price": 99.95}, "off_tick"),
        ({"size": 0.0015}, "off_lot"),
        ({"size": 0.0}, "bad_size"),
        ({"size": -1.0}, "bad_size"),
        ({"size": float("nan")}, "bad_size"),
        ({"size": float("inf")}, "bad_size"),
        ({"price": 0.0}, "bad_price"),
        ({"price": -5.0}, "bad_price"),
        ({"price": float("nan")}, "bad_price"),
        ({"price": float("inf")}, "bad_price"),
        ({"price": 1e300}, "too_far_from_mid"),
        ({"price": 79.9}, "too_far_from_mid"),
        ({"side": "sell", "price": 120.1}, "too_far_from_mid"),
        ({"size": 0.005}, "below_min_notional"),
        ({"price": 100.1}, "post_only_would_cross"),
        ({"side": "sell", "price": 99.9}, "post_only_would_cross"),
        ({"size": 2000.0}, "insufficient_margin"),
        ({"order_id": 1}, "duplicate_order_id"),
        ({"ts": ns(70_000)}, "bad_time"),
        ({"ts": 2**80}, "bad_time"),
    ],
)
def test_bad_order_is_rejected_with_its_reason_and_disturbs_nothing(order: dict[str, Any], reason: str) -> None:
    rules = m.Instrument(ts=0, tick_size=0.1, lot_size=0.001, min_notional=1.0)
    session = Session(rules)
    session.round(1000, book(1000, BIDS, ASKS), said=())
    session.round(1100, said=(place(1000, 1, "buy", 99.9, 1),))
    good = {"ts": ns(1100), "order_id": 2, "side": "buy", "price": 99.9, "size": 1.0}
    session.round(1300, book(1150, BIDS, ASKS), said=(m.Place(**(good | order)),))
    ack = session.acks[-1]
    assert (ack.status, ack.reason) == ("rejected", reason)
    assert ack.live_ts == 0
    assert session.orders["order_id"].tolist() == [1]
    assert session.ahead(1) == 10
    assert session.account.position == 0


def test_order_before_there_is_a_market_is_rejected() -> None:
    session = Session()
    session.round(100, said=(place(0, 1, "buy", 99.9, 1),))
    assert session.statuses(1) == [("rejected", "no_market")]
    session.round(1000, book(1000, BIDS, []))
    session.round(1200, said=(place(1000, 2, "buy", 99.9, 1),))
    assert session.statuses(2) == [("rejected", "no_market")]


@pytest.mark.parametrize(
    ("price", "accepted"), [(12345.0, True), (1234.5, True), (1234.56, False), (123456.0, True), (0.012345, True)]
)
def test_significant_figures_limit_the_price_unless_it_is_whole(price: float, accepted: bool) -> None:
    rules = m.Instrument(ts=0, tick_size=1e-6 if price < 1 else 0.01, lot_size=0.001, significant_figures=5)
    step = rules.tick_size
    session = Session(rules, initial_cash=1e7)
    session.round(1000, book(1000, [(price - 10 * step, 5.0)], [(price + 10 * step, 5.0)]))
    session.round(1200, said=(place(1000, 1, "buy", price, 0.001),))
    assert session.statuses(1) == [("accepted", "none") if accepted else ("rejected", "off_tick")]


def test_table_takes_64_orders() -> None:
    session = quoted(*(place(1000, number, "buy", 99.0, 0.001) for number in range(1, 67)))
    assert sum(ack.status == "accepted" for ack in session.acks) == 64
    assert [ack.reason for ack in session.acks if ack.status == "rejected"] == ["too_many_orders"] * 2


def test_too_many_commands_under_way_are_turned_down_at_once() -> None:
    session = quoted()
    session.round(1250, said=tuple(place(1200, number, "buy", 99.0, 0.001) for number in range(1, 259)))
    assert [ack.reason for ack in session.acks] == ["too_many_orders"] * 2
    session.round(1400)
    assert sum(ack.status == "accepted" for ack in session.acks) == 64
    assert len(session.acks) == 258


def test_post_only_is_judged_by_the_book_of_its_going_live() -> None:
    """Legal when decided, crossing when live; and between mid and far touch it is legal."""
    session = quoted()
    session.round(1300, book(1250, [(99.5, 1)], [(99.8, 1)]), said=(place(1200, 1, "buy", 99.9, 1),))
    assert session.statuses(1) == [("rejected", "post_only_would_cross")]
    session.round(1400, said=(place(1300, 2, "buy", 99.7, 1),))
    assert session.statuses(2) == [("accepted", "none")]


def test_ioc_takes_displayed_depth_and_the_rest_expires() -> None:
    session = quoted(place(1000, 1, "buy", 100.2, 35, time_in_force="ioc"), taker_fee_bps=4.5)
    assert [(fill.price, fill.size, fill.maker) for fill in session.fills] == [(100.1, 10, False), (100.2, 20, False)]
    assert session.fills[0].fee == pytest.approx(100.1 * 10 * 4.5e-4)
    assert [status for status, _ in session.statuses(1)] == ["accepted", "expired"]
    assert session.acks[-1].filled_size == 30
    assert session.account.position == 30


def test_ioc_that_finds_nothing_expires_for_no_liquidity() -> None:
    session = quoted(place(1000, 1, "buy", 100.0, 1, time_in_force="ioc"))
    assert session.statuses(1)[-1] == ("expired", "no_liquidity")
    assert session.account.position == 0


def test_ioc_takes_only_what_is_displayed() -> None:
    """The level at 100.3 left the published window: it is frozen, not liquidity."""
    session = quoted()
    session.round(1250, book(1250, BIDS, ASKS[:2]))
    session.round(1400, said=(place(1250, 1, "buy", 101.0, 50, time_in_force="ioc"),))
    assert sum(fill.size for fill in session.fills) == 30


def test_gtc_that_crosses_takes_then_rests() -> None:
    session = quoted(place(1000, 1, "sell", 99.9, 12, time_in_force="gtc"))
    assert [(fill.price, fill.size, fill.side) for fill in session.fills] == [(99.9, 10, "sell")]
    assert session.orders["filled"][0] == 10
    session.round(1300, book(1250, [(99.8, 5)], [(99.9, 1.0), (100.1, 1.0)]), prints(1280, "buy", (99.9, 4)))
    assert session.fills[-1].maker
    assert session.account.position == pytest.approx(-12)


def test_modify_to_a_new_price_joins_the_back() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, said=(modify(1200, 1, 99.8, 1),))
    assert session.statuses(1) == [("accepted", "none"), ("modified", "none")]
    assert session.acks[-1].ts == ns(1300)
    assert session.ahead(1) == 20
    session.round(1400, prints(1290, "sell", (99.8, 500)))
    assert not session.fills, "before the modify the order stood elsewhere"


def test_modify_to_a_smaller_size_keeps_its_place_and_a_larger_one_does_not() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1250, prints(1230, "sell", (99.9, 4)), book(1240, [(99.9, 11), *BIDS[1:]], ASKS))
    assert session.ahead(1) == pytest.approx(6)
    session.round(1400, said=(modify(1250, 1, 99.9, 0.5),))
    assert session.ahead(1) == pytest.approx(6)
    assert session.orders["size"][0] == 0.5
    session.round(1600, said=(modify(1400, 1, 99.9, 2),))
    assert session.ahead(1) == 11


def test_modify_that_breaks_a_rule_leaves_the_order_as_it_was() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, said=(modify(1200, 1, 100.1, 1),))
    session.round(1500, said=(modify(1300, 1, float("nan"), 1),))
    session.round(1700, said=(modify(1500, 1, 99.9, -1),))
    assert session.statuses(1)[1:] == [
        ("refused", "post_only_would_cross"),
        ("refused", "bad_price"),
        ("refused", "bad_size"),
    ]
    assert (session.orders["price"][0], session.orders["size"][0], session.ahead(1)) == (99.9, 1, 10)


def test_modify_below_what_has_filled_ends_the_order() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, prints(1210, "sell", (99.8, 0.6)), said=(modify(1200, 1, 99.9, 0.5),))
    session.round(1400)
    assert session.statuses(1)[-1] == ("cancelled", "none")
    assert session.acks[-1].filled_size == pytest.approx(0.6)


def test_ids_beyond_64_bits_are_refused() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, said=(cancel(1200, 2**70), modify(1200, -(2**70), 99.9, 1)))
    assert [(ack.status, ack.reason) for ack in session.acks[-2:]] == [("refused", "unknown_order")] * 2
    assert len(session.orders) == 1


def test_flatten_cancels_and_closes_at_market() -> None:
    session = quoted(place(1000, 1, "buy", 100.1, 3, time_in_force="ioc"), place(1000, 2, "buy", 99.8, 1))
    assert session.account.position == 3
    session.round(1400, said=(m.Control(ts=ns(1200), action="flatten"),))
    assert session.account.position == 0
    assert session.statuses(2)[-1] == ("cancelled", "never_touched")
    closing = session.fills[-1]
    assert (closing.side, closing.price, closing.size, closing.maker) == ("sell", 99.9, 3, False)
    assert closing.ts == ns(1300), "it travels like any order"


def test_flatten_without_position_places_nothing() -> None:
    session = quoted()
    session.round(1400, said=(m.Control(ts=ns(1200), action="flatten"),))
    assert not session.acks


def test_reset_cancels_everything_and_zeroes_the_money() -> None:
    session = quoted(place(1000, 1, "buy", 100.1, 3, time_in_force="ioc"), place(1000, 2, "buy", 99.8, 1))
    said = (m.Control(ts=ns(1200), action="reset"),)
    session.round(1210, said=said)
    assert session.statuses(2)[-1] == ("cancelled", "reset")
    account = session.of("account")[-1]
    assert (account.position, account.total, account.cash, account.orders_live) == (0, 0, 10_000, 0)
    session.round(1500, said=(place(1210, 3, "buy", 100.1, 1, time_in_force="ioc"),))
    assert session.fills[-1].fill_id == session.fills[-2].fill_id + 1, "fill ids stay unique"


def test_reset_rejects_orders_under_way() -> None:
    session = quoted()
    session.round(1250, said=(place(1200, 1, "buy", 99.9, 1),))
    session.round(1260, said=(m.Control(ts=ns(1250), action="reset"),))
    session.round(1500)
    assert session.statuses(1) == [("rejected", "reset")]


def test_pause_and_resume_are_not_for_the_exchange() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, said=(m.Control(ts=ns(1200), action="pause"), m.Control(ts=ns(1200), action="resume")))
    assert len(session.orders) == 1


def test_what_kept_an_order_from_filling() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1), place(1000, 2, "buy", 99.8, 1))
    session.round(1300, prints(1250, "sell", (99.9, 1)))
    session.round(1400, said=(cancel(1300, 1), cancel(1300, 2)))
    assert session.statuses(1)[-1] == ("cancelled", "queue_not_reached")
    assert session.statuses(2)[-1] == ("cancelled", "never_touched")


def test_touch_between_decision_and_going_live_is_too_late() -> None:
    session = quoted()
    session.round(1300, prints(1250, "sell", (99.9, 1)), said=(place(1200, 1, "buy", 99.9, 1),))
    session.round(1400, said=(cancel(1300, 1),))
    assert session.statuses(1)[-1] == ("cancelled", "touched_before_live")


def test_each_kind_has_its_way_and_all_are_as_late_as_what_is_known() -> None:
    ways = {"placement": 100.0, "modify": 70.0, "cancel": 40.0, "response": 30.0}
    session = Session(**{f"{kind}_latency_ms": ms for kind, ms in ways.items()})
    session.round(1000, book(1000, BIDS, ASKS))
    session.round(1200, said=(place(1000, 1, "buy", 99.8, 1),))
    session.round(1400, said=(modify(1200, 1, 99.9, 1),))
    session.round(1600, said=(cancel(1400, 1),))
    assert [(ack.status, ack.ts) for ack in session.acks] == [
        ("accepted", ns(1130)),
        ("modified", ns(1300)),
        ("cancelled", ns(1470)),
    ]


def test_bursts_are_slow_for_everybody_and_leave_the_distribution_as_it_is() -> None:
    """Ten orders in each of 400 stretches of 1 s; the slowest tenth lasts longer than 100 ms."""
    table = ((0.9, 100.0), (1.0, 200.0))
    settings = settings_of([FillSimConfig(placement_latency_ms=table)])[0]
    command = np.zeros(1, dtype=COMMAND_UNDER_WAY)[0]
    command["type"] = PLACE
    slow = np.zeros((400, 10), dtype=bool)
    for stretch, number in np.ndindex(slow.shape):
        command["order_id"], command["decided_ts"] = 10 * stretch + number, ns(1000 * stretch)
        slow[stretch, number] = latency_ns(new_market()[0], settings, command) > 100e6
    assert slow.mean() == pytest.approx(0.1, abs=0.02)
    bursts = slow.all(axis=1)
    assert bursts.mean() == pytest.approx(0.05, abs=0.02)
    assert slow[~bursts].mean() == pytest.approx(0.05 / 0.95, abs=0.01), "half of the slow ones come alone"
