"""Which own orders a print meets, and in which order, by hand."""

from itertools import pairwise

import numpy as np
import pytest

from papertrader.services.fill_sim.chance import FILL_COIN, uniform
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.matching import eligible, fill_probability, next_in_line, note_under_way, reaches
from papertrader.services.fill_sim.settings import settings_of
from papertrader.services.fill_sim.state import ORDER, new_accounts
from papertrader.shared import messages as m
from papertrader.shared.market.commands import CANCEL, PLACE
from papertrader.shared.market.events import EVENT
from papertrader.shared.market.records import Record
from tests.unit.fill_sim_session import ASKS, BIDS, Session, book, cancel, place, prints, quoted


def print_of(ts: int, side: int, tick: int = 50) -> Record:
    """A print."""
    event = np.zeros(1, dtype=EVENT)[0]
    event["ts"], event["side"], event["tick"] = ts, side, tick
    return event


def account_with(*orders: tuple[int, int, int]) -> Record:
    """An account with these orders: (side, tick, sequence)."""
    account = new_accounts(settings_of([FillSimConfig()]))[0]
    account["orders_count"] = len(orders)
    for row, order in zip(account["orders"], orders, strict=False):
        row["side"], row["tick"], row["sequence"] = order
    return account


@pytest.mark.parametrize(("side", "reached"), [(1, [True, True, False]), (-1, [False, True, True])])
def test_print_reaches_its_own_price_and_what_it_went_beyond(side: int, reached: list[bool]) -> None:
    assert [bool(reaches(side, 50, tick)) for tick in (49, 50, 51)] == reached


def test_orders_are_met_best_price_first_then_first_come() -> None:
    """Of each side those that the worst price allows, wherever they stand in the table."""
    account = account_with(
        *(
            (1, 50, 5),
            (1, 50, 3),
            (-1, 60, 1),
            (1, 52, 9),
            (1, 49, 2),
            (1, 51, 1),
            (-1, 58, 7),
            (-1, 58, 6),
            (-1, 63, 0),
        )
    )
    for side, worst, slots in ((1, -49, [3, 5, 1, 0, 4]), (1, -50, [3, 5, 1, 0]), (-1, 60, [7, 6, 2]), (1, -53, [])):
        met, rank, sequence = [], -(2**62), -(2**62)
        while (slot := next_in_line(account, side, worst, rank, sequence)) >= 0:
            met.append(slot)
            order = account["orders"][slot]
            rank, sequence = -side * int(order["tick"]), int(order["sequence"])
        assert met == slots
        assert slot == -1


@pytest.mark.parametrize(
    ("ts", "met", "touched"),
    [(9, False, 0), (10, False, 1), (19, False, 1), (20, True, 0), (29, True, 0), (30, False, 0)],
)
def test_order_is_met_from_joining_until_its_cancel_and_touched_before_that_from_its_decision(
    ts: int, met: bool, touched: int
) -> None:
    order = np.zeros(1, dtype=ORDER)[0]
    order["side"], order["decided_ts"], order["joined_ts"], order["cancel_ts"] = 1, 10, 20, 30
    assert bool(eligible(order, print_of(ts, 1))) == met
    assert order["touched_before_live"] == 0, "a taker of its own side does not meet it"
    assert bool(eligible(order, print_of(ts, -1))) == met
    assert order["touched_before_live"] == touched


@pytest.mark.parametrize(
    ("kind", "side", "ts", "tick", "touched"),
    [
        (PLACE, 1, 10, 50, 1),
        (PLACE, 1, 11, 49, 1),
        (PLACE, 1, 9, 50, 0),
        (PLACE, 1, 10, 51, 0),
        (PLACE, -1, 10, 50, 0),
        (CANCEL, 1, 10, 50, 0),
    ],
)
def test_order_under_way_that_a_print_would_have_met_remembers_it(
    kind: int, side: int, ts: int, tick: int, touched: int
) -> None:
    account = account_with()
    account["commands_count"] = 1
    command = account["commands"][0]
    command["type"], command["side"], command["tick"], command["decided_ts"] = kind, side, 50, 10
    note_under_way(account, print_of(ts, -1, tick))
    note_under_way(account, print_of(ts, -1, 99))
    assert command["touched"] == touched


