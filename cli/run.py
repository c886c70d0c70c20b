"""`papertrader run`: everything on this machine until the source ends, a duration passes or Ctrl-C."""

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from papertrader.cli import show
from papertrader.cli.monitor_client import MonitorError, fetch_json
from papertrader.cli.runs import noted
from papertrader.cli.supervisor import RunError, Supervisor
from papertrader.services.monitor.page.guard import page_token

POLL_S: Final = 0.5
QUIET_POLL_S: Final = 5.0
LINE_EVERY_S: Final = 60.0
SETTLE_S: Final = 30.0
LONGEST_SYNTHETIC_S: Final = 30 * 86_400.0
FAILED_CHECK: Final = 1
FAILED_RUN: Final = 2

progress = Console(stderr=True)


def run(
    tables: Mapping[str, Any], data_dir: Path | None, nats: str | None, workers: Mapping[str, int], as_json: bool
) -> int:
    """Run the system and return the process's exit code: 0, 1 if a check failed, 2 if the run itself broke."""
    directory = data_dir or Path(tempfile.mkdtemp(prefix="papertrader-"))
    stopped = _stop_flag()
    supervisor: Supervisor | None = None
    try:
        supervisor = Supervisor(directory, without_end(tables), nats, workers)
        supervisor.start()
        with noted(directory, supervisor.url, supervisor.page, named_source(tables)):
            _announce(supervisor)
            watched = progress.is_terminal and not as_json
            _watch(supervisor, stopped, quiet=not watched, lines=not watched and not as_json)
            summary = _final_summary(supervisor, wait=not stopped())
    except RunError as error:
        progress.print(f"papertrader: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        return FAILED_RUN
    finally:
        if supervisor is not None:
            supervisor.stop()
        if data_dir is None:
            shutil.rmtree(directory, ignore_errors=True)
    failed = _conclude(summary, as_json)
    if data_dir is None and not as_json:
        progress.print("nothing of this run was kept: --data-dir DIRECTORY keeps the next one", style="dim")
    return failed


def without_end(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a run that goes on until somebody stops it, where nothing says how long a synthetic market is."""
    feed = tables.get("feed", {})
    synthetic = feed.get("synthetic", {})
    if feed.get("source", "synthetic") != "synthetic" or feed.get("duration_s") or "duration_s" in synthetic:
        return dict(tables)
    return {**tables, "feed": {**feed, "synthetic": {**synthetic, "duration_s": LONGEST_SYNTHETIC_S}}}


def named_source(tables: Mapping[str, Any]) -> str:
    """What a run is fed from, in a few words."""
    feed = tables.get("feed", {})
    what = [Path(tape).name for tape in feed.get("tapes", ())] or list(feed.get("assets") or ())
    return " ".join([str(feed.get("source", "synthetic")), *what])


def _stop_flag() -> Callable[[], bool]:
    flagged: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        flagged.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handle)
    return lambda: bool(flagged)


def _announce(supervisor: Supervisor) -> None:
    token = page_token(supervisor.directory)
    progress.print(f"page     {supervisor.page}/#token={token}", highlight=False, soft_wrap=True)
    progress.print(f"broker   {supervisor.url}", highlight=False)
    if supervisor.gateway:
        progress.print(f"gateway  {supervisor.gateway}", highlight=False)
    ports = ", ".join(f"{process.label} {process.metrics_port}" for process in supervisor.processes)
    progress.print(f"metrics  http://127.0.0.1:PORT/metrics with PORT: {ports}", highlight=False)
    progress.print(f"logs     {supervisor.directory / 'logs'}", highlight=False)


def _watch(supervisor: Supervisor, stopped: Callable[[], bool], quiet: bool, lines: bool = False) -> None:
    """Until the feed has ended or somebody stops the run: restart what dies and show what happens.

    `quiet` shows no table; with `lines` there is a line a minute instead, for a pipe or a log.
    """
    started, due, told = time.monotonic(), 0.0, _Told(lines)
    with Live(console=progress, auto_refresh=False, transient=True) if not quiet else _Nothing() as live:
        while not supervisor.ended and not stopped():
            if lost := supervisor.lost:
                raise RunError(lost)
            for restarted in supervisor.revive():
                progress.print(f"[yellow]{restarted} had died and was started again[/yellow]")
            while supervisor.notes:
                progress.print(supervisor.notes.pop(0), style="yellow", highlight=False)
            if live is not None or time.monotonic() > due:
                due = time.monotonic() + QUIET_POLL_S
                summary = _summary_now(supervisor)
                told.tell(summary)
                if live is not None:
                    live.update(_view(supervisor, summary, time.monotonic() - started), refresh=True)
            time.sleep(POLL_S)
    if lost := supervisor.lost:
        raise RunError(lost)


class _Nothing:
    """Stands for the live table where nobody watches."""

    def __enter__(self) -> None:
        """No table."""

    def __exit__(self, *_: object) -> None:
        """No table."""


class _Told:
    """What was printed beside the table: what strategies raised, once and again when there was ten times as much of it,
    and a line a minute where these are wanted."""

    def __init__(self, lines: bool) -> None:
        self._raised: dict[str, int] = {}
        self._lines = lines
        self._next_line = time.monotonic() + LINE_EVERY_S

    def tell(self, summary: dict[str, Any] | None) -> None:
        """Print what is new."""
        due = self._lines and time.monotonic() >= self._next_line
        for market in summary["markets"] if summary else ():
            self._tell_error(market)
            if due:
                progress.print(show.line(market), highlight=False, soft_wrap=True)
        if due:
            self._next_line += LINE_EVERY_S

    def _tell_error(self, market: dict[str, Any]) -> None:
        error, name = market["strategy_error"], show.name(market)
        if error is not None and error["count"] >= self._raised.get(name, 1):
            self._raised[name] = 10 * error["count"]
            progress.print(show.strategy_error(market), soft_wrap=True)


def _summary_now(supervisor: Supervisor) -> dict[str, Any] | None:
    try:
        return fetch_json(supervisor.page, "/api/summary")
    except MonitorError:
        return None


def _view(supervisor: Supervisor, summary: dict[str, Any] | None, elapsed_s: float) -> Group:
    title = Text(f"{elapsed_s:6.0f} s  {supervisor.page}  (Ctrl-C ends the run)", style="dim")
    if summary is None:
        return Group(title, Text("starting …"))
    if not summary["markets"]:
        return Group(title, Text("waiting for the first market data …"))
    return Group(title, show.overview(summary))


def _final_summary(supervisor: Supervisor, wait: bool) -> dict[str, Any]:
    """The monitor's summary once it has folded the last round of every market."""
    deadline, settled = time.monotonic() + SETTLE_S, False
    while True:
        try:
            summary = fetch_json(supervisor.page, "/api/summary")
        except MonitorError as error:
            if time.monotonic() > deadline:
                raise RunError(f"the monitor did not answer at the end of the run: {error}") from error
        else:
            done = bool(summary["markets"]) and all(market["final"] for market in summary["markets"])
            if done and not settled:
                settled = True  # the services' last heartbeats are under way
                time.sleep(2 * POLL_S)
            elif done or not wait or time.monotonic() > deadline:
                return summary
        time.sleep(POLL_S / 5)


def _conclude(summary: dict[str, Any], as_json: bool) -> int:
    failures = show.conclude(summary, as_json)
    for failure in failures:
        progress.print(f"[red]failed: {failure}[/red]")
    return FAILED_CHECK if failures else 0
