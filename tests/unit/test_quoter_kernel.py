"""When the quoter must not quote, what pauses it, and that it goes on after a restart."""

import math

import numpy as np
import pytest

from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.kernel import NoQuote
from papertrader.services.quoter.service import Quoter
from papertrader.shared.market.records import code
from papertrader.shared.messages import Bbo, Cancel, Gap, Message, Place
from papertrader.shared.service.fold import Received, Round, canonical
from tests.quoter_session import MARKET, START, Session, account, ack, calibration, control, estimate, instrument, touch


def silent_rounds(session: Session, reason: str) -> int:
    return int(session.state["no_quote_rounds"][code(NoQuote, reason)])


def gap(from_ts: int, to_ts: int) -> Gap:
    return Gap(ts=to_ts, recv_ts=to_ts, from_ts=from_ts, to_ts=to_ts, reason="silence")


def only_cancels(session: Session, commands: list[Message], orders: list[Place]) -> bool:
    return commands == [Cancel(ts=session.ts, order_id=order.order_id) for order in orders]


def test_no_instrument_means_no_quotes() -> None:
    session = Session()
    assert session.round(touch(999.9, 1000.1)) == []
    assert silent_rounds(session, "no_market") == 1


@pytest.mark.parametrize("market", [touch(999.9, None), touch(None, 1000.1), touch(1000.2, 1000.1)])
def test_market_that_lacks_a_side_or_crosses_takes_the_quotes_off(market: Bbo) -> None:
    session = Session()
    orders = session.quoted()
    assert only_cancels(session, session.round(market), orders)
    assert silent_rounds(session, "no_market") == 1


