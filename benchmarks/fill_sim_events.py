"""How long the paper exchange needs per event of a recorded tape, with 0 and with 4 live orders.

    python benchmarks/fill_sim_events.py <tape.gz> <binance|hyperliquid> <symbol> [tick size]

The orders rest at the touch of the first tenth of the tape. Watched: coins that never fall for them, so they stay and
every print that reaches them is matched. Filled: too large to be filled, so every print through them fills a part of
each, which is the worst case: a fill and its features for every order and print.
"""

import gzip
import sys
import time

import numpy as np
from numba import njit

from papertrader.services.feed.venues import registry
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.kernel import fold_events
from papertrader.services.fill_sim.service import FillSim
from papertrader.shared.log.subjects import Market
from papertrader.shared.market import features as market_features
from papertrader.shared.market.event_rows import market_events
from papertrader.shared.market.events import Events, Grid
from papertrader.shared.market.records import Record
from papertrader.shared.messages import Instrument, Place
from papertrader.shared.service.fold import Received, Round

WATCHED = FillSimConfig(initial_cash=1e12, fill_model="flat", fill_prob_base=0.0)
FILLED = FillSimConfig(initial_cash=1e12)


def tape_events(path: str, venue: str, symbol: str, tick_size: float) -> tuple[Events, Instrument]:
    """The tape's market data of one symbol as events."""
    adapter = registry.venue(venue).adapter(None)
    messages = []
    with gzip.open(path, "rb") as lines:
        for line in lines:
            received, _, frame = line.partition(b" ")
            messages += [message for asset, message in adapter.frame(int(received), frame) if asset == symbol]
    instrument = Instrument(ts=0, tick_size=tick_size, lot_size=0.0)
    return market_events(messages, Grid(instrument)), instrument


@njit
def fold_book(book: Record, features: Record, events: Events) -> None:
    """What every fold does with an event anyway."""
    for row in range(len(events)):
        market_features.follow(features, book, events[row])


def started(instrument: Instrument, events: Events, orders: int, settings: FillSimConfig) -> tuple[FillSim, int]:
    """An exchange after the first tenth of the events, with so many live orders around the mid."""
    exchange = FillSim(Market("bench", "MARK"), {"main": settings})
    head = len(events) // 10
    exchange.fold(Round(number=0, ts=1, previous_ts=0, heard=(), market_data=(instrument,)))
    run(exchange, events[:head])
    book = exchange.state()["book"][0]
    clock = int(book["ts"])
    grid = Grid(instrument)
    said = []
    for number in range(orders):
        buy, depth = number % 2 == 0, number // 2
        tick = int(book["best_bid"]) - depth if buy else int(book["best_ask"]) + depth
        order = Place(ts=clock, order_id=number + 1, side="buy" if buy else "sell", price=grid.price(tick), size=1e6)
        said.append(Received("orders", "main", order, number))
    exchange.fold(Round(number=1, ts=clock + 200_000_000, previous_ts=clock, heard=tuple(said), market_data=()))
    return exchange, head


def run(exchange: FillSim, events: Events) -> None:
    """Fold the events, throwing away what is said."""
    start = 0
    while start <= len(events):
        start = fold_events(
            exchange._market,
            exchange._book,
            exchange._features,
            exchange.account_states,
            exchange.settings,
            events,
            start,
            0,
            exchange._out,
        )
        exchange._out.counts[:] = 0


def best_of(repeats: int, instrument: Instrument, events: Events, orders: int, settings: FillSimConfig) -> float:
    """The shortest time per event in ns."""
    times = []
    for _ in range(repeats):
        exchange, head = started(instrument, events, orders, settings)
        live = exchange.account_states["orders_count"][0]
        assert live == orders, f"{live} orders live, wanted {orders}"
        before = time.perf_counter_ns()
        run(exchange, events[head:])
        times.append((time.perf_counter_ns() - before) / (len(events) - head))
    return min(times)


def book_alone(repeats: int, instrument: Instrument, events: Events) -> float:
    """The shortest time per event of the book and the features alone, in ns."""
    times = []
    for _ in range(repeats):
        exchange, head = started(instrument, events, 0, WATCHED)
        book, features = exchange.state()["book"][0], exchange.state()["features"][0]
        fold_book(book, features, events[:0])
        before = time.perf_counter_ns()
        fold_book(book, features, events[head:])
        times.append((time.perf_counter_ns() - before) / (len(events) - head))
    return min(times)


def main() -> None:
    """Measure and print."""
    path, venue, symbol = sys.argv[1:4]
    tick_size = float(sys.argv[4]) if len(sys.argv) > 4 else 0.1
    events, instrument = tape_events(path, venue, symbol, tick_size)
    kinds = {kind: int(np.count_nonzero(events["kind"] == kind)) for kind in range(1, 8)}
    sys.stdout.write(f"{len(events):,} events, by kind {kinds}\n")
    sys.stdout.write(f"book and features alone: {book_alone(9, instrument, events):.1f} ns/event\n")
    for name, orders, settings in (("no", 0, WATCHED), ("4 watched", 4, WATCHED), ("4 filled", 4, FILLED)):
        time_ns = best_of(9, instrument, events, orders, settings)
        sys.stdout.write(f"{name} orders: {time_ns:.1f} ns/event\n")


if __name__ == "__main__":
    main()
