"""The charts of the report."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from papertrader.services.monitor.facts.facts import SECOND
from papertrader.services.monitor.report import svg
from papertrader.services.monitor.report.statistics import wilson
from papertrader.shared.market.records import Records

FILLS_DRAWN: Final = 400
EMPTY: Final = "<p class='empty'>{}</p>"
MONEY: Final = ("total", "spread", "inventory", "fees")


def _time(series: Records) -> list[float]:
    return (series["ts"] / SECOND).tolist()


def _clock(area: svg.Frame) -> list[tuple[float, str]]:
    moments = np.linspace(area.x0, area.x1, 6)
    return [(float(moment), f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S}") for moment in moments]


def _legend(*entries: tuple[str, str]) -> str:
    return "<p class='legend'>" + "".join(f'<span class="{style}">{name}</span>' for name, style in entries) + "</p>"


def _lines(
    series: Records, names: Sequence[str], label: str, empty: str, digits: int | None = None, signs: Sequence[int] = ()
) -> str:
    """Some columns of the series over time, one colour each."""
    time = _time(series)
    columns = [
        series[name].astype(np.float64) * sign for name, sign in zip(names, signs or [1] * len(names), strict=True)
    ]
    area = svg.frame(time, np.concatenate(columns).tolist() if columns else [])
    if area is None:
        return EMPTY.format(empty)
    drawn = [svg.line(area, time, column.tolist(), f"c{index}") for index, column in enumerate(columns)]
    legend = _legend(*((name, f"c{index}") for index, name in enumerate(names)))
    return svg.picture(area, [svg.axes(area, _clock(area), digits), *drawn], label) + legend


def money(series: Records) -> str:
    """Total PnL and its parts over time; fees as the cost that they are."""
    return _lines(series, MONEY, "PnL parts over time", "No account yet.", signs=(1, 1, 1, -1))


def drawdown(series: Records) -> str:
    """How far the profit lies below its peak so far."""
    total = series["total"].astype(np.float64)
    return _area(series, total - np.maximum.accumulate(np.maximum(total, 0.0)), "drawdown over time", "No account yet.")


def inventory(series: Records) -> str:
    """The position over time."""
    return _area(series, series["position"].astype(np.float64), "inventory over time", "No account yet.")


def _area(series: Records, values: npt.NDArray[np.float64], label: str, empty: str) -> str:
    """One column over time as the area between it and zero."""
    time, zeros = _time(series), [0.0] * len(series)
    area = svg.frame(time, [0.0, *values.tolist()], height=160)
    if area is None:
        return EMPTY.format(empty)
    drawn = [svg.band(area, time, zeros, values.tolist(), "c0"), svg.line(area, time, values.tolist(), "c0")]
    return svg.picture(area, [svg.axes(area, _clock(area)), *drawn], label)


def calibration(series: Records) -> str:
    """cal_gamma and cal_progress over time."""
    return _lines(series, ("cal_gamma", "cal_progress"), "calibration over time", "No calibration yet.")


def toxicity(series: Records) -> str:
    """Toxicity per side over time."""
    return _lines(series, ("toxicity_bid", "toxicity_ask"), "toxicity over time", "No estimate yet.")


def kappa(series: Records) -> str:
    """κ with a band of one posterior standard deviation."""
    time, mean, sd = _time(series), series["kappa"].astype(np.float64), series["kappa_sd"].astype(np.float64)
    area = svg.frame(time, np.concatenate((mean - sd, mean + sd)).tolist())
    if area is None:
        return EMPTY.format("No estimate yet.")
    drawn = [
        svg.band(area, time, (mean - sd).tolist(), (mean + sd).tolist(), "c0"),
        svg.line(area, time, mean.tolist(), "c0"),
    ]
    return svg.picture(area, [svg.axes(area, _clock(area)), *drawn], "kappa over time")


def fills(series: Records, rows: Records) -> str:
    """The mid with the own quotes, and every fill (of many, an even choice) as a triangle at its price."""
    time = _time(series)
    rows = rows[:: max(-(-len(rows) // FILLS_DRAWN), 1)]
    prices = np.concatenate((series["mid"], rows["price"]))
    area = svg.frame(time, prices.tolist(), height=280)
    if area is None:
        return EMPTY.format("No mid yet.")
    drawn = [svg.line(area, time, series[name].tolist(), style) for name, style in (("mid", "c3"),)]
    for row in rows:
        bought = row["side"] > 0
        title = f"{'buy' if bought else 'sell'} {row['size']:g} at {row['price']:,g}"
        moment = min(max(row["ts"] / SECOND, area.x0), area.x1)
        drawn.append(svg.triangle(area, moment, row["price"], bought, "buy" if bought else "sell", title))
    legend = _legend(("mid", "c3"), ("bought", "buy"), ("sold", "sell"))
    return svg.picture(area, [svg.axes(area, _clock(area)), *drawn], "fills on the mid") + legend


def markout(curve: Sequence[dict[str, Any]]) -> str:
    """Mean markout by horizon with whiskers, and unfilled quotes beside it."""
    known = [point for point in curve if point["mean_bps"] is not None]
    values = [point[name] for point in known for name in ("mean_bps", "low_bps", "high_bps", "unfilled_mean_bps")]
    area = svg.frame((-0.5, len(curve) - 0.5), [0.0, *(value for value in values if value is not None)])
    if area is None or not known:
        return EMPTY.format("No fill is old enough for a markout yet.")
    labels = [(float(index), f"{point['horizon_s']:g} s") for index, point in enumerate(curve)]
    drawn = [svg.axes(area, labels), svg.line(area, [area.x0, area.x1], [0.0, 0.0], "zero")]
    for index, point in enumerate(curve):
        drawn += _markout_point(area, float(index), point)
    return svg.picture(area, drawn, "markout by horizon")


def _markout_point(area: svg.Frame, x: float, point: dict[str, Any]) -> list[str]:
    drawn = []
    if point["low_bps"] is not None:
        drawn.append(svg.whisker(area, x, point["low_bps"], point["high_bps"], "c0"))
    if point["mean_bps"] is not None:
        drawn.append(svg.dot(area, x, point["mean_bps"], "c0"))
    if point["unfilled_mean_bps"] is not None:
        drawn.append(svg.dot(area, x + 0.15, point["unfilled_mean_bps"], "muted"))
    return drawn


def reliability(count: Sequence[float], forecast: Sequence[float], observed: Sequence[float], label: str) -> str:
    """Observed against forecast share per bin, with Wilson intervals; on the diagonal a forecast is honest."""
    counts: npt.NDArray[np.float64] = np.asarray(count)
    if not counts.sum():
        return EMPTY.format("No forecast has been judged yet.")
    area = svg.Frame(0.0, 1.0, 0.0, 1.0, 340, 300)
    labels = [(tick / 5, f"{tick / 5:g}") for tick in range(6)]
    drawn = [svg.axes(area, labels), svg.line(area, [0.0, 1.0], [0.0, 1.0], "zero")]
    for n, x, y in zip(count, forecast, observed, strict=True):
        if n > 0:
            drawn.append(svg.whisker(area, x, *wilson(y, n), "c0"))
            drawn.append(svg.dot(area, x, y, "c0", 2.5 + 4 * float(np.sqrt(n / counts.max()))))
    return svg.picture(area, drawn, f"reliability: {label}")
