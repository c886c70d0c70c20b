"""How long after a print its fill is heard on the bus, against two bare hops publish → stream → ordered consumer.

    python -m benchmarks.print_to_fill [repetitions] [prints in each]

A fill-sim worker holds one order, and every print through its price fills a piece of it. The time begins when a print's
round is handed to the connection (the print and the round's marker, as the feed does it) and ends when the fill is
heard, by a service's reader or by an ordered consumer of nats-py: publish → stream → worker → stream → hearer. The bare
side goes the same way without any work, with nats-py alone: a process hears the message with an ordered consumer and
publishes it again, and a second one hears that. Both take turns, print by print, on one broker, each alone on its way.
"""

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from benchmarks.bus import Process, Progress, Stored, append, brokered, connected, fill_sim, market_data_of
from benchmarks.feed_many_coins import WARM_UP_S, answered
from benchmarks.figures import Row, percentile, ratios, spread
from papertrader.shared.log.broker import Broker, free_port
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.reader import LogReader
from papertrader.shared.log.subjects import STREAM, Market, address, subject
from papertrader.shared.log.wire import frame
from papertrader.shared.messages import Book, Fill, Instrument, Message, Place, RoundEnd, Trades

MARKET = Market("bench", "PRINT")
ROUND_NS = 50_000_000
START_TS = 1_800_000_000_000_000_000
PAUSE_S = 0.005
TIMEOUT_S = 10.0
UNMEASURED = 50
THERE, BACK = "control.bench.there.main", "control.bench.back.main"
_trades, _fill = msgspec.json.Decoder(Trades), msgspec.json.Decoder(Fill)
TABLES = {"fill_sim": {"initial_cash": 1e12}}


def round_of(number: int, *messages: Message) -> list[Stored]:
    """A round of these messages, 50 ms after the one before."""
    ts = START_TS + number * ROUND_NS
    return market_data_of(MARKET, messages, RoundEnd(ts=ts, recv_ts=ts, round=number, frame=number, session="bench"))


def first_rounds() -> list[Stored]:
    """The market's rules and book, an order at the touch and the rounds until it is live."""
    ts = START_TS
    levels = {"bid_prices": [100.0], "bid_sizes": [1.0], "ask_prices": [100.1], "ask_sizes": [1.0]}
    rules = Instrument(ts=ts, tick_size=0.1, lot_size=0.001)
    order = Place(ts=ts, order_id=1, side="buy", price=100.0, size=1e7, mid=100.05)
    said = (subject("orders", MARKET, "main"), msgspec.json.encode(order))
    quiet = [item for number in range(1, 5) for item in round_of(number)]
    return [*round_of(0, rules, Book(ts=ts, recv_ts=ts, **levels)), said, *quiet]


def print_round(number: int) -> list[Stored]:
    """A round with one print through the order's price."""
    ts = START_TS + number * ROUND_NS - 1
    prints = {"times": [ts], "prices": [99.9], "sizes": [0.5], "aggressors": ["sell"], "trade_ids": [number]}
    return round_of(number, Trades(ts=ts, recv_ts=ts, **prints))


class Arrival:
    """An ordered consumer of nats-py that says when the next message of a subject came."""

    def __init__(self) -> None:
        self._arrived: asyncio.Future[float] | None = None

    async def listen(self, bus: Bus, name: str) -> None:
        """Begin."""
        await bus.jetstream.subscribe(name, stream=STREAM, ordered_consumer=True, cb=self._on_message)

    async def _on_message(self, _message: Any) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(time.perf_counter())

    async def after(self, send: Callable[[], Awaitable[None]]) -> float:
        """Seconds from the beginning of `send` to the arrival."""
        self._arrived = asyncio.get_running_loop().create_future()
        started = time.perf_counter()
        await send()
        return await asyncio.wait_for(self._arrived, TIMEOUT_S) - started


class ReaderArrival(Arrival):
    """The same with the reader that every service has."""

    async def listen(self, bus: Bus, name: str) -> None:
        """Begin."""
        await LogReader(bus, [name], 0, self._on_read).start()

    async def _on_read(self, *message: Any) -> None:
        await self._on_message(message)


HEARERS = {"a service hears the fill": ReaderArrival, "an ordered consumer of nats-py hears the fill": Arrival}


async def _measure(
    broker: Broker, folder: Path, hearer: type[Arrival], repetitions: int, prints: int
) -> list[tuple[list[float], list[float]]]:
    async with connected(broker) as bus:
        progress, fills, echoes = Progress(), hearer(), Arrival()
        await progress.listen(bus)
        await fills.listen(bus, subject("fills", MARKET, "main"))
        await echoes.listen(bus, BACK)
        await append(bus, first_rounds())
        with fill_sim(broker, folder, TABLES), Process("benchmarks.bare", "echo", broker.url, THERE, BACK).running():
            await progress.reach(4)
            await asyncio.sleep(1)
            turns = iter(range(5, 5 + UNMEASURED + repetitions * prints))
            await _take_turns(bus, fills, echoes, [next(turns) for _ in range(UNMEASURED)])
            return [
                await _take_turns(bus, fills, echoes, [next(turns) for _ in range(prints)]) for _ in range(repetitions)
            ]


