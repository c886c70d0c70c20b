"""Reading the log: in order, without a hole, over segments and broker restarts, from a sequence on."""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import nats.errors
from nats.aio.subscription import Subscription
from nats.js import api
from nats.js.errors import APIError

from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.consumers import create
from papertrader.shared.log.segments import SegmentError
from papertrader.shared.log.subjects import STREAM
from papertrader.shared.log.wire import header

log = logging.getLogger(__name__)

HEARTBEAT_S: Final = 1.0
SILENCE_S: Final = 3.0
"""A reader that hears not even a heartbeat for this long asks for its messages anew."""
AGAIN_S: Final = 0.25
STOP_TIMEOUT_S: Final = 5.0
LATE_NS: Final = 300 * 1_000_000_000
"""A reader that is so late reads what is sealed: the broker may let go of it any time."""
BREATH: Final = 64
"""After so many sequences of a segment everything else gets its turn: leases, heartbeats, the connection."""
_STORED: Final = b"$JS.ACK."


class LogReader:
    """Reads subjects of the log in order and without a hole, from a sequence on, for ever.

    What is sealed is read from the segments, the rest from the broker. The callback is awaited per message. A broker
    restart, a lost message or a silence makes the reader ask for everything after the last message that it handed on.
    A callback is never interrupted; if it raises, or a segment cannot be read, nothing more is read and `failure` holds
    the error: going on would leave a hole. `stored_ns` and `message_id` are those of the message that is handed on.
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
        self._work: asyncio.Task[None] | None = None
        self._look_out: asyncio.TimerHandle | None = None
        self._waiting: deque[tuple[bytes, bytes, bytes, bytes]] = deque()
        self._wake = asyncio.Event()
        self._complaint = ""
        self._stopped = False
        self._headers = b""
        self._behind = False
        self.sequence = after
        self.stored_ns = 0
        self.resets = 0
        self.pending = 0
        self.failure: Exception | None = None

    async def start(self) -> None:
        """Begin to read."""
        self._behind = self._bus.sealed.last > self.sequence
        if not self._behind:
            await self._open()
        self._work = asyncio.create_task(self._run())
        self._look()

    def read_sealed(self) -> None:
        """Go on in the segments: the broker does not hold any more what comes next."""
        self._behind = True
        self._wake.set()

    @property
    def message_id(self) -> str:
        """The id of a message that the broker has handed on."""
        return header(self._headers, "Nats-Msg-Id") if self._headers else ""

    async def stop(self) -> None:
        """Let the callback that is under way end, unless it hangs for long; none runs afterwards."""
        self._stopped = True
        self._wake.set()
        if self._look_out is not None:
            self._look_out.cancel()
        if self._work is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._work, STOP_TIMEOUT_S)
        await self._close()

    async def _open(self) -> None:
        inbox = self._bus.client.new_inbox()
        self._delivered = 0
        self._waiting.clear()
        self._reconnects = self._bus.reconnects
        self._heard = time.monotonic()
        self._subscription = await self._bus.deliver(inbox, self._on_arrival)
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
        self._consumer, _ = await create(self._bus, STREAM, config)

    async def _close(self) -> None:
        subscription, self._subscription = self._subscription, None
        consumer, self._consumer = self._consumer, ""
        with contextlib.suppress(nats.errors.Error, asyncio.TimeoutError, APIError):
            if subscription is not None:
                await self._bus.undeliver(subscription)
            if consumer and self._bus.client.is_connected:
                await self._bus.jetstream.delete_consumer(STREAM, consumer)

    def _look(self) -> None:
        """Once in a while, see whether the broker may have forgotten this reader."""
        self._look_out = asyncio.get_running_loop().call_later(HEARTBEAT_S, self._look)
        if self._behind:
            return
        if self._reconnects != self._bus.reconnects:
            self._complain("reconnected")
        elif time.monotonic() - self._heard > SILENCE_S:
            self._complain("silence")

    def _complain(self, complaint: str) -> None:
        self._complaint = self._complaint or complaint
        self._wake.set()

    def _on_arrival(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        self._heard = time.monotonic()
        self._waiting.append((subject, reply, headers, payload))
        self._wake.set()

    async def _run(self) -> None:
        while not self._stopped:
            if self._behind:
                await self._catch_up()
            elif self._complaint:
                await self._reset()
            elif self._waiting:
                await self._take(*self._waiting.popleft())
            else:
                self._wake.clear()
                await self._wake.wait()

    async def _catch_up(self) -> None:
        """Hand on what is sealed, then open the way from the broker."""
        sealed = self._bus.sealed
        try:
            for segment in sealed.after(self.sequence):
                self.pending = sealed.last - self.sequence
                for entry in await asyncio.to_thread(sealed.read, segment, self._subjects):
                    if entry.sequence > self.sequence and not self._stopped:
                        await self._hand_on(entry.sequence, entry.subject, entry.payload)
                    if entry.sequence % BREATH == 0:
                        await asyncio.sleep(0)
                if self._stopped:
                    return
                self.sequence = max(self.sequence, segment.last)
        except SegmentError as error:
            self._fail(error)
            return
        self._behind = False
        await self._reset()

    async def _reset(self) -> None:
        """Read anew whatever comes after the last message that was handed on, what is sealed of it in the segments."""
        if self._complaint:
            self.resets += 1
            log.warning("bus: reading anew after sequence %d: %s", self.sequence, self._complaint)
        while not self._stopped and not await self._is_open_again():  # noqa: ASYNC110 - no event tells of a broker
            await asyncio.sleep(AGAIN_S)
        self._complaint = ""

    async def _is_open_again(self) -> bool:
        """Whether there is a way to what comes next: from the segments, or else from the broker."""
        if self._is_sealed_further():
            self._behind = True
            return True
        try:
            await self._close()
            await self._open()
        except (TimeoutError, nats.errors.Error, APIError, BusError, OSError) as error:
            log.warning("bus: reading anew failed, trying again: %s", str(error) or type(error).__name__)
            return False
        return True

    def _is_sealed_further(self) -> bool:
        """Whether there are segments of what comes next."""
        try:
            return self._bus.sealed.last > self.sequence
        except SegmentError as error:
            self._fail(error)
            return False

    async def _take(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        if reply.startswith(_STORED):
            await self._on_stored(subject, reply, headers, payload)
        else:
            await self._on_control(reply, headers)

    async def _on_stored(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        # $JS.ACK.<stream>.<consumer>.<delivered>.<stream sequence>.<consumer sequence>.<ns>.<pending>
        fields = reply.split(b".")
        sequence, consumer_sequence = int(fields[5]), int(fields[6])
        if consumer_sequence != self._delivered + 1:
            self._complain(f"message {self._delivered + 1} of the consumer is missing")
            return
        self._delivered = consumer_sequence
        self.pending = int(fields[8])
        if sequence <= self.sequence:
            return
        self.stored_ns, self._headers = int(fields[7]), headers
        if time.time_ns() - self.stored_ns > LATE_NS and self._is_sealed_further():
            self._behind = True
            return
        await self._hand_on(sequence, subject.decode(errors="backslashreplace"), payload)

    async def _hand_on(self, sequence: int, subject: str, payload: bytes) -> None:
        try:
            await self._callback(sequence, subject, payload)
        except Exception as error:
            log.exception("bus: message %d on %s cannot be worked on", sequence, subject)
            self._fail(error)
            return
        self.sequence = sequence

    def _fail(self, error: Exception) -> None:
        self.failure = error
        self._stopped = True

    async def _on_control(self, reply: bytes, headers: bytes) -> None:
        """Flow control is answered in its turn: all before it is folded. A heartbeat names the last message sent."""
        stalled = header(headers, "Nats-Consumer-Stalled")
        last_sent = header(headers, "Nats-Last-Consumer")
        if reply or stalled:
            await self._bus.client.publish(reply.decode() or stalled, b"")
        elif last_sent and int(last_sent) > self._delivered:
            self._complain(f"the last message that was sent, {last_sent}, is missing")
