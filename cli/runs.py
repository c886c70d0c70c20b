"""The runs of this machine: each notes where it can be reached, so that other commands find it."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import msgspec
import platformdirs

from papertrader.cli.choices import did_you_mean
from papertrader.cli.monitor_client import DEFAULT_URL

NOTE: Final = "running.json"
"""In the data directory, while the run goes on; `run.json` is what a saved run says of itself."""
LIST: Final = "runs"
NO_RUN: Final = (
    "no run goes on here: start one with `papertrader run`, or name a broker with --nats or a page with --url"
)


class NoRunError(RuntimeError):
    """No run, or none that is meant; the text lists the choices."""


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One `papertrader run`: its process, its data directory, and where its broker and its page are."""

    pid: int
    directory: str
    broker: str
    page: str
    source: str
    since: str
    """When it was started, UTC."""

    def __str__(self) -> str:
        """The run on one line."""
        return f"{self.pid}  {self.source}  {self.page}  {self.directory}  since {self.since}"


def run_list() -> Path:
    """The folder with a file for each run of this user."""
    return platformdirs.user_state_path("papertrader", appauthor=False) / LIST


@contextlib.contextmanager
def noted(directory: Path, broker: str, page: str, source: str) -> Iterator[Run]:
    """A run that other commands find for as long as it goes on: in its data directory and in the user's list.

    What says that it goes on is the lock on its file, so that nobody finds a run that was killed.
    """
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    place = str(directory.resolve())
    run = Run(pid=os.getpid(), directory=place, broker=broker, page=page, source=source, since=since)
    note, listed = directory / NOTE, run_list() / f"{run.pid}.json"
    note.write_bytes(msgspec.json.encode(run))
    with contextlib.ExitStack() as left:
        left.callback(note.unlink, missing_ok=True)
        with contextlib.suppress(OSError):  # a home that cannot be written to hides the run, and does not stop it
            left.enter_context(_listed(listed, run))
            left.callback(listed.unlink, missing_ok=True)
        yield run


def _listed(path: Path, run: Run) -> IO[bytes]:
    """Put a run on the list, locked before anybody can see it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_suffix(".new")
    file = hidden.open("wb")
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(msgspec.json.encode(run))
    file.flush()
    hidden.replace(path)
    return file


def living() -> list[Run]:
    """The runs that go on, the oldest first. The notes of those that were killed are removed."""
    found = [run for path in run_list().glob("*.json") if (run := _living(path)) is not None]
    return sorted(found, key=lambda run: (run.since, run.pid))


def _living(path: Path) -> Run | None:
    with contextlib.suppress(OSError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            with contextlib.suppress(msgspec.DecodeError):
                return msgspec.json.decode(file.read(), type=Run)
            return None
        path.unlink(missing_ok=True)
    return None


def chosen(wanted: str | None) -> Run:
    """The run that is meant: by its process id or data directory, or the only one; raises NoRunError."""
    runs = living()
    if wanted is not None:
        return _named(wanted, runs)
    if not runs:
        raise NoRunError(NO_RUN)
    if len(runs) > 1:
        raise NoRunError("several runs go on; name one with --run PID or --run DIRECTORY:\n" + _lines(runs))
    return runs[0]


def _named(wanted: str, runs: list[Run]) -> Run:
    for run in runs:
        if wanted == str(run.pid) or Path(wanted).resolve() == Path(run.directory):
            return run
    names = [name for run in runs for name in (str(run.pid), run.directory)]
    raise NoRunError(f"no run {wanted} goes on{did_you_mean(wanted, names)}" + (":\n" + _lines(runs) if runs else ""))


def _lines(runs: list[Run]) -> str:
    return "\n".join(f"  {run}" for run in runs)


def page_of(url: str | None, run: str | None) -> str:
    """The address of the page: the one that is named, else that of the run, else the usual one."""
    if url is not None:
        return url
    found = run_of(run)
    return DEFAULT_URL if found is None else found.page


def run_of(run: str | None) -> Run | None:
    """The run that is meant, or None where none goes on and none was asked for; raises NoRunError."""
    return chosen(run) if run is not None or living() else None
