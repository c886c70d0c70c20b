"""Who replays the variants: processes of this machine, or the workers of a Dask cluster. Results are the same."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from papertrader.replay.session import fingerprint
from papertrader.shared.service.config import SettingsError
from papertrader.shared.service.epoch import code_fingerprint

DEATHS_IN_VAIN: Final = 3
"""So often may all that is left end with a dead process, nothing having come of it."""
CONNECT_S: Final = 10.0

Item = TypeVar("Item")
Result = TypeVar("Result")


class WorkersError(Exception):
    """Workers cannot be had, are not as this side, or die of what they are given; the text says what to change."""


class Workers(Protocol):
    """Does a piece of work for each of many items."""

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[int, Result]]:
        """What came of each item as it comes, with its place; what a dead worker had begun is begun again."""

    def __enter__(self) -> "Workers":
        """The workers themselves."""

    def __exit__(self, *_: object) -> None:
        """Let them go."""


class Pool(AbstractContextManager["Pool"]):
    """Processes of this machine."""

    def __init__(self, processes: int) -> None:
        self._processes = processes
        self._pool = self._started()

    def _started(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(self._processes, mp_context=multiprocessing.get_context("spawn"))

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        self._pool.shutdown(cancel_futures=True)

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[int, Result]]:
        """What came of each item as it comes, with its place; a process that dies costs what it had begun."""
        left, in_vain = dict(enumerate(items)), 0
        while left:
            before = len(left)
            for place, result in self._tried(work, left):
                del left[place]
                yield place, result
            in_vain = in_vain + 1 if len(left) == before else 0
            if in_vain == DEATHS_IN_VAIN:
                raise WorkersError(f"{in_vain} processes died of {next(iter(left.values()))}: out of memory?")
            if left:
                self._pool.shutdown()
                self._pool = self._started()

    def _tried(self, work: Callable[[Item], Result], items: dict[int, Item]) -> Iterator[tuple[int, Result]]:
        """What comes of each item until a process dies, which breaks the pool."""
        futures = {self._pool.submit(work, item): place for place, item in items.items()}
        for future in as_completed(futures):
            try:
                yield futures[future], future.result()
            except BrokenProcessPool:
                continue


class Cluster(AbstractContextManager["Cluster"]):
    """The workers of a Dask scheduler: each has this version of papertrader, and finds `files` at the same paths."""

    def __init__(self, address: str, files: Sequence[Path]) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise WorkersError("--scheduler needs Dask: pip install 'papertrader[sweep]'") from None
        try:
            self._client = Client(address, timeout=CONNECT_S)
        except (OSError, TimeoutError, ValueError) as error:
            raise WorkersError(f"no Dask scheduler answers at {address}: {error}") from None
        try:
            self._check(files)
        except WorkersError:
            self._client.close()
            raise

    def __exit__(self, *_: object) -> None:
        """Leave the cluster, which stays."""
        self._client.close()

    def each(self, work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[tuple[int, Result]]:
        """What came of each item as it comes, with its place; what a dead worker had begun another one does."""
        from distributed import as_completed as completed

        futures = self._client.map(work, items, pure=False)
        places = {future.key: place for place, future in enumerate(futures)}
        for future in completed(futures):
            yield places[future.key], future.result()

    def _check(self, files: Sequence[Path]) -> None:
        """Raise WorkersError unless every worker is as this side."""
        workers: dict[str, dict[str, Any]] = self._client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            raise WorkersError("the Dask scheduler has no workers: start some with `dask worker ADDRESS --nthreads 1`")
        here, sizes = _code(), {str(path): path.stat().st_size for path in files}
        for address, found in self._client.run(standing, list(sizes), on_error="return").items():
            if isinstance(found, Exception):
                raise WorkersError(f"the worker at {address} cannot be asked: {found}")
            code, there = found
            if code != here:
                raise WorkersError(f"the worker at {address} has other code of papertrader: install the same on all")
            for path, size in sizes.items():
                if there[path] != size:
                    lacks = "lacks" if there[path] is None else "has another"
                    raise WorkersError(f"the worker at {address} {lacks} {path}: share the folder, or copy it there")
        for address, worker in workers.items():
            if worker["nthreads"] != 1:
                raise WorkersError(f"the worker at {address} has several threads: start it with --nthreads 1")


def workers_of(tables: dict[str, Any], processes: int, scheduler: str | None) -> Workers:
    """Processes of this machine, or the workers of the scheduler at an address; raises WorkersError."""
    return Pool(processes) if scheduler is None else Cluster(scheduler, files_of(tables))


def standing(paths: Sequence[str]) -> tuple[str, dict[str, int | None]]:
    """What code a machine has, and the sizes of files there; None for one that it lacks."""
    files = {path: Path(path) for path in paths}
    return _code(), {path: file.stat().st_size if file.is_file() else None for path, file in files.items()}


def _code() -> str:
    """A hash of the sources that read tapes and of all folds."""
    return f"{fingerprint()}-{code_fingerprint()}"


def files_of(tables: dict[str, Any]) -> list[Path]:
    """The tapes and strategies' files that settings name; raises SettingsError for one that is not here."""
    named = [*tables.get("feed", {}).get("tapes", ())]
    for table in (tables, *tables.get("accounts", {}).values()):
        file, colon, _ = str(table.get("quoter", {}).get("strategy", "")).rpartition(":")
        named += [file] if colon and file.endswith(".py") else []
    found = [Path(name) for name in named]
    for path in found:
        if not path.exists():
            raise SettingsError(f"{path} does not exist")
    return [file for path in found for file in (sorted(path.iterdir()) if path.is_dir() else [path]) if file.is_file()]
