"""The synthetic market keeps the truth that it declares."""

import math
from collections import Counter
from itertools import islice
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest

from papertrader.services.feed.config import SyntheticConfig
from papertrader.services.feed.synthetic import SyntheticMarket, SyntheticTruth
from papertrader.shared.market.book import apply, has_both_sides, new_book
from papertrader.shared.market.event_rows import market_events, nearest_tick
from papertrader.shared.market.events import Grid
from papertrader.shared.messages import Bbo, Book, Context, Message, Trades

STEPS_PER_S = 10


class Drawn(NamedTuple):
    """A whole session: the displayed mid on its 100 ms grid, shape (steps,), and the prints."""

    truth: SyntheticTruth
    times: npt.NDArray[np.int64]
    mids: npt.NDArray[np.float64]
    trades: list[Trades]
    messages: int


def draw(config: SyntheticConfig, asset: int = 0, seed: int = 1) -> Drawn:
    market = SyntheticMarket(config, config.assets[asset], seed)
    times, mids, trades, count = [], [], [], 0
    for _, messages in market.frames(Counter()):
        for message in messages:
            count += 1
            if isinstance(message, Trades):
                trades.append(message)
            elif isinstance(message, Book):
                times.append(message.ts)
                mids.append((message.bid_prices[0] + message.ask_prices[0]) / 2)
            elif isinstance(message, Bbo):
                assert message.bid_price is not None
                assert message.ask_price is not None
                times.append(message.ts)
                mids.append((message.bid_price + message.ask_price) / 2)
    return Drawn(market.truth, np.array(times), np.array(mids), trades, count)


@pytest.fixture(scope="module")
def uninformed() -> Drawn:
    return draw(SyntheticConfig(informed_share=0.0, duration_s=2_400.0))


@pytest.fixture(scope="module")
def informed() -> Drawn:
    config = SyntheticConfig(
        informed_share=0.3, informed_move_bps=3.0, sigma_bps=(0.2, 0.3, 0.4, 0.5), duration_s=2_400.0
    )
    return draw(config)


def test_same_seed_same_messages_another_seed_others() -> None:
    config = SyntheticConfig()

    def head(seed: int, asset: int = 0) -> list[tuple[int, list[Message]]]:
        return list(islice(SyntheticMarket(config, config.assets[asset], seed).frames(Counter()), 2_000))

    assert head(1) == head(1)
    assert head(1) != head(2)
    assert head(1) != head(1, asset=1)


def test_arrivals_are_poisson_at_the_rate(uninformed: Drawn) -> None:
    expected = uninformed.truth.trade_rate * 2_400
    assert abs(len(uninformed.trades) - expected) < 4 * math.sqrt(expected)
    counts = np.histogram([trade.ts for trade in uninformed.trades], bins=2_400)[0]
    assert counts.var() / counts.mean() == pytest.approx(1.0, abs=0.1)


def test_reach_is_exponential_in_the_prints(uninformed: Drawn) -> None:
    """An order resting at distance δ is reached by the share exp(−κδ) of the orders of its side."""
    orders = uninformed.truth.orders
    for delta in (2e-4, 4e-4, 8e-4, 12e-4):
        reached = [
            max(order.sign * (price / order.mid - 1) for price in trade.prices) >= delta
            for order, trade in zip(orders, uninformed.trades, strict=True)
        ]
        expected = math.exp(-uninformed.truth.kappa * delta)
        # a tick of 1 at 60000 is 0.17 bp: rounding up to it costs at most that distance
        tolerance = 4 * math.sqrt(expected * (1 - expected) / len(orders)) + 2_500 * 1.7e-5 * expected
        assert np.mean(reached) == pytest.approx(expected, abs=tolerance)


def test_prints_walk_from_the_touch_outwards(uninformed: Drawn) -> None:
    for order, trade in zip(uninformed.truth.orders, uninformed.trades, strict=True):
        assert trade.times == [order.ts] * len(trade.prices)
        assert set(trade.aggressors) == {"buy" if order.sign > 0 else "sell"}
        steps = np.diff(trade.prices) * order.sign
        assert (steps > 0).all()


@pytest.mark.parametrize("asset", [0, 1])
def test_sigma_is_recovered_in_every_regime(asset: int, uninformed: Drawn) -> None:
    drawn = uninformed if asset == 0 else draw(SyntheticConfig(informed_share=0.0, duration_s=1_800.0), asset)
    truth = drawn.truth
    mids = drawn.mids[::STEPS_PER_S]
    returns = np.diff(np.log(mids)) * 1e4
    regimes = np.array([truth.regime_at(int(ts)) for ts in drawn.times[::STEPS_PER_S]])
    for regime, sigma in enumerate(truth.sigma_bps):
        own = returns[(regimes[:-1] == regime) & (regimes[1:] == regime)]
        # the standard error of a standard deviation, and 0.07 bp of rounding to half ticks
        tolerance = 4 / math.sqrt(2 * len(own)) + 0.5 * (0.07 / sigma) ** 2
        assert len(own) > 100
        assert math.sqrt(np.mean(own**2)) == pytest.approx(sigma, rel=tolerance)


