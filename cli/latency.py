"""`papertrader replay --latency-curve`: what 100 ms are worth."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from papertrader.replay.latency import Point, Slope, curve, worth
from papertrader.replay.session import sessions
from papertrader.services.feed.config import FeedConfig
from papertrader.shared.service.config import Settings


def run(tables: Mapping[str, Any], as_json: bool, cache: Path | None = None) -> int:
    """Replay every session with commands later by each step, and show what came of it; 0."""
    progress = Console(stderr=True)
    found: dict[str, list[Point]] = {}
    with progress.status("replaying") as status:
        for session in sessions(Settings(tables).section("feed", FeedConfig), cache):
            found[str(session.market)] = list(curve(session, tables, progress=status.update))
    if as_json:
        markets = {
            market: {"points": [point._asdict() for point in points], **_worth(points)}
            for market, points in found.items()
        }
        sys.stdout.buffer.write(orjson.dumps({"markets": markets}) + b"\n")
        sys.stdout.flush()
        return 0
    out = Console()
    for market, points in found.items():
        out.print(_table(market, points))
        fills, pnl = worth(points)
        said = f"{fills.value:+.1f}{_within(fills, 1)} fills and {pnl.value:+.2f}{_within(pnl, 2)} an hour"
        out.print(f"100 ms less bring {said}, by a straight line", highlight=False)
    return 0


def _worth(points: list[Point]) -> dict[str, float | None]:
    fills, pnl = worth(points)
    return {
        "fills_per_hour_for_100_ms": fills.value,
        "fills_per_hour_for_100_ms_within": fills.within,
        "pnl_per_hour_for_100_ms": pnl.value,
        "pnl_per_hour_for_100_ms_within": pnl.within,
    }


def _within(slope: Slope, digits: int) -> str:
    return "" if slope.within is None else f" ± {slope.within:.{digits}f}"


def _table(market: str, points: list[Point]) -> Table:
    table = Table(title=market)
    for name in ("later, ms", "fills", "fills per hour", "PnL per hour", "markout 5 s, bps"):
        table.add_column(name, justify="right")
    for point in points:
        markout = "-" if point.markout_bps is None else f"{point.markout_bps:+.3f}"
        cells = (
            f"{point.later_ms:g}",
            f"{point.fills:,}",
            f"{point.fills_per_hour:,.1f}",
            f"{point.pnl_per_hour:+,.2f}",
        )
        table.add_row(*cells, markout)
    return table
