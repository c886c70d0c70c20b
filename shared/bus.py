"""The bus: a thin layer over nats-py that appends to the log exactly once and looks messages up in it."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

import msgspec
import nats
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import api
from nats.js.errors import APIError, NotFoundError

from shared.subjects import STREAM, TOKENS

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 10.0
ACK_TIMEOUT_S: Final = 2.0
WRONG_LAST_SEQUENCE: Final = 10071
NO_MESSAGE: Final = 10037
LOOK_UP: Final = f"$JS.API.STREAM.MSG.GET.{STREAM}"


class BusError(RuntimeError):
    """The bus could not do what was asked; the text says what to change."""


class Stored(NamedTuple):
    """A message as the log holds it."""

    sequence: int
    message_id: str
    payload: bytes


class FencedError(BusError):
    """Somebody else has written to this subject since: `stored` is the subject's last message."""

    def __init__(self, subject: str, stored: Stored | None) -> None:
        super().__init__(f"{subject} was written by another worker")
        self.stored = stored


class _Kept(msgspec.Struct):
    """A message as the broker's API tells it: JSON, with base64 around what it holds."""

    seq: int
    hdrs: bytes = b""
    data: bytes = b""


class _Found(msgspec.Struct):
    message: _Kept | None = None
    error: dict[str, Any] | None = None


