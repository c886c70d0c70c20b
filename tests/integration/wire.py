"""What the integration tests share: a connection, the whole log, waiting for something to become true."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from papertrader.shared.log.broker import Broker
from papertrader.shared.log.bus import Bus
from papertrader.shared.log.subjects import STREAM

PATIENCE_S = 60.0
MAX_BYTES = 64 * 2**20


class Entry(NamedTuple):
    """A message of the log."""

    sequence: int
    subject: str
    message_id: str
    payload: bytes


@asynccontextmanager
async def connected(broker: Broker, name: str = "test") -> AsyncIterator[Bus]:
    """A connection to a broker that has the log."""
    bus = await Bus.connect(broker.url, name)
    try:
        await bus.create_stream(MAX_BYTES)
        yield bus
    finally:
        await bus.close()


def bounded(work: Coroutine[Any, Any, None], seconds: float = 150.0) -> None:
    """Run a test's coroutine; a test that hangs fails."""
    asyncio.run(asyncio.wait_for(work, seconds))


async def become(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s for {what}"
        await asyncio.sleep(0.01)


async def entries(bus: Bus, subject: str = ">") -> list[Entry]:
    """All messages of the log on subjects that match."""
    found: list[Entry] = []
    if await bus.next(subject, 0) is None:
        return found
    subscription = await bus.jetstream.subscribe(subject, stream=STREAM, ordered_consumer=True)
    pending = 1
    while pending:
        message = await subscription.next_msg(timeout=PATIENCE_S)
        place = message.metadata
        pending = place.num_pending
        message_id = (message.headers or {}).get("Nats-Msg-Id", "")
        found.append(Entry(place.sequence.stream, message.subject, message_id, message.data))
    await subscription.unsubscribe()
    return found


def kill(broker: Broker) -> None:
    """End the broker as a crash does."""
    process = broker._process
    assert process is not None
    process.send_signal(signal.SIGKILL)
    process.wait()
    broker._process = None
