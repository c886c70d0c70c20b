"""Money, worked by hand: average cost, fees, funding, margin, the profit identity, and when accounts are said."""

import math

import pytest

from papertrader.shared import messages as m
from tests.unit.fill_sim_session import (
    ASKS,
    BIDS,
    HOUR_MS,
    Session,
    book,
    cancel,
    context,
    modify,
    place,
    prints,
    quoted,
)


def take(session: Session, ms: float, order_id: int, side: str, price: float, size: float) -> None:
    """Take displayed size, in rounds that end at `ms` + 100."""
    session.round(ms + 100, said=(place(ms, order_id, side, price, size, time_in_force="ioc"),))


def test_adding_moves_the_average_and_reducing_realises() -> None:
    """Buy 1 at 100.1, buy 3 at 100.1/… : average; sell 2 at 99.9: (99.9 − average)·2 realised."""
    session = quoted()
    take(session, 1200, 1, "buy", 100.1, 1)
    session.round(1400, book(1350, [(100.3, 10)], [(100.5, 10)]))
    take(session, 1400, 2, "buy", 100.5, 3)
    assert session.account.average_entry_price == pytest.approx((100.1 + 3 * 100.5) / 4)
    take(session, 1500, 3, "sell", 100.3, 2)
    assert session.account.average_entry_price == pytest.approx(100.4), "reducing keeps the average"
    assert session.account.realised == pytest.approx((100.3 - 100.4) * 2)
    assert session.account.unrealised == pytest.approx(2 * (100.4 - 100.4))
    assert session.account.position == 2


def test_crossing_zero_starts_a_new_average() -> None:
    session = quoted()
    take(session, 1200, 1, "buy", 100.1, 1)
    take(session, 1300, 2, "sell", 99.9, 3)
    account = session.account
    assert account.position == -2
    assert account.average_entry_price == 99.9
    assert account.realised == pytest.approx(-0.2)
    assert account.unrealised == pytest.approx(-2 * (100.0 - 99.9))
    assert account.total == pytest.approx(-0.4), "0.2 lost in the round trip, 0.2 on what is left"


def test_round_trip_of_a_market_maker_by_hand() -> None:
    """Buy 1 at 99.9 and sell it at 100.1 while the mid stays 100: spread 0.2, inventory 0, fees 1.5 bp of 200."""
    session = quoted(place(1000, 1, "buy", 99.9, 1), place(1000, 2, "sell", 100.1, 1), maker_fee_bps=1.5)
    session.round(1300, prints(1250, "sell", (99.9, 11)))
    session.round(1400, prints(1350, "buy", (100.1, 11), first_id=5))
    account = session.of("account")[-1]
    assert account.position == 0
    assert account.spread == pytest.approx(0.2)
    assert account.inventory == pytest.approx(0)
    assert account.fees == pytest.approx(200.0 * 1.5e-4)
    assert account.realised == pytest.approx(0.2)
    assert account.total == pytest.approx(0.2 - 0.03)
    assert account.equity == pytest.approx(10_000.17)
    assert account.turnover == pytest.approx(200)
    assert account.residual == pytest.approx(0, abs=1e-9)


def test_inventory_part_is_position_times_move_of_the_mid() -> None:
    session = quoted(place(1000, 1, "sell", 100.1, 2))
    session.round(1300, prints(1250, "buy", (100.1, 12)))
    session.round(1400, book(1350, [(100.4, 10)], [(100.6, 10)]))
    account = session.account
    assert account.spread == pytest.approx(0.2)
    assert account.inventory == pytest.approx(-2 * 0.5)
    assert account.total == pytest.approx(-0.8)
    assert account.unrealised == pytest.approx(-2 * (100.5 - 100.1))


def test_print_delivered_after_the_book_it_changed_is_priced_at_the_mid_before() -> None:
    """The mid fell from 100 to 99.7 at 1250 by the very print that fills us at 99.9 and is delivered after it."""
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, book(1250, [(99.6, 10)], [(99.8, 10)]), prints(1250, "sell", (99.8, 5)))
    (fill,) = session.fills
    assert fill.mid_at_fill == pytest.approx(100.0)
    account = session.account
    assert account.spread == pytest.approx(0.1)
    assert account.inventory == pytest.approx(-0.3)
    assert account.total == pytest.approx(99.7 - 99.9)
    assert account.residual == pytest.approx(0, abs=1e-9)


