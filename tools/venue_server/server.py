"""The server: plays a programme to whoever subscribes, through the faults."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Iterable
from typing import Any, Final, Literal

import msgspec
from aiohttp import WSMsgType, web

from tools.venue_server.faults import DEFAULT_JUMP_MS, KINDS, Fault, Faults, shifted
from tools.venue_server.frames import Frame, Programme

log = logging.getLogger(__name__)

POLL_S: Final = 0.005
HOLE_NS: Final = 8_000_000_000
"""A tape that is silent for longer had lost its connection."""
CATCH_UP_FRAMES: Final = 200
"""Frames sent before others get a turn, when frames are late."""


class Client:
    """One WebSocket of a client and the streams it wants."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.streams: set[str] = set()
        self._transport = request.transport

    async def send(self, frame: bytes | str) -> None:
        """Send a text frame; a client that is gone is no error."""
        text = frame if isinstance(frame, str) else frame.decode(errors="replace")
        with contextlib.suppress(ConnectionError, RuntimeError):
            await self.socket.send_str(text)

    def cut(self) -> None:
        """End the connection without a word: the client sees close code 1006."""
        if self._transport is not None:
            self._transport.abort()


class Protocol:
    """What differs from venue to venue: paths, subscriptions, and which stream a frame belongs to."""

    def __init__(self, server: "VenueServer") -> None:
        self.server = server

    def routes(self) -> list[web.RouteDef]:
        """The HTTP and WebSocket paths."""
        raise NotImplementedError

    def observe(self, frame: Frame) -> None:
        """See a frame as it is before any fault."""

    async def publish(self, frame: Frame) -> None:
        """Send a frame to whoever wants it."""
        raise NotImplementedError


