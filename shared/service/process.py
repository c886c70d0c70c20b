"""A service as a process: its command line, what it writes, the signals that end it, and its exit code."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import uvloop

from papertrader.shared.log.bus import BusError
from papertrader.shared.log.ports import PortError
from papertrader.shared.log.tasks import REFUSED, STOP_LIMIT_S, leave_within
from papertrader.shared.service.config import Settings, load
from papertrader.shared.service.supervised import leave_with_parent

Work = Callable[[], Coroutine[Any, Any, None]]


def enter(
    name: str,
    prepared: Callable[[Settings], Work],
    refused: tuple[type[Exception], ...] = (),
    mendable: tuple[type[Exception], ...] = (),
) -> None:
    """Read the settings, let `prepared` say what work they ask for, and do it; what goes wrong is one clear line.

    Exit code 0 when the work ends; `REFUSED` for settings that cannot be and for errors that are `refused`, since to
    try again would change nothing; 1 for a broker, a port and what is `mendable`, which may be better the next time;
    `LEFT_UNCLEAN` if after a signal not everything could be ended in time.
    """
    arguments = _arguments(name)
    cannot_be: tuple[type[Exception], ...] = (ValueError, *refused)
    may_be_better: tuple[type[Exception], ...] = (BusError, PortError, *mendable)
    try:
        work = prepared(load(arguments.settings))
    except cannot_be as error:
        _refuse(name, error)
    try:
        uvloop.run(work())
    except refused as error:
        _refuse(name, error)
    except may_be_better as error:
        sys.exit(f"{name}: {error}")


def _refuse(name: str, error: Exception) -> NoReturn:
    sys.stderr.write(f"{name}: {error}\n")
    sys.exit(REFUSED)


def _arguments(name: str) -> argparse.Namespace:
    """The command line of a service process, and its logging."""
    parser = argparse.ArgumentParser(prog=name, description=f"The {name} service of the paper trader.")
    parser.add_argument("--settings", help="settings file, TOML or JSON (default: PAPER_SETTINGS)")
    parser.add_argument("--log-level", default="INFO", choices=["DEBUG", "INFO", "WARNING", "ERROR"])
    parser.add_argument("--with-parent", action="store_true", help="leave as soon as standard input ends")
    arguments = parser.parse_args()
    if arguments.with_parent:
        leave_with_parent()
    logging.basicConfig(
        level=arguments.log_level, stream=sys.stderr, format=f"%(asctime)s %(levelname)s {name} %(message)s"
    )
    return arguments


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set; the process ends soon after, whatever becomes of that."""
    stop = asyncio.Event()

    def leave() -> None:
        stop.set()
        leave_within(STOP_LIMIT_S)

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, leave)
    return stop
