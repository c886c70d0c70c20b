"""What a Prometheus answers to the queries of the dashboards: the data of every panel, or why there is none."""

import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

STEPS: Final = 240
RANGE_PANELS: Final = ("timeseries", "state-timeline")


class QueryError(RuntimeError):
    """A query that Prometheus refused; the text is its reason."""


class Series(NamedTuple):
    """One answer to a query: its labels, its legend, and (Unix time, value) pairs."""

    labels: Mapping[str, str]
    legend: str
    points: list[tuple[float, float]]


class Panel(NamedTuple):
    """A panel of a dashboard file."""

    board: str
    row: str
    spec: Mapping[str, Any]

    @property
    def title(self) -> str:
        """The panel's title."""
        return str(self.spec["title"])

    @property
    def queries(self) -> Iterator[Mapping[str, Any]]:
        """Its targets."""
        yield from self.spec.get("targets", ())


def panels(path: Path) -> list[Panel]:
    """The panels of a dashboard file, in order, each with the heading above it."""
    board = json.loads(path.read_text())
    found, row = [], ""
    for spec in board["panels"]:
        if spec["type"] == "row":
            row = spec["title"]
        else:
            found.append(Panel(board["title"], row, spec))
    return found


def filled_in(expression: str, variables: Mapping[str, str], interval: str) -> str:
    """The expression with the dashboard's variables replaced, as Grafana does it."""
    for name, value in variables.items():
        expression = expression.replace(f"${name}", value)
    return expression.replace("$__rate_interval", interval)


class Prometheus:
    """A Prometheus server's HTTP API."""

    def __init__(self, url: str, window_s: float, variables: Mapping[str, str], interval: str = "20s") -> None:
        self._url = url.rstrip("/")
        self._window_s = window_s
        self._variables = variables
        self._interval = interval

    def answer(self, panel: Panel, query: Mapping[str, Any]) -> list[Series]:
        """The series of one query of a panel; raises QueryError. NaN is no value."""
        expression = filled_in(query["expr"], self._variables, self._interval)
        if panel.spec["type"] in RANGE_PANELS:
            now = float(self._ask("query", query="time()")["result"][1])
            start, step = now - self._window_s, max(self._window_s / STEPS, 1.0)
            data = self._ask("query_range", query=expression, start=str(start), end=str(now), step=str(step))
        else:
            data = self._ask("query", query=expression)
        return [series for result in data["result"] if (series := _series(result, query["legendFormat"])).points]

    def _ask(self, route: str, **parameters: str) -> Any:
        url = f"{self._url}/api/v1/{route}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise QueryError(json.load(error).get("error", str(error))) from error


def _series(result: Mapping[str, Any], legend: str) -> Series:
    labels = result["metric"]
    for name, value in labels.items():
        legend = legend.replace(f"{{{{{name}}}}}", value)
    legend = re.sub(r"{{.*?}}", "", legend).strip()
    pairs: Iterable[Any] = result["values"] if "values" in result else [result["value"]]
    points = [(float(time), float(value)) for time, value in pairs]
    return Series(labels, legend, [point for point in points if not math.isnan(point[1])])


def complaints(prometheus: Prometheus, paths: Iterable[Path]) -> Iterator[str]:
    """Every query of every panel that fails or has no data."""
    for path in paths:
        for panel in panels(path):
            for query in panel.queries:
                where = f"{panel.board} / {panel.title}: {query['expr']}"
                try:
                    if not prometheus.answer(panel, query):
                        yield f"no data: {where}"
                except QueryError as error:
                    yield f"error: {where}: {error}"
