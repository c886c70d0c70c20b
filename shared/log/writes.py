"""What is written to the log, what it holds, and what the broker answers."""

import asyncio
import time
from typing import Any, Final, NamedTuple

import msgspec

WRONG_LAST_SEQUENCE: Final = 10071
STILL_WRITTEN: Final = 10164
"""Of several servers: another message of the subject is on its way."""
REFUSING_AFTER_S: Final = 5.0
NO_WRITES: Final = "the broker takes no message"
NO_ANSWER: Final = "no answer"


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

    @property
    def refused(self) -> str:
        """Why the broker takes no message, empty if it does: who is only too late for a subject was heard."""
        if self.error is None or self.error.get("err_code") in (WRONG_LAST_SEQUENCE, STILL_WRITTEN):
            return ""
        return str(self.error.get("description"))


class Refusal:
    """What the broker said, or that it said nothing, when it last took no message; empty since it has taken one."""

    def __init__(self) -> None:
        self.text = ""
        self._since = 0.0

    @property
    def seconds(self) -> float:
        """For how long the broker has taken no message though it was asked, s; 0 while it takes them."""
        return time.monotonic() - self._since if self.text else 0.0

    def note(self, ack: PubAck | None) -> None:
        """Take what the broker answered to who wrote, None for nothing."""
        text = NO_ANSWER if ack is None else ack.refused
        if text and not self.text:
            self._since = time.monotonic()
        self.text = text

    def complaint(self) -> str:
        """What is to be said once it has lasted, empty before."""
        return f"{NO_WRITES} for {self.seconds:.0f} s: {self.text}" if self.seconds >= REFUSING_AFTER_S else ""


pub_ack: Final = msgspec.json.Decoder(PubAck).decode
found: Final = msgspec.json.Decoder(Found).decode
