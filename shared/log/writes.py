"""What is written to the log, what it holds, and what the broker answers."""

import asyncio
from typing import Any, Final, NamedTuple

import msgspec


class Stored(NamedTuple):
    """A message as the log holds it."""

    sequence: int
    message_id: str
    payload: bytes


class Write(NamedTuple):
    """A message for the log, fenced if it names the sequence that it expects as the last of its subject."""

    subject: str
    payload: bytes
    message_id: str
    expected_last: int | None = None

    def headers(self) -> bytes:
        """What JetStream is told of it, as a header block."""
        if self.expected_last is None:
            return b"NATS/1.0\r\nNats-Msg-Id: %s\r\n\r\n" % self.message_id.encode()
        return b"NATS/1.0\r\nNats-Msg-Id: %s\r\nNats-Expected-Last-Subject-Sequence: %d\r\n\r\n" % (
            self.message_id.encode(),
            self.expected_last,
        )


class Answer(NamedTuple):
    """What is to come, on the subject `reply`, to what was sent to `subject`."""

    subject: str
    reply: bytes
    heard: asyncio.Future[bytes]


class Kept(msgspec.Struct):
    """A message as the broker's API tells it: JSON, with base64 around what it holds."""

    seq: int
    hdrs: bytes = b""
    data: bytes = b""


class Found(msgspec.Struct):
    """What the broker answers to who looks a message up."""

    message: Kept | None = None
    error: dict[str, Any] | None = None


class PubAck(msgspec.Struct):
    """What the broker answers to who writes."""

    seq: int = 0
    duplicate: bool = False
    error: dict[str, Any] | None = None


pub_ack: Final = msgspec.json.Decoder(PubAck).decode
found: Final = msgspec.json.Decoder(Found).decode
