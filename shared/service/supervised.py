"""A service that `papertrader run` has started ends with it, however that ends: its standard input closes then."""

import os
import signal
import sys
import threading


def leave_with_parent() -> None:
    """Ask this process to leave (SIGTERM) as soon as its standard input ends: nobody holds the other end any more."""
    threading.Thread(target=_follow, args=(sys.stdin.fileno(),), name="parent", daemon=True).start()


def _follow(descriptor: int) -> None:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