class _PubAck(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: dict[str, Any] | None = None


_pub_ack = msgspec.json.Decoder(_PubAck)
_found = msgspec.json.Decoder(_Found)


def _message_id(headers: bytes) -> str:
    """The id in a stored message's header block, empty without one."""
    for line in headers.decode().splitlines():
        name, _, value = line.partition(":")
        if name == "Nats-Msg-Id":
            return value.strip()
    return ""


class Bus:
    """One connection to the broker."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.jetstream = client.jetstream()
        self.slow_consumer_drops = 0
        self.disconnects = 0
        """Counted before the client tries to reconnect: unchanged means that nothing sent in between was lost."""
        self.reconnects = 0

    @classmethod
    async def connect(cls, url: str, name: str, timeout_s: float = CONNECT_TIMEOUT_S, **options: Any) -> "Bus":
        """Connect; raises BusError if no broker answers in time. Later breaks are mended by reconnecting."""
        client = Client()
        bus = cls(client)
        connecting = client.connect(
            url,
            name=name,
            inbox_prefix=f"_INBOX_{name.replace('-', '_').replace('.', '_')}".encode(),
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.25,  # type: ignore[arg-type]  # it sleeps for this, fractions included
            ping_interval=5,
            max_outstanding_pings=2,
            error_cb=bus._on_error,
            disconnected_cb=bus._on_disconnect,
            reconnected_cb=bus._on_reconnect,
            allow_reconnect=True,
            connect_timeout=2,
            **options,
        )
        try:
            await asyncio.wait_for(connecting, timeout_s)
        except (TimeoutError, OSError, nats.errors.Error) as error:
            await client.close()
            reason = str(error) or f"nothing in {timeout_s:g} s"
            raise BusError(f"no NATS server answers at {url}: {reason}; start one, or set [bus] url") from error
        return bus

    async def _on_error(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            self.slow_consumer_drops += 1
        log.warning("bus: %s", error)

    async def _on_disconnect(self) -> None:
        self.disconnects += 1

    async def _on_reconnect(self) -> None:
        self.reconnects += 1
        log.warning("bus: reconnected to %s", self.client.connected_url)

    async def close(self) -> None:
        """Send what is buffered and close."""
        with contextlib.suppress(nats.errors.Error, asyncio.TimeoutError, OSError):
            await self.client.drain()

    async def create_stream(self, max_bytes: int, max_age_s: float) -> None:
        """Create the log if it is not there, or bring its limits up to date; raises BusError if that is refused."""
        config = api.StreamConfig(
            name=STREAM,
            subjects=[f"{token}.>" for token in TOKENS],
            retention=api.RetentionPolicy.LIMITS,
            storage=api.StorageType.FILE,
            discard=api.DiscardPolicy.OLD,
            max_bytes=max_bytes,
            max_age=max_age_s,
            duplicate_window=min(120.0, max_age_s),
        )
        try:
            await self._create_or_update(config)
        except APIError as error:
            raise BusError(
                f"the broker refuses a log of {max_bytes / 2**20:.0f} MiB: {error.description}; "
                "free some disk, or lower [bus] max_bytes"
            ) from error

    async def _create_or_update(self, config: api.StreamConfig) -> None:
        try:
            there = (await self.jetstream.stream_info(STREAM)).config
        except NotFoundError:
            await self.jetstream.add_stream(config)
            return
        wanted = {name: value for name, value in config.as_dict().items() if value is not None}
        if {name: there.as_dict().get(name) for name in wanted} != wanted:
            await self.jetstream.update_stream(config)  # a user that may not do this has nothing to update

    async def publish(self, subject: str, payload: bytes) -> None:
        """Publish without waiting for the log's acknowledgement."""
        await self.client.publish(subject, payload)

    async def subscribe(self, subject: str, callback: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Hear a subject that is not part of the log."""
        return await self.client.subscribe(subject, cb=callback)

    async def last(self, subject: str) -> Stored | None:
        """The last message of a subject, None if there is none."""
        return await self._get({"last_by_subj": subject})

    async def next(self, subject: str, after: int) -> Stored | None:
        """The first message of a subject after a sequence, None if there is none."""
        return await self._get({"seq": after + 1, "next_by_subj": subject})

    async def _get(self, query: dict[str, Any]) -> Stored | None:
        """Look a message up.

        Not by JetStream's direct get: that answers with the bare message on any reply subject, so whoever may use it
        could have its own words repeated on a subject that it may not write to.
        """
        while True:
            try:
                reply = await self.client.request(LOOK_UP, msgspec.json.encode(query), timeout=ACK_TIMEOUT_S)
            except (TimeoutError, nats.errors.Error) as error:
                log.warning("bus: looking up %s again: %s", query, str(error) or type(error).__name__)
                await asyncio.sleep(0.25)
                continue
            found = _found.decode(reply.data)
            if found.message is not None:
                kept = found.message
                return Stored(kept.seq, _message_id(kept.hdrs), kept.data)
            if found.error is not None and found.error.get("err_code") == NO_MESSAGE:
                return None
            log.warning("bus: looking up %s again: %s", query, found.error)
            await asyncio.sleep(0.25)

    async def append_once(self, subject: str, payload: bytes, message_id: str) -> bool:
        """Append to the log, without a second try; whether the log is known to have it."""
        ack = await self._write(subject, payload, {"Nats-Msg-Id": message_id})
        return ack is not None and ack.error is None

    async def _write(self, subject: str, payload: bytes, headers: dict[str, str]) -> _PubAck | None:
        try:
            reply = await self.client.request(subject, payload, timeout=ACK_TIMEOUT_S, headers=headers)
        except (TimeoutError, nats.errors.Error) as error:
            log.warning("bus: writing %s was not acknowledged: %s", subject, str(error) or type(error).__name__)
            return None
        return _pub_ack.decode(reply.data)

    async def append(self, subject: str, payload: bytes, message_id: str, expected_last: int | None = None) -> int:
        """Append to the log and return the sequence; tried until the log has it exactly once.

        With `expected_last` the write is fenced: it succeeds only if that is the last sequence of the subject, or if
        this very message is already there. Raises FencedError otherwise.
        """
        headers = {"Nats-Msg-Id": message_id}
        if expected_last is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(expected_last)
        while True:
            ack = await self._write(subject, payload, headers)
            if ack is None:
                await asyncio.sleep(0.25)
                continue
            if ack.error is None:
                return ack.seq
            if ack.error.get("err_code") != WRONG_LAST_SEQUENCE:
                log.error("bus: the log refused %s: %s", subject, ack.error.get("description"))
                await asyncio.sleep(1.0)
                continue
            stored = await self.last(subject)
            if stored is not None and stored.message_id == message_id:
                return stored.sequence
            raise FencedError(subject, stored)
