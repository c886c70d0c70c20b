"""The recorded log, from a broker or from a file: every message with its sequence, subject and id, byte for byte.

The file is gzip text: a header line with the settings of the run, then one JSON object a line,
`{"sequence":…,"subject":…,"id":…,"message":…}`. A payload that is not one line of JSON is kept as `base64` instead.
"""

import asyncio
import base64
import contextlib
import gzip
import time
import zlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import msgspec
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as SilenceError
from nats.js import api
from nats.js.errors import NotFoundError

from papertrader.replay.settings import effective
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.consumers import create
from papertrader.shared.log.reader import BREATH
from papertrader.shared.log.segments import Entry
from papertrader.shared.log.subjects import STREAM
from papertrader.shared.service.config import Tables
from papertrader.shared.service.epoch import flat, folded

FORMAT: Final = "papertrader-log-1"
LONGEST_LINE: Final = 16 * 2**20
"""The broker takes no message of more than 1 MiB."""
SILENCE_S: Final = 10.0
DELIVERED: Final = "$JS.ACK."


class LogError(RuntimeError):
    """A log that cannot be read; the text says why and what to do."""


class _Header(msgspec.Struct):
    format: str
    settings: dict[str, Any]


class _Line(msgspec.Struct, omit_defaults=True):
    sequence: int
    subject: str
    id: str = ""
    message: msgspec.Raw = msgspec.Raw()
    base64: str = ""


_encode: Final = msgspec.json.Encoder().encode
_header: Final = msgspec.json.Decoder(_Header)
_line: Final = msgspec.json.Decoder(_Line)


async def extent(bus: Bus, whole: bool = True) -> tuple[int, int]:
    """The sequences from which and up to which the log can be read now.

    Raises LogError if there is none, or if its beginning is gone though it is needed `whole`.
    """
    try:
        first, last = await bus.extent()
    except NotFoundError:
        raise LogError("the broker holds no log: nothing has run on it yet") from None
    if last and first > 1 and whole:
        raise LogError(
            f"the log begins at sequence {first}: its beginning was dropped, or lies in segments that are not here, so "
            "it cannot be folded again; name the --data-dir of the run, or put its segments back"
        )
    return first, last


async def read_log(bus: Bus, first: int, last: int) -> AsyncGenerator[Entry, None]:
    """The messages of the log from a sequence to another: the sealed ones, then those that the broker holds.

    Who reads slowly may find that what the broker held is sealed meanwhile, and gone there.
    """
    reached = first - 1
    while reached < last:
        for entry in bus.sealed.entries(reached):
            if entry.sequence <= last:
                yield entry
                reached = entry.sequence
            if entry.sequence % BREATH == 0:
                await asyncio.sleep(0)
        async with aclosing(_read_broker(bus, reached, last)) as held:
            async for entry in held:
                if entry.sequence != reached + 1:
                    if bus.sealed.last > reached:
                        break
                    raise LogError(f"the log has a hole: sequence {reached + 1} is followed by {entry.sequence}")
                yield entry
                reached = entry.sequence


async def _read_broker(bus: Bus, after: int, until: int) -> AsyncGenerator[Entry, None]:
    """What the broker holds after a sequence.

    It is delivered to an inbox and not fetched: who may fetch could have a message of the log repeated anywhere.
    """
    if after >= until:
        return
    inbox = bus.client.new_inbox()
    subscription = await bus.client.subscribe(inbox)
    config = api.ConsumerConfig(
        deliver_subject=inbox,
        deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=after + 1,
        ack_policy=api.AckPolicy.NONE,
        mem_storage=True,
        flow_control=True,
        idle_heartbeat=SILENCE_S / 10,
        inactive_threshold=30.0,
    )
    name, _ = await create(bus, STREAM, config)
    try:
        sequence, heard_at = after, time.monotonic()
        while sequence < until:
            if time.monotonic() > heard_at + SILENCE_S:
                raise LogError(f"the broker stopped answering after sequence {sequence} of {until}")
            try:
                message = await subscription.next_msg(timeout=SILENCE_S)
            except SilenceError:
                continue
            if not message.reply.startswith(DELIVERED):
                await _let_go_on(bus, message)
                continue
            sequence, heard_at = message.metadata.sequence.stream, time.monotonic()
            yield Entry(sequence, message.subject, (message.headers or {}).get("Nats-Msg-Id", ""), message.data)
    finally:
        with contextlib.suppress(TimeoutError, NatsError):  # the broker lets it go by itself when nobody listens
            await subscription.unsubscribe()
            await bus.jetstream.delete_consumer(STREAM, name)


