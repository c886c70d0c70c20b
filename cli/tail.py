"""`papertrader tail`: messages as they come."""

import asyncio
import signal
import sys
from typing import Any

from nats.aio.msg import Msg

from papertrader.cli.connection import CONNECT_TIMEOUT_S
from papertrader.shared.log.bus import Bus


async def follow(url: str, subject: str, as_json: bool, **login: Any) -> None:
    """Print every message of a subject until interrupted."""
    bus = await Bus.connect(url, "tail", CONNECT_TIMEOUT_S, **login)

    async def show(message: Msg) -> None:
        text = message.data.decode(errors="replace")
        if as_json:
            sys.stdout.write(f'{{"subject":"{message.subject}","message":{text or "null"}}}\n')
        else:
            sys.stdout.write(f"{message.subject}  {text}\n")
        sys.stdout.flush()

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await bus.subscribe(subject, show)
    await stop.wait()
    await bus.close()
