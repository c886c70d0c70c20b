"""Publishes a market's rounds and waits, after each, until every fold has folded it."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec
from nats.aio.msg import Msg

from papertrader.shared.log.bus import Bus
from papertrader.shared.log.heard import heartbeat_of, progress_of
from papertrader.shared.log.kinds import KIND_OF
from papertrader.shared.log.subjects import Market, subject
from papertrader.shared.log.writes import Write
from papertrader.shared.messages import Message, RoundEnd

log = logging.getLogger(__name__)

LIVE_MARK: Final = "@"
"""Stands in the id of every live session and of no other."""

_encode: Final = msgspec.json.Encoder().encode
_round_end: Final = msgspec.json.Decoder(RoundEnd)


def live_session_id(market: Market, start_ns: int) -> str:
    """The id of a live session that began at `start_ns`."""
    return f"{market}{LIVE_MARK}{start_ns}"


def is_live(session: str) -> bool:
    """Whether a session is live: it may go on after any earlier live session of its market."""
    return LIVE_MARK in session


class SessionError(ValueError):
    """The log cannot take this source; the text says what to change."""


class Barrier:
    """Knows how far every fold has come, from the progress that they report."""

    def __init__(self, services: Sequence[str], timeout_s: float, first_timeout_s: float) -> None:
        self.absences_of: Counter[str] = Counter()
        self.refused = 0
        """Reports that were not believed."""
        self._published: dict[str, int] = {}
        self._services = services
        self._timeout_s = timeout_s
        self._first_timeout_s = first_timeout_s
        self._folded: dict[tuple[str, str], int] = {}
        self._absent: set[tuple[str, str]] = set()
        self._waiters: dict[str, tuple[int, asyncio.Event]] = {}
        self._rounds: dict[str, tuple[int, int]] = {}  # the last round that was waited for, and the one before

    async def on_progress(self, message: Msg) -> None:
        """Take a fold's report `progress.<service>.<venue>.<asset>` of the last round that it folded."""
        told = progress_of(message.subject, message.data)
        if told is None:
            self.refused += 1
        else:
            self._hear(*told)

    async def on_heartbeat(self, message: Msg) -> None:
        """Take the same from a heartbeat, in case a report was lost with a connection."""
        beat = heartbeat_of(message.subject, message.data)
        if beat is None:
            self.refused += 1
            return
        for market, health in beat.markets.items() if beat.service in self._services else ():
            self._hear(beat.service, market, health.round)

    def published(self, market: Market, number: int) -> None:
        """A round is about to be published: from now on it may have been folded."""
        self._published[str(market)] = number

    def _hear(self, service: str, market: str, number: int) -> None:
        """Believe a report of a round that was published; nobody can have folded another."""
        if service not in self._services or number > self._published.get(market, -1):
            self.refused += 1
            return
        self._advance(service, market, number)

    def _advance(self, service: str, market: str, number: int) -> None:
        """What was folded once is on the log for good: a heartbeat that a report has overtaken takes nothing back."""
        key = service, market
        self._folded[key] = max(number, self._folded.get(key, -1))
        if number >= self._rounds.get(market, (0, 0))[1]:
            self._absent.discard(key)  # back, at most a round behind
        if market in self._waiters:
            wanted, event = self._waiters[market]
            if number >= wanted and self._arrived(market, wanted):
                event.set()

    @property
    def absences(self) -> int:
        """How often a service was given up, in all markets."""
        return self.absences_of.total()

    def absent(self, market: Market) -> list[str]:
        """The services that are not waited for, because they did not answer in time."""
        return [service for service in self._services if (service, str(market)) in self._absent]

    def _arrived(self, market: str, number: int) -> bool:
        return not self._missing(market, number)

    def _missing(self, market: str, number: int) -> list[str]:
        missing = []
        for service in self._services:
            key = (service, market)
            if self._folded.get(key, -1) < number and key not in self._absent:
                missing.append(service)
        return missing

    async def wait(self, market: Market, number: int) -> None:
        """Wait until every service has folded the round; one that takes too long is not waited for until it is back."""
        name = str(market)
        self._rounds[name] = (number, self._rounds.get(name, (number, number))[0])
        if self._arrived(name, number):
            return
        event = asyncio.Event()
        self._waiters[name] = (number, event)
        never = any((service, name) not in self._folded for service in self._missing(name, number))
        try:
            await asyncio.wait_for(event.wait(), self._first_timeout_s if never else self._timeout_s)
        except TimeoutError:
            self._give_up(name, number)
        finally:
            del self._waiters[name]

    def _give_up(self, market: str, number: int) -> None:
        for service in self._missing(market, number):
            self._absent.add((service, market))
            self.absences_of[market] += 1
            log.error("%s has not folded round %d of %s: going on without it", service, number, market)


