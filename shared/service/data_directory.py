"""The directory of a run: one run at a time, named, and nothing starts where nothing could be written."""

import contextlib
import fcntl
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import msgspec

LOCK: Final = "run.lock"
LEAST_FREE_BYTES: Final = 64 * 2**20
"""Room for the checkpoints and the logs of the services: with less a run would fail soon."""


class DataDirectoryError(RuntimeError):
    """A directory that cannot be used now; the text says why and what to do."""


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who uses a data directory: a process, what it does, where, since when, and the page that it shows."""

    pid: int
    does: str
    host: str
    since: str
    page: str = ""


class DataDirectory:
    """A data directory, held by one program at a time until `release`.

    What holds it is the open file, so that it is free as soon as this process and every process that was handed
    `descriptor` have ended, however they end.
    """

    def __init__(self, path: Path, does: str, page: str = "") -> None:
        self.path = path
        _make(path)
        self._file: IO[str] | None = locked(path / LOCK)
        if self._file is None:
            raise DataDirectoryError(_in_use(path))
        holder = Holder(
            pid=os.getpid(),
            does=does,
            host=socket.gethostname(),
            since=time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
            page=page,
        )
        self._file.seek(0)
        self._file.truncate()
        self._file.write(msgspec.json.encode(holder).decode())
        self._file.flush()

    @property
    def descriptor(self) -> int:
        """What child processes are handed to hold it, too."""
        if self._file is None:
            raise DataDirectoryError(f"{self.path} is not held any more")
        return self._file.fileno()

    def release(self) -> None:
        """Let others use it, once no child has it."""
        if self._file is not None:
            self._file.close()
            self._file = None


@contextlib.contextmanager
def held(path: Path, does: str) -> Iterator[DataDirectory]:
    """A data directory for as long as it is read or written; raises DataDirectoryError."""
    directory = DataDirectory(path, does)
    try:
        yield directory
    finally:
        directory.release()


def holder_of(path: Path) -> Holder | None:
    """Who holds a data directory now, None if nobody does."""
    try:
        with (path / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _named(path)
    except OSError:
        return None
    return None


def _make(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
        free = shutil.disk_usage(path).free
    except OSError as error:
        raise DataDirectoryError(
            f"{path} cannot be written to: {error.strerror}; choose another --data-dir, or free it"
        ) from None
    if free < LEAST_FREE_BYTES:
        raise DataDirectoryError(
            f"the disk of {path} has {free / 2**20:.0f} MiB left, a run needs {LEAST_FREE_BYTES / 2**20:.0f} at least: "
            "free some, or choose another --data-dir"
        )


def locked(path: Path) -> IO[str] | None:
    """A file that this process alone holds until it is closed; None if another process holds it. Raises OSError."""
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _in_use(path: Path) -> str:
    holder = _named(path)
    if holder is None:
        return f"{path} is in use: stop what uses it, or choose another --data-dir"
    who = f"{holder.does} (process {holder.pid} on {holder.host}, since {holder.since})"
    if holder.host == socket.gethostname() and not _runs(holder.pid):
        return f"{path} is in use by what {who} has left behind: it ends within half a minute; try again then"
    page = f"; its page is {holder.page}" if holder.page else ""
    return f"{path} is in use by {who}{page}: stop it, or choose another --data-dir"


def _named(path: Path) -> Holder | None:
    try:
        return msgspec.json.decode((path / LOCK).read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
