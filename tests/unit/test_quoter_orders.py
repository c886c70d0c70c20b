"""Own orders: placing, answers, the cap, requoting and churn rules, worked by hand."""

import math

import numpy as np
import pytest

from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.glft import TARGET, VIEW
from papertrader.services.quoter.orders import ORDER, allowed_move
from papertrader.shared.market.records import settings_records
from papertrader.shared.messages import Cancel, Place
from tests.quoter_session import Session, account, ack, calibration, estimate, fill, instrument, touch

ONE_LEVEL = QuoterConfig(levels=1, adverse_weight_bps=0.0)


def prices(commands: list[Place]) -> list[float]:
    return [command.price for command in commands]


def test_first_quotes_are_worked_by_hand() -> None:
    orders = Session(ONE_LEVEL).round(
        instrument(), touch(999.9, 1000.1), said=[estimate(toxicity_ask=0.2), calibration(1.0)]
    )
    # 1.5 + 4.2944 bp of 1000 are 57.9 ticks, outward 58
    assert prices(orders) == [999.42, 1000.58]
    assert [order.side for order in orders] == ["buy", "sell"]
    assert [order.size for order in orders] == [0.5, 0.5]
    assert [order.order_id for order in orders] == [1, 2]
    assert {order.time_in_force for order in orders} == {"post_only"}
    assert {order.mid for order in orders} == {1000.0}
    assert {order.params_version for order in orders} == {1}
    assert [order.p_adverse for order in orders] == [0.3, 0.2]
    score = 0.7 - 1.7 * 6 + 0.18 * 36  # no return is known yet, so the order is many σ away
    assert orders[0].p_fill == pytest.approx(1 / (1 + math.exp(-score)))


def test_first_quotes_before_any_estimate_use_the_priors_and_a_cal_gamma_of_0_3() -> None:
    orders = Session(ONE_LEVEL).round(instrument(), touch(999.9, 1000.1))
    # 1.5 + 0.3 * 4.2944 = 2.788 bp: 28 ticks
    assert prices(orders) == [999.72, 1000.28]
    assert orders[0].params_version == 0


def test_orders_are_stamped_with_the_round_and_numbered_on() -> None:
    session = Session(QuoterConfig(levels=2))
    orders = session.round(instrument(), touch(999.9, 1000.1))
    assert {order.ts for order in orders} == {session.ts}
    assert [order.order_id for order in orders] == [1, 2, 3, 4]


def test_orders_without_an_answer_are_not_sent_again() -> None:
    session = Session()
    session.round(instrument(), touch(999.9, 1000.1))
    assert session.round(touch(1009.9, 1010.1, session.ts), after_ms=400) == []


def test_quotes_off_by_less_than_a_share_of_their_distance_stay() -> None:
    session = Session(ONE_LEVEL)
    session.quoted()
    # 75 % of 28 ticks are 21; the targets move by 20
    assert session.round(touch(1000.1, 1000.3, session.ts), after_ms=300) == []


def test_quote_too_near_is_replaced_and_one_left_behind_stays() -> None:
    session = Session(ONE_LEVEL)
    orders = session.quoted()
    # up by 30 ticks: the ask is too near by more than 21, the bid left behind by less than 42
    commands = session.round(touch(1000.2, 1000.4, session.ts), after_ms=300)
    assert commands[0] == Cancel(ts=session.ts, order_id=orders[1].order_id)
    assert [(place.order_id, place.side, place.price) for place in commands[1:]] == [(3, "sell", 1000.58)]


def test_quotes_that_are_far_off_are_both_replaced() -> None:
    session = Session(ONE_LEVEL)
    orders = session.quoted()
    commands = session.round(touch(1000.4, 1000.6, session.ts), after_ms=300)
    cancels, places = commands[:2], commands[2:]
    assert cancels == [Cancel(ts=session.ts, order_id=order.order_id) for order in orders]
    assert [place.order_id for place in places] == [3, 4]
    assert prices(places) == [1000.22, 1000.78]  # 27.9 ticks, outward


def test_quote_near_the_mid_stays_while_a_requote_costs_more_and_more_so_at_the_touch() -> None:
    """0.5 bp of 1000 are 5 ticks; the place in the queue at the touch is worth 2.5 more, and half of all that is added
    where the market left the quote behind.
    """
    settings = settings_records([QuoterConfig(distance_share=0.0, left_behind_factor=1.5)])[0]
    view, order, target = (np.zeros(1, dtype=dtype)[0] for dtype in (VIEW, ORDER, TARGET))
    view["mid"], view["tick_size"], view["ticks_per_unit"] = 1000.0, 0.01, 100.0
    view["bid_tick"], order["side"], target["side"] = 99_990, 1, 1
    for tick, target_tick, ticks in ((99_980, 99_970, 5.0), (99_990, 99_980, 7.5), (99_980, 99_990, 7.5)):
        order["tick"], target["tick"] = tick, target_tick
        assert allowed_move(view, settings, order, target) == pytest.approx(ticks * 0.01)


