"""Draws the dashboards from a live Prometheus, without Grafana: one HTML file each, and a picture where Chromium is.

`python -m tools.render_dashboards --prometheus http://127.0.0.1:9090 --output DIR` (`--check` only asks every query).
It is a stand-in to look at the content of the panels: their layout, values, colours and units, not Grafana's own look.
"""

import argparse
import html
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tools.panel_data import Panel, Prometheus, QueryError, Series, complaints, panels

FOLDER: Final = Path(__file__).resolve().parents[1] / "grafana" / "dashboards"
COLORS: Final = ("#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#b877d9", "#f2495c", "#8ab8ff", "#fade2a", "#96d98d")
GROUNDS: Final = {"green": "#2f7a3d", "red": "#c4162a", "orange": "#b86b00", "text": "#22252b", "blue": "#1f60c4"}
STYLE: Final = """
body{background:#111217;color:#ccccdc;font:12px sans-serif;margin:8px;width:1500px}
.grid{display:grid;grid-template-columns:repeat(24,1fr);gap:6px;grid-auto-rows:26px}
.panel{background:#181b1f;border:1px solid #2c3235;padding:4px 6px;overflow:hidden}
.row{grid-column:1/-1;font-size:16px;padding-top:4px}h1{font-size:20px;margin:4px}
.title{font-weight:bold}.note{color:#8e8e9b;font-size:10px}.bad{color:#f2495c}
.tiles{display:flex;flex-wrap:wrap;gap:3px}.tile{flex:1 1 110px;padding:4px;text-align:center;border-radius:2px}
.tile b{display:block;font-size:17px}td,th{padding:1px 8px;text-align:left;font-size:11px}
i{position:absolute;height:7px}.legend{font-size:10px}.legend span{margin-right:8px}
"""


def formatted(value: float, unit: str) -> str:
    """A value in its unit."""
    if unit == "percentunit":
        return f"{value * 100:.1f} %"
    if unit == "bytes":
        for name in ("B", "KiB", "MiB", "GiB"):
            if abs(value) < 1024 or name == "GiB":
                return f"{value:.1f} {name}"
            value /= 1024
    return f"{value:.5g} s" if unit == "s" else f"{value:.5g}"


def _look(value: float, spec: Mapping[str, Any]) -> tuple[str, str]:
    """Text and ground colour of a value: its mapping, or its threshold."""
    defaults = spec["fieldConfig"]["defaults"]
    text, color = formatted(value, defaults.get("unit", "none")), "text"
    for step in defaults.get("thresholds", {}).get("steps", ()):
        if step["value"] is None or value >= step["value"]:
            color = step["color"]
    for mapping in defaults.get("mappings", ()):
        found = mapping["options"].get(f"{value:g}")
        if found:
            text, color = found["text"], found["color"]
    return text, GROUNDS.get(color, "#22252b")


def tiles(panel: Panel, answers: list[list[Series]]) -> Iterator[str]:
    """A stat panel."""
    yield '<div class="tiles">'
    for series in (series for answer in answers for series in answer):
        text, ground = _look(series.points[-1][1], panel.spec)
        name, figure = html.escape(series.legend), html.escape(text)
        yield f'<div class="tile" style="background:{ground}">{name}<b>{figure}</b></div>'
    yield "</div>"


def rows(panel: Panel, answers: list[list[Series]]) -> Iterator[str]:
    """A table panel: labels and one column per query."""
    names = [query["legendFormat"] for query in panel.queries]
    cells: dict[tuple[tuple[str, str], ...], dict[str, float]] = {}
    for name, answer in zip(names, answers, strict=True):
        for series in answer:
            cells.setdefault(tuple(sorted(series.labels.items())), {})[name] = series.points[-1][1]
    labels = sorted({label for key in cells for label, _ in key})
    unit = panel.spec["fieldConfig"]["defaults"].get("unit", "none")
    yield "<table><tr>" + "".join(f"<th>{html.escape(name)}</th>" for name in (*labels, *names)) + "</tr>"
    for key, values in sorted(cells.items()):
        texts = [dict(key).get(label, "") for label in labels]
        texts += [formatted(values[name], unit) if name in values else "" for name in names]
        yield "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in texts) + "</tr>"
    yield "</table>"