class Publisher:
    """Publishes one market's rounds in order, resuming where the log ends."""

    def __init__(self, bus: Bus, market: Market, session: str, barrier: Barrier) -> None:
        self.messages = 0
        self.rounds = 0
        self.repeats = 0
        self.last_ts = 0
        self.last_round = -1
        self._bus = bus
        self._market = market
        self._session = session
        self._barrier = barrier
        self._round_subject = subject("round", market)

    async def resume(self) -> int:
        """The last round that the log holds of this session, or for a live one of any live session; −1 if none.

        Raises SessionError if the log holds another session of this market, or all of this one: recorded time cannot
        go on after other recorded time, real time can.
        """
        stored = await self._bus.last(self._round_subject)
        if stored is None:
            if await self._bus.next(f"md.{self._market}.>", 0) is not None:
                await self._discard(RoundEnd(ts=0, recv_ts=0, round=-1, frame=0, session=self._session))
            return -1
        end = _round_end.decode(stored.payload)
        goes_on = is_live(self._session) and is_live(end.session)
        if end.session != self._session and not goes_on:
            raise SessionError(f"the log already holds another session of {self._market}: use another data directory")
        if end.final and not goes_on:
            raise SessionError(
                f"the log already holds the whole of this session of {self._market}: "
                "use another data directory to run it again"
            )
        self.last_ts, self.last_round = end.ts, end.round
        self._barrier.published(self._market, end.round)
        await self._discard(end)
        return end.round

    async def publish(self, market_data: Sequence[Message], end: RoundEnd) -> None:
        """Publish one round and wait for the log to have it whole and, unless it is live, for the folds to fold it."""
        end = msgspec.structs.replace(end, messages=len(market_data))
        self._barrier.published(self._market, end.round)
        while not await self._publish_once(market_data, end):
            self.repeats += 1
            await self._discard(end)
        self.messages += len(market_data)
        self.rounds += 1
        self.last_ts, self.last_round = end.ts, end.round
        await self.settled()

    async def settled(self) -> None:
        """Wait until the folds have folded the last round, which a feed before this one may have published.

        One that died within it has yet to say what follows from it, before the next round is there. Live rounds wait
        for nobody.
        """
        if self.last_round >= 0 and not is_live(self._session):
            await self._barrier.wait(self._market, self.last_round)

    async def _publish_once(self, market_data: Sequence[Message], end: RoundEnd) -> bool:
        """Whether the log has the whole round for certain.

        All of it is handed to the connection in one step with the marker last. So if the connection breaks, a marker
        that arrived has its market data before it: a fold that hears no market data could not tell otherwise.
        """
        disconnects = self._bus.disconnects
        messages = [(self._subject_of(message), _encode(message)) for message in market_data]
        marker = Write(self._round_subject, _encode(end), f"{self._session}|{end.round}|{self.repeats}")
        acknowledged = await self._bus.append_once(messages, marker)
        return acknowledged and self._bus.disconnects == disconnects

    def _subject_of(self, message: Message) -> str:
        return subject(KIND_OF[type(message)], self._market)

    async def _discard(self, end: RoundEnd) -> None:
        """Say that what follows the last whole round will come again."""
        marker = msgspec.structs.replace(end, round=self.last_round, ts=self.last_ts, final=False, discard=True)
        await self._bus.append(self._round_subject, _encode(marker), f"{self._session}|{time.time_ns()}")


class Pace:
    """Releases rounds at a multiple of real time; 0 means at once. All markets share one start."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._start: tuple[int, float] | None = None

    async def wait(self, ts: int) -> None:
        """Wait until event time `ts` is due."""
        if self._speed <= 0:
            return
        if self._start is None:
            self._start = (ts, time.monotonic())
        first_ts, started = self._start
        delay = started + (ts - first_ts) * 1e-9 / self._speed - time.monotonic()
        if delay > 0:
            await asyncio.sleep(delay)
