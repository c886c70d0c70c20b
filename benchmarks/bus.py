"""What the benchmarks on the bus share: a session as log messages, a broker that holds them, and processes on it."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from papertrader.replay.composition import Composition
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.session_rounds import until
from papertrader.services.feed.sources import sources
from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.kinds import KIND_OF
from papertrader.shared.log.subjects import Market, subject
from papertrader.shared.messages import Message, RoundEnd
from papertrader.shared.service.config import Settings

ROOT = Path(__file__).parent.parent
AT_ONCE = 400
MAX_BYTES = 8 * 2**30
PATIENCE_S = 180.0
STOP_TIMEOUT_S = 10.0
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
LEARNERS = ("fill-sim", "quoter", "estimator", "outcome-tracker", "calibration")
HEARD = ("orders", "estimate")
"""What a fill-sim hears beside market data."""
_encode = msgspec.json.Encoder().encode

Stored = tuple[str, bytes]
"""A subject and a payload."""


class LogRound(NamedTuple):
    """A round as the log holds it: market data and marker, and then what a fill-sim hears of what was said."""

    number: int
    market_data: list[Stored]
    said: list[Stored]


def market_data_of(market: Market, messages: Sequence[Message], end: RoundEnd) -> list[Stored]:
    """A round's market data and its marker."""
    end = msgspec.structs.replace(end, messages=len(messages))
    return [(subject(KIND_OF[type(message)], market), _encode(message)) for message in (*messages, end)]


def recorded(tape: Path, duration_s: float, settings: Settings, services: Collection[str] = LEARNERS) -> list[LogRound]:
    """The rounds of a tape with what these services, folding them, have for a fill-sim."""
    config = FeedConfig(source="tape", tapes=(tape,), duration_s=duration_s)
    (source,) = sources(config)
    composition = Composition(settings, source.market, services)
    rounds = (round_.messages for round_ in source.rounds())
    found = []
    for messages, end in until(rounds, int(duration_s * 1e9), config.round_ms * 1_000_000):
        spoken = [item.output for item in composition.fold(messages, end)]
        said = [
            (subject(output.kind, source.market, output.account), _encode(output.message))
            for output in spoken
            if output.kind in HEARD
        ]
        found.append(LogRound(end.round, market_data_of(source.market, messages, end), said))
    return found


def of_market(round_: LogRound, asset: str) -> LogRound:
    """The same round of another asset."""

    def renamed(stored: Stored) -> Stored:
        kind, venue, _, *rest = stored[0].split(".")
        return ".".join((kind, venue, asset, *rest)), stored[1]

    return LogRound(
        round_.number, [renamed(item) for item in round_.market_data], [renamed(item) for item in round_.said]
    )


async def append(bus: Bus, messages: Iterable[Stored]) -> None:
    """Append messages to the log, waiting now and then for the broker to have stored them."""
    batch: list[Stored] = []
    for item in messages:
        batch.append(item)
        if len(batch) == AT_ONCE:
            await _append(bus, batch)
            batch = []
    if batch:
        await _append(bus, batch)


async def _append(bus: Bus, batch: Sequence[Stored]) -> None:
    for name, payload in batch[:-1]:
        await bus.client.publish(name, payload)
    await bus.client.request(*batch[-1], timeout=30)


@asynccontextmanager
async def connected(broker: Broker, name: str = "bench") -> AsyncIterator[Bus]:
    """A connection to a broker that has the log."""
    bus = await Bus.connect(broker.url, name)
    try:
        await bus.create_stream(MAX_BYTES)
        yield bus
    finally:
        await bus.close()


@contextmanager
def brokered(directory: Path, prepared: Path | None = None) -> Iterator[Broker]:
    """A broker in this directory, with a copy of what another broker stored."""
    if prepared is not None:
        shutil.copytree(prepared, directory)
    broker = Broker(directory)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def prepared(directory: Path, messages: Iterable[Stored]) -> Path:
    """A broker's directory with these messages in its log."""

    async def fill(broker: Broker) -> None:
        async with connected(broker) as bus:
            await append(bus, messages)

    with brokered(directory) as broker:
        asyncio.run(fill(broker))
    (directory / "nats-server.log").unlink()
    return directory


class Process:
    """A process of its own that is measured from outside."""

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
        )

    def cpu_s(self) -> float:
        """Processor time so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S

    def resident_mib(self) -> float:
        """Memory in use."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def said(self) -> Any:
        """The JSON that it prints at its end."""
        return json.loads(self._process.communicate(timeout=PATIENCE_S)[0])

    @contextmanager
    def running(self) -> Iterator["Process"]:
        """As long as it is needed."""
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """End it, in the end by force."""
        self._process.terminate()
        try:
            self._process.communicate(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()


@contextmanager
def fill_sim(broker: Broker, folder: Path, tables: dict[str, Any]) -> Iterator[Process]:
    """A fill-sim worker as it runs in production."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "settings.json"
    settings.write_text(json.dumps({**tables, "bus": {"url": broker.url, "data_dir": str(folder)}}))
    with Process("papertrader.services.fill_sim", "--settings", str(settings)).running() as worker:
        yield worker


class Progress:
    """When which market's fill-sim reported which round."""

    def __init__(self) -> None:
        self.first_at = 0.0
        self.last_at = 0.0
        self.rounds: dict[str, int] = {}
        self._heard = asyncio.Event()

    async def listen(self, bus: Bus) -> None:
        """Begin."""
        await bus.subscribe("progress.fill-sim.>", self._on_progress)
        await bus.client.flush()

    async def _on_progress(self, message: Any) -> None:
        self.last_at = time.perf_counter()
        self.first_at = self.first_at or self.last_at
        self.rounds[message.subject] = int(message.data)
        self._heard.set()

    async def reach(self, number: int, markets: int = 1) -> None:
        """Wait until so many markets are at a round or beyond it."""
        deadline = time.monotonic() + PATIENCE_S
        while sum(at >= number for at in self.rounds.values()) < markets:
            if time.monotonic() > deadline:
                raise TimeoutError(f"fill-sim has not come to round {number} in {PATIENCE_S:g} s")
            self._heard.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._heard.wait(), 10)
