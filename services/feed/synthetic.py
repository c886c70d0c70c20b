"""A seeded market whose truth is known, for trying things out and for testing every estimator.

* The mid is a geometric Brownian motion on a 100 ms grid; its volatility switches between four regimes.
* Aggressive orders arrive as a Poisson process. The depth reach of each, as a fraction of the mid, is exponential:
  P(reach > δ) = exp(−κδ). It prints at every displayed level that it consumes and last at the deepest tick it
  reaches, so an order resting at distance δ is reached with exactly that probability; an order whose reach ends
  inside the spread prints at the touch. Consumed levels refill within about a second.
* A hidden state is none, up or down; the last two for `informed_share` of the time. Orders that arrive in them are
  informed: all of one sign while depth leans the same way. The first of each such burst starts a move of the mid in
  its direction by `informed_move_bps`, linear over `informed_move_s`.
"""

import math
import zlib
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from papertrader.services.feed.config import SyntheticAsset, SyntheticConfig
from papertrader.shared.market.events import Grid
from papertrader.shared.messages import Bbo, Book, Context, Instrument, Message, Side, Trades

STEP_NS: Final = 100_000_000
STEP_S: Final = 0.1
STEPS_PER_BOOK: Final = 5
STEPS_PER_CONTEXT: Final = 100
RECEIVE_DELAY_NS: Final = 20_000_000
LEVELS: Final = 20
LEVEL_SPACING_BPS: Final = 0.5
SPREAD_BPS: Final = (0.3, 0.15)
"""Spread at no volatility, and how much of σ is added to it."""
REFILL_S: Final = 1.0
LEFT_AFTER_CONSUMPTION: Final = 0.3
INFORMED_DWELL_S: Final = 1.5
LEAN: Final = 0.6
FUNDING_RATE: Final = 1e-5
SIZES: Final = 4_096
"""Levels that have a size of their own; ticks further apart share one."""


class Order(NamedTuple):
    """An aggressive order of the truth: `sign` +1 bought, `reach` is a fraction of the mid."""

    ts: int
    sign: int
    reach: float
    mid: float
    informed: bool
    first_of_burst: bool


@dataclass(slots=True)
class SyntheticTruth:
    """What the market was made from; the lists grow as it is drawn. `regimes` holds (from ts, regime index)."""

    kappa: float
    sigma_bps: tuple[float, float, float, float]
    trade_rate: float
    informed_share: float
    informed_move_bps: float
    regimes: list[tuple[int, int]]
    orders: list[Order] = field(default_factory=list)
    informed_trade_ids: set[int] = field(default_factory=set)

    def regime_at(self, ts: int) -> int:
        """The regime at event time `ts`."""
        return self.regimes[max(bisect_right(self.regimes, (ts, 4)) - 1, 0)][1]


class SyntheticMarket:
    """One synthetic asset. `frames` draws the whole session anew from the seed and keeps its `truth`."""

    def __init__(self, config: SyntheticConfig, asset: SyntheticAsset, seed: int) -> None:
        self.instrument = Instrument(ts=config.start_ts, tick_size=asset.tick_size, lot_size=asset.lot_size)
        self._config = config
        self._asset = asset
        self._seed = seed
        self.truth = self._new_truth([])

    def _new_truth(self, regimes: list[tuple[int, int]]) -> SyntheticTruth:
        config = self._config
        return SyntheticTruth(
            kappa=config.kappa,
            sigma_bps=config.sigma_bps,
            trade_rate=config.trade_rate,
            informed_share=config.informed_share,
            informed_move_bps=config.informed_move_bps,
            regimes=regimes,
        )

    def frames(self, _bad: Counter[str]) -> Iterator[tuple[int, list[Message]]]:
        """The session's messages with their receive times; a synthetic market has no bad data."""
        seeds = [self._seed, zlib.crc32(self._asset.name.encode())]
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seeds)))
        self.truth = self._new_truth(_regimes(self._config, random))
        session = _Session(self._config, self._asset, self.truth, random)
        for step in range(int(self._config.duration_s / STEP_S)):
            for message in session.step(step):
                yield message.ts + RECEIVE_DELAY_NS, [message]


def _regimes(config: SyntheticConfig, random: np.random.Generator) -> list[tuple[int, int]]:
    """Regime changes: all four in random order, again and again; a dwell is gamma(4) around its mean."""
    path: list[tuple[int, int]] = []
    elapsed_s = 0.0
    while elapsed_s < config.duration_s:
        for regime in random.permutation(4):
            if path and path[-1][1] == regime:
                continue
            path.append((config.start_ts + int(elapsed_s * 1e9), int(regime)))
            elapsed_s += random.gamma(4.0, config.regime_dwell_s / 4.0)
    return path


