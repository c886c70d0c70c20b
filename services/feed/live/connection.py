"""A connection to a venue that is kept up: opened, pinged, watched, and opened anew when it breaks."""

import asyncio
import logging
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Final, TypeAlias

import aiohttp

from papertrader.services.feed.venues.config import LiveConfig
from papertrader.services.feed.venues.live import Line, Socket

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S: Final = 0.5
MAX_FRAME_BYTES: Final = 16 * 2**20
SENDS_PER_MINUTE: Final = 1_800
BREAKS: Final = ("dns", "tls", "refused", "handshake", "timeout", "closed", "half_open", "no_data", "planned")
"""Why a connection was not there or did not last."""

Stream: TypeAlias = "aiohttp.ClientWebSocketResponse[bool]"


class Pulse:
    """When a socket last brought anything, and when it last brought data; monotonic, s."""

    __slots__ = ("data_at", "heard_at")

    def __init__(self) -> None:
        self.heard_at = self.data_at = time.monotonic()


class SendBudget:
    """Keeps all connections of a process within what a venue lets one address send in a minute."""

    def __init__(self, per_minute: int = SENDS_PER_MINUTE) -> None:
        self._sent: deque[float] = deque(maxlen=per_minute)

    async def take(self) -> None:
        """Wait until one more frame may be sent."""
        if len(self._sent) == self._sent.maxlen:
            await asyncio.sleep(max(self._sent[0] + 60.0 - time.monotonic(), 0.0))
        self._sent.append(time.monotonic())


class VenueConnection:
    """Keeps a line open for ever and hands on what it receives."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        line: Line,
        config: LiveConfig,
        budget: SendBudget,
        hear: Callable[[bytes], None],
        lost: Callable[[], None],
    ) -> None:
        self.line = line
        self.up = False
        self.pulses: list[Pulse] = []
        self.breaks: Counter[str] = Counter()
        self.last_error = ""
        self._http = http
        self._config = config
        self._budget = budget
        self._hear = hear
        self._lost = lost

    @property
    def heard_at(self) -> float:
        """When any socket last brought anything; 0 if none was ever open."""
        return max((pulse.heard_at for pulse in self.pulses), default=0.0)

    @property
    def data_at(self) -> float:
        """When any socket last brought data, or was opened; 0 if none was ever open."""
        return max((pulse.data_at for pulse in self.pulses), default=0.0)

    async def run(self) -> None:
        """Connect, and after every break again: full-jitter exponential backoff, reset by a connection that lasts."""
        failures = 0
        while True:
            started = time.monotonic()
            reason = await self._connect()
            self.breaks[reason] += 1
            if self.up:
                self.up = False
                self._lost()
            failures = 0 if time.monotonic() - started > self._config.reconnect_cap_s else failures + 1
            longest = min(self._config.reconnect_cap_s, self._config.reconnect_base_s * 2.0 ** min(failures - 1, 16))
            delay = random.uniform(0.0, longest)
            log.warning("%s: %s (%s); again in %.1f s", self.line.name, reason, self.last_error, delay)
            await asyncio.sleep(delay)

    async def _connect(self) -> str:
        """One life of the line; returns why it ended."""
        self.last_error = ""
        try:
            async with AsyncExitStack() as stack:
                streams = [await stack.enter_async_context(self._open(socket)) for socket in self.line.sockets]
                return await self._live(streams)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.last_error = str(error) or type(error).__name__
            return reason_of(error)

    def _open(self, socket: Socket) -> "aiohttp.client._WSRequestContextManager":
        return self._http.ws_connect(
            socket.url,
            autoping=False,
            max_msg_size=MAX_FRAME_BYTES,
            decode_text=False,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
        )

    async def _live(self, streams: list[Stream]) -> str:
        self.pulses = [Pulse() for _ in streams]
        self.up = True
        opened = list(zip(self.line.sockets, streams, self.pulses, strict=True))
        tasks = [asyncio.create_task(self._listen(*each)) for each in opened]
        tasks += [asyncio.create_task(self._keep_alive(*each)) for each in opened]
        tasks += [asyncio.create_task(self._greet(socket, stream)) for socket, stream, _ in opened if socket.hello]
        try:
            waiting = set(tasks)
            while True:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if reason := task.result():
                        return reason
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _greet(self, socket: Socket, stream: Stream) -> str:
        for frame in socket.hello:
            await self._budget.take()
            await stream.send_str(frame)
        return ""

    async def _listen(self, socket: Socket, stream: Stream, pulse: Pulse) -> str:
        while True:
            message = await stream.receive()
            pulse.heard_at = time.monotonic()
            if message.type is aiohttp.WSMsgType.TEXT or message.type is aiohttp.WSMsgType.BINARY:
                if not message.data.startswith(socket.pong):
                    pulse.data_at = pulse.heard_at
                self._hear(message.data)
            elif message.type is aiohttp.WSMsgType.PING:
                await stream.pong(message.data)
            elif message.type is not aiohttp.WSMsgType.PONG:
                self.last_error = f"closed with code {stream.close_code or 1006}"
                return "closed"

    async def _keep_alive(self, socket: Socket, stream: Stream, pulse: Pulse) -> str:
        config = self._config
        opened = time.monotonic()
        while True:
            await asyncio.sleep(config.ping_s)
            now = time.monotonic()
            if now - pulse.heard_at > config.receive_timeout_s:
                self.last_error = f"nothing received for {now - pulse.heard_at:.1f} s, not even a pong"
                return "half_open"
            if now - pulse.data_at > config.data_timeout_s:
                self.last_error = (
                    f"no data for {now - pulse.data_at:.1f} s, though pings are answered: {socket.url[:60]}"
                )
                return "no_data"
            if now - opened > self.line.max_age_s:
                return "planned"
            await (stream.send_str(socket.ping) if socket.ping else stream.ping())


def reason_of(error: Exception) -> str:
    """Which of `BREAKS` an error is."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "dns"
    if isinstance(error, (aiohttp.ClientSSLError, aiohttp.ServerFingerprintMismatch)):
        return "tls"
    if isinstance(error, aiohttp.WSServerHandshakeError):
        return "handshake"
    if isinstance(error, TimeoutError):
        return "timeout"
    return "refused" if isinstance(error, aiohttp.ClientConnectorError) else "closed"
