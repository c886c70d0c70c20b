"""Reading the log: in order, without a hole, over broker restarts, from a sequence on."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import api
from nats.js.errors import APIError

from shared.bus import Bus
from shared.subjects import STREAM

log = logging.getLogger(__name__)

HEARTBEAT_S: Final = 1.0
SILENCE_S: Final = 3.0
"""A reader that hears not even a heartbeat for this long asks for its messages anew."""
STOP_TIMEOUT_S: Final = 5.0


class LogReader:
    """Reads subjects of the log in order and without a hole, from a sequence on, for ever.

    The callback is awaited per message. A broker restart, a lost message or a silence makes the reader ask for
    everything after the last message that it handed on. A callback is never interrupted; if it raises, nothing more is
    read and `failure` holds the error: going on would leave a hole.
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
        self._reconnects = 0
        self._heard = time.monotonic()
        self._watch: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._broken = asyncio.Event()
        self._complaint = ""
        self._stopped = False
        self.sequence = after
        self.resets = 0
        self.pending = 0
        self.failure: Exception | None = None

    async def start(self) -> None:
        """Begin to read."""
        await self._open()
        self._watch = asyncio.create_task(self._mend())

    async def stop(self) -> None:
        """Let the callback that is under way end, unless it hangs for long; none runs afterwards."""
        self._stopped = True
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._turn.acquire(), STOP_TIMEOUT_S)
        await self._close()

    async def _open(self) -> None:
        inbox = self._bus.client.new_inbox()
        self._delivered = 0
        self._reconnects = self._bus.reconnects
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
        consumer, self._consumer = self._consumer, ""
        with contextlib.suppress(nats.errors.Error, asyncio.TimeoutError, APIError):
            if subscription is not None:
                await subscription.unsubscribe()
            if consumer and self._bus.client.is_connected:
                await self._bus.jetstream.delete_consumer(STREAM, consumer)

    async def _mend(self) -> None:
        """Read anew when a message is missing, after a reconnection, and when nothing is heard."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._broken.wait(), HEARTBEAT_S)
            complaint = self._complaint if self._broken.is_set() else self._suspicion()
            if complaint:
                async with self._turn:
                    await self._reset(complaint)

    def _suspicion(self) -> str:
        """Why the broker may have forgotten this reader; a callback at work is not a silence."""
        if self._reconnects != self._bus.reconnects:
            return "reconnected"
        silent = time.monotonic() - self._heard > SILENCE_S
        return "silence" if silent and not self._turn.locked() else ""

    async def _reset(self, complaint: str) -> None:
        if self._stopped:
            return
        self.resets += 1
        log.warning("bus: reading anew after sequence %d: %s", self.sequence, complaint)
        try:
            await self._close()
            await self._open()
            self._broken.clear()
        except (TimeoutError, nats.errors.Error, APIError, OSError) as error:
            log.warning("bus: reading anew failed, trying again: %s", str(error) or type(error).__name__)
            self._broken.clear()  # the silence will be noticed

    async def _on_message(self, message: Msg) -> None:
        self._heard = time.monotonic()
        async with self._turn:
            subscription = self._subscription
            if self._stopped or self._broken.is_set() or subscription is None:
                return
            if message.subject == subscription.subject:
                await self._on_control(message)
            else:
                await self._on_stored(message)
        self._heard = time.monotonic()

    async def _on_stored(self, message: Msg) -> None:
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>.<consumer sequence>.<ns>.<pending>
        fields = message.reply.split(".")
        sequence, consumer_sequence = int(fields[5]), int(fields[6])
        if self._consumer and fields[3] != self._consumer:
            return
        if consumer_sequence != self._delivered + 1:
            self._break(f"message {self._delivered + 1} of the consumer is missing")
            return
        self._delivered = consumer_sequence
        self.pending = int(fields[8])
        if sequence <= self.sequence:
            return
        try:
            await self._callback(sequence, message.subject, message.data)
        except Exception as error:
            log.exception("bus: message %d on %s cannot be worked on", sequence, message.subject)
            self.failure = error
            self._stopped = True
            return
        self.sequence = sequence

    async def _on_control(self, message: Msg) -> None:
        """Flow control is answered in its turn: all before it is folded. A heartbeat names the last message sent."""
        headers = message.headers or {}
        stalled = headers.get("Nats-Consumer-Stalled")
        if message.reply:
            await self._bus.client.publish(message.reply, b"")
        elif stalled:
            await self._bus.client.publish(stalled, b"")
        elif int(headers.get("Nats-Last-Consumer", self._delivered)) > self._delivered:
            self._break(f"the last message that was sent, {headers['Nats-Last-Consumer']}, is missing")

    def _break(self, complaint: str) -> None:
        self._complaint = complaint
        self._broken.set()
