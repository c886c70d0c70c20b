"""How far away a venue is: round trips of small public requests, and how old its data is when it comes."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import aiohttp
import msgspec
import numpy as np

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.ages import (
    HALF_A_MS,
    Distribution,
    Floats,
    Table,
    Tied,
    Trip,
    clock_ahead_ms,
    distribution,
    movement,
    slow_seconds,
    table,
    tied,
)
from papertrader.services.feed.live.session import LiveSession
from papertrader.services.feed.venues.live import LiveVenue, Question
from papertrader.shared.messages import Bbo

ASK_EVERY_S: Final = 1.0
DRAIN_S: Final = 0.1


class Probed(NamedTuple):
    """What was measured, ms.

    `clock_ms` is how far this machine's clock is ahead of the venue's, by which the ages are corrected: 0 where that
    cannot be told from ways that differ, None where the venue tells no time.
    """

    round_trips: Floats
    clock_ms: float | None
    age_ts: tuple[int, ...]
    ages: Floats
    mids: Floats
    lost: int
    """Requests without an answer."""

    @property
    def trips(self) -> Distribution | None:
        """The distribution of the round trips."""
        return distribution(self.round_trips)

    @property
    def data(self) -> Distribution | None:
        """The distribution of the ages of market data."""
        return distribution(self.ages)

    @property
    def age_table(self) -> Table:
        """The ages as a quantile table."""
        return table(self.ages)

    @property
    def way_table(self) -> Table:
        """Half of each round trip as a quantile table."""
        return table(self.round_trips / 2)

    @property
    def slow_in_bursts(self) -> float | None:
        """What share of the slowest tenth of the ages came in seconds that were slow for most."""
        return slow_seconds(self.age_ts, self.ages)[2] if len(self.ages) else None

    @property
    def tied(self) -> Tied | None:
        """How far bursts follow the market."""
        if not len(self.ages):
            return None
        seconds, bursts, _ = slow_seconds(self.age_ts, self.ages)
        return tied(movement(self.age_ts, self.mids, seconds), bursts)


async def probe(
    config: FeedConfig, venue: LiveVenue, duration_s: float, tell: Callable[[float], None] = lambda _: None
) -> Probed:
    """Ask once a second and listen, for so long; `tell` hears how much of it has passed, s.

    Raises LiveError for an asset that the venue does not trade, OSError or aiohttp.ClientError if it does not answer.
    """
    timeout = aiohttp.ClientTimeout(total=config.live.request_timeout_s)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        session = LiveSession(config, venue, http, await venue.instruments(http, config.assets))
        trips: list[Trip | None] = []
        touches: list[Bbo] = []
        work = [asyncio.create_task(session.run()), asyncio.create_task(_ask(http, venue.question, trips))]
        started = time.monotonic()
        try:
            while (passed_s := time.monotonic() - started) < duration_s:
                await asyncio.sleep(DRAIN_S)
                _drain(session, touches)
                tell(passed_s)
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
        return _probed([trip for trip in trips if trip is not None], trips.count(None), touches)


def _drain(session: LiveSession, touches: list[Bbo]) -> None:
    """Take the touches of the first market out of its rounds; the others' come the same way."""
    for number, market in enumerate(session.markets.values()):
        while market.backlog:
            messages = market.backlog.popleft().messages
            if number == 0:
                touches += [item for item in messages if isinstance(item, Bbo) and item.bid_price and item.ask_price]


async def _ask(http: aiohttp.ClientSession, question: Question | None, trips: list[Trip | None]) -> None:
    """Ask and ask; the first answer opens the connection and does not count."""
    if question is None:
        return
    first = True
    while True:
        began = time.monotonic()
        try:
            trip = await _trip(http, question)
        except (aiohttp.ClientError, OSError, TimeoutError):
            trip = None
        if not first:
            trips.append(trip)
        first = False
        await asyncio.sleep(max(ASK_EVERY_S - (time.monotonic() - began), 0.0))


async def _trip(http: aiohttp.ClientSession, question: Question) -> Trip:
    """One round trip; raises aiohttp.ClientError for another answer than the wanted."""
    sent_ns, began = time.time_ns(), time.perf_counter_ns()
    method = "GET" if question.body is None else "POST"
    async with http.request(method, question.url, json=question.body, raise_for_status=True) as response:
        content = await response.read()
    ms = (time.perf_counter_ns() - began) * 1e-6
    told = _time_of(content, question.time_field)
    return Trip(ms, None if told is None else sent_ns * 1e-6 + ms / 2 - told)


def _time_of(content: bytes, field: str) -> float | None:
    """The venue's time in an answer, to the middle of its millisecond."""
    if not field:
        return None
    try:
        answer: Any = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return None
    told = answer.get(field) if isinstance(answer, dict) else None
    return told + HALF_A_MS if isinstance(told, int) else None


def _probed(trips: list[Trip], lost: int, touches: list[Bbo]) -> Probed:
    clock_ms = clock_ahead_ms(trips)
    ages = np.array([(touch.recv_ts - touch.ts) * 1e-6 for touch in touches]) - (clock_ms or 0.0)
    mids = np.array([((touch.bid_price or 0.0) + (touch.ask_price or 0.0)) / 2 for touch in touches])
    ts = tuple(touch.ts for touch in touches)
    return Probed(np.array([trip.ms for trip in trips]), clock_ms, ts, ages, mids, lost)
