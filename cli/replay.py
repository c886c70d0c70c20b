"""`papertrader replay`: tapes through the closed loop, with the same numbers, checks and report as a run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from papertrader.cli import show
from papertrader.replay.replay import judged, replay
from papertrader.replay.session import sessions
from papertrader.replay.settings import effective
from papertrader.services.feed.config import FeedConfig
from papertrader.services.monitor.report.report import report_html
from papertrader.services.monitor.report.summary import summary
from papertrader.services.monitor.service import Monitor
from papertrader.shared.service.config import Settings

FAILED_CHECK: Final = 1


def run(tables: Mapping[str, Any], report: Path | None, as_json: bool, cache: Path | None = None) -> int:
    """Replay everything that the settings name; the exit code: 0, or 1 if a check failed."""
    settings = Settings(tables)
    with _shown() as told:
        monitors = list(_monitors(settings, told, cache))
    known = effective(tables)
    result = summary(monitors, known)
    if report is not None:
        report.write_text(report_html(result, monitors, known))
    return FAILED_CHECK if show.conclude(result, as_json) else 0


class Told:
    """Moves the progress bar: what is read, replayed and judged, one line per market and step."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        """`done` of `total` rows of something; a total of 0 is not known."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total or None)
        self._progress.update(self._tasks[what], completed=done)


@contextmanager
def _shown() -> Iterator[Told]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Told(progress)


def _monitors(settings: Settings, told: Told, cache: Path | None) -> Iterator[Monitor]:
    config = settings.section("feed", FeedConfig)
    for session in sessions(config, cache, lambda market, rows: told(f"reading {market}", rows, 0)):
        replayed = replay(session, settings, lambda market, done, total: told(f"replaying {market}", done, total))
        yield judged(replayed, settings)