def test_stale_book_takes_the_quotes_off_until_it_changes() -> None:
    session = Session()
    orders = session.quoted()
    # the book last changed at the first touch's own time
    assert session.round(after_ms=START // 10**6 + 5_000 - session.ts // 10**6) == []
    assert only_cancels(session, session.round(after_ms=1), orders)
    assert silent_rounds(session, "stale_book") == 1
    gone = [ack(order, "cancelled") for order in orders]
    assert len(session.round(touch(999.9, 1000.1, session.ts), said=gone, after_ms=250)) == 4


def test_gap_takes_the_quotes_off_for_a_second() -> None:
    session = Session()
    orders = session.quoted()
    end = session.ts + 40_000_000
    assert only_cancels(session, session.round(gap(session.ts, end), touch(999.9, 1000.1, end)), orders)
    gone = [ack(order, "cancelled") for order in orders]
    assert session.round(said=gone, after_ms=980) == []
    assert silent_rounds(session, "gap") == 2
    assert len(session.round(after_ms=20)) == 4


def test_no_margin_takes_every_quote_off_when_flat() -> None:
    session = Session()
    orders = session.quoted()
    assert only_cancels(session, session.round(said=[account(margin_available=0.0)], after_ms=300), orders)
    assert silent_rounds(session, "no_margin") == 1


def test_no_margin_leaves_what_reduces_the_position() -> None:
    session = Session(QuoterConfig(levels=2))
    orders = session.round(instrument(), touch(999.9, 1000.1), said=[account(margin_available=-1.0, position=0.7)])
    assert [(order.side, order.size) for order in orders] == [("sell", 0.5), ("sell", 0.2)]


def test_pause_takes_the_quotes_off_and_resume_brings_them_back() -> None:
    session = Session()
    orders = session.quoted()
    assert only_cancels(session, session.round(said=[control("pause")]), orders)
    assert session.round(said=[ack(order, "cancelled") for order in orders], after_ms=400) == []
    assert silent_rounds(session, "paused") == 2
    assert len(session.round(said=[control("resume")])) == 4


def test_flatten_pauses() -> None:
    session = Session()
    orders = session.quoted()
    assert only_cancels(session, session.round(said=[control("flatten")]), orders)


def test_pause_lets_learning_go_on() -> None:
    session = Session()
    session.quoted()
    session.round(said=[control("pause"), estimate(version=9, kappa=1234.0), calibration(0.8)])
    assert session.state["kappa"] == 1234.0
    assert session.state["params_version"] == 9
    assert session.state["cal_gamma"] == 0.8


def test_loss_of_the_limit_pauses_until_resumed() -> None:
    session = Session(QuoterConfig(max_drawdown=1.0))
    session.quoted()
    session.round(said=[account(equity=10_000.0)])
    session.round(said=[account(equity=9_500.01)])
    assert silent_rounds(session, "loss_limit") == 0
    session.round(said=[account(equity=9_500.0)])
    session.round(said=[account(equity=9_900.0)])
    assert silent_rounds(session, "loss_limit") == 2
    session.round(said=[control("resume"), account(equity=9_500.0)])
    session.round(said=[account(equity=9_025.01)])
    assert silent_rounds(session, "loss_limit") == 2
    session.round(said=[account(equity=9_025.0)])
    assert silent_rounds(session, "loss_limit") == 3


def test_drawdown_is_measured_from_the_peak_of_equity() -> None:
    session = Session()
    session.quoted()
    for equity in (10_000.0, 12_000.0, 11_401.0):
        session.round(said=[account(equity=equity)])
    assert silent_rounds(session, "drawdown_limit") == 0
    session.round(said=[account(equity=11_400.0)])
    assert silent_rounds(session, "drawdown_limit") == 1


def test_small_profit_given_back_is_no_drawdown() -> None:
    session = Session()
    session.quoted()
    for equity in (10_000.0, 10_005.01, 10_004.75):
        session.round(said=[account(equity=equity)])
    assert session.state["paused"] == 0


def test_reset_measures_losses_from_the_fresh_account() -> None:
    session = Session()
    session.quoted()
    session.round(said=[account(equity=20_000.0)])
    session.round(said=[account(equity=20_000.0), control("reset")])
    session.round(said=[account(equity=10_000.0)])
    assert session.state["paused"] == 0
    assert session.state["first_equity"] == 10_000.0


def test_pending_orders_of_a_paused_quoter_are_cancelled_when_they_go_live() -> None:
    session = Session()
    orders = session.round(instrument(), touch(999.9, 1000.1))
    assert session.round(said=[control("pause")]) == []
    assert only_cancels(session, session.round(said=[ack(order, "accepted") for order in orders]), orders)


def test_limits_switched_off_never_pause() -> None:
    session = Session(QuoterConfig(max_loss=1.0, max_drawdown=1.0))
    session.quoted()
    for equity in (10_000.0, 1.0):
        session.round(said=[account(equity=equity)])
    assert session.state["paused"] == 0


def test_two_accounts_decide_apart() -> None:
    configs = {"narrow": QuoterConfig(levels=1), "wide": QuoterConfig(levels=1, min_edge_bps=20.0)}
    said = canonical([Received("account", "narrow", account(position=2.5), 1)])
    outputs = Quoter(MARKET, configs).fold(Round(1, START, 0, said, (instrument(), touch(999.9, 1000.1))))
    # the fee and 20 bp are 21.5 bp
    quotes = [(output.account, output.message.side, output.message.price) for output in outputs]
    assert [quote[:2] for quote in quotes] == [("narrow", "sell"), ("wide", "buy"), ("wide", "sell")]
    assert [quote[2] for quote in quotes[1:]] == [997.85, 1002.15]


def test_new_tick_size_keeps_the_prices_of_own_orders() -> None:
    session = Session(QuoterConfig(levels=1))
    session.quoted()
    session.round(instrument(tick_size=0.001), touch(999.9, 1000.1, session.ts))
    # 1.5 + 0.3 * (4.2944 + 2 * 0.5) bp: 999.69 and 1000.31
    assert list(session.state["orders"]["tick"][:2]) == [999_690, 1_000_310]


def test_settings_reach_the_kernel_under_their_names() -> None:
    session = Session(QuoterConfig(prior_kappa=1000.0, prior_adverse_rate=0.2))
    assert session.state["kappa"] == 1000.0
    assert session.state["toxicity_bid"] == 0.2
    assert session.state["cal_gamma"] == 0.3
    assert np.isnan(session.state["equity"])


LEANING = (-1.0, 4.0, *(0.0,) * 7)
"""Log-odds of an adverse move: −1, and 4 times the touch imbalance as the order faces it."""


def lopsided(bid_size: float, ask_size: float, ts: int) -> Bbo:
    return Bbo(ts=ts, recv_ts=ts, bid_price=999.9, bid_size=bid_size, ask_price=1000.1, ask_size=ask_size)


def test_side_is_quoted_at_the_touch_only_while_its_toxicity_of_now_is_low() -> None:
    session = Session(QuoterConfig(levels=1))
    said = [estimate(classifier_ready=True, toxicity_weights=LEANING)]
    orders = session.round(instrument(), lopsided(3.0, 1.0, session.ts), said=said)
    # imbalance 0.5: log-odds −3 of the bid, +1 of the ask
    assert [(order.side, order.price) for order in orders] == [("buy", 999.9)]
    assert orders[0].p_adverse == pytest.approx(1 / (1 + math.exp(3)))
    session.round(said=[ack(order, "accepted") for order in orders])
    commands = session.round(lopsided(1.0, 3.0, session.ts), after_ms=300)
    assert [getattr(command, "side", "cancel") for command in commands] == ["cancel", "sell"]


def test_fair_value_is_the_microprice_with_its_imbalance_to_a_quarter() -> None:
    """(3 − 1)/4 = 0.5 and (2.9 − 1)/3.9 = 0.487, both to 0.5: half of half the spread above the mid."""
    for bid_size in (3.0, 2.9):
        session = Session(QuoterConfig(levels=1))
        session.round(instrument(), lopsided(bid_size, 1.0, session.ts))
        assert session.state["terms"]["reservation_price"] == pytest.approx(1000.0 + 0.05)


def test_lean_of_a_spread_that_is_worth_less_than_a_requote_is_not_looked_at() -> None:
    """Half of the spread is 1 bp."""
    for cost_bps, fair in ((0.99, 1000.05), (1.01, 1000.0)):
        session = Session(QuoterConfig(levels=1, requote_cost_bps=cost_bps))
        session.round(instrument(), lopsided(3.0, 1.0, session.ts))
        assert session.state["terms"]["reservation_price"] == pytest.approx(fair)
