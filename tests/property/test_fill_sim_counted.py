"""Properties of draws where the venue tells how many orders stand at a level."""

from typing import NamedTuple

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from papertrader.shared import messages as m
from tests.property.test_fill_sim_fills import START_MS, STEP_MS, Step, market, steps
from tests.unit.fill_sim_session import Session, book, place, prints

bounded = settings(max_examples=60, deadline=None, derandomize=True)
OWN = 99.9
"""The price of the own bid; 100.0 is the best."""


def told(message: m.Message, step: Step) -> m.Message:
    """The message with numbers of orders that the step's numbers make."""
    if isinstance(message, m.Book):
        bids = [1 + (step.other + place) % 4 for place in range(len(message.bid_prices))]
        asks = [1 + (step.size + place) % 4 for place in range(len(message.ask_prices))]
        return msgspec.structs.replace(message, bid_orders=bids, ask_orders=asks)
    if isinstance(message, m.Bbo):
        return msgspec.structs.replace(message, bid_orders=1 + step.other % 4, ask_orders=1 + step.size % 4)
    return message


class Line(NamedTuple):
    """A level at the own price: its orders' sizes, and what is printed there before it is shown."""

    sizes: tuple[float, ...]
    printed: float = 0.0


ALONE = Line((8.0,))


def stand(lines: list[Line], seed: int = 0, counted: str = "all", first: Line = ALONE) -> Session:
    """An order of 1 behind `first`; then each line is shown, twice, so that it is taken in. It is never filled.

    `counted`: whether `all` messages tell how many orders stand at their levels, none, or `some`: one line, and
    the next one not.
    """
    session = Session(fill_model="draws", seed=seed, placement_latency_ms=60.0, adverse_fill_ratio=1.0)
    session.round(START_MS, shown(START_MS, first, counted != "none"))
    for number, line in enumerate([first, first, *lines]):
        for again in (0, 1):
            ms = START_MS + STEP_MS * (2 * number + again + 1)
            said = (place(START_MS, 1, "buy", OWN, 1),) if number + again == 0 else ()
            traded = [prints(ms - 1, "sell", (OWN, line.printed))] if line.printed and not again else []
            tells = counted == "all" or (counted == "some" and number % 2 == 0)
            session.round(ms, *traded, shown(ms, line, tells), said=said)
    return session


def shown(ms: float, line: Line, counted: bool) -> m.Book:
    """A full book that has the line, and the number of its orders if they are counted."""
    size = sum(line.sizes)
    bids = [(100.0, 5.0), (OWN, size), (99.8, 9.0)] if size > 0 else [(100.0, 5.0), (99.8, 9.0)]
    found = book(ms, bids, [(100.2, 8.0)])
    if not counted:
        return found
    orders = [2, len(line.sizes), 4] if size > 0 else [2, 4]
    return msgspec.structs.replace(found, bid_orders=orders, ask_orders=[3])


def ahead(session: Session) -> list[float]:
    """The size ahead in every draw of the only order."""
    (order,) = session.orders
    return [float(size) for size in session.exchange.account_states[0]["draws"][order["row"], 0]]


@bounded
@given(made=steps, seed=st.integers(0, 9))
def test_probability_only_grows_and_stays_within_0_and_1(made: list[Step], seed: int) -> None:
    session, before = Session(fill_model="draws", seed=seed), 0.0
    session.round(START_MS, told(book(START_MS, [(100.0, 8.0), (OWN, 8.0)], [(100.2, 8.0)]), made[0]))
    for number, (ms, message) in enumerate(market(made)):
        said = (place(START_MS, 1, "buy", OWN, 4),) if number == 0 else ()
        outputs = session.round(ms, told(message, made[number]), said=said)
        for row in session.orders:
            assert 0 <= row["reached"] <= 1
            assert row["reached"] >= before or isinstance(message, m.Gap)
            before = row["reached"]
        for output in outputs:
            if isinstance(output.message, m.Fill):
                assert output.message.fill_probability is None or 0 < output.message.fill_probability <= 1
                assert isinstance(message, m.Trades | m.Book | m.Bbo)
    assert sum(fill.size for fill in session.fills) <= 4 + 1e-9


happenings = st.lists(st.tuples(st.sampled_from(("join", "leave", "print")), st.integers(1, 30)), max_size=14)


