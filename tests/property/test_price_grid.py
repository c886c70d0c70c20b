"""Generated instruments and books: the grid holds every price that the venue can mean, and no book is locked by it."""

import math
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from papertrader.services.feed.decimal_grid import decimals, meant
from papertrader.services.feed.instrument import infer_instrument, rule_step
from papertrader.services.feed.kernel import RoundBuilder
from papertrader.services.feed.price_grid import PriceGrid
from papertrader.shared.market.events import TICKS, Grid
from papertrader.shared.messages import Bbo, Book, Instrument, Message

STEPS = st.builds(lambda digit, power: float(f"{digit}e{power}"), st.sampled_from((1, 2, 5)), st.integers(-12, 2))


def price_of(tick_size: float, ticks: int) -> float:
    """A price as a venue writes it."""
    digits = max(-math.floor(math.log10(tick_size)) + 1, 0)
    return float(f"{ticks * tick_size:.{digits}f}")


@st.composite
def books(draw: st.DrawFn, tick_size: float, ticks: int) -> Book:
    gaps = draw(st.lists(st.integers(1, 9), min_size=6, max_size=6))
    bids = [ticks - sum(gaps[:n]) for n in range(3)]
    asks = [ticks + 1 + sum(gaps[3 : 3 + n]) for n in range(3)]
    return Book(
        ts=1,
        recv_ts=1,
        bid_prices=[price_of(tick_size, tick) for tick in bids],
        bid_sizes=[1.0] * 3,
        ask_prices=[price_of(tick_size, tick) for tick in asks],
        ask_sizes=[1.0] * 3,
    )


@settings(deadline=None, max_examples=200)
@given(st.data(), STEPS, st.integers(100, 10**7))
def test_prices_of_any_tick_are_on_the_inferred_grid_and_keep_their_order(
    data: st.DataObject, tick_size: float, ticks: int
) -> None:
    seen = [data.draw(books(tick_size, ticks + data.draw(st.integers(-40, 40)))) for _ in range(8)]
    instrument = infer_instrument(seen[:4], 0, 0.0)
    bad: Counter[str] = Counter()
    grid = PriceGrid(instrument, bad)
    assert grid.fitted(list(seen)) == seen
    assert not bad
    in_force = Grid(grid.instrument)
    for book in seen:
        numbers = [in_force.tick(price) for price in (*reversed(book.bid_prices), *book.ask_prices)]
        assert numbers == sorted(set(numbers)), "no book is locked that was not"
        assert numbers[-1] < TICKS


@settings(deadline=None, max_examples=100)
@given(st.lists(st.floats(-0.04, 0.04), min_size=30, max_size=120), st.floats(1e-6, 5e4), st.integers(0, 5))
def test_figures_are_followed_over_powers_of_ten(moves: list[float], price: float, size_decimals: int) -> None:
    """Prices that walk anywhere: what is on the venue's own grid passes unchanged, in a round whose tick holds it."""
    finest = 10.0 ** -(6 - size_decimals)
    price = max(price, 2_000 * finest)
    first = Instrument(ts=0, tick_size=rule_step(price, 5, finest), lot_size=1.0, significant_figures=5)
    bad: Counter[str] = Counter()
    builder = RoundBuilder(
        Instrument(**{name: getattr(first, name) for name in first.__struct_fields__} | {"finest_tick_size": finest}),
        "session",
        50_000_000,
        10**12,
        bad,
    )
    in_force, expected, found = None, list[Message](), list[Message]()
    rounds = []
    for number, move in enumerate(moves, start=1):
        price = min(max(price * math.exp(3 * move), 2_000 * finest), 9e4)
        tick = rule_step(price, 5, finest)
        bid = meant(round(math.floor(price / tick) * tick, 10))
        ask = meant(round(bid + rule_step(bid * (1 + 1e-9), 5, finest), 10))
        touch = Bbo(ts=number * 20_000_000, recv_ts=1, bid_price=bid, bid_size=1.0, ask_price=ask, ask_size=1.0)
        expected.append(touch)
        rounds += builder.add(number, number, [touch])
    rounds += builder.end()
    for round_ in rounds:
        for message in round_.messages:
            if isinstance(message, Instrument):
                assert message is round_.messages[0], "in force from the beginning of its round"
                in_force = Grid(message)
            elif isinstance(message, Bbo):
                assert in_force is not None
                found.append(message)
                for side in (message.bid_price, message.ask_price):
                    assert side is not None
                    assert in_force.price(in_force.tick(side)) == side
                assert in_force.tick(message.bid_price or 0.0) < in_force.tick(message.ask_price or 0.0)
    assert found == expected
    assert not bad


@settings(deadline=None, max_examples=200)
@given(STEPS, st.integers(1, 10**6))
def test_noise_of_arithmetic_and_of_32_bits_is_not_taken_for_decimals(tick_size: float, ticks: int) -> None:
    price = price_of(tick_size, ticks)
    assert decimals(price + math.ulp(price)) <= decimals(price) or price + math.ulp(price) == price
    assert decimals(float(np.float32(price))) <= max(decimals(price), 9)