async def _take_turns(bus: Bus, fills: Arrival, echoes: Arrival, numbers: list[int]) -> tuple[list[float], list[float]]:
    ours, bare = [], []
    for number in numbers:
        round_ = print_round(number)
        ours.append(await fills.after(lambda round_=round_: _publish(bus, round_)))
        await asyncio.sleep(PAUSE_S)
        print_ = round_[0][1]
        bare.append(await echoes.after(lambda print_=print_: bus.client.publish(THERE, print_)))
        await asyncio.sleep(PAUSE_S)
    return ours, bare


async def _publish(bus: Bus, round_: list[Stored]) -> None:
    """Publish a round in one step, as the feed does."""
    bus.client.send(frame(name.encode(), payload) for name, payload in round_)


def rows(repetitions: int, prints: int) -> list[Row]:
    """The lines of the table: by who hears the fill, the median and the 99th percentile."""
    return [row for heard, hearer in HEARERS.items() for row in _rows(heard, hearer, repetitions, prints)]


def _rows(heard: str, hearer: type[Arrival], repetitions: int, prints: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name, brokered(Path(name) / "nats") as broker:
        measured = uvloop.run(_measure(broker, Path(name) / "worker", hearer, repetitions, prints))
    for share in (0.5, 0.99):
        ours = [percentile(mine, share) for mine, _ in measured]
        theirs = [percentile(bare, share) for _, bare in measured]
        yield Row(
            f"(c) from the publication of a print's round until {heard}, p{share * 100:g}, ms; {prints} prints each",
            spread(ours, 1e3),
            f"two bare hops: {spread(theirs, 1e3)}",
            spread(ratios(ours, theirs)),
        )


LIVE_COINS = 20
LIVE_SERVICES = ("fill_sim", "quoter", "estimator")


class LiveTimes:
    """Per fill of a live session, in ms since the feed received its print: when it was heard, and its round's end."""

    def __init__(self) -> None:
        self.fills: list[float] = []
        self.windows: list[float] = []
        self._received: dict[tuple[str, int], int] = {}
        self._waiting: dict[str, list[int]] = {}
        self._ended: dict[tuple[str, int], float] = {}

    async def listen(self, bus: Bus) -> None:
        """Begin."""
        await bus.subscribe("md.>", self._on_market_data)
        await bus.subscribe("fills.>", self._on_fill)

    async def _on_market_data(self, message: Any) -> None:
        now = time.time_ns()
        where = address(message.subject)
        market = str(where.market)
        if where.kind == "trades":
            prints = _trades.decode(message.data)
            self._received |= {(market, trade_id): prints.recv_ts for trade_id in prints.trade_ids}
            self._waiting.setdefault(market, []).extend(prints.trade_ids)
        elif where.kind == "round":
            for trade_id in self._waiting.pop(market, ()):
                self._ended[market, trade_id] = (now - self._received[market, trade_id]) * 1e-6

    async def _on_fill(self, message: Any) -> None:
        now, key = time.time_ns(), (str(address(message.subject).market), _fill.decode(message.data).trade_id)
        if key in self._ended:
            self.fills.append((now - self._received[key]) * 1e-6)
            self.windows.append(self._ended[key])


async def _live(broker: Broker, warm_up_s: float, seconds: float) -> LiveTimes:
    async with connected(broker) as bus:
        await asyncio.sleep(warm_up_s)
        times = LiveTimes()
        await times.listen(bus)
        await asyncio.sleep(seconds)
        return times


def live_rows(repetitions: int, seconds: float) -> list[Row]:
    """The whole way with a live feed and its rounds, against the wait for the end of the round alone."""
    measured = [_live_session(seconds) for _ in range(repetitions)]
    return [
        Row(
            f"(c) print to fill with the live feed, rounds of 50 ms, from the print's receipt, p{share * 100:g}, ms; "
            f"{min(len(times.fills) for times in measured)} fills or more each",
            spread([percentile(times.fills, share) for times in measured]),
            f"until the round's marker is heard: {spread([percentile(times.windows, share) for times in measured])}",
            spread([percentile(times.fills, share) / percentile(times.windows, share) for times in measured]),
        )
        for share in (0.5, 0.99)
    ]


def _live_session(seconds: float) -> LiveTimes:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    coins = [f"C{number:03}" for number in range(1, LIVE_COINS + 1)]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = stack.enter_context(brokered(folder / "nats"))
        venue = Process("tools.venue_server", "--coins", str(LIVE_COINS), "--port", str(port), "--duration", "3600")
        stack.enter_context(venue.running())
        answered(f"{url}/control")
        feed = {"source": "hyperliquid", "assets": coins, "venue_url": url}
        settings = folder / "settings.json"
        settings.write_text(json.dumps({"feed": feed, "bus": {"url": broker.url, "data_dir": str(folder)}}))
        for name in (*LIVE_SERVICES, "feed"):
            stack.enter_context(Process(f"papertrader.services.{name}", "--settings", str(settings)).running())
        return uvloop.run(_live(broker, WARM_UP_S, seconds))


if __name__ == "__main__":
    given = [int(text) for text in sys.argv[1:]]
    for row in rows(given[0] if given else 3, given[1] if len(given) > 1 else 300):
        sys.stdout.write(f"{row}\n")