@pytest.mark.parametrize("model", ["fifo", "draws", "through"])
def test_print_through_fills_what_is_left_of_each_order_and_no_more_than_its_size(model: str) -> None:
    """2 and 2 wanted. 0.75 through both fill the better; 3 more its rest, and 1.75 of the other."""
    orders = (place(1000, 1, "buy", 99.8, 2), place(1000, 2, "buy", 99.9, 2))
    session = quoted(*orders, fill_model=model)
    session.round(1300, prints(1250, "sell", (99.7, 0.75)))
    session.round(1400, prints(1350, "sell", (99.7, 3.0), first_id=2))
    assert [(fill.order_id, fill.size, fill.through) for fill in session.fills] == [
        (2, 0.75, True),
        (2, 1.25, True),
        (1, 1.75, True),
    ]
    if model == "draws":
        assert [fill.fill_probability for fill in session.fills] == [1, 1, 1]


@pytest.mark.parametrize("model", ["fifo", "draws"])
def test_print_strictly_beyond_fills_whoever_was_its_taker(model: str) -> None:
    """A buyer's print at 99.8 is below a bid of 99.9; at the bid's price it is none of its fills."""
    session = quoted(place(1000, 1, "buy", 99.9, 2), fill_model=model)
    session.round(1300, prints(1250, "buy", (99.9, 50.0)))
    assert not session.fills
    session.round(1400, prints(1350, "buy", (99.8, 0.5), first_id=2))
    assert [(fill.size, fill.through) for fill in session.fills] == [(0.5, True)]


@pytest.mark.parametrize("model", ["fifo", "draws"])
@pytest.mark.parametrize(("side", "price", "aggressor"), [("buy", 99.9, "sell"), ("sell", 100.1, "buy")])
def test_print_at_the_price_fills_what_is_left_of_each_order(
    model: str, side: str, price: float, aggressor: m.Side
) -> None:
    """10 ahead of two orders of 1: 11.25 fill the first and a quarter of the second, 3 its rest."""
    session = quoted(place(1000, 1, side, price, 1), place(1000, 2, side, price, 1), fill_model=model)
    session.round(1300, prints(1250, aggressor, (price, 11.25)))
    session.round(1400, prints(1350, aggressor, (price, 3.0), first_id=2))
    assert [(fill.order_id, fill.size, fill.through) for fill in session.fills] == [
        (1, 1.0, False),
        (2, 0.25, False),
        (2, 0.75, False),
    ]


@pytest.mark.parametrize("model", ["fifo", "draws"])
def test_less_than_a_lot_fills_nothing(model: str) -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1), fill_model=model)
    session.round(1300, prints(1250, "sell", (99.9, 10.0004)))
    assert not session.fills


def test_print_that_only_eats_the_queue_leaves_the_order_joining() -> None:
    """10 ahead since no message, 10 printed: the first message after that shows what is ahead, as after any join."""
    session = Session()
    session.round(1000, book(1000, BIDS, ASKS))
    session.round(1100, said=(place(1000, 1, "buy", 99.9, 1),))
    session.round(1300, prints(1150, "sell", (99.9, 10)), book(1200, [(99.9, 5.0)], ASKS))
    assert session.ahead(1) == 5


@pytest.mark.parametrize(
    ("model", "traded_at", "reason"),
    [
        ("fifo", 99.9, "queue_not_reached"),
        ("draws", 99.9, "queue_not_reached"),
        ("flat", 99.9, "coin"),
        ("fifo", 100.0, "never_touched"),
    ],
)
def test_order_that_was_touched_says_so_when_it_ends(model: str, traded_at: float, reason: str) -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1), fill_model=model, fill_prob_base=0.0)
    session.round(1300, prints(1250, "sell", (traded_at, 1.0)))
    session.round(1500, said=(cancel(1300, 1),))
    session.round(1600, book(1600, BIDS, ASKS))
    assert session.statuses(1)[-1] == ("cancelled", reason)


def test_order_that_better_ones_left_nothing_of_a_print_through_was_touched() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 5), place(1000, 2, "buy", 99.8, 5))
    session.round(1300, prints(1250, "sell", (99.7, 5.0)))
    session.round(1500, said=(cancel(1300, 2),))
    session.round(1600, book(1600, BIDS, ASKS))
    assert session.statuses(2)[-1] == ("cancelled", "queue_not_reached")


