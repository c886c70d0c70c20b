"""The bus: a thin layer over nats-py that appends to the log exactly once and looks messages up in it."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import nats
import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import api
from nats.js.errors import APIError, NotFoundError

from papertrader.shared.log.sealed import Sealed
from papertrader.shared.log.stream import stream_config
from papertrader.shared.log.subjects import STREAM
from papertrader.shared.log.users import API, MOST_READERS, api_of
from papertrader.shared.log.wire import Connection, Deliver, frame, header
from papertrader.shared.log.writes import WRONG_LAST_SEQUENCE, Answer, PubAck, Refusal, Stored, Write, found, pub_ack

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S: Final = 10.0
ACK_TIMEOUT_S: Final = 2.0
ELECTED_TIMEOUT_S: Final = 1.0
"""Of several servers: what was asked while nobody led is never answered, so it is asked again soon."""
NO_MESSAGE: Final = 10037


class BusError(RuntimeError):
    """The bus could not do what was asked; the text says what to change."""


class FencedError(BusError):
    """Somebody else has written to this subject since: `stored` is the subject's last message."""

    def __init__(self, subject: str, stored: Stored | None) -> None:
        super().__init__(f"{subject} was written by another worker")
        self.stored = stored


class Bus:
    """One connection to the broker, and what was sealed of the log: together the whole log."""

    def __init__(self, client: Connection, sealed: Sealed, user: str = "", api: str = API) -> None:
        self.client = client
        self.sealed = sealed
        self.user, self.api = user, api
        self.jetstream = client.jetstream(prefix=api)
        self._inbox = ""
        self._refusal = ""
        self._answers: dict[bytes, asyncio.Future[bytes]] = {}
        self._numbers = itertools.count()
        self.replicas = 1
        """On how many servers each message is kept: with several, another one may lead from any moment on."""
        self.slow_consumer_drops = 0
        self.disconnects = 0
        """Counted before the client tries to reconnect: unchanged means that nothing sent in between was lost."""
        self.reconnects = 0
        self.refusal = Refusal()

    @property
    def patience_s(self) -> float:
        """How long an answer is waited for, s."""
        return ACK_TIMEOUT_S if self.replicas == 1 else ELECTED_TIMEOUT_S

    @classmethod
    async def connect(
        cls,
        url: str,
        name: str,
        timeout_s: float = CONNECT_TIMEOUT_S,
        data_dir: Path | None = None,
        **options: Any,
    ) -> "Bus":
        """Connect; raises BusError if no broker answers in time. Later breaks are mended by reconnecting.

        What was sealed of the log lies below `data_dir`; without it the log is what the broker holds.
        """
        client = Connection()
        bus = cls(client, Sealed(data_dir), name, api_of(name, "nkeys_seed" in options))
        connecting = client.connect(
            url.split(","),
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
            skip_subject_validation=True,  # every subject is made of tokens that were validated
            **options,
        )
        try:
            await asyncio.wait_for(connecting, timeout_s)
            await bus._await_answers()
        except (TimeoutError, OSError, nats.errors.Error) as error:
            await client.close()
            reason = str(error) or f"{bus._refusal or 'nothing'} in {timeout_s:g} s"
            raise BusError(f"no NATS server answers at {url}: {reason}; start one, or set [bus] url") from error
        return bus

    async def _on_error(self, error: Exception) -> None:
        if isinstance(error, nats.errors.SlowConsumerError):
            self.slow_consumer_drops += 1
        if not self._inbox:
            self._refusal = str(error) or type(error).__name__  # said if no broker answers in time
            return
        log.warning("bus: %s", error)

    async def _on_disconnect(self) -> None:
        self.disconnects += 1

    async def _on_reconnect(self) -> None:
        self.reconnects += 1
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(b"")  # what was asked before the break is not answered any more
        log.warning("bus: reconnected to %s", self.client.connected_url)

    async def close(self) -> None:
        """Send what is buffered and close; a broker that does not answer is not waited for."""
        with contextlib.suppress(nats.errors.Error, asyncio.TimeoutError, OSError):
            await asyncio.wait_for(self.client.drain(), ACK_TIMEOUT_S)

    async def create_stream(self, max_bytes: int, max_readers: int = MOST_READERS, replicas: int = 1) -> None:
        """Create the log if it is not there, or bring its limits up to date; raises BusError if that is refused."""
        self.replicas = replicas
        try:
            await self._create_or_update(stream_config(max_bytes, max_readers, replicas))
        except APIError as error:
            raise BusError(
                f"the broker refuses a log of {max_bytes / 2**20:.0f} MiB on {replicas} of its servers: "
                f"{error.description}; "
                "free some disk, lower [bus] max_bytes, or set [bus] replicas to at most the servers of the cluster"
            ) from error
        except TimeoutError as error:
            raise BusError(
                "the broker does not answer who asks for the log: nobody leads yet, or this user may not give it "
                "other limits than it has; try again, or compare [bus] with the run's"
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

    async def deliver(self, subject: str, deliver: Deliver) -> Subscription:
        """Hear a subject without a queue in between, for what is read all the time; ends with `undeliver`."""
        subscription = await self.client.subscribe(subject)
        self.client.direct[b"%d" % subscription._id] = deliver
        return subscription

    async def undeliver(self, subscription: Subscription) -> None:
        """Hear a subject no longer, from now on."""
        self.client.direct.pop(b"%d" % subscription._id, None)
        await subscription.unsubscribe()

    async def last(self, subject: str) -> Stored | None:
        """The last message of a subject, None if there is none."""
        held = await self.held(subject)
        sealed = self.sealed.newest(subject) if held is None else None
        return held if sealed is None else Stored(sealed.sequence, sealed.message_id, sealed.payload)

    async def held(self, subject: str) -> Stored | None:
        """The last message of a subject of those that the broker holds: what a fence is measured by."""
        return await self._get({"last_by_subj": subject})

    async def next(self, subject: str, after: int) -> Stored | None:
        """The first message of a subject after a sequence of those that the broker holds, None if there is none."""
        return await self._get({"seq": after + 1, "next_by_subj": subject})

    async def at(self, sequence: int) -> bytes:
        """The payload of the message at a sequence, empty if there is none."""
        held = await self._get({"seq": sequence})
        if held is not None:
            return held.payload
        sealed = await asyncio.to_thread(self.sealed.at, sequence)
        return b"" if sealed is None else sealed.payload

    async def extent(self) -> tuple[int, int]:
        """The first and the last sequence of the log, sealed and held; the first is one more than the last in an empty
        one.
        """
        first, last = await self.held_extent()
        return self.sealed.first(first), last

    async def held_extent(self) -> tuple[int, int]:
        """The same of what the broker holds."""
        state = (await self.jetstream.stream_info(STREAM)).state
        return (state.first_seq if state.messages else state.last_seq + 1), state.last_seq

    async def let_go(self, sequence: int) -> None:
        """Take everything up to a sequence from the broker."""
        await self.jetstream.purge_stream(STREAM, seq=sequence + 1)

    async def _get(self, query: dict[str, Any]) -> Stored | None:
        """Look a message up.

        Not by JetStream's direct get: that answers with the bare message on any reply subject, so whoever may use it
        could have its own words repeated on a subject that it may not write to.
        """
        while True:
            answer = await self._hear(self._ask(f"{self.api}.STREAM.MSG.GET.{STREAM}", msgspec.json.encode(query)))
            answered = found(answer) if answer else None
            if answered is not None and answered.message is not None:
                kept = answered.message
                return Stored(kept.seq, header(kept.hdrs, "Nats-Msg-Id"), kept.data)
            if answered is not None and answered.error is not None and answered.error.get("err_code") == NO_MESSAGE:
                return None
            log.warning("bus: looking up %s again: %s", query, answered.error if answered else "no answer")
            await asyncio.sleep(0.25)

    async def append_once(self, messages: Iterable[tuple[str, bytes]], last: Write) -> bool:
        """Hand messages (subject, payload) to the log in one step with a last one; whether it is known to have that.

        There is no second try. If the last one has arrived, so have the others: of one server because all went one
        way, of several because each is acknowledged, and before the last. Another server that leads knows nothing of
        what the one before it had not yet handed on.
        """
        if self.replicas > 1:
            return await self._append_each([*messages], last)
        ack = await self._ack(self.begin(last, [frame(name.encode(), payload) for name, payload in messages]))
        return ack is not None and ack.error is None

    async def _append_each(self, messages: Sequence[tuple[str, bytes]], last: Write) -> bool:
        asked = [self._question(name, payload) for name, payload in messages]
        answers = [answer for answer, _ in asked]
        answers.append(self.begin(last, [sent for _, sent in asked]))
        acks = await asyncio.gather(*map(self._ack, answers))
        sequences = [ack.seq for ack in acks if ack is not None and ack.error is None]
        return len(sequences) == len(acks) and max(sequences) == sequences[-1]

    async def append(self, subject: str, payload: bytes, message_id: str, expected_last: int | None = None) -> int:
        """Append to the log and return the sequence; tried until the log has it exactly once.

        With `expected_last` the write is fenced: it succeeds only if that is the last sequence of the subject, or if
        this very message is already there. Raises FencedError otherwise.
        """
        write = Write(subject, payload, message_id, expected_last)
        return await self.settle(write, self.begin(write))

    def begin(self, write: Write, before: Iterable[bytes] = ()) -> Answer:
        """Send a message to the log now, after the frames `before`; `settle` has to follow."""
        return self._ask(write.subject, write.payload, write.headers(), before)

    def begin_all(self, writes: Iterable[Write]) -> list[Answer]:
        """Send messages to the log in one step, with others of this turn; `settle` has to follow for each."""
        asked = [self._question(write.subject, write.payload, write.headers()) for write in writes]
        self.client.send_together(sent for _, sent in asked)
        return [answer for answer, _ in asked]

    async def settle(self, write: Write, answer: Answer) -> int:
        """Wait until the log has a message that was sent, as `append` does; its sequence."""
        while True:
            ack = await self._ack(answer)
            if ack is None:
                await asyncio.sleep(0.25)
            elif ack.error is None:
                return ack.seq
            elif ack.error.get("err_code") == WRONG_LAST_SEQUENCE:
                stored = await self.last(write.subject)
                if stored is not None and stored.message_id == write.message_id:
                    return stored.sequence
                raise FencedError(write.subject, stored)
            else:
                log.error("bus: the log refused %s: %s", write.subject, ack.error.get("description"))
                await asyncio.sleep(1.0)
            answer = self.begin(write)

    async def _ack(self, answer: Answer) -> PubAck | None:
        payload = await self._hear(answer)
        ack = pub_ack(payload) if payload else None
        self.refusal.note(ack)
        return ack

    async def _await_answers(self) -> None:
        """One subscription for all answers."""
        self._inbox = self.client.new_inbox()
        await self.deliver(f"{self._inbox}.*", self._on_answer)

    def _on_answer(self, subject: bytes, _reply: bytes, _headers: bytes, payload: bytes) -> None:
        answer = self._answers.get(subject)
        if answer is not None and not answer.done():
            answer.set_result(payload)

    def _ask(self, subject: str, payload: bytes, headers: bytes = b"", before: Iterable[bytes] = ()) -> Answer:
        """Send a message that is answered, on a subject of its own."""
        answer, sent = self._question(subject, payload, headers)
        self.client.send((*before, sent))
        return answer

    def _question(self, subject: str, payload: bytes, headers: bytes = b"") -> tuple[Answer, bytes]:
        """A message that will be answered, as it goes out."""
        reply = b"%s.%d" % (self._inbox.encode(), next(self._numbers))
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._answers[reply] = heard
        return Answer(subject, reply, heard), frame(subject.encode(), payload, reply, headers)

    async def _hear(self, answer: Answer) -> bytes:
        """The answer, empty if there is none in time, if nobody hears the question, or if the connection breaks."""
        try:
            async with asyncio.timeout(self.patience_s):
                payload = await answer.heard
        except TimeoutError:
            payload = b""
        finally:
            del self._answers[answer.reply]
        if not payload:
            log.warning("bus: no answer to what was sent to %s", answer.subject)
        return payload
