"""`papertrader probe`: how far away a venue is, and the latency settings that this implies."""

import asyncio
import sys
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from papertrader.replay.settings_file import section_of
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.ages import Distribution
from papertrader.services.feed.live.latency_settings import Implied, implied
from papertrader.services.feed.live.probe import Probed, probe
from papertrader.services.feed.venues.live import LiveVenue
from papertrader.services.feed.venues.registry import live_venue
from papertrader.shared.whole_file import write_whole

COLUMNS: Final = ("n", "p5", "p50", "p90", "p99", "largest")


def run(config: FeedConfig, duration_s: float, write_settings: Path | None, as_json: bool) -> None:
    """Measure, print, and write the settings if that is asked for."""
    venue = live_venue(config)
    probed = asyncio.run(_measured(config, venue, duration_s))
    settings = implied(venue.name, probed)
    if write_settings is not None:
        write_whole(write_settings, settings_text(venue.name, config, settings).encode())
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(result(probed, settings)) + b"\n")
        sys.stdout.flush()
    else:
        _print(venue.name, config, probed, settings)


async def _measured(config: FeedConfig, venue: LiveVenue, duration_s: float) -> Probed:
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"listening to {venue.name}", total=duration_s)
        return await probe(config, venue, duration_s, lambda passed_s: bar.update(task, completed=passed_s))


def result(probed: Probed, settings: list[Implied]) -> dict[str, Any]:
    """What was measured and what it implies, as JSON has it; times in ms."""
    share = probed.tied
    return {
        "round_trip_ms": _fields(probed.trips),
        "unanswered": probed.lost,
        "data_age_ms": _fields(probed.data),
        "clock_ahead_ms": probed.clock_ms,
        "slow_in_bursts": probed.slow_in_bursts,
        "bursts_follow_market": None if share is None else share._asdict(),
        "settings": {item.name: item.value for item in settings},
        "origins": {item.name: item.origin for item in settings},
    }


def _fields(found: Distribution | None) -> dict[str, float] | None:
    return None if found is None else found._asdict()


def settings_text(venue: str, config: FeedConfig, settings: list[Implied]) -> str:
    """The settings as a file that `--settings` reads."""
    head = f"# latencies to {venue} as a probe of {config.assets[0]} found them"
    return section_of("fill_sim", head, [(item.name, item.value, item.origin) for item in settings])


def _print(venue: str, config: FeedConfig, probed: Probed, settings: list[Implied]) -> None:
    out = Console()
    shown = Table(box=None, header_style="bold")
    for name in ("ms", *COLUMNS):
        shown.add_column(name, justify="left" if name == "ms" else "right", no_wrap=True)
    for name, found in (("round trip", probed.trips), ("age of data", probed.data)):
        values = ["–"] * len(COLUMNS) if found is None else [f"{found.n:,}", *(f"{value:.1f}" for value in found[1:])]
        shown.add_row(name, *values)
    out.print(shown)
    for line in _remarks(probed):
        out.print(line, highlight=False, soft_wrap=True)
    if settings:
        out.print(f"\n{settings_text(venue, config, settings)}", highlight=False, soft_wrap=True, markup=False, end="")
    else:
        out.print("too little was heard to imply settings: listen longer", highlight=False)


def _remarks(probed: Probed) -> list[str]:
    """What the table does not say."""
    lines = [f"{probed.lost} requests were not answered"] if probed.lost else []
    if probed.clock_ms:
        side = "ahead" if probed.clock_ms > 0 else "behind"
        lines.append(f"this machine's clock is {abs(probed.clock_ms):.1f} ms {side}: the ages are corrected")
    elif probed.data is not None and probed.data.p5 < 0:
        lines.append("data comes before its time: this machine's clock is behind, switch on time synchronisation")
    if probed.slow_in_bursts is not None:
        lines.append(f"{probed.slow_in_bursts:.0%} of the slowest tenth came in seconds that were slow for most")
    if (share := probed.tied) is not None:
        lines.append(
            f"{share.share:.0%} of the chance of such a second follows the market's last move "
            f"({share.low:.0%} to {share.high:.0%})"
        )
    return lines