def test_threshold_of_a_distant_quote_is_a_share_of_its_distance() -> None:
    # fee and 18.5 bp: 200 ticks from the mid, so 75 % of that is 150
    session = Session(QuoterConfig(levels=1, min_edge_bps=18.5))
    session.quoted()
    assert session.round(touch(1001.3, 1001.5, session.ts), after_ms=300) == []
    commands = session.round(touch(1001.6, 1001.8, session.ts), after_ms=300)
    assert [getattr(command, "side", "cancel") for command in commands] == ["cancel", "sell"]


def test_requotes_wait_for_the_interval() -> None:
    session = Session(ONE_LEVEL)
    session.quoted()  # took 50 ms
    assert session.round(touch(1004.9, 1005.1, session.ts), after_ms=150) == []
    assert len(session.round(after_ms=50)) == 4


def test_order_being_cancelled_gets_no_second_cancel() -> None:
    session = Session(ONE_LEVEL)
    session.quoted()
    session.round(touch(1000.9, 1001.1, session.ts), after_ms=300)
    assert session.round(touch(1004.9, 1005.1, session.ts), after_ms=300) == []


@pytest.mark.parametrize("status", ["cancelled", "expired", "filled", "rejected", "refused"])
def test_order_that_ended_is_replaced(status: str) -> None:
    session = Session(ONE_LEVEL)
    orders = session.quoted()
    commands = session.round(said=[ack(orders[0], status)], after_ms=300)
    assert [(command.order_id, command.side) for command in commands] == [(3, "buy")]


def test_partly_filled_order_keeps_its_place() -> None:
    session = Session(QuoterConfig(levels=1, inventory_skew_bps=0.0))
    orders = session.quoted()
    assert session.round(said=[fill(orders[0], 0.2, 0.2), account(position=0.2)], after_ms=300) == []
    assert session.state["position"] == 0.2
    assert session.state["orders"][0]["size"] == pytest.approx(0.3)


def test_cap_counts_the_position() -> None:
    session = Session(QuoterConfig(levels=1, inventory_skew_bps=0.0))
    orders = session.round(instrument(), touch(999.9, 1000.1), said=[account(position=2.3)])
    assert [(order.side, order.size) for order in orders] == [("buy", 0.2), ("sell", 0.5)]


def test_cap_that_is_reached_leaves_the_reducing_side_only() -> None:
    session = Session(QuoterConfig(levels=2))
    orders = session.round(instrument(), touch(999.9, 1000.1), said=[account(position=-2.5)])
    assert [order.side for order in orders] == ["buy", "buy"]


def test_cap_counts_orders_that_are_being_cancelled() -> None:
    session = Session(QuoterConfig(levels=1, max_position_notional=700.0))
    session.quoted()
    commands = session.round(touch(1000.9, 1001.1, session.ts), after_ms=300)
    # 700 / 1001 = 0.699, and 0.5 of it may still fill
    assert [command.size for command in commands if isinstance(command, Place)] == [0.199, 0.199]


def test_cap_leaving_less_than_the_venue_accepts_places_nothing() -> None:
    session = Session(QuoterConfig(levels=1))
    orders = session.round(instrument(), touch(999.9, 1000.1), said=[account(position=2.495)])
    assert [order.side for order in orders] == ["sell"]


def test_cap_cuts_the_outer_level_first() -> None:
    session = Session(QuoterConfig(levels=2, max_position_notional=800.0))
    orders = session.round(instrument(), touch(999.9, 1000.1))
    assert [order.size for order in orders] == [0.5, 0.3, 0.5, 0.3]


def test_order_that_the_cap_no_longer_allows_is_cancelled() -> None:
    session = Session(QuoterConfig(levels=2, inventory_skew_bps=0.0))
    orders = session.quoted()
    commands = session.round(said=[account(position=2.0)], after_ms=300)
    assert commands == [Cancel(ts=session.ts, order_id=orders[1].order_id)]


def test_pending_order_without_an_answer_is_given_up_after_five_seconds() -> None:
    session = Session(QuoterConfig(levels=1, stale_after_ms=60_000))
    session.round(instrument(), touch(999.9, 1000.1))
    assert session.round(after_ms=5_000) == []
    assert session.round(after_ms=50) == []  # what was said 5.0 s after it has been heard
    assert [order.order_id for order in session.round(after_ms=50)] == [3, 4]
    assert session.state["unanswered"] == 2


def test_pending_order_in_a_hole_of_the_data_is_not_given_up() -> None:
    session = Session(QuoterConfig(levels=1, stale_after_ms=60_000))
    orders = session.round(instrument(), touch(999.9, 1000.1))
    assert session.round(after_ms=18_000) == []
    assert session.round(said=[ack(order, "accepted") for order in orders]) == []
    assert session.state["unanswered"] == 0