class VenueServer:
    """Plays a programme at `speed` times its own pace (0: as fast as the clients read).

    With `restamp` event times are moved so that the programme begins `delay_s` before now (at a higher speed the delay
    must be as long as the programme, or it runs ahead of the clock). Without it frames are sent untouched, and where a
    tape has a hole the connections are cut, as they were. Nothing is played before `wait_for` streams are wanted.
    Requests are answered `answer_s` late.
    """

    def __init__(
        self,
        programme: Programme,
        protocol: type[Protocol],
        speed: float = 1.0,
        restamp: bool = True,
        wait_for: int = 1,
        delay_s: float = 0.3,
        script: Iterable[Fault] = (),
        seed: int = 0,
        answer_s: float = 0.0,
    ) -> None:
        self.programme = programme
        self.faults = Faults(seed)
        self.clients: set[Client] = set()
        self.raw = not restamp
        self.ended = asyncio.Event()
        self.sent = 0
        self.port = 0
        self._protocol = protocol(self)
        self._speed = speed
        self._wait_for = wait_for
        self._delay_s = delay_s
        self._answer_s = answer_s
        self._script = deque(sorted(script))
        self._started = time.monotonic()
        self._runner: web.AppRunner | None = None
        self._playing: asyncio.Task[None] | None = None

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Listen and begin to play; port 0 takes a free one."""
        app = web.Application(middlewares=[self._slow_start])
        app.add_routes(
            [*self._protocol.routes(), web.get("/control", self._status), web.post("/control", self._command)]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._playing = asyncio.create_task(self._play())

    async def stop(self) -> None:
        """Stop playing and listening."""
        if self._playing is not None:
            self._playing.cancel()
            await asyncio.gather(self._playing, return_exceptions=True)
        for client in list(self.clients):
            client.cut()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The address that stands for the venue's."""
        return f"http://127.0.0.1:{self.port}"

    def now_s(self) -> float:
        """Seconds since the server was made."""
        return time.monotonic() - self._started

    # --- clients ----------------------------------------------------------------------------------------------------

    @web.middleware
    async def _slow_start(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path != "/control":
            if self.faults.active("drop", self.now_s()) and request.transport is not None:
                request.transport.abort()
            while self.faults.active("slow_start", self.now_s()):  # noqa: ASYNC110 - a clock decides
                await asyncio.sleep(0.02)
            if not request.path.endswith(("/ws", "/stream")):
                await asyncio.sleep(self._answer_s)
        return await handler(request)  # type: ignore[no-any-return]

    async def serve(self, request: web.Request, client: Client, answer: Any) -> None:
        """Hear a client until it leaves; `answer` takes its text frames."""
        self.clients.add(client)
        try:
            async for message in client.socket:
                if self.faults.active("dead", self.now_s()):
                    continue
                if message.type is WSMsgType.PING:
                    await client.socket.pong(message.data)
                elif message.type is WSMsgType.TEXT:
                    await answer(client, message.data)
        finally:
            self.clients.discard(client)

    # --- playing ----------------------------------------------------------------------------------------------------

    async def _play(self) -> None:
        await self._subscribed()
        started, first_ns, last_ns, shift_ms = time.monotonic(), 0, 0, 0
        for number, frame in enumerate(self.programme.frames()):
            if not first_ns:
                first_ns = frame.due_ns
                shift_ms = self._shift_ms(first_ns)
            await self._wait(started, (frame.due_ns - first_ns) * 1e-9, number)
            if self.raw and last_ns and frame.due_ns - last_ns > HOLE_NS:
                self._cut()
                await self._subscribed()
            last_ns = frame.due_ns
            data = frame.data if self.raw else shifted(frame.data, shift_ms)
            self._protocol.observe(frame._replace(data=data))
            for sent in self.faults.send(self.now_s(), data):
                await self._protocol.publish(frame._replace(data=sent))
                self.sent += 1
        self.ended.set()

    def _shift_ms(self, first_ns: int) -> int:
        """How far event times are moved."""
        return int(time.time() * 1e3 - self._delay_s * 1e3 - first_ns * 1e-6)

    async def _wait(self, started: float, due_s: float, number: int) -> None:
        while True:
            self._run_script()
            if self.faults.take_cut():
                self._cut()
            delay = started + due_s / self._speed - time.monotonic() if self._speed > 0 else 0.0
            if delay <= 0:
                break
            await asyncio.sleep(min(delay, 0.05))
        if number % CATCH_UP_FRAMES == 0:
            await asyncio.sleep(0)

    async def _subscribed(self) -> None:
        while sum(len(client.streams) for client in self.clients) < self._wait_for:  # noqa: ASYNC110 - seldom
            await asyncio.sleep(POLL_S)

    def _cut(self) -> None:
        for client in list(self.clients):
            client.streams.clear()
            client.cut()

    def _run_script(self) -> None:
        while self._script and self._script[0].at_s <= self.now_s():
            self.faults.start(self._script.popleft(), self.now_s())

    # --- control ----------------------------------------------------------------------------------------------------

    async def _status(self, _request: web.Request) -> web.Response:
        streams = sum(len(client.streams) for client in self.clients)
        return web.json_response(
            {"clients": len(self.clients), "streams": streams, "sent": self.sent, "faults": dict(self.faults.counts)}
        )

    async def _command(self, request: web.Request) -> web.Response:
        """Start a fault: {"fault": kind, "duration_s": seconds, "jump_ms": for a clock jump}."""
        try:
            wanted = msgspec.json.decode(await request.read(), type=Command)
        except msgspec.MsgspecError as error:
            return web.Response(status=400, text=f"{error}; faults are {', '.join(KINDS)}\n")
        self.faults.start(Fault(0.0, wanted.fault, wanted.duration_s, wanted.jump_ms), self.now_s())
        return await self._status(request)


class Command(msgspec.Struct, forbid_unknown_fields=True):
    """A fault asked for over REST."""

    fault: Literal[KINDS]  # type: ignore[valid-type]
    duration_s: float = 0.0
    jump_ms: int = DEFAULT_JUMP_MS