async def _let_go_on(bus: Bus, message: Msg) -> None:
    """Answer a consumer that asks whether everything has arrived."""
    reply = message.reply or (message.headers or {}).get("Nats-Consumer-Stalled", "")
    if reply:
        await bus.client.publish(reply, b"")


def write_log(path: Path, settings: Tables) -> "LogWriter":
    """Begin a log file; use it as a context manager."""
    return LogWriter(path, settings)


class LogWriter:
    """Writes a log file; it appears under its name only when it is whole."""

    def __init__(self, path: Path, settings: Tables) -> None:
        self._path = path
        self._partial = path.with_name(path.name + ".partial")
        self._file = gzip.open(self._partial, "wb", compresslevel=3)  # noqa: SIM115 - closed by __exit__
        self._file.write(_encode(_Header(FORMAT, folded(settings))) + b"\n")

    def write(self, entry: Entry) -> None:
        """Append a message."""
        line = _Line(entry.sequence, entry.subject, entry.message_id)
        if _is_one_line_of_json(entry.payload):
            line.message = msgspec.Raw(entry.payload)
            self._file.write(_encode(line) + b"\n")
            return
        line.base64 = base64.b64encode(entry.payload).decode()
        self._file.write(_encode(line) + b"\n")

    def __enter__(self) -> "LogWriter":
        """The writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close the file, and give it its name if nothing went wrong."""
        self._file.close()
        if kind is None:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)


def _is_one_line_of_json(payload: bytes) -> bool:
    if not payload or b"\n" in payload or payload != payload.strip():
        return False
    try:
        msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def read_settings(path: Path) -> Tables:
    """The settings of the run that a log file recorded; raises LogError if this is no log file."""
    return _read_header(path, next(_lines(path), b"")).settings


def read_file(path: Path) -> Iterator[Entry]:
    """The messages of a log file; raises LogError where it breaks off or is of another form."""
    lines = _lines(path)
    _read_header(path, next(lines, b""))
    for number, text in enumerate(lines, start=2):
        try:
            line = _line.decode(text)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise LogError(f"{path}: line {number} is not a message of a log: {error}") from None
        payload = base64.b64decode(line.base64) if line.base64 else bytes(line.message)
        yield Entry(line.sequence, line.subject, line.id, payload)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") as file:
            while line := file.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    raise LogError(f"{path}: a line is longer than {LONGEST_LINE} bytes: this is no log")
                yield line
    except (OSError, EOFError, zlib.error) as error:
        raise LogError(f"{path}: cannot be read: {error}") from None


def _read_header(path: Path, line: bytes) -> _Header:
    try:
        header = _header.decode(line)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise LogError(f"{path}: is not a log of `papertrader export`: {error}") from None
    if header.format != FORMAT:
        raise LogError(f"{path}: has the format {header.format!r}, this program reads {FORMAT!r}")
    return header


def differing_settings(recorded: Tables, given: Tables) -> list[str]:
    """The settings of the folds that differ, as `section.key: recorded → given`; empty if none does."""
    left, right = (dict(flat(folded(effective(tables)))) for tables in (recorded, given))
    return [
        f"{key}: {left.get(key, 'default')} → {right.get(key, 'default')}"
        for key in sorted({*left, *right})
        if left.get(key) != right.get(key)
    ]