def test_cancel_without_an_answer_is_sent_again() -> None:
    session = Session(QuoterConfig(levels=1, stale_after_ms=60_000))
    orders = session.quoted()
    first = session.round(touch(1004.9, 1005.1, session.ts), after_ms=300)
    session.round(said=[ack(place, "accepted") for place in first[2:]])
    session.round(after_ms=5_000)
    again = session.round(after_ms=300)
    assert [command.order_id for command in again] == [order.order_id for order in orders]
    assert all(isinstance(command, Cancel) for command in again)


def test_order_accepted_after_it_was_given_up_is_cancelled() -> None:
    session = Session(QuoterConfig(levels=1, stale_after_ms=60_000))
    orders = session.round(instrument(), touch(999.9, 1000.1))
    session.round(after_ms=5_100)
    session.round(after_ms=50)
    commands = session.round(said=[ack(orders[0], "accepted")], after_ms=300)
    assert commands == [Cancel(ts=session.ts, order_id=1)]


def test_order_of_somebody_else_is_left_alone() -> None:
    session = Session(ONE_LEVEL)
    orders = session.quoted()
    foreign = Place(ts=session.ts, order_id=10**9, side="buy", price=990.0, size=1.0)
    assert session.round(said=[ack(foreign, "accepted")], after_ms=300) == []
    assert len(orders) == 2


def test_rejection_for_margin_stops_what_adds_to_the_position_for_a_second() -> None:
    session = Session(QuoterConfig(levels=1, inventory_skew_bps=0.0))
    orders = session.round(instrument(), touch(999.9, 1000.1), said=[account(position=1.0)])
    answers = [
        ack(orders[0], "rejected", reason="insufficient_margin", ts=session.ts),
        ack(orders[1], "accepted"),
    ]
    assert session.round(said=answers, after_ms=300) == []
    assert session.round(touch(999.9, 1000.1, session.ts), after_ms=690) == []
    commands = session.round(touch(999.9, 1000.1, session.ts), after_ms=20)
    assert [command.side for command in commands] == ["buy"]
    assert session.state["rejected"] == 1


def test_order_that_would_meet_an_own_order_is_not_placed() -> None:
    session = Session(QuoterConfig(levels=1, min_edge_bps=0.0, prior_kappa=1e6, requote_cost_bps=5.0))
    orders = session.round(instrument(), touch(990.0, 1010.0), said=[calibration(0.0), account(maker_fee_bps=0.0)])
    assert prices(orders) == [999.99, 1000.01]
    session.round(said=[ack(order, "accepted") for order in orders])
    # the mid falls by 4 bp, so the bid stays; the ask was filled and would come back at the bid's price
    commands = session.round(touch(989.6, 1009.6, session.ts), said=[ack(orders[1], "filled")], after_ms=300)
    assert commands == []


def test_quotes_are_at_least_the_accounts_fee_away_and_a_rebate_brings_them_nearer() -> None:
    session = Session(QuoterConfig(levels=1, min_edge_bps=0.5, prior_kappa=1e6))
    orders = session.round(instrument(), touch(990.0, 1010.0), said=[account(maker_fee_bps=3.0), calibration(0.0)])
    assert prices(orders) == [999.65, 1000.35], "3 + 0.5 bp"
    session = Session(QuoterConfig(levels=1, min_edge_bps=0.5, prior_kappa=1e6))
    orders = session.round(instrument(), touch(990.0, 1010.0), said=[account(maker_fee_bps=-0.3), calibration(0.0)])
    assert prices(orders) == [999.98, 1000.02], "0.2 bp"


def test_spot_offers_no_more_than_is_held() -> None:
    session = Session(QuoterConfig(levels=2, quote_notional=500.0, max_position_notional=2_500.0))
    orders = session.round(instrument(kind="spot"), touch(999.9, 1000.1), said=[account()])
    assert [order.side for order in orders] == ["buy", "buy"]
    orders = session.round(touch(999.9, 1000.1, session.ts), said=[account(position=0.7)], after_ms=300)
    assert [(order.side, order.size) for order in orders] == [("sell", 0.5), ("sell", 0.2)]


def test_rejection_for_balance_stops_what_adds_to_the_inventory_for_a_second() -> None:
    session = Session(QuoterConfig(levels=1))
    orders = session.round(instrument(kind="spot"), touch(999.9, 1000.1), said=[account(position=1.0)])
    answers = [ack(orders[0], "rejected", reason="insufficient_balance", ts=session.ts), ack(orders[1], "accepted")]
    assert session.round(said=answers, after_ms=300) == []


def test_sizes_of_inverse_contracts_are_contracts() -> None:
    """500 of quote currency are 5 contracts of 100, whatever the price; the cap of 1200 leaves room for 12."""
    session = Session(QuoterConfig(levels=3, quote_notional=500.0, max_position_notional=1_200.0))
    inverse = instrument(kind="inverse", contract_size=100.0, lot_size=1.0)
    orders = session.round(inverse, touch(999.9, 1000.1), said=[account()])
    assert [order.size for order in orders] == [5.0, 5.0, 2.0, 5.0, 5.0, 2.0]
