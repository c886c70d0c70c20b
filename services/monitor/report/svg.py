"""Small charts as inline SVG, drawn without a library so that a report is one file."""

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

WIDTH: Final = 720
HEIGHT: Final = 220
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 12, 28
TICKS: Final = 5


class Frame(NamedTuple):
    """The data range that a chart shows; maps data to pixels."""

    x0: float
    x1: float
    y0: float
    y1: float
    width: int = WIDTH
    height: int = HEIGHT

    def x(self, value: float) -> float:
        """The pixel of an x value."""
        return LEFT + (value - self.x0) / (self.x1 - self.x0) * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """The pixel of a y value; up is larger."""
        return self.height - BOTTOM - (value - self.y0) / (self.y1 - self.y0) * (self.height - TOP - BOTTOM)


def frame(xs: Iterable[float], ys: Iterable[float], width: int = WIDTH, height: int = HEIGHT) -> Frame | None:
    """A frame around the finite data with a little air; `None` if there are no two different x."""
    x = [value for value in xs if math.isfinite(value)]
    y = [value for value in ys if math.isfinite(value)]
    if not x or not y or min(x) == max(x):
        return None
    low, high = min(y), max(y)
    air = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return Frame(min(x), max(x), low - air, high + air, width, height)


def nice_ticks(low: float, high: float, count: int = TICKS) -> list[float]:
    """Round numbers that divide a range into about `count` steps."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(index * step, 12) for index in range(first, math.floor(high / step + 1e-9) + 1)]


def axes(area: Frame, x_labels: Sequence[tuple[float, str]], y_digits: int | None = None) -> str:
    """Grid lines with the y numbers, and labels below."""
    parts = []
    for tick in nice_ticks(area.y0, area.y1):
        y = area.y(tick)
        label = f"{tick:,.{y_digits}f}" if y_digits is not None else f"{tick:,g}"
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{area.width - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for value, label in x_labels:
        x = area.x(value)
        anchor = "end" if x > area.width - 2 * RIGHT else "middle"
        parts.append(f'<text x="{x:.1f}" y="{area.height - 8}" text-anchor="{anchor}">{label}</text>')
    return "".join(parts)


def line(area: Frame, xs: Sequence[float], ys: Sequence[float], style: str) -> str:
    """A line of CSS class `style`; gaps where y is not a number."""
    path, pen = [], "M"
    for x, y in zip(xs, ys, strict=True):
        if math.isfinite(y):
            path.append(f"{pen}{area.x(x):.1f} {area.y(y):.1f}")
            pen = "L"
        else:
            pen = "M"
    return f'<path class="line {style}" d="{"".join(path)}"/>'


def band(area: Frame, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], style: str) -> str:
    """The area between two curves, where both are numbers."""
    rows = [row for row in zip(xs, lows, highs, strict=True) if math.isfinite(row[1]) and math.isfinite(row[2])]
    there = " ".join(f"{area.x(x):.1f},{area.y(low):.1f}" for x, low, _ in rows)
    back = " ".join(f"{area.x(x):.1f},{area.y(high):.1f}" for x, _, high in reversed(rows))
    return f'<polygon class="band {style}" points="{there} {back}"/>'


def triangle(area: Frame, x: float, y: float, up: bool, style: str, title: str) -> str:
    """A fill: a triangle that points up for a buy, with a tooltip."""
    px, py, size = area.x(x), area.y(y), 5 if up else -5
    points = f"{px:.1f},{py:.1f} {px - 4:.1f},{py + 1.6 * size:.1f} {px + 4:.1f},{py + 1.6 * size:.1f}"
    return f'<polygon class="{style}" points="{points}"><title>{title}</title></polygon>'


def dot(area: Frame, x: float, y: float, style: str, radius: float = 3.5) -> str:
    """A point."""
    return f'<circle class="{style}" cx="{area.x(x):.1f}" cy="{area.y(y):.1f}" r="{radius:.1f}"/>'


def whisker(area: Frame, x: float, low: float, high: float, style: str) -> str:
    """A vertical interval."""
    px = area.x(x)
    return f'<line class="whisker {style}" x1="{px:.1f}" x2="{px:.1f}" y1="{area.y(low):.1f}" y2="{area.y(high):.1f}"/>'


def picture(area: Frame, parts: Iterable[str], label: str) -> str:
    """The chart as an SVG element that scales with the page."""
    return f'<svg viewBox="0 0 {area.width} {area.height}" role="img" aria-label="{label}">' + "".join(parts) + "</svg>"