class _Flow:
    """The hidden state of informed flow, and the moves of the mid that it causes."""

    def __init__(self, config: SyntheticConfig, random: np.random.Generator) -> None:
        self._config = config
        self._random = random
        self.direction = 0
        self._switch_s = 0.0
        self._burst_open = False
        self._moves: list[tuple[float, int]] = []
        if config.informed_share < 1.0:
            self._switch_s = self._dwell()

    def _dwell(self) -> float:
        share = self._config.informed_share
        if self.direction != 0:
            return self._random.exponential(INFORMED_DWELL_S)
        if share == 0.0:
            return math.inf
        return self._random.exponential(INFORMED_DWELL_S * (1.0 - share) / share) if share < 1.0 else 0.0

    def advance(self, now_s: float) -> None:
        """Bring the state up to `now_s`."""
        while now_s >= self._switch_s:
            self.direction = 0 if self.direction else int(self._random.choice((-1, 1)))
            self._burst_open = False
            self._switch_s += self._dwell()

    def order(self, now_s: float) -> tuple[int, bool]:
        """The sign of an order that arrives, and whether it is the first of a burst."""
        if self.direction == 0:
            return int(self._random.choice((-1, 1))), False
        first = not self._burst_open
        if first:
            self._burst_open = True
            self._moves.append((now_s, self.direction))
        return self.direction, first

    def drift_bps(self, since_s: float, until_s: float) -> float:
        """How far the informed moves carry the mid between two times."""
        if not self._moves:
            return 0.0
        duration = self._config.informed_move_s
        self._moves = [move for move in self._moves if move[0] + duration > since_s]
        moved_s = sum(sign * (min(until_s, at + duration) - max(since_s, at)) for at, sign in self._moves)
        return moved_s * self._config.informed_move_bps / duration


class _Sizes:
    """Displayed sizes of one side by tick: a base of their own, what trades took, refilling."""

    def __init__(self, mean: float, lot: float, random: np.random.Generator) -> None:
        self._base = mean * random.lognormal(-0.125, 0.5, SIZES)
        self._consumed_s = np.full(SIZES, -math.inf)
        self._lots_per_unit = round(1 / lot) if lot < 1 else 1 / lot
        self._random = random

    def at(self, ticks: npt.NDArray[np.int64], now_s: float, lean: float) -> list[float]:
        """The sizes displayed at `ticks`, in lots, with a tenth of noise for orders that come and go."""
        index = ticks % SIZES
        missing = (1.0 - LEFT_AFTER_CONSUMPTION) * np.exp((self._consumed_s[index] - now_s) / REFILL_S)
        noise = self._random.lognormal(0.0, 0.1, len(ticks))
        return self.in_lots(self._base[index] * (1.0 - missing) * (1.0 + lean) * noise)

    def consume(self, ticks: npt.NDArray[np.int64], now_s: float) -> None:
        """A trade went through these ticks."""
        self._consumed_s[ticks % SIZES] = now_s

    def in_lots(self, sizes: npt.NDArray[np.float64]) -> list[float]:
        """Sizes rounded to lots, at least one."""
        return (np.maximum(np.rint(sizes * self._lots_per_unit), 1.0) / self._lots_per_unit).tolist()


