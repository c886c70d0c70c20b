"""`papertrader replay`: tapes through the closed loop, with the same numbers, checks and report as a run."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from papertrader.cli import show
from papertrader.cli.options import errors
from papertrader.replay.judgement import judged
from papertrader.replay.replay import replay
from papertrader.replay.session import sessions
from papertrader.replay.settings import effective
from papertrader.services.feed.config import FeedConfig
from papertrader.services.monitor.report.summary import summary
from papertrader.services.monitor.service import Monitor
from papertrader.shared.service.config import Settings

if TYPE_CHECKING:
    from rich.progress import Progress

FAILED_CHECK: Final = 1


def run(tables: Mapping[str, Any], report: Path | None, as_json: bool, cache: Path | None = None) -> int:
    """Replay everything that the settings name; the exit code: 0, or 1 if a check failed."""
    settings = Settings(tables)
    with _shown() as told:
        monitors = list(_monitors(settings, told, cache))
    known = effective(tables)
    result = summary(monitors, known)
    if report is not None:
        from papertrader.services.monitor.report.report import report_html

        report.write_text(report_html(result, monitors, known))
    return FAILED_CHECK if show.conclude(result, as_json) else 0


Told: TypeAlias = Callable[[str, int, int], None]
"""Is told what is read, replayed and judged, and how many of how many rows are done; a total of 0 is not known."""


@contextmanager
def _shown() -> Iterator[Told]:
    """Progress on a terminal, one line per market and step; nothing elsewhere."""
    if not errors.is_terminal:
        yield lambda _what, _done, _total: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        yield told_to(progress)


def told_to(progress: "Progress") -> Told:
    """Moves the bars of a progress display, one for each thing that is told."""
    tasks: dict[str, Any] = {}

    def told(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = progress.add_task(what, total=total or None)
        progress.update(tasks[what], completed=done)

    return told


def _monitors(settings: Settings, told: Told, cache: Path | None) -> Iterator[Monitor]:
    config = settings.section("feed", FeedConfig)
    for session in sessions(config, cache, lambda market, rows: told(f"reading {market}", rows, 0)):
        replayed = replay(session, settings, lambda market, done, total: told(f"replaying {market}", done, total))
        yield judged(replayed, settings)
