"""A connection of nats-py, with a way past its queues for what is read all the time and what is waited for.

nats-py hands every message on through a queue and a task of its subscription; that takes longer than a fold needs for
most messages. Subscriptions in `direct` are handed their messages where they are parsed. All else is left to nats-py.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeAlias

from nats.aio.client import Client
from nats.errors import ProtocolError
from nats.protocol.parser import Parser

Deliver: TypeAlias = Callable[[bytes, bytes, bytes, bytes], None]
"""Takes a message's subject, reply subject, header block and payload, empty where there is none; must not raise."""

_LINE_END: Final = b"\r\n"
_SKIP: Final = len(_LINE_END)


def header(headers: bytes, name: str) -> str:
    """The value of a field of a header block, empty if it is not there."""
    for line in headers.decode().splitlines():
        field, _, value = line.partition(":")
        if field == name:
            return value.strip()
    return ""


def frame(subject: bytes, payload: bytes, reply: bytes = b"", headers: bytes = b"") -> bytes:
    """A message as it is sent."""
    if headers:
        sizes = (len(headers), len(headers) + len(payload))
        return b"HPUB %s %s %d %d\r\n%s%s\r\n" % (subject, reply, *sizes, headers, payload)
    return b"PUB %s %s %d\r\n%s\r\n" % (subject, reply, len(payload), payload)


class _Message(NamedTuple):
    """A message of a subscription that nats-py serves."""

    subscription: bytes
    subject: bytes
    reply: bytes
    headers: bytes
    payload: bytes


class Connection(Client):
    """A client of nats-py. `direct` says, by subscription id, where messages go straight away."""

    def __init__(self) -> None:
        super().__init__()
        self.direct: dict[bytes, Deliver] = {}
        self._due: list[bytes] = []
        self._ps = _DirectParser(self)

    def send(self, frames: Iterable[bytes]) -> None:
        """Hand frames to the socket now, after what was published before; they are lost without a connection."""
        if self.is_connected and self._transport is not None:
            self._transport.write(b"".join((*self._pending, *frames)))
            self._pending, self._pending_data_size = [], 0

    def send_together(self, frames: Iterable[bytes]) -> None:
        """As `send`, but all that is handed over in one turn of the loop goes in one write, at its end.

        Every write wakes the broker: for who has many messages at a time that costs more than they do.
        """
        if not self._due:
            asyncio.get_running_loop().call_soon(self._send_due)
        self._due += frames

    def _send_due(self) -> None:
        due, self._due = self._due, []
        self.send(due)


class _DirectParser(Parser):
    """Parses the wire protocol of NATS."""

    def __init__(self, connection: "Connection") -> None:
        super().__init__(connection)
        self._direct = connection.direct

    def reset(self) -> None:
        """Forget what was read of a message, as after a reconnection."""
        super().reset()
        self._rest = b""

    async def parse(self, data: bytes = b"") -> None:
        """Hand on everything that `data` completes; raises ProtocolError for what is not of the protocol."""
        self._rest += data
        while (found := self._next()) is not None:
            if isinstance(found, bytes):
                await super().parse(found)
            else:
                sid, subject, reply, headers, payload = found
                await self.nc._process_msg(int(sid), subject, reply, payload, headers or None)

    def _next(self) -> _Message | bytes | None:
        """Hand on direct messages up to something else: a message for nats-py, a line that is no message, or nothing
        whole.
        """
        data, start = self._rest, 0
        found: _Message | bytes | None = None
        while found is None and (line_end := data.find(_LINE_END, start)) >= 0:
            first = line_end + _SKIP
            if not data.startswith((b"MSG ", b"HMSG "), start):
                found, start = data[start:first], first
                break
            fields = data[start:line_end].split()
            reply, headers_size, size = _line(fields)
            payload, end = first + headers_size, first + size
            if len(data) < end + _SKIP:
                break
            start = end + _SKIP
            deliver = self._direct.get(fields[2])
            if deliver is not None:
                deliver(fields[1], reply, data[first:payload], data[payload:end])
            else:
                found = _Message(fields[2], fields[1], reply, data[first:payload], data[payload:end])
        self._rest = data[start:]
        return found


def _line(fields: list[bytes]) -> tuple[bytes, int, int]:
    """Reply subject, size of the headers and size in all of the message that a line announces."""
    try:
        if fields[0] == b"MSG":
            _, _, _, *reply, size = fields
            return reply[0] if reply else b"", 0, int(size)
        _, _, _, *reply, headers_size, size = fields
        return reply[0] if reply else b"", int(headers_size), int(size)
    except ValueError as error:
        raise ProtocolError(f"nats: {b' '.join(fields)!r} is no message") from error