def test_every_regime_appears_within_half_an_hour() -> None:
    for seed in range(20):
        config = SyntheticConfig()
        market = SyntheticMarket(config, config.assets[0], seed)
        next(market.frames(Counter()))
        assert {regime for _, regime in market.truth.regimes} == {0, 1, 2, 3}


def moves_bps(drawn: Drawn, horizon_s: float, informed: bool, first_only: bool = False) -> npt.NDArray[np.float64]:
    found = []
    for order in drawn.truth.orders:
        if order.informed == informed and (order.first_of_burst or not first_only):
            at = int(np.searchsorted(drawn.times, order.ts + int(horizon_s * 1e9), side="right")) - 1
            found.append(order.sign * (drawn.mids[at] / order.mid - 1) * 1e4)
    return np.array(found)


def standard_error(values: npt.NDArray[np.float64]) -> float:
    return float(values.std() / math.sqrt(len(values)))


def test_informed_share_is_kept(informed: Drawn) -> None:
    share = np.mean([order.informed for order in informed.truth.orders])
    assert share == pytest.approx(0.3, abs=0.04)
    ids = [trade.trade_ids for trade in informed.trades]
    flags = [order.informed for order in informed.truth.orders]
    assert {i for own, flag in zip(ids, flags, strict=True) if flag for i in own} == informed.truth.informed_trade_ids


def test_mid_follows_a_burst_of_informed_orders_by_the_move(informed: Drawn) -> None:
    moves = moves_bps(informed, 3.0, informed=True, first_only=True)
    assert len(moves) > 200
    assert moves.mean() == pytest.approx(3.0, abs=4 * standard_error(moves))
    half_way = moves_bps(informed, 1.5, informed=True, first_only=True)
    assert half_way.mean() == pytest.approx(1.5, abs=4 * standard_error(half_way))


def test_mid_follows_every_informed_order_and_no_other(informed: Drawn) -> None:
    after = moves_bps(informed, 3.0, informed=True)
    other = moves_bps(informed, 3.0, informed=False)
    assert after.mean() > 1.5
    assert abs(other.mean()) < 0.2 * after.mean()


def test_informed_orders_show_in_the_depth_that_leans_with_them() -> None:
    config = SyntheticConfig(informed_share=0.5, duration_s=600.0)
    market = SyntheticMarket(config, config.assets[0], 3)
    imbalance, by_order = 0.0, {True: [], False: []}
    seen = 0
    for _, messages in market.frames(Counter()):
        for message in messages:
            if isinstance(message, Book):
                bid, ask = sum(message.bid_sizes[:3]), sum(message.ask_sizes[:3])
                imbalance = (bid - ask) / (bid + ask)
            elif isinstance(message, Trades):
                order = market.truth.orders[seen]
                seen += 1
                by_order[order.informed].append(order.sign * imbalance)
    assert np.mean(by_order[True]) > 0.2
    assert abs(np.mean(by_order[False])) < 0.1


def test_no_informed_order_without_informed_share(uninformed: Drawn) -> None:
    assert not any(order.informed for order in uninformed.truth.orders)
    assert not uninformed.truth.informed_trade_ids
    moves = moves_bps(uninformed, 3.0, informed=False)
    assert abs(moves.mean()) < 4 * standard_error(moves)


@pytest.mark.parametrize("asset", [0, 1])
def test_books_are_full_uncrossed_and_on_the_grid(asset: int) -> None:
    config = SyntheticConfig(duration_s=300.0)
    market = SyntheticMarket(config, config.assets[asset], 1)
    grid = Grid(market.instrument)
    book = new_book()
    book["tick_size"], book["ticks_per_unit"] = grid.tick_size, grid.ticks_per_unit
    contexts = 0
    for _, messages in market.frames(Counter()):
        (message,) = messages
        if isinstance(message, Book):
            assert len(message.bid_prices) == len(message.ask_prices) == 20
            assert message.bid_prices == sorted(set(message.bid_prices), reverse=True)
            assert message.ask_prices == sorted(set(message.ask_prices))
            ticks = [nearest_tick(price, grid.tick_size, grid.ticks_per_unit) for price in message.ask_prices]
            assert [grid.price(tick) for tick in ticks] == message.ask_prices
            assert min(message.bid_sizes + message.ask_sizes) >= market.instrument.lot_size
        contexts += isinstance(message, Context)
        for event in market_events(messages, grid):
            if apply(book[0], event):
                assert has_both_sides(book[0])
    assert contexts == 30
    assert book[0]["outside"] == 0


def test_message_rate_is_ten_to_twenty_per_second(informed: Drawn) -> None:
    assert 10 <= informed.messages / 2_400 <= 20