@bounded
@given(made=happenings, seed=st.integers(0, 9))
def test_draws_are_the_real_line_where_single_orders_leave_no_doubt(made: list[tuple[str, int]], seed: int) -> None:
    """An independent line of orders, 3 and 5 ahead at first: who leaves is larger than all on the other side."""
    before, behind, lines = [3.0, 5.0], list[float](), list[Line]()
    for what, number in made:
        printed, orders = 0.0, before + behind
        if what == "join":
            behind.append(float(number))
        elif what == "print" and number / 4 < sum(before):
            printed = left = number / 4
            while left > 0:
                taken = min(left, before[0])
                before[0] -= taken
                left -= taken
                before = [size for size in before if size > 0]
        elif what == "leave" and orders:
            place_ = number % len(orders)
            mine, other = (before, behind) if place_ < len(before) else (behind, before)
            if orders[place_] > sum(other):
                mine.remove(orders[place_])
        lines.append(Line(tuple(before + behind), printed))
    assert set(ahead(stand(lines, seed, first=Line((3.0, 5.0))))) == {sum(before)}


sizes = st.lists(st.integers(1, 30), min_size=1, max_size=4).map(lambda drawn: tuple(map(float, drawn)))
some_lines = st.lists(sizes, min_size=1, max_size=12)


@bounded
@given(made=some_lines, seed=st.integers(0, 9))
def test_numbers_that_only_every_other_line_tells_are_as_none(made: list[tuple[float, ...]], seed: int) -> None:
    lines = [Line(sizes_) for sizes_ in made]
    assert ahead(stand(lines, seed, counted="some")) == ahead(stand(lines, seed, counted="none"))


@bounded
@given(made=st.lists(st.tuples(sizes, st.integers(1, 6)), min_size=1, max_size=12), seed=st.integers(0, 9))
def test_where_something_was_printed_numbers_tell_nothing(made: list[tuple[tuple[float, ...], int]], seed: int) -> None:
    """Any number may have been filled, and others have come: the draws are those without numbers."""
    lines = [Line(sizes_, float(printed)) for sizes_, printed in made]
    assert ahead(stand(lines, seed)) == ahead(stand(lines, seed, counted="none"))


@bounded
@given(made=st.lists(st.tuples(st.integers(1, 12), st.integers(1, 9)), max_size=10), seed=st.integers(0, 9))
def test_level_that_only_takers_take_from_has_nobody_come_or_leave(made: list[tuple[int, int]], seed: int) -> None:
    """200 ahead; however many orders are left, every draw has lost what was printed, and nothing was drawn."""
    size, lines = 200.0, list[Line]()
    for printed, orders in made:
        size -= printed
        lines.append(Line((1.0,) * (orders - 1) + (size + 1 - orders,), float(printed)))
    found = stand(lines, seed, first=Line((120.0, 80.0)))
    assert (found.orders["changes"][0], set(ahead(found))) == (0, {size})


@bounded
@given(made=st.lists(st.integers(0, 7), max_size=8), seed=st.integers(0, 9))
def test_behind_the_only_order_of_a_level_nobody_leaves(made: list[int], seed: int) -> None:
    """Whatever it becomes smaller by was ahead; when it is gone, nobody is."""
    left = [float(min([8, *made[: end + 1]])) for end in range(len(made))]
    lines = [Line((size,) if size else ()) for size in left]
    assert set(ahead(stand(lines, seed))) == {left[-1] if left else 8.0}


printed_lines = st.lists(st.tuples(sizes, st.integers(0, 12)), min_size=2, max_size=12)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(made=printed_lines)
def test_one_more_order_ahead_makes_a_fill_no_likelier(made: list[tuple[tuple[float, ...], int]]) -> None:
    """On average over seeds, as far as so many can tell; the same orders come and go, behind 8 or behind 8 and 8."""

    def reached(first: tuple[float, ...]) -> float:
        lines = [Line(first + sizes_, float(printed)) for sizes_, printed in made]
        draws = [ahead(stand(lines, seed, first=Line(first))) for seed in range(12)]
        return float(np.mean(np.array(draws) < 0))

    assert reached((8.0, 8.0)) <= reached((8.0,)) + 0.03
