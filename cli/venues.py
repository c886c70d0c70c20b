"""The commands that talk to a live venue or turn tapes into something else."""

import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson
from rich.console import Console
from rich.markup import escape

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.files.convert import FORMATS, convert
from papertrader.services.feed.files.recorder import Recorder
from papertrader.services.feed.files.recorder import record as record_live
from papertrader.services.feed.live.diagnosis import diagnose as steps_of
from papertrader.services.feed.live.session import LiveSession
from papertrader.services.feed.sources import sources
from papertrader.services.feed.venues.registry import live_venue

TELL_EVERY: Final = 10
"""Seconds between two lines about the recording, where nobody watches a terminal."""

progress = Console(stderr=True)


def record(config: FeedConfig, directory: Path) -> None:
    """Record until Ctrl-C or the end of the duration, then say what is on the tapes."""
    asyncio.run(_record(config, directory))


async def _record(config: FeedConfig, directory: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    seconds = 0

    def tell(recorder: Recorder, session: LiveSession) -> None:
        nonlocal seconds
        seconds += 1
        if progress.is_terminal or seconds % TELL_EVERY == 1:
            down = [connection.line.name for connection in session.connections if not connection.up]
            state = f"; {', '.join(down)} down" if down else ""
            state += f"; {recorder.refused} frames lost: the disk is full" if recorder.refused else ""
            gaps = sum(market.gaps.total() for market in session.markets.values())
            text = f"{seconds} s: {recorder.frames} frames, {gaps} gaps{state}"
            progress.print(text, end="\r" if progress.is_terminal else "\n", highlight=False)

    await record_live(config, live_venue(config), directory, stop, tell)
    progress.print(f"recorded into {directory}; what was missed is in {directory / 'manifest.json'}", highlight=False)


def diagnose(config: FeedConfig, as_json: bool) -> bool:
    """Print every step of the way to a venue's data; whether none failed."""
    return asyncio.run(_diagnose(config, as_json))


async def _diagnose(config: FeedConfig, as_json: bool) -> bool:
    marks = {"pass": "[green]✓[/green]", "warn": "[yellow]![/yellow]", "fail": "[red]✗[/red]"}
    logging.disable(logging.WARNING)  # the steps say it better
    out, steps = Console(), []
    async for step in steps_of(config, live_venue(config)):
        steps.append(step)
        if not as_json:
            out.print(
                f"{marks[step.state]} {escape(step.name)}: {escape(step.finding)}", highlight=False, soft_wrap=True
            )
            if step.remedy:
                out.print(f"    {escape(step.remedy)}", style="dim", highlight=False, soft_wrap=True)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps({"steps": [step._asdict() for step in steps]}) + b"\n")
    return all(step.state != "fail" for step in steps)


def convert_tapes(tapes: Sequence[Path], form: str, directory: Path) -> list[Path]:
    """Convert every market of the tapes; raises ValueError for an unknown format and TapeError for no tape."""
    if form not in FORMATS:
        raise ValueError(f"--to {form}: known are {' and '.join(FORMATS)}")
    found = sources(FeedConfig(source="tape", tapes=tuple(tapes)))
    return [path for source in found for path in convert(source, form, directory)]
