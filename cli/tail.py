"""`papertrader tail`: messages as they come."""

import asyncio
import signal
import sys
from typing import Any, Final

from nats.aio.msg import Msg
from nats.js.errors import NotFoundError

from papertrader.cli.connection import CONNECT_TIMEOUT_S
from papertrader.shared.log.bus import Bus, BusError
from papertrader.shared.log.kinds import TOKENS
from papertrader.shared.log.reader import LogReader
from papertrader.shared.log.stream import EPOCHS_TOKEN

LOGGED: Final = (*TOKENS, EPOCHS_TOKEN)
BESIDE: Final = ("health", "progress", "refused")
"""What is said beside the log."""


async def follow(url: str, subject: str, as_json: bool, **login: Any) -> None:
    """Print every message of a subject until interrupted: those of the log in its order and without a hole."""
    bus = await Bus.connect(url, "operator", CONNECT_TIMEOUT_S, **login)

    def show(name: str, payload: bytes) -> None:
        text = payload.decode(errors="replace")
        if as_json:
            sys.stdout.write(f'{{"subject":"{name}","message":{text or "null"}}}\n')
        else:
            sys.stdout.write(f"{name}  {text}\n")
        sys.stdout.flush()

    async def read(_sequence: int, name: str, payload: bytes) -> None:
        show(name, payload)

    async def hear(message: Msg) -> None:
        show(message.subject, message.data)

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    token, reader = subject.partition(".")[0], None
    for beside in BESIDE if token in ("*", ">") else ():
        await bus.subscribe(f"{beside}.>" if subject == ">" else subject.replace("*", beside, 1), hear)
    if token in (*LOGGED, "*", ">"):
        reader = LogReader(bus, [subject], await _end(bus), read)
        await reader.start()
    else:
        await bus.subscribe(subject, hear)
    await stop.wait()
    if reader is not None:
        await reader.stop()
    await bus.close()


async def _end(bus: Bus) -> int:
    try:
        return (await bus.extent())[1]
    except NotFoundError:
        raise BusError("the broker holds no log: nothing has run on it yet") from None