@pytest.mark.parametrize("model", ["fifo", "draws", "flat"])
def test_marked_order_is_filled_only_through(model: str) -> None:
    settings = {"fill_model": model, "adverse_fill_ratio": 1.0, "fill_prob_base": 1.0, "queue_position_factor": 1.0}
    session = quoted(place(1000, 1, "buy", 99.9, 9), **settings)
    for number in range(9):
        session.round(1300 + number, prints(1300 + number, "sell", (99.9, 50.0), first_id=number))
    assert not session.fills
    for number in range(9):
        session.round(1400 + number, prints(1400 + number, "sell", (99.8, 0.5), first_id=10 + number))
    assert {(fill.size, fill.through) for fill in session.fills} == {(0.5, True)}


def test_ages_of_the_flat_model_are_those_at_the_print() -> None:
    settings = settings_of([FillSimConfig(fill_model="flat")])[0]
    found = [fill_probability(settings, True, False, 1.0, 1.0, age_s) for age_s in (0.5, 1.0, 1.5, 10.0, 10.5)]
    assert [later > sooner for sooner, later in pairwise(found)] == [False, True, False, True]


@pytest.mark.parametrize(("aggressor", "filled"), [("sell", 0.5), ("buy", 0.5)])
def test_flat_order_gets_its_share_of_a_print_and_at_least_a_lot(aggressor: m.Side, filled: float) -> None:
    """Half of a print of 1 for an order of 9; of one of 0.001 a lot."""
    settings = {"fill_model": "flat", "fill_prob_base": 1.0, "queue_position_factor": 0.5}
    session = quoted(place(1000, 1, "buy", 99.9, 9), **settings)
    for number in range(30):
        session.round(1300 + number, prints(1300 + number, aggressor, (99.9, 1.0), first_id=number))
    assert {fill.size for fill in session.fills} == {filled}
    assert not any(fill.through for fill in session.fills)
    before = len(session.fills)
    for number in range(30):
        session.round(1400 + number, prints(1400 + number, aggressor, (99.9, 0.001), first_id=100 + number))
    assert {fill.size for fill in session.fills[before:]} == {0.001}


def test_flat_order_is_filled_by_every_print_whose_coin_is_below_the_probability_at_its_age() -> None:
    """b = 1, prints small, queue 0.8: p = 0.5·0.8·0.7 until 1 s after the join at 1100, then 0.5·0.8, then ·1.3."""
    times = [(start + number, p) for start, p in ((1300, 0.28), (2200, 0.4), (12_000, 0.52)) for number in range(40)]
    session = quoted(place(1000, 1, "buy", 99.9, 100), fill_model="flat", fill_prob_base=1.0, queue_position_factor=0.8)
    session.round(13_000, *(prints(ms, "sell", (99.9, 0.05), first_id=ms) for ms, _ in times))
    expected = [ms for ms, p in times if uniform(session.config.seed, FILL_COIN, 1, ms) < p]
    assert [fill.trade_id for fill in session.fills] == expected


@pytest.mark.parametrize(
    ("side", "prices", "aggressor"), [("buy", (99.8, 99.9), "sell"), ("sell", (100.2, 100.1), "buy")]
)
def test_flat_order_is_filled_by_prints_that_reach_it_until_nothing_is_left(
    side: str, prices: tuple[float, float], aggressor: m.Side
) -> None:
    """Of every print of 1 that its coin wins an order gets 0.7, and no more than it still wants."""
    orders = (place(1000, number, side, price, 1) for number, price in enumerate(prices, 1))
    session = quoted(*orders, fill_model="flat", fill_prob_base=1.0, queue_position_factor=0.7)
    session.round(1400, *(prints(1300 + n, aggressor, (prices[1], 1.0), first_id=n) for n in range(30)))
    assert [(fill.order_id, fill.size) for fill in session.fills] == [(2, 0.7), (2, 0.3)]


def test_flat_order_for_which_less_than_a_lot_is_left_is_not_filled() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 9), fill_model="flat", fill_prob_base=1.0, queue_position_factor=1.0)
    session.round(1400, *(prints(1300 + n, "sell", (99.8, 0.0005), first_id=n) for n in range(30)))
    assert not session.fills