def chart(panel: Panel, answers: list[list[Series]]) -> Iterator[str]:
    """A time series panel as SVG: lines, or points for fills."""
    found = [series for answer in answers for series in answer]
    if not found:
        return
    defaults = panel.spec["fieldConfig"]["defaults"]
    values = [value for series in found for _, value in series.points]
    times = [time for series in found for time, _ in series.points]
    low, high = defaults.get("min", min(values)), defaults.get("max", max(values))
    span, duration = (high - low) or 1.0, (max(times) - min(times)) or 1.0
    unit, points = defaults.get("unit", "none"), bool(panel.spec["fieldConfig"].get("overrides"))
    yield '<svg viewBox="0 0 400 100" preserveAspectRatio="none" style="width:100%;height:calc(100% - 62px)">'
    for index, series in enumerate(found):
        color = COLORS[index % len(COLORS)]
        spots = [
            ((time - min(times)) / duration * 400, 98 - (value - low) / span * 96) for time, value in series.points
        ]
        if points and series.legend.endswith("fill"):
            yield from (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.6" fill="{color}"/>' for x, y in spots)
        else:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
            yield f'<polyline points="{path}" fill="none" stroke="{color}" vector-effect="non-scaling-stroke"/>'
    yield f'</svg><div class="note">{formatted(low, unit)} … {formatted(high, unit)}</div><div class="legend">'
    for index, series in enumerate(found[:14]):
        newest = formatted(series.points[-1][1], unit)
        yield f'<span style="color:{COLORS[index % len(COLORS)]}">▬ {html.escape(series.legend)} {newest}</span>'
    yield "</div>"


def timeline(panel: Panel, answers: list[list[Series]]) -> Iterator[str]:
    """A state timeline: one coloured bar per series."""
    found = [series for answer in answers for series in answer]
    times = [time for series in found for time, _ in series.points]
    start, duration = min(times, default=0.0), (max(times, default=0.0) - min(times, default=0.0)) or 1.0
    width = 100 / max(len(set(times)), 1)
    for series in found:
        yield f'<div class="note">{html.escape(series.legend)}</div><div style="position:relative;height:7px">'
        for time, value in series.points:
            ground = _look(value, panel.spec)[1]
            left = (time - start) / duration * (100 - width)
            yield f'<i style="left:{left:.2f}%;width:{width + 0.2:.2f}%;background:{ground}"></i>'
        yield "</div>"


DRAWN: Final = {"stat": tiles, "table": rows, "timeseries": chart, "state-timeline": timeline}


def page(path: Path, prometheus: Prometheus) -> str:
    """A dashboard as one HTML page."""
    parts, row, title = [], "", ""
    for panel in panels(path):
        if panel.row != row:
            row, title = panel.row, panel.board
            parts.append(f'<div class="row">{html.escape(row)}</div>')
        place = panel.spec["gridPos"]
        parts.append(f'<div class="panel" style="grid-column:span {place["w"]};grid-row:span {place["h"]}">')
        parts.append(f'<div class="title">{html.escape(panel.title)}</div>')
        parts.append(f'<div class="note">{html.escape(panel.spec["description"])}</div>')
        try:
            answers = [prometheus.answer(panel, query) for query in panel.queries]
            parts.extend(DRAWN[panel.spec["type"]](panel, answers))
            if not any(answers):
                parts.append('<div class="bad">no data</div>')
        except QueryError as error:
            parts.append(f'<div class="bad">{html.escape(str(error))}</div>')
        parts.append("</div>")
    body = "".join(parts)
    return f'<meta charset="utf-8"><style>{STYLE}</style><h1>{html.escape(title)}</h1><div class="grid">{body}</div>'


def photograph(pages: list[Path]) -> None:
    """A picture of every page, beside it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        tab = browser.new_page(viewport={"width": 1520, "height": 900})
        for file in pages:
            tab.goto(file.resolve().as_uri())
            tab.screenshot(path=str(file.with_suffix(".png")), full_page=True)
        browser.close()


def main() -> None:
    """The command line; exit code 1 if a query fails or has no data."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prometheus", default="http://127.0.0.1:9090")
    parser.add_argument("--output", type=Path, default=Path("build/dashboards"))
    parser.add_argument("--window", type=float, default=1800.0, help="seconds that the panels look back")
    parser.add_argument("--asset", default=".*", help="regular expression of the assets")
    parser.add_argument("--check", action="store_true", help="ask every query, draw nothing")
    arguments = parser.parse_args()
    paths = sorted(FOLDER.glob("*.json"))
    variables = {"venue": ".*", "asset": arguments.asset, "account": ".*"}
    prometheus = Prometheus(arguments.prometheus, arguments.window, variables)
    if not arguments.check:
        arguments.output.mkdir(parents=True, exist_ok=True)
        pages = [arguments.output / f"{path.stem}.html" for path in paths]
        for path, file in zip(paths, pages, strict=True):
            file.write_text(page(path, prometheus))
        if shutil.which("chromium"):
            photograph(pages)
    found = list(complaints(prometheus, paths))
    sys.stdout.writelines(f"{complaint}\n" for complaint in found)
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
