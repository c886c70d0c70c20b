"""The thinnest client of HTTP and WebSocket, so that the time of a million requests is the server's."""

import asyncio
import contextlib
import os
from typing import Final

PATIENCE_S: Final = 70.0
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Http:
    """One kept connection, on which one request follows the other's answer."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.opened = 0

    async def post(self, door: str, body: bytes) -> tuple[int, bytes]:
        """The status and the body of an answer; raises TimeoutError if there is none."""
        return await asyncio.wait_for(self._post(door, body), PATIENCE_S)

    async def _post(self, door: str, body: bytes) -> tuple[int, bytes]:
        if self._streams is None:
            self.opened += 1
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(b"POST /%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (door.encode(), len(body)) + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        start = head.index(b"content-length:") + 15
        answer = await reader.readexactly(int(head[start : head.index(b"\r\n", start)]))
        if b"connection: close" in head:
            await self.close()
        return int(head[9:12]), answer

    async def close(self) -> None:
        """Leave."""
        if self._streams is not None:
            await _left(self._streams[1])
            self._streams = None


class Socket:
    """One WebSocket: frames go out, what comes is counted and its pongs are waited for."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.heard = 0
        self.opened = 0
        self._reading: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect."""
        self.opened += 1
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        self._writer.write(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + key + b"\r\n"
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        self._pong, self.closed = asyncio.Event(), asyncio.Event()
        self._reading = asyncio.create_task(self._read())

    async def send(self, payload: bytes, kind: int = TEXT) -> None:
        """A frame."""
        length = len(payload)
        sized = bytes((0x80 | length,)) if length < 126 else b"\xfe" + length.to_bytes(2, "big")
        if length >= 2**16:
            sized = b"\xff" + length.to_bytes(8, "big")
        mask = os.urandom(4)
        whole = int.from_bytes(payload, "big") ^ int.from_bytes((mask * (length // 4 + 1))[:length], "big")
        self._writer.write(bytes((0x80 | kind,)) + sized + mask + whole.to_bytes(length, "big"))
        await self._writer.drain()

    async def reached(self) -> None:
        """Wait until all that was sent has been taken, or the server has closed; raises TimeoutError."""
        self._pong.clear()
        await self.send(b'{"method":"ping"}')
        waits = [asyncio.ensure_future(event.wait()) for event in (self._pong, self.closed)]
        done, pending = await asyncio.wait(waits, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        if not done:
            raise TimeoutError("no pong")

    async def close(self) -> None:
        """Leave, without a word."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
        await _left(self._writer)

    async def _read(self) -> None:
        try:
            while True:
                first, second = await self._reader.readexactly(2)
                length = second & 0x7F
                if length >= 126:
                    length = int.from_bytes(await self._reader.readexactly(2 if length == 126 else 8), "big")
                payload = await self._reader.readexactly(length)
                self.heard += 1
                if first & 0x0F == CLOSE:
                    break
                if payload.startswith(b'{"channel":"pong"'):
                    self._pong.set()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.closed.set()


async def _left(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