def test_negative_maker_fee_is_a_rebate() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1), maker_fee_bps=-1.0)
    session.round(1300, prints(1250, "sell", (99.8, 1)))
    assert session.fills[0].fee == pytest.approx(-99.9e-4)
    assert session.account.cash == pytest.approx(10_000 - 99.9 + 99.9e-4)


@pytest.mark.parametrize(("side", "price", "sign"), [("buy", 100.1, -1), ("sell", 99.9, 1)])
def test_longs_pay_positive_funding_at_the_full_hour(side: str, price: float, sign: int) -> None:
    session = quoted()
    take(session, 1200, 1, side, price, 2)
    session.round(1400, context(1350, mark=101.0, funding_rate=1e-4))
    session.round(HOUR_MS - 1, book(HOUR_MS - 1, BIDS, ASKS))
    assert session.account.funding == 0
    session.round(HOUR_MS, book(HOUR_MS, BIDS, ASKS))
    assert session.account.funding == pytest.approx(sign * 2 * 101.0 * 1e-4)
    session.round(HOUR_MS + 50, book(HOUR_MS + 50, BIDS, ASKS))
    assert session.account.funding == pytest.approx(sign * 2 * 101.0 * 1e-4), "once an hour"
    session.round(3 * HOUR_MS + 5, book(3 * HOUR_MS + 5, BIDS, ASKS))
    assert session.account.funding == pytest.approx(3 * sign * 2 * 101.0 * 1e-4), "hours without data are paid too"
    assert session.account.residual == pytest.approx(0, abs=1e-9)


def test_no_funding_while_the_rate_is_unknown() -> None:
    session = quoted()
    take(session, 1200, 1, "buy", 100.1, 2)
    session.round(HOUR_MS, book(HOUR_MS, BIDS, ASKS))
    assert session.account.funding == 0


def test_margin_follows_fills_and_the_mark() -> None:
    session = quoted(leverage=5.0)
    take(session, 1200, 1, "buy", 100.1, 2)
    assert session.account.margin_used == pytest.approx(2 * 100 / 5), "at the mid while the venue said no mark"
    session.round(1400, context(1350, mark=110.0))
    account = session.account
    assert account.margin_used == pytest.approx(2 * 110 / 5)
    assert account.mark_price == 110
    assert account.equity == pytest.approx(10_000 - 0.2), "profit is marked at the mid"
    assert account.margin_available == pytest.approx(account.equity - account.margin_used)
    session.round(1500, book(1450, [(89.9, 10)], [(90.1, 10)]))
    assert session.account.equity == pytest.approx(10_000 - 2 * 10.1)


def test_margin_counts_live_orders_of_the_side() -> None:
    """Equity 1000, leverage 1: 10 at a mid of 100. 6 live, 5 more do not fit, 4 do, and the other side is its own."""
    session = quoted(place(1000, 1, "buy", 99.9, 6), initial_cash=1000.0, leverage=1.0)
    session.round(1400, said=(place(1200, 2, "buy", 99.8, 5), place(1200, 3, "buy", 99.7, 4)))
    session.round(1600, said=(place(1400, 4, "sell", 100.1, 9),))
    assert session.statuses(2) == [("rejected", "insufficient_margin")]
    assert session.statuses(3) == [("accepted", "none")]
    assert session.statuses(4) == [("accepted", "none")]


def test_reducing_order_is_allowed_without_margin() -> None:
    """Long 10 of 10 possible, then the mark doubles: only what reduces the position is accepted."""
    session = quoted(initial_cash=1100.0, leverage=1.0)
    take(session, 1200, 1, "buy", 100.1, 10)
    session.round(1400, context(1350, mark=200.0))
    session.round(1600, said=(place(1400, 2, "buy", 99.9, 0.1), place(1400, 3, "sell", 100.1, 10)))
    assert session.statuses(2) == [("rejected", "insufficient_margin")]
    assert session.statuses(3) == [("accepted", "none")]
    session.round(1800, said=(place(1600, 4, "sell", 100.2, 10.5),))
    assert session.statuses(4) == [("rejected", "insufficient_margin")], "both together would be short 10.5"


