"""One WebSocket connection: what it subscribed to, and a queue of frames, so that a slow reader slows nobody."""

import asyncio
import contextlib
from typing import Any

import msgspec
from aiohttp import WSCloseCode, web

from papertrader.services.gateway.streams.subscription import Subscription


class Connection:
    """A client's socket. Frames go out in the order in which they were given."""

    def __init__(self, socket: web.WebSocketResponse, frames_waiting: int) -> None:
        self.socket = socket
        self.subscriptions: dict[tuple[Any, ...], Subscription] = {}
        self.posts = 0
        self.frames = 0
        self.left = False
        self._frames: asyncio.Queue[bytes] = asyncio.Queue(frames_waiting)

    def send(self, frame: dict[str, Any]) -> None:
        """Send a frame; a client that leaves too many unread is left."""
        try:
            self._frames.put_nowait(msgspec.json.encode(frame))
        except asyncio.QueueFull:
            self.left = True

    async def write(self) -> None:
        """Write frames until the socket closes."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            while not self.left and not self.socket.closed:
                frame = await self._frames.get()
                await self.socket.send_str(frame.decode())
                self.frames += 1
        await self.socket.close(code=WSCloseCode.POLICY_VIOLATION if self.left else WSCloseCode.OK)
