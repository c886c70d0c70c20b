"""The price grid of a market as the venue's rule and its prices ask for it, and messages fitted to it."""

import math
from collections import Counter
from typing import Any, Final, TypeVar

import msgspec

from papertrader.services.feed.decimal_grid import decimals, meant, step
from papertrader.services.feed.instrument import PRICE_ROOM, most_decimals, numbers_of, rule_step
from papertrader.shared.market.events import TICKS, Grid
from papertrader.shared.messages import Bbo, Book, Depth, Instrument, Message, Trades

CALM_MESSAGES: Final = 200
"""After so many messages that needed no finer tick the grid may become coarser."""
NEAR: Final = 2.0
"""A price within this factor of the market's can make the grid finer; one beyond it is left out if it lies between."""
NOISE: Final = 1e-6
"""How far from the grid, in ticks, a price may be that is on it but for the noise of its float."""
SINGLE: Final = 1e-7
"""The same as a fraction of the price, for floats that were 32 bits."""
REMEMBERED: Final = 1_000
"""How many prices of levels that were left out are remembered, so that each is counted once."""

L = TypeVar("L", bound=Book | Depth)


class PriceGrid:
    """Follows the tick that is needed: `instrument` has the tick in force.

    * Where prices have so many significant figures, the tick becomes finer as soon as prices down to 0.75 of the
      market's need it, and coarser when even those down to 0.56 have needed it no more for 200 messages.
    * A price near the market's that lies between the ticks makes the tick finer at once: the venue has changed its
      rule, or nobody had told it. The removal of a level there does not: it was told on a grid of before.
    * A price that no tick holds - beyond the last one, or far from the market and between the ticks - is left out and
      counted: `beyond_grid`, `off_grid`. A level that stands there counts once, however many messages show it; a
      message of which nothing is left counts each time.
    """

    def __init__(self, instrument: Instrument, bad: Counter[str]) -> None:
        self.bad = bad
        self.instrument = instrument
        self._grid = Grid(instrument)
        self._price = 0.0
        self._contradicted = math.inf  # the finest tick that prices needed although no rule says so
        self._calm = 0
        self._left_out: set[float] = set()

    def tell(self, instrument: Instrument) -> None:
        """The venue has told its rules anew."""
        tick_size = min(instrument.tick_size, self._contradicted)
        if instrument.significant_figures and self._price:
            tick_size = min(self._rule(PRICE_ROOM * self._price, instrument), self._contradicted)
        self._take(msgspec.structs.replace(instrument, tick_size=tick_size))

    def fitted(self, messages: list[Message]) -> list[Message]:
        """The messages on the grid, which has followed their prices."""
        kept = []
        for message in messages:
            prices = numbers_of(message)[0]
            if not prices:
                kept.append(message)
                continue
            self._price = price = _market_price(message) or self._price or prices[0]
            standing = _standing(message) if isinstance(message, Depth) else prices
            if self.instrument.significant_figures:
                self._follow(price, standing)
            if not self._holds(prices):
                self._refine(price, standing)
            fitted = message if self._holds(prices) else self._fit(message)
            if fitted is not None:
                kept.append(fitted)
        return kept

    def _take(self, instrument: Instrument) -> None:
        self.instrument, self._grid, self._calm = instrument, Grid(instrument), 0

    def _rule(self, price: float, rules: Instrument) -> float:
        return rule_step(price, rules.significant_figures, rules.finest_tick_size)

    def _holds(self, prices: list[float]) -> bool:
        """Whether every price is the very float of a tick."""
        per_unit, tick_size, last = self._grid.ticks_per_unit, self._grid.tick_size, self._grid.price(TICKS - 1)
        if per_unit:
            return all(price <= last and round(price * per_unit) / per_unit == price for price in prices)
        return all(price <= last and round(price / tick_size) * tick_size == price for price in prices)

    def _follow(self, price: float, prices: list[float]) -> None:
        """Follow the rule of significant figures."""
        rules = self.instrument
        needed = min(self._rule(PRICE_ROOM * price, rules), self._contradicted)
        if needed < rules.tick_size * (1 - NOISE):
            self._take(msgspec.structs.replace(rules, tick_size=needed))
        elif needed > rules.tick_size * (1 + NOISE):
            self._calm_down(price, prices)

    def _calm_down(self, price: float, prices: list[float]) -> None:
        """Make the tick coarser once nothing has needed it as fine as it is for long enough."""
        coarser = min(self._rule(PRICE_ROOM**2 * price, self.instrument), self._contradicted)
        near = [other for other in prices if price / NEAR < other < price * NEAR]
        if coarser <= self.instrument.tick_size * (1 + NOISE) or not all(_is_multiple(it, coarser) for it in near):
            self._calm = 0
            return
        self._calm += 1
        if self._calm >= CALM_MESSAGES:
            self._take(msgspec.structs.replace(self.instrument, tick_size=coarser))

    def _refine(self, price: float, prices: list[float]) -> None:
        """Make the tick as fine as the prices near the market need, if prices of that size can be counted in it."""
        rules = self.instrument
        between = [it for it in prices if price / NEAR < it < price * NEAR and self._tick(it) is None]
        if not between:
            return
        needed = step(max(decimals(rules.tick_size), *map(decimals, between)))
        coarsest = max(step(most_decimals(price)), rules.finest_tick_size)
        if needed < coarsest * (1 - NOISE):
            return
        against_rule = not rules.significant_figures or any(
            not _is_multiple(it, self._rule(it, rules)) for it in map(meant, between)
        )
        if against_rule:
            self._contradicted = min(self._contradicted, needed)
            inferred = tuple(dict.fromkeys((*rules.inferred, "tick_size")))
            rules = msgspec.structs.replace(rules, inferred=inferred)
        self._take(msgspec.structs.replace(rules, tick_size=needed))

    def _tick(self, price: float) -> int | None:
        """The tick that a price lies on but for noise, None if it lies between two or beyond the last."""
        tick, tick_size = self._grid.tick(price), self._grid.tick_size
        noise = NOISE * tick_size if meant(price) == price else max(NOISE * tick_size, SINGLE * price)
        distance = abs(self._grid.price(tick) - price)
        return tick if 0 < tick < TICKS and distance <= min(noise, 0.2 * tick_size) else None

    def _on_grid(self, price: float) -> float:
        """The price of its tick; 0, and counted, if it has none."""
        tick = self._tick(price)
        if tick is not None:
            return self._grid.price(tick)
        self.bad["beyond_grid" if self._grid.tick(price) >= TICKS else "off_grid"] += 1
        return 0.0

    def _on_grid_once(self, price: float) -> float:
        """The price of a level's tick; 0 if it has none, which is counted when the level is new."""
        if self._tick(price) is None and price in self._left_out:
            return 0.0
        on_grid = self._on_grid(price)
        if not on_grid:
            self._left_out = self._left_out if len(self._left_out) < REMEMBERED else set()
            self._left_out.add(price)
        return on_grid

    def _fit(self, message: Message) -> Message | None:
        """The message with prices on the grid, without the levels and prints that it cannot hold; None if nothing is
        left of a side.
        """
        if isinstance(message, (Book, Depth)):
            return self._fit_levels(message)
        if isinstance(message, Trades):
            return self._fit_prints(message)
        assert isinstance(message, Bbo)
        bid, ask = (price and self._on_grid(price) for price in (message.bid_price, message.ask_price))
        if bid == 0.0 or ask == 0.0:
            return None
        return msgspec.structs.replace(message, bid_price=bid, ask_price=ask)

    def _fit_levels(self, message: L) -> L | None:
        sides: dict[str, list[Any]] = {}
        for side in ("bid", "ask"):
            prices, sizes = getattr(message, f"{side}_prices"), getattr(message, f"{side}_sizes")
            orders = getattr(message, f"{side}_orders", [])
            told = zip(prices, sizes, orders or prices, strict=True)
            levels = [it for it in told if it[1] or self._tick(it[0]) is not None]
            kept = [(on, size, number) for price, size, number in levels if (on := self._on_grid_once(price))]
            if isinstance(message, Book) and prices and not kept:
                self._on_grid(prices[0])
                return None  # an empty side would say that nobody is there
            sides[f"{side}_prices"] = [price for price, _, _ in kept]
            sides[f"{side}_sizes"] = [size for _, size, _ in kept]
            if orders:
                sides[f"{side}_orders"] = [number for _, _, number in kept]
        return msgspec.structs.replace(message, **sides) if any(sides.values()) else None

    def _fit_prints(self, message: Trades) -> Trades | None:
        on_grid = [self._on_grid(price) for price in message.prices]
        kept = [index for index, price in enumerate(on_grid) if price]
        if not kept:
            return None
        return msgspec.structs.replace(
            message,
            ts=max(message.times[index] for index in kept),
            prices=[on_grid[index] for index in kept],
            **{
                name: [getattr(message, name)[index] for index in kept]
                for name in ("times", "sizes", "aggressors", "trade_ids")
            },
        )


def _standing(message: Depth) -> list[float]:
    """The prices of the levels that a difference sets, without those that it removes."""
    prices, sizes = message.bid_prices + message.ask_prices, message.bid_sizes + message.ask_sizes
    return [price for price, size in zip(prices, sizes, strict=True) if size]


def _market_price(message: Message) -> float | None:
    """Where the market is: the lower best price, or the last print; None where a message does not say."""
    if isinstance(message, Trades):
        return message.prices[-1]
    if isinstance(message, Bbo):
        return message.bid_price or message.ask_price
    if isinstance(message, Book):
        return (message.bid_prices or message.ask_prices)[0]
    return None


def _is_multiple(price: float, tick_size: float) -> bool:
    steps = price / tick_size
    return abs(steps - round(steps)) <= max(NOISE, 1e-12 * steps)
