"""Processes of a run that are forked from one which has loaded everything, and so start at once.

What makes them is the only difference: each is a session of its own with its own id, environment, standard input and
descriptors, runs its module's `__main__`, and can be killed, frozen and waited for as any other.
"""

import contextlib
import gc
import importlib
import os
import pickle
import runpy
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, Generic, NoReturn, TypeVar

from papertrader.shared.log.health import FOLDS
from papertrader.shared.service import runner
from papertrader.shared.service.config import Settings
from papertrader.shared.service.runtime import Service

T = TypeVar("T")
STANDARD: Final = 3
POLL_S: Final = 0.01
CHECKPOINT_EVERY_S: Final = 15
"""Forked services write a checkpoint so often, so that there are some in a market of a minute and a half."""


def load_everything() -> None:
    """Import every service and load its kernels: what is forked afterwards has them."""
    for name in (*FOLDS, "archive", "feed"):
        module = importlib.import_module(f"papertrader.services.{name.replace('-', '_')}.__main__")
        del sys.modules[module.__name__]
        service = getattr(module, "SERVICE", None)
        if isinstance(service, Service):
            service.warm(Settings({}))
    importlib.import_module("papertrader.cli.show")
    vars(runner)["CHECKPOINT_EVERY_NS"] = CHECKPOINT_EVERY_S * 1_000_000_000
    gc.collect()
    gc.freeze()


class Child:
    """A forked process; what `subprocess.Popen` has of it that a run uses."""

    def __init__(self, pid: int, stdin: IO[bytes] | None) -> None:
        self.pid, self.stdin = pid, stdin
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, negative for a signal, None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once it has ended; raises TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(POLL_S)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def forked(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    stdout: IO[bytes],
    pass_fds: Collection[int] = (),
    **_rest: Any,
) -> Child:
    """`subprocess.Popen` of `python … -m MODULE ARGUMENT …`, by a fork of this process."""
    place = command.index("-m") + 1
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:

        def work() -> None:
            os.setsid()
            for descriptor, standard in ((reading, 0), (stdout.fileno(), 1), (stdout.fileno(), 2)):
                os.dup2(descriptor, standard)
            close_all_but(pass_fds)
            os.environ.clear()
            os.environ.update(env)
            run_module(command[place], command[place + 1 :])

        ended_as(work)  # whatever goes wrong: what the other process has begun is not this one's to end
    os.close(reading)
    return Child(pid, os.fdopen(writing, "wb", buffering=0))


def close_all_but(kept: Collection[int]) -> None:
    """Close every descriptor but the standard ones and those that are kept."""
    low = STANDARD
    for descriptor in sorted(kept):
        os.closerange(low, descriptor)
        low = max(low, descriptor + 1)
    os.closerange(low, os.sysconf("SC_OPEN_MAX"))


def run_module(module: str, arguments: Sequence[str]) -> None:
    """Be the process of a module, to its end."""
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    sys.argv = [module, *arguments]
    runpy.run_module(f"{module}.__main__", run_name="__main__")


def ended_as(work: Callable[[], object]) -> NoReturn:
    """Do something, then end as Python would, without what the process that this was forked from had to tidy up."""
    code = 0
    try:
        work()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            sys.stderr.write(error.code + "\n")
    except BaseException:
        traceback.print_exc()
        code = 1
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


class Apart(Generic[T]):
    """A function that is called in a process of its own, which has this one's memory and gives nothing back but a
    value."""

    def __init__(self, work: Callable[..., T], *arguments: object, folder: Path) -> None:
        self._answer = folder / f"answer-{os.getpid()}-{time.monotonic_ns()}"
        pid = os.fork()
        if not pid:
            ended_as(lambda: self._work(work, arguments))
        self._child = Child(pid, None)

    def _work(self, work: Callable[..., T], arguments: Sequence[object]) -> None:
        try:
            found: tuple[bool, object] = (True, work(*arguments))
        except Exception as error:
            traceback.print_exc()
            found = (False, f"{type(error).__name__}: {error}")
        self._answer.write_bytes(pickle.dumps(found))

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self._child.poll() is not None

    def value(self) -> T:
        """What it returned; raises RuntimeError with what it raised."""
        self._child.wait()
        good, value = pickle.loads(self._answer.read_bytes())
        self._answer.unlink()
        if not good:
            raise RuntimeError(value)
        found: T = value
        return found


def apart(work: Callable[..., T], *arguments: object, folder: Path) -> T:
    """What a function returns that is called in a process of its own; raises RuntimeError with what it raised."""
    return Apart(work, *arguments, folder=folder).value()


def verified(directory: Path) -> int:
    """The exit code of `papertrader verify`, in a process of its own."""

    def verify() -> None:
        sys.argv = ["papertrader", "verify", str(directory), "--json"]
        with (directory / "verify.json").open("w") as out:
            os.dup2(out.fileno(), 1)
        runpy.run_module("papertrader.cli.main", run_name="__main__")

    pid = os.fork()
    if not pid:
        ended_as(verify)
    return Child(pid, None).wait()
