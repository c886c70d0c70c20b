"""The bus: a thin layer over nats-py that reads the log in order, without loss, and appends to it exactly once."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
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

ACK_TIMEOUT_S: Final = 2.0
WRONG_LAST_SEQUENCE: Final = 10071
HEARTBEAT_S: Final = 1.0
STOP_TIMEOUT_S: Final = 5.0
SILENCE_S: Final = 3.0
"""A reader that hears not even a heartbeat for this long asks for its messages anew."""


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


class _PubAck(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: dict[str, Any] | None = None


_pub_ack = msgspec.json.Decoder(_PubAck)


class Bus:
    """One connection to the broker."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.jetstream = client.jetstream()
        self.slow_consumer_drops = 0
        self.reconnects = 0

    @classmethod
    async def connect(cls, url: str, name: str, **options: Any) -> "Bus":
        """Connect; raises BusError if the broker cannot be reached. Later breaks are mended by reconnecting."""
        client = Client()
        bus = cls(client)
        try:
            await client.connect(
                url,
                name=name,
                inbox_prefix=f"_INBOX_{name.replace('-', '_').replace('.', '_')}".encode(),
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.25,  # type: ignore[arg-type]  # it sleeps for this, fractions included
                ping_interval=5,
                max_outstanding_pings=2,
                error_cb=bus._on_error,
                reconnected_cb=bus._on_reconnect,
                allow_reconnect=True,
                connect_timeout=2,
                **options,
            )
        except (TimeoutError, OSError, nats.errors.Error) as error:
            raise BusError(f"no NATS server answers at {url}: {error}; start one, or set [bus] url") from error
        return bus

    async def _on_error(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            self.slow_consumer_drops += 1
        log.warning("bus: %s", error)

    async def _on_reconnect(self) -> None:
        self.reconnects += 1
        log.warning("bus: reconnected to %s", self.client.connected_url)

    async def close(self) -> None:
        """Send what is buffered and close."""
        with contextlib.suppress(nats.errors.Error, asyncio.TimeoutError, OSError):
            await self.client.drain()

    async def create_stream(self, max_bytes: int, max_age_s: float) -> None:
        """Create the log if it is not there, or bring its limits up to date."""
        config = api.StreamConfig(
            name=STREAM,
            subjects=[f"{token}.>" for token in TOKENS],
            retention=api.RetentionPolicy.LIMITS,
            storage=api.StorageType.FILE,
            discard=api.DiscardPolicy.OLD,
            max_bytes=max_bytes,
            max_age=max_age_s,
            duplicate_window=min(120.0, max_age_s),
            allow_direct=True,
        )
        try:
            await self.jetstream.stream_info(STREAM)
        except NotFoundError:
            await self.jetstream.add_stream(config)
        else:
            await self.jetstream.update_stream(config)

    async def publish(self, subject: str, payload: bytes) -> None:
        """Publish without waiting for the log's acknowledgement."""
        await self.client.publish(subject, payload)

    async def subscribe(self, subject: str, callback: Callable[[Msg], Awaitable[None]]) -> Subscription:
        """Hear a subject that is not part of the log."""
        return await self.client.subscribe(subject, cb=callback)

    async def last(self, subject: str) -> Stored | None:
        """The last message of a subject, None if there is none."""
        while True:
            try:
                reply = await self.client.request(f"$JS.API.DIRECT.GET.{STREAM}.{subject}", timeout=ACK_TIMEOUT_S)
                break
            except (TimeoutError, nats.errors.Error) as error:
                log.warning("bus: asking for the last message of %s again: %s", subject, error)
                await asyncio.sleep(0.25)
        headers = reply.headers or {}
        if headers.get("Status") == "404":
            return None
        return Stored(int(headers["Nats-Sequence"]), headers.get("Nats-Msg-Id", ""), reply.data)

    async def append(self, subject: str, payload: bytes, message_id: str, expected_last: int | None = None) -> int:
        """Append to the log and return the sequence; tried until the log has it exactly once.

        With `expected_last` the write is fenced: it succeeds only if that is the last sequence of the subject, or if
        this very message is already there. Raises FencedError otherwise.
        """
        headers = {"Nats-Msg-Id": message_id}
        if expected_last is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(expected_last)
        while True:
            try:
                reply = await self.client.request(subject, payload, timeout=ACK_TIMEOUT_S, headers=headers)
            except (TimeoutError, nats.errors.Error) as error:
                log.warning("bus: writing %s again: %s", subject, str(error) or type(error).__name__)
                await asyncio.sleep(0.25)
                continue
            ack = _pub_ack.decode(reply.data)
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


class LogReader:
    """Reads subjects of the log in order and without a hole, from a sequence on, for ever.

    The callback is awaited per message. A broker restart, a lost message or a silence makes the reader ask for
    everything after the last message that it handed on.
    """

    def __init__(
        self,
        bus: Bus,
        subjects: Sequence[str],
        after: int,
        callback: Callable[[int, str, bytes], Awaitable[None]],
    ) -> None:
        self._bus = bus
        self._subjects = list(subjects)
        self._callback = callback
        self._subscription: Subscription | None = None
        self._consumer = ""
        self._delivered = 0
        self._heard = time.monotonic()
        self._watch: asyncio.Task[None] | None = None
        self._stopped = False
        self._idle = asyncio.Lock()
        self.sequence = after
        self.resets = 0
        self.pending = 0

    async def start(self) -> None:
        """Begin to read."""
        await self._open()
        self._watch = asyncio.create_task(self._watch_silence())

    async def stop(self) -> None:
        """Let the callback that is under way end, unless it hangs for long; none runs afterwards."""
        self._stopped = True
        if self._watch is not None:
            self._watch.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.acquire(), STOP_TIMEOUT_S)
        await self._close()

    async def _open(self) -> None:
        inbox = self._bus.client.new_inbox()
        self._delivered = 0
        self._heard = time.monotonic()
        self._subscription = await self._bus.client.subscribe(inbox, cb=self._on_message)
        config = api.ConsumerConfig(
            deliver_subject=inbox,
            filter_subjects=self._subjects,
            deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=self.sequence + 1,
            ack_policy=api.AckPolicy.NONE,
            max_deliver=1,
            mem_storage=True,
            num_replicas=1,
            flow_control=True,
            idle_heartbeat=HEARTBEAT_S,
            inactive_threshold=30.0,
        )
        self._consumer = (await self._bus.jetstream.add_consumer(STREAM, config)).name

    async def _close(self) -> None:
        subscription, self._subscription = self._subscription, None
        with contextlib.suppress(nats.errors.Error, asyncio.TimeoutError, APIError):
            if subscription is not None:
                await subscription.unsubscribe()
            if self._consumer:
                await self._bus.jetstream.delete_consumer(STREAM, self._consumer)
        self._consumer = ""

    async def _watch_silence(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            if time.monotonic() - self._heard > SILENCE_S:
                await self._reset("silence")

    async def _reset(self, reason: str) -> None:
        self.resets += 1
        log.warning("bus: reading anew after sequence %d: %s", self.sequence, reason)
        self._heard = time.monotonic()
        try:
            await self._close()
            if not self._stopped:
                await self._open()
        except (TimeoutError, nats.errors.Error, APIError, OSError) as error:
            log.warning("bus: reading anew failed, trying again: %s", error)

    async def _on_message(self, message: Msg) -> None:
        self._heard = time.monotonic()
        if self._stopped or self._subscription is None or message.subject == self._subscription.subject:
            await self._on_control(message)
            return
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>.<consumer sequence>.<ns>.<pending>
        fields = message.reply.split(".")
        sequence, consumer_sequence = int(fields[5]), int(fields[6])
        if fields[3] != self._consumer and self._consumer:
            return
        if consumer_sequence != self._delivered + 1:
            await self._reset(f"message {self._delivered + 1} of the consumer is missing")
            return
        self._delivered = consumer_sequence
        self.pending = int(fields[8])
        if sequence > self.sequence:
            async with self._idle:
                await self._callback(sequence, message.subject, message.data)
            self.sequence = sequence

    async def _on_control(self, message: Msg) -> None:
        headers = message.headers or {}
        stalled = headers.get("Nats-Consumer-Stalled")
        if message.reply and not message.data:
            await self._bus.client.publish(message.reply, b"")  # flow control: all before this is folded
        elif stalled:
            await self._bus.client.publish(stalled, b"")
