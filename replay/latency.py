"""What latency is worth: the same session replayed with every command later by so much."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from papertrader.replay.replay import replay
from papertrader.replay.session import NS_PER_S, Session
from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.shared.market.latencies import Latency
from papertrader.shared.messages import LABEL_HORIZON_S
from papertrader.shared.service.config import ACCOUNTS, Settings

LATER_MS: Final = (0.0, 50.0, 100.0, 200.0, 400.0, 800.0)
S_PER_HOUR: Final = 3600.0
STUDENT: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306)
"""Student's .975 quantiles by degrees of freedom, from 1."""
Floats = npt.NDArray[np.float64]
Progress = Callable[[str], None]


class Point(NamedTuple):
    """One replay: what came of it, all accounts together. Markouts are means at 5 s, `None` without a resolved one."""

    later_ms: float
    fills: int
    fills_per_hour: float
    pnl_per_hour: float
    markout_bps: float | None


class Slope(NamedTuple):
    """What a line says, and the half-width of its 95 % interval."""

    value: float
    within: float | None


def later(latency: Latency, by_ms: float) -> Any:
    """A latency, all of it later by so much."""
    if isinstance(latency, int | float):
        return latency + by_ms
    return [[quantile, ms + by_ms] for quantile, ms in latency]


def delayed(tables: Mapping[str, Any], by_ms: float, venue: str = "") -> dict[str, Any]:
    """Settings in which every account's orders, changes and cancels take so much longer."""
    result = dict(tables)
    settings = Settings(tables)
    own = {name: dict(sections) for name, sections in tables.get(ACCOUNTS, {}).items()}
    for name, config in settings.by_account("fill_sim", FillSimConfig).items():
        used = config.latencies(venue)
        changed = {
            "latency_preset": "none",
            "placement_latency_ms": later(used.new, by_ms),
            "modify_latency_ms": later(used.modify, by_ms),
            "cancel_latency_ms": later(used.cancel, by_ms),
            "fast_cancel_latency_ms": later(used.fast_cancel, by_ms),
            "response_latency_ms": later(used.response, 0.0),
        }
        if name in own:
            own[name]["fill_sim"] = {**own[name].get("fill_sim", {}), **changed}
        else:
            result["fill_sim"] = {**result.get("fill_sim", {}), **changed}
    return result | ({ACCOUNTS: own} if own else {})


def curve(
    session: Session, tables: Mapping[str, Any], steps: Sequence[float] = LATER_MS, progress: Progress | None = None
) -> Iterator[Point]:
    """The session replayed once for each step."""
    for by_ms in steps:
        if progress is not None:
            progress(f"{session.market}: {by_ms:g} ms later")
        yield _point(session, Settings(delayed(tables, by_ms, session.market.venue)), by_ms)


def _point(session: Session, settings: Settings, by_ms: float) -> Point:
    replayed = replay(session, settings)
    ts = session.events["ts"]
    hours = max(int(ts.max() - ts.min()) / NS_PER_S / S_PER_HOUR, 1e-9) if len(ts) else 1.0
    totals = [rows["total"][-1] for name in replayed.accounts if len(rows := replayed.records("account", name))]
    markouts = replayed.records("markouts")
    known = markouts[
        (markouts["horizon_s"] == LABEL_HORIZON_S) & (markouts["filled"] == 1) & (markouts["resolved"] == 1)
    ]
    fills = len(replayed.records("fills"))
    markout = float(known["markout_bps"].mean()) if len(known) else None
    return Point(by_ms, fills, fills / hours, float(sum(totals)) / hours, markout)


def worth(points: Sequence[Point], by_ms: float = 100.0) -> tuple[Slope, Slope]:
    """What so many ms less bring by a straight line through the points: fills and PnL per hour.

    The interval is 95 %, from how far the points lie off the line; none with fewer than three.
    """
    x = np.array([point.later_ms for point in points])
    if len(points) < 2 or np.ptp(x) == 0:
        return Slope(0.0, None), Slope(0.0, None)
    columns = (np.array([getattr(point, name) for point in points]) for name in ("fills_per_hour", "pnl_per_hour"))
    fills, pnl = (_slope(x, y, by_ms) for y in columns)
    return fills, pnl


def _slope(x: Floats, y: Floats, by_ms: float) -> Slope:
    slope, height = np.polyfit(x, y, 1)
    free = len(x) - 2
    if free < 1:
        return Slope(-float(slope) * by_ms, None)
    residual = float(((y - height - slope * x) ** 2).sum()) / free
    error = np.sqrt(residual / ((x - x.mean()) ** 2).sum())
    return Slope(-float(slope) * by_ms, STUDENT[min(free, len(STUDENT)) - 1] * float(error) * by_ms)