class _Session:
    """The state of a session while it is drawn, step by step."""

    def __init__(
        self, config: SyntheticConfig, asset: SyntheticAsset, truth: SyntheticTruth, random: np.random.Generator
    ) -> None:
        self._config = config
        self._truth = truth
        self._random = random
        self._grid = Grid(Instrument(ts=0, tick_size=asset.tick_size, lot_size=asset.lot_size))
        self._latent = math.log(asset.price / asset.tick_size)
        self._flow = _Flow(config, random)
        self._spacing = max(round(LEVEL_SPACING_BPS * 1e-4 * asset.price / asset.tick_size), 1)
        mean_size = config.level_notional / asset.price
        self._sizes = {side: _Sizes(mean_size, asset.lot_size, random) for side in (1, -1)}
        self._trade_size = config.trade_notional / asset.price
        self._next_id = 1
        self._touch = {1: 0, -1: 0}
        self._shown: dict[int, tuple[npt.NDArray[np.int64], list[float]]] = {}

    def step(self, number: int) -> Iterator[Message]:
        """The messages of one step: the quotes at its start, then the orders that arrive in it."""
        ts, now_s = self._config.start_ts + number * STEP_NS, number * STEP_S
        self._flow.advance(now_s)
        self._move_mid(ts, number)
        full = number % STEPS_PER_BOOK == 0
        arrivals = np.sort(self._random.random(self._random.poisson(self._config.trade_rate * STEP_S)))
        self._show(now_s, LEVELS if full or len(arrivals) else 1)
        yield self._book(ts) if full else self._bbo(ts)
        if number % STEPS_PER_CONTEXT == 0:
            yield self._context(ts)
        for arrival in arrivals.tolist():
            yield self._trade(ts + 1 + int(arrival * (STEP_NS - 2)), now_s + arrival * STEP_S)

    def _move_mid(self, ts: int, number: int) -> None:
        sigma = self._truth.sigma_bps[self._truth.regime_at(ts)]
        if number > 0:
            noise = sigma * math.sqrt(STEP_S) * self._random.standard_normal()
            self._latent += (noise + self._flow.drift_bps((number - 1) * STEP_S, number * STEP_S)) * 1e-4
        mid_ticks = math.exp(self._latent)
        spread = max(round((SPREAD_BPS[0] + SPREAD_BPS[1] * sigma) * 1e-4 * mid_ticks), 1)
        bid = max(round(mid_ticks - spread / 2), 1)
        self._touch = {1: bid, -1: bid + spread}

    def _show(self, now_s: float, levels: int) -> None:
        for side, touch in self._touch.items():
            first = (touch - 1) // self._spacing if side > 0 else touch // self._spacing + 1
            ranks = first - side * np.arange(levels - 1, dtype=np.int64)
            ticks = np.concatenate(([touch], ranks[ranks > 0] * self._spacing))
            self._shown[side] = (ticks, self._sizes[side].at(ticks, now_s, side * self._flow.direction * LEAN))

    def _prices(self, ticks: npt.NDArray[np.int64]) -> list[float]:
        return [self._grid.price(tick) for tick in ticks.tolist()]

    def _book(self, ts: int) -> Book:
        (bids, bid_sizes), (asks, ask_sizes) = self._shown[1], self._shown[-1]
        return Book(
            ts=ts,
            recv_ts=ts + RECEIVE_DELAY_NS,
            bid_prices=self._prices(bids),
            bid_sizes=bid_sizes,
            ask_prices=self._prices(asks),
            ask_sizes=ask_sizes,
        )

    def _bbo(self, ts: int) -> Bbo:
        return Bbo(
            ts=ts,
            recv_ts=ts + RECEIVE_DELAY_NS,
            bid_price=self._grid.price(self._touch[1]),
            bid_size=self._shown[1][1][0],
            ask_price=self._grid.price(self._touch[-1]),
            ask_size=self._shown[-1][1][0],
        )

    def _context(self, ts: int) -> Context:
        mid = self._mid()
        return Context(
            ts=ts, recv_ts=ts + RECEIVE_DELAY_NS, funding_rate=FUNDING_RATE, oracle_price=mid, mark_price=mid
        )

    def _mid(self) -> float:
        return 0.5 * (self._grid.price(self._touch[1]) + self._grid.price(self._touch[-1]))

    def _trade(self, ts: int, now_s: float) -> Trades:
        """One aggressive order: a print at each displayed level it consumes, last at the deepest tick it reaches."""
        sign, first = self._flow.order(now_s)
        informed = self._flow.direction != 0
        reach = self._random.exponential(1.0 / self._config.kappa)
        self._truth.orders.append(Order(ts, sign, reach, self._mid(), informed, first))
        ticks, sizes = self._walk(-sign, reach, now_s)
        ids = list(range(self._next_id, self._next_id + len(ticks)))
        self._next_id += len(ticks)
        if informed:
            self._truth.informed_trade_ids.update(ids)
        aggressor: Side = "buy" if sign > 0 else "sell"
        return Trades(
            ts=ts,
            recv_ts=ts + RECEIVE_DELAY_NS,
            times=[ts] * len(ids),
            prices=self._prices(ticks),
            sizes=sizes,
            aggressors=[aggressor] * len(ids),
            trade_ids=ids,
        )

    def _walk(self, side: int, reach: float, now_s: float) -> tuple[npt.NDArray[np.int64], list[float]]:
        """The ticks that an order of this reach consumes on a side of the book, best first, and the sizes printed."""
        middle = 0.5 * (self._touch[1] + self._touch[-1])
        if side > 0:
            deepest = min(math.ceil(middle * (1.0 - reach)), self._touch[1])
        else:
            deepest = max(math.floor(middle * (1.0 + reach)), self._touch[-1])
        shown, sizes = self._shown[side]
        through = int(np.count_nonzero((shown - deepest) * side > 0))
        ticks = np.append(shown[:through], deepest)
        self._sizes[side].consume(ticks, now_s)
        last = self._sizes[side].in_lots(self._trade_size * self._random.lognormal(-0.5, 1.0, 1))
        return ticks, sizes[:through] + last
