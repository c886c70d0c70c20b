"""Ending what runs beside: a task, and at the very last the process."""

import asyncio
import logging
import os
import threading
from typing import Any, Final

log = logging.getLogger(__name__)

AGAIN_S: Final = 1.0
STOP_LIMIT_S: Final = 8.0
"""Longest time that a service takes to leave; shorter than what a supervisor or Docker waits before it kills."""
REFUSED: Final = 2
"""Exit code of a service that was asked for what cannot be: to start it again would change nothing."""
LEFT_UNCLEAN: Final = 3
"""Exit code of a process that could not end everything in time; a last checkpoint may not have been written."""


async def ended(task: "asyncio.Future[Any]") -> None:
    """Cancel a task until it has ended; what it raised is left in it.

    Once is not enough: a cancellation that arrives together with what is waited for is swallowed, by
    `asyncio.wait_for` before Python 3.12 and by the NATS client, and the task's loop goes on.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN_S)
    if not task.cancelled():
        task.exception()  # has been seen


def leave_within(seconds: float) -> None:
    """End this process after so long, whatever hangs then.

    Nothing is lost: the log has what was said, and the older checkpoint is folded on from.
    """
    timer = threading.Timer(seconds, _leave)
    timer.daemon = True
    timer.start()


def _leave() -> None:
    log.error("not everything has ended in time: leaving, maybe without a last checkpoint")
    os._exit(LEFT_UNCLEAN)
