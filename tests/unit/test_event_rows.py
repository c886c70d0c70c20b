"""Messages as event rows, and prices as ticks."""

import msgspec
import numpy as np
import pytest

from papertrader.shared.market.event_rows import market_events, nearest_tick
from papertrader.shared.market.events import EVENT, FUNDING, GAP, MARK, ORACLE, PRINT, ROUND, SETTLEMENT, TICKS, Grid
from papertrader.shared.messages import Book, Context, Depth, Gap, Instrument, RoundEnd, Trades
from tests.unit.test_book import BUY, GRID, SELL, depth, snapshot, touch


def test_events_of_prints_carry_their_own_times_and_the_aggressor() -> None:
    message = Trades(
        ts=9,
        recv_ts=9,
        times=[7, 8],
        prices=[100.1, 100.0],
        sizes=[0.5, 0.6],
        aggressors=["buy", "sell"],
        trade_ids=[1, 2],
    )
    rows = market_events([message], GRID)
    assert rows["ts"].tolist() == [7, 8]
    assert rows["kind"].tolist() == [PRINT, PRINT]
    assert rows["tick"].tolist() == [1001, 1000]
    assert rows["size"].tolist() == [0.5, 0.6]
    assert rows["side"].tolist() == [BUY, SELL]
    assert rows["id"].tolist() == [1, 2]


def test_events_of_context_gap_and_round_carry_their_numbers() -> None:
    context = Context(ts=1, recv_ts=1, funding_rate=1e-5, next_funding_ts=9, oracle_price=100.25, mark_price=100.5)
    gap = Gap(ts=5, recv_ts=5, from_ts=2, to_ts=4, reason="x")
    end = RoundEnd(ts=6, recv_ts=6, round=17, frame=1, session="s")
    rows = market_events([context, Context(ts=1, recv_ts=1), gap, end], GRID)
    assert rows["kind"].tolist() == [*[MARK, ORACLE, SETTLEMENT, FUNDING] * 2, GAP, ROUND]
    assert rows["last"].tolist() == [0, 0, 0, 1, 0, 0, 0, 1, 1, 1]
    assert rows["size"][:4].tolist() == [100.5, 100.25, 0, 1e-5]
    assert rows["id"][:8].tolist() == [0, 0, 9, 3600 * 10**9, 0, 0, 0, 3600 * 10**9]
    assert np.isnan(rows["size"][[4, 5, 7]]).all()
    assert (rows["ts"][8], rows["id"][8]) == (4, 2)
    assert (rows["ts"][9], rows["id"][9]) == (6, 17)


def test_messages_without_events_yield_an_empty_array_of_events() -> None:
    rows = market_events([Instrument(ts=0, tick_size=1.0, lot_size=1.0), depth({}, {})], GRID)
    assert rows.dtype == EVENT
    assert len(rows) == 0


@pytest.mark.parametrize(
    ("tick_size", "prices", "ticks"),
    [
        (0.1, [100.1, 0.3, 67890.7], [1001, 3, 678907]),
        (1e-6, [0.000123, 2.345678], [123, 2345678]),
        (1.0, [60000.0, 60001.0], [60000, 60001]),
        (5.0, [60005.0], [12001]),
        (0.5, [100.5], [201]),
        (0.25, [100.75], [403]),
    ],
)
def test_grid_turns_prices_into_ticks_and_back_to_the_very_float(
    tick_size: float, prices: list[float], ticks: list[int]
) -> None:
    grid = Grid(Instrument(ts=0, tick_size=tick_size, lot_size=1.0))
    assert [nearest_tick(price, grid.tick_size, grid.ticks_per_unit) for price in prices] == ticks
    assert [grid.price(tick) for tick in ticks] == prices


def test_events_of_a_round_are_those_of_its_messages_one_after_the_other() -> None:
    best = touch(None, (100.3, 2.0), ts=3)
    prints = Trades(ts=4, recv_ts=4, times=[4], prices=[100.3], sizes=[1.0], aggressors=["buy"], trade_ids=[9])
    context = Context(ts=5, recv_ts=5, funding_rate=1e-5, mark_price=100.5)
    gap = Gap(ts=6, recv_ts=6, from_ts=5, to_ts=6, reason="x")
    end = RoundEnd(ts=7, recv_ts=7, round=17, frame=1, session="s")
    messages = [snapshot({100.0: 1.0}, {}), best, depth({99.9: 0.0}, {100.4: 1.0}), prints, context, gap, end]
    whole = market_events(messages, GRID)
    parts = np.concatenate([market_events([message], GRID) for message in messages])
    for name in EVENT.names or ():
        assert np.array_equal(whole[name], parts[name], equal_nan=name in ("size", "value")), name


@pytest.mark.parametrize("sizes", [[], [1.0, 2.0]])
def test_events_of_a_message_whose_columns_differ_in_length_are_refused(sizes: list[float]) -> None:
    torn = Depth(ts=1, recv_ts=1, bid_prices=[100.0], bid_sizes=sizes, ask_prices=[], ask_sizes=[])
    with pytest.raises(ValueError, match="levels of 1"):
        market_events([torn], GRID)
    prints = Trades(ts=2, recv_ts=2, times=[2], prices=[1.0], sizes=sizes, aggressors=["buy"], trade_ids=[9])
    with pytest.raises(ValueError, match="prints of 2"):
        market_events([prints], GRID)


def test_a_price_of_too_many_ticks_is_the_last_tick() -> None:
    grid = Grid(Instrument(ts=0, tick_size=1e-8, lot_size=1.0))
    assert market_events([touch((1.0, 1.0), (21.0, 1.0))], grid)["tick"].tolist() == [100_000_000, 2_100_000_000]
    assert market_events([touch((1.0, 1.0), (22.0, 1.0))], grid)["tick"].tolist() == [100_000_000, TICKS - 1]


def test_levels_and_touches_carry_how_many_orders_stand_there() -> None:
    message = msgspec.structs.replace(
        snapshot({100.0: 1.0, 99.9: 2.0}, {100.1: 3.0}), bid_orders=[7, 8], ask_orders=[9]
    )
    other = msgspec.structs.replace(touch((100.0, 1.0), (100.1, 3.0)), bid_orders=4, ask_orders=5)
    rows = market_events([snapshot({100.0: 1.0}, {}), message, other], GRID)
    assert rows["id"].tolist() == [0, 0, 0, 0, 0, 7, 8, 9, 4, 5]
    with pytest.raises(ValueError, match="number of orders"):
        market_events([msgspec.structs.replace(message, ask_orders=[])], GRID)


def test_message_that_does_not_tell_is_as_short_as_it_was() -> None:
    assert b"orders" not in msgspec.json.encode(snapshot({100.0: 1.0}, {100.1: 3.0}))
    old = msgspec.json.encode(snapshot({100.0: 1.0}, {100.1: 3.0}))
    assert msgspec.json.decode(old, type=Book).bid_orders == []
