import pytest

from papertrader.services.feed.instrument import decimals, infer_instrument
from papertrader.shared.messages import Bbo, Book, Context


def touch(price: float, size: float) -> Bbo:
    return Bbo(ts=7, recv_ts=8, bid_price=price, bid_size=size, ask_price=None, ask_size=None)


@pytest.mark.parametrize(
    ("value", "expected"), [(109755.0, 0), (0.5, 1), (61800.25, 2), (0.18648, 5), (1e-05, 5), (1.5e-06, 7), (2e16, 0)]
)
def test_decimals_of_a_float_are_those_of_its_shortest_text(value: float, expected: int) -> None:
    assert decimals(value) == expected


@pytest.mark.parametrize(
    ("price", "size", "tick"),
    [
        (109755.0, 0.00341, 1.0),  # 0.75 x 109755 = 82316: five figures are integers
        (4300.1, 0.0341, 0.1),  # 3225.1
        (13000.0, 0.01, 0.1),  # 9750.0: a tenth although the prices seen are integers
        (0.18648, 30984.0, 1e-05),  # 0.13986
        (0.0012345, 100.0, 1e-06),  # never finer than six decimals
        (236.47, 0.12345678, 0.01),  # sizes of eight decimals do not follow the rule that would make it 1
        (1200.0, 0.00001, 0.1),  # 900.00 has two decimals by figures, 6 − 5 = 1 by the size's decimals
    ],
)
def test_tick_by_significant_figures_leaves_room_below(price: float, size: float, tick: float) -> None:
    assert infer_instrument([touch(price, size)], 5, 10.0, price_decimals=6).tick_size == tick


def test_tick_without_significant_figures_is_the_finest_seen() -> None:
    book = Book(ts=1, recv_ts=1, bid_prices=[6180.0], bid_sizes=[1.0], ask_prices=[6180.3], ask_sizes=[0.125])
    rules = infer_instrument([book, touch(6180.0, 2.0)], 0, 5.0)
    assert (rules.ts, rules.tick_size, rules.lot_size, rules.significant_figures, rules.min_notional) == (
        1,
        0.1,
        0.001,
        0,
        5.0,
    )


def test_instrument_without_a_price_is_refused() -> None:
    with pytest.raises(ValueError, match="no price"):
        infer_instrument([Context(ts=1, recv_ts=1)], 5, 10.0)


@pytest.mark.parametrize(("price", "tick"), [(60000.123456, 1e-3), (0.123456, 1e-6), (2.5e9, 1.0)])
def test_tick_is_coarse_enough_to_count_four_times_the_price(price: float, tick: float) -> None:
    """2³¹ ticks / (4 · 60000) = 8948: three decimals."""
    assert infer_instrument([touch(price, 1.0)], 0, 5.0).tick_size == tick


@pytest.mark.parametrize(
    ("price", "lot"), [(100_000.0, 1e-5), (4_000.0, 1e-4), (100.0, 0.01), (9.9, 1.0), (0.19, 1.0), (3.2e-10, 1.0)]
)
def test_lot_of_thin_evidence_is_not_dearer_than_venues_have_them(price: float, lot: float) -> None:
    rules = infer_instrument([touch(price, 5.0)], 0, 5.0)
    assert (rules.lot_size, "lot_size" in rules.doubtful) == (lot, True)


def test_lot_that_many_sizes_or_a_venue_tell_is_theirs() -> None:
    sizes = [touch(100_000.0, float(size)) for size in range(1, 12)]
    assert infer_instrument(sizes, 0, 5.0).lot_size == 1.0
    assert infer_instrument(sizes[:1], 0, 5.0, size_decimals=3).lot_size == 0.001
