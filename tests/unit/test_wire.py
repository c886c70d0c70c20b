"""The parser of what comes off the connection: whatever the pieces, every message once, in order, to whom it is for."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.errors import ProtocolError

from papertrader.shared.log.wire import Connection, header

HEADERS = b"NATS/1.0\r\nNats-Msg-Id: a|b|1|0\r\n\r\n"
DIRECT, OTHER = 7, 12


class RecordingConnection(Connection):
    """Keeps what nats-py would be handed, in one list with what is direct."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[Any, ...]] = []
        self.direct[b"%d" % DIRECT] = lambda *message: self.heard.append((DIRECT, *message))

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        self.heard.append((sid, subject, reply, headers or b"", data))

    async def _process_ping(self) -> None:
        self.heard.append(("ping",))


def frame(sid: int, reply: bytes, headers: bytes, payload: bytes) -> bytes:
    """A message as the protocol of NATS has it (docs.nats.io, client protocol, MSG and HMSG)."""
    to = b" ".join(filter(None, (b"md.x.BTC.bbo", b"%d" % sid, reply)))
    if headers:
        size = len(headers) + len(payload)
        return b"HMSG %s %d %d\r\n%s%s\r\n" % (to, len(headers), size, headers, payload)
    return b"MSG %s %d\r\n%s\r\n" % (to, len(payload), payload)


MESSAGES = st.tuples(
    st.sampled_from([DIRECT, OTHER]),
    st.sampled_from([b"", b"$JS.ACK.PAPER.c.1.2.3.4.5"]),
    st.sampled_from([b"", HEADERS]),
    st.one_of(st.binary(max_size=40), st.sampled_from([b"PING\r\n", b"\r\n", b"MSG a 7 1\r\n"])),
)


@given(st.lists(st.one_of(MESSAGES, st.just("ping")), max_size=12), st.data())
def test_every_message_arrives_once_and_whole_however_it_is_cut(items: list[Any], data: st.DataObject) -> None:
    stream = b"".join(b"PING\r\n" if item == "ping" else frame(*item) for item in items)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    connection = RecordingConnection()

    async def parse() -> None:
        for start, end in pairwise(sorted({0, *cuts, len(stream)})):
            await connection._ps.parse(stream[start:end])

    asyncio.run(parse())
    assert connection.heard == [
        ("ping",) if item == "ping" else (item[0], b"md.x.BTC.bbo", *item[1:]) for item in items
    ]


@pytest.mark.parametrize("line", [b"MSG a 7 x\r\n", b"HMSG a 7 1\r\n", b"HMSG a 7 b 3 y\r\n", b"HELLO\r\n"])
def test_what_is_not_of_the_protocol_is_refused(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        asyncio.run(RecordingConnection()._ps.parse(line))


def test_a_new_connection_begins_afresh() -> None:
    connection = RecordingConnection()

    async def parse() -> None:
        await connection._ps.parse(frame(DIRECT, b"", b"", b"lost")[:-5])
        connection._ps.reset()
        await connection._ps.parse(frame(DIRECT, b"", b"", b"kept"))

    asyncio.run(parse())
    assert [message[-1] for message in connection.heard] == [b"kept"]


def test_header_of_a_block() -> None:
    assert header(HEADERS, "Nats-Msg-Id") == "a|b|1|0"
    assert header(HEADERS, "Nats-Last-Consumer") == ""
    assert header(b"", "Nats-Msg-Id") == ""
