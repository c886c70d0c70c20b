"""A live session: the markets of one venue, the connections that feed them, and the passing of time."""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import aiohttp
import msgspec

from papertrader.services.feed.adapter import NO_ASSET
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.connection import SendBudget, VenueConnection, reason_of
from papertrader.services.feed.live.local_clock import LocalClock
from papertrader.services.feed.live.market import LiveMarket
from papertrader.services.feed.venues.live import LiveError, LiveVenue
from papertrader.shared.log.subjects import Market, token
from papertrader.shared.market.tape import DISCONNECTED, instrument_frame
from papertrader.shared.messages import Instrument, Message

log = logging.getLogger(__name__)

STEP_S: Final = 0.02
"""How often time passes."""
ANSWER_STEP_S: Final = 0.005
"""How often it passes where somebody waits for an answer, which comes when a round ends."""
ALIVE_S: Final = 1.0
"""A line that brought data in this time is alive: what only adds to it is taken."""

Tap = Callable[[str, int, bytes], None]
"""Hears every raw frame: asset (empty: none), receive time in ns and frame."""


class LiveSession:
    """Follows the markets of one venue. `bad` counts the refused frames that belong to no asset."""

    def __init__(
        self,
        config: FeedConfig,
        venue: LiveVenue,
        http: aiohttp.ClientSession,
        instruments: Mapping[str, Instrument],
        tap: Tap | None = None,
        lost: Callable[[frozenset[str], int], None] | None = None,
    ) -> None:
        self.clock = LocalClock()
        self.venue = venue
        self.instruments = dict(instruments)
        self._rules_every_s = config.live.rules_every_s
        self.bad: Counter[str] = Counter()
        self._http = http
        self._tap = tap
        self._lost_tap = lost
        self.markets = {
            asset: LiveMarket(Market(venue.name, token(asset)), instrument, self.clock.now_ns(), config)
            for asset, instrument in instruments.items()
        }
        venue.adapter.bad[NO_ASSET] = self.bad
        for asset, market in self.markets.items():
            venue.adapter.bad[asset] = market.bad
        budget = SendBudget()
        self.connections = [
            VenueConnection(
                http,
                line,
                config.live,
                budget,
                self.hear if line.assets else self._hear_beside,
                lambda line=line: self._lost(line.assets),  # type: ignore[misc]
            )
            for line in venue.lines(list(instruments))
        ]
        self._heard_at = 0.0
        self._idle_s = config.live.idle_ms * 1e-3
        self._lines: list[tuple[VenueConnection | None, list[str]]] = [
            (connection, sorted(connection.line.assets)) for connection in self.connections
        ]
        if not self.connections:
            self._lines = [(None, list(self.markets))]

    async def run(self) -> None:
        """Follow the markets until cancelled."""
        for asset, instrument in self.instruments.items():
            self._tap_rules(asset, instrument)
        for frame in self.venue.opening:
            self.hear(frame)
        try:
            async with asyncio.TaskGroup() as tasks:
                for connection in self.connections:
                    tasks.create_task(connection.run())
                tasks.create_task(self.venue.beside(self._http, self._hear_beside))
                tasks.create_task(self._follow_rules())
                tasks.create_task(self._pass_time())
        except BaseExceptionGroup as group:
            raise _innermost(group) from None

    def hear(self, frame: bytes) -> None:
        """Take a frame that was received now."""
        now_ns = self.clock.now_ns()
        self._heard_at = time.monotonic()
        if frame.startswith(DISCONNECTED):
            self._lost(frozenset(self.markets))
            return
        if self._tap is not None:
            self._tap(self.venue.asset_of(frame), now_ns, frame)
        found = self.venue.adapter.frame(now_ns, frame)
        if len(found) == 1:
            asset, message = found[0]
            self._hand_on(asset, now_ns, [message])
        elif found:
            by_asset: dict[str, list[Message]] = {}
            for asset, message in found:
                by_asset.setdefault(asset, []).append(message)
            for asset, messages in by_asset.items():
                self._hand_on(asset, now_ns, messages)

    def _hear_beside(self, frame: bytes) -> None:
        """Take what comes beside the lines that carry the assets, if there are any, while these are alive.

        Were it taken while they are not, or in a gap, the market would seem to be back though prints are still missed.
        """
        market = self.markets.get(self.venue.asset_of(frame))
        if market is not None and market.in_gap:
            return
        now = time.monotonic()
        if all(other.up and now - other.data_at < ALIVE_S for other in self.connections if other.line.assets):
            self.hear(frame)

    def _hand_on(self, asset: str, now_ns: int, messages: list[Message]) -> None:
        market = self.markets.get(asset)
        if market is not None:
            market.hear(now_ns, messages)

    def _lost(self, assets: frozenset[str]) -> None:
        if not assets:
            return
        now_ns = self.clock.now_ns()
        self.venue.adapter.reconnected(assets)
        for asset in assets:
            self.markets[asset].lost("disconnected")
        if self._lost_tap is not None:
            self._lost_tap(assets, now_ns)

    async def _follow_rules(self) -> None:
        """Ask for the trading rules now and then, and tell every market whose rules have changed."""
        while True:
            await asyncio.sleep(self._rules_every_s)
            try:
                found = await self.venue.instruments(self._http, list(self.instruments))
            except (LiveError, aiohttp.ClientError, OSError, TimeoutError) as error:
                log.warning("%s does not tell its trading rules: %s", self.venue.name, error or type(error).__name__)
                continue
            for asset, instrument in found.items():
                if _rules_of(instrument) != _rules_of(self.instruments[asset]):
                    log.info("%s has new trading rules of %s", self.venue.name, asset)
                    self.instruments[asset] = instrument
                    self.markets[asset].tell(instrument)
                    self._tap_rules(asset, instrument)

    def _tap_rules(self, asset: str, instrument: Instrument) -> None:
        if self._tap is not None:
            self._tap(asset, self.clock.now_ns(), instrument_frame(asset, instrument))

    async def _pass_time(self) -> None:
        waited_for, everywhere_at = False, 0.0
        while True:
            await asyncio.sleep(ANSWER_STEP_S if waited_for else STEP_S)
            now_ns = self.clock.now_ns()
            monotonic = time.monotonic()
            waiting = {asset for asset, market in self.markets.items() if market.waited_for(now_ns)}
            waited_for, everywhere = bool(waiting), monotonic >= everywhere_at
            everywhere_at = monotonic + STEP_S if everywhere else everywhere_at
            for connection, assets in self._lines:
                data_at = self._heard_at if connection is None else connection.data_at
                alive = (connection is None or connection.up) and monotonic - data_at < self._idle_s
                passing = [asset for asset in assets if everywhere or asset in waiting]
                silent = [asset for asset in passing if self.markets[asset].pass_time(now_ns, alive)]
                if silent:
                    self.venue.adapter.reconnected(silent)


def _rules_of(instrument: Instrument) -> Instrument:
    """What of an instrument is rule: where figures count, the tick follows the price and is not."""
    return msgspec.structs.replace(instrument, tick_size=0.0) if instrument.significant_figures else instrument


def _innermost(error: BaseException) -> BaseException:
    """The first error in groups of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@contextlib.asynccontextmanager
async def live_session(
    config: FeedConfig,
    venue: LiveVenue,
    tap: Tap | None = None,
    lost: Callable[[frozenset[str], int], None] | None = None,
) -> AsyncIterator[LiveSession]:
    """A session whose trading rules have been read from the venue, which is asked until it answers.

    Raises LiveError for an asset that the venue does not trade.
    """
    timeout = aiohttp.ClientTimeout(total=config.live.request_timeout_s)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        while True:
            try:
                instruments = await venue.instruments(http, config.assets)
                break
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                log.warning("%s does not answer: %s (%s); asking again", venue.name, reason_of(error), error)
                await asyncio.sleep(min(2.0, config.live.reconnect_cap_s))
        yield LiveSession(config, venue, http, instruments, tap, lost)
