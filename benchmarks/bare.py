"""The bare sides of the benchmarks on the bus: nats-py and nothing else, on the event loop that the services use.

python -m benchmarks.bare count URL SUBJECT MESSAGES    one line of JSON: the seconds from the first to the last
python -m benchmarks.bare echo URL SUBJECT REPLY        publishes every message again, as another subject
"""

import asyncio
import json
import sys
import time
from typing import Any

import nats
import uvloop

from papertrader.shared.log.subjects import STREAM


async def count(url: str, subject: str, wanted: int) -> None:
    """Receive messages that the stream holds with an ordered consumer, and do nothing with them."""
    client = await nats.connect(url)
    received, started, done = 0, 0.0, asyncio.Event()

    async def on_message(_message: Any) -> None:
        nonlocal received, started
        received += 1
        if received == 1:
            started = time.perf_counter()
        elif received == wanted:
            done.set()

    await client.jetstream().subscribe(subject, stream=STREAM, ordered_consumer=True, cb=on_message)
    await done.wait()
    seconds = time.perf_counter() - started
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu_s": time.process_time()}) + "\n")
    await client.close()


async def echo(url: str, subject: str, reply: str) -> None:
    """Receive with an ordered consumer and publish each message again: the first of two hops."""
    client = await nats.connect(url)

    async def on_message(message: Any) -> None:
        await client.publish(reply, message.data)

    await client.jetstream().subscribe(subject, stream=STREAM, ordered_consumer=True, cb=on_message)
    await asyncio.Event().wait()


def main() -> None:
    what, url, subject, last = sys.argv[1:5]
    uvloop.run(count(url, subject, int(last)) if what == "count" else echo(url, subject, last))


if __name__ == "__main__":
    main()
