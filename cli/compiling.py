"""Compiles every kernel of a part of the system, with a bar: `python -m papertrader.cli.compiling services`."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from numba.core.event import Event, Listener, install_listener
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from papertrader.cli.kernels import target
from papertrader.replay.composition import MEMBERS
from papertrader.replay.replay import in_the_loop
from papertrader.replay.session import sessions
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.kernels import KERNELS
from papertrader.shared.service.config import Settings

REPLAYED_S: Final = 5.0


def services() -> None:
    """Every kernel that the folds and their metrics call."""
    for service in MEMBERS.values():
        service.warm(Settings({}))


def replay() -> None:
    """The closed loop and all that it is composed of."""
    with TemporaryDirectory() as folder:
        for session in sessions(FeedConfig(duration_s=REPLAYED_S), Path(folder)):
            in_the_loop(session, Settings({}))


PARTS: Final[Mapping[str, Callable[[], None]]] = {"services": services, "replay": replay}


class Bar(Listener):
    """Moves a bar each time that the compiler is done with a kernel."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def on_start(self, event: Event) -> None:
        """Nothing is done yet."""

    def on_end(self, event: Event) -> None:
        """So many kernels of all that are known by now are there."""
        done = sum(bool(kernel.overloads) for kernel in KERNELS)
        self._progress.update(self._task, completed=done, total=len(KERNELS))


@contextmanager
def shown(part: str) -> Iterator[None]:
    """A bar on a terminal, else one line: this is done once and takes minutes."""
    console = Console(stderr=True)
    if not console.is_terminal:
        console.print(f"compiling the kernels of the {part} for {target()}, once: this takes minutes", highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"compiling the kernels of the {part}, once", total=None)
        with install_listener("numba:compile", Bar(progress, task)):
            yield


if __name__ == "__main__":
    with shown(sys.argv[1]):
        PARTS[sys.argv[1]]()