def test_modify_counts_its_own_margin_once() -> None:
    """10 are possible: 8 may become 9, but not 11."""
    session = quoted(place(1000, 1, "buy", 99.9, 8), initial_cash=1000.0, leverage=1.0)
    session.round(1400, said=(modify(1200, 1, 99.8, 9),))
    session.round(1600, said=(modify(1400, 1, 99.8, 11),))
    assert session.statuses(1)[1:] == [("modified", "none"), ("refused", "insufficient_margin")]


def test_cancelled_order_needs_no_margin() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 8), initial_cash=1000.0, leverage=1.0, late_print_ms=5000.0)
    session.round(1400, said=(cancel(1200, 1), place(1200, 2, "buy", 99.8, 8)))
    assert session.statuses(2) == [("accepted", "none")]


def test_account_is_said_first_with_a_market_then_after_fills_and_at_most_once_a_second() -> None:
    session = Session()
    session.round(900)
    assert not session.of("account")
    session.round(1000, book(1000, BIDS, ASKS))
    assert len(session.of("account")) == 1
    session.round(1300, said=(place(1000, 1, "buy", 99.9, 1),))
    assert len(session.of("account")) == 1, "an order went live, but the second is not over"
    session.round(1400, prints(1350, "sell", (99.8, 0.5)))
    assert len(session.of("account")) == 2
    assert session.of("account")[-1].position == 0.5
    session.round(2400, book(2400, [(99.8, 10)], [(100.0, 10)]))
    assert len(session.of("account")) == 3, "the mid moved under a position"
    session.round(9000, book(9000, [(99.8, 10)], [(100.0, 10)]))
    assert len(session.of("account")) == 3, "nothing changed"


def test_fill_carries_what_later_learning_needs() -> None:
    session = quoted()
    forecast = {"mid": 100.2, "p_fill": 0.4, "p_adverse": 0.6}
    estimate = estimate_of(0.7)
    session.round(1400, said=(place(1200, 5, "buy", 99.9, 1, **forecast), estimate))
    session.round(3300, prints(3300, "sell", (99.8, 0.5), first_id=77))
    (fill,) = session.fills
    assert (fill.fill_id, fill.order_id, fill.trade_id) == (1, 5, 77)
    assert fill.mid_at_placement == 100.2
    assert fill.half_spread_bps == pytest.approx((100.2 - 99.9) / 100.2 * 1e4), "positive outside the mid"
    assert (fill.toxicity, fill.p_fill, fill.p_adverse) == (pytest.approx(0.7), 0.4, 0.6)
    assert fill.position_after == 0.5
    assert fill.ts - fill.live_ts == 2_000_000_000
    assert fill.features[0] == pytest.approx(0), "the book was balanced"


def test_fill_of_an_ask_has_its_toxicity_and_a_positive_half_spread() -> None:
    session = quoted()
    session.round(1400, said=(place(1200, 5, "sell", 100.1, 1), estimate_of(0.2)))
    session.round(1600, prints(1600, "buy", (100.2, 0.5)))
    (fill,) = session.fills
    assert fill.toxicity == pytest.approx(0.2)
    assert fill.mid_at_placement == 100.0, "the mid at going live where the command gave none"
    assert fill.half_spread_bps == pytest.approx(10)


def test_toxicity_is_unknown_before_the_first_estimate() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1))
    session.round(1300, prints(1250, "sell", (99.8, 1)))
    assert session.fills[0].toxicity is None


def estimate_of(toxicity: float) -> m.Estimate:
    """An estimate of which only the weights of toxicity matter."""
    return m.Estimate(
        ts=0,
        version=1,
        kappa=2500,
        kappa_sd=1,
        intensity=1,
        own_fills=0,
        kappa_confidence=0,
        exposure_s=0,
        market_kappa=2500,
        market_prints=0,
        sigma_bps=1,
        sigma_bipower_bps=1,
        jump_ratio=1,
        sigma_p10_bps=1,
        sigma_p90_bps=1,
        regime="normal",
        regime_probabilities=(0, 1, 0, 0),
        regime_seconds=(0, 0, 0, 0),
        regime_changes=0,
        toxicity_bid=0.5,
        toxicity_ask=0.5,
        adverse_base_rate=0.5,
        classifier_ready=False,
        classifier_samples=0,
        dropped=0,
        # only the touch imbalance counts, and these books are balanced: so both sides are told by the constant
        toxicity_weights=(math.log(toxicity / (1 - toxicity)), 3.0, *(0.0,) * 7),
    )
