"""The metrics that the services declare, as Prometheus sees them, and those that an expression names."""

import importlib
import re
from functools import cache

import yaml

from papertrader.shared.log.health import SERVICES as ALL
from papertrader.shared.log.health import section_of
from papertrader.shared.service.metrics import Metric
from papertrader.shared.service.runtime import RUNTIME_METRICS, WORKER_METRICS
from tests.conftest import ROOT

SERVICES = tuple(map(section_of, ALL))
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def declared() -> list[Metric]:
    """Every metric of every service."""
    found = [*RUNTIME_METRICS, *WORKER_METRICS]
    for name in SERVICES:
        found += importlib.import_module(f"papertrader.services.{name}.metrics").METRICS
    return found


@cache
def exported_names() -> set[str]:
    """Their names in an exposition."""
    return {metric.name + suffix for metric in declared() for suffix in SUFFIXES[metric.kind]}


@cache
def rules() -> list[dict[str, object]]:
    """Every recording and alert rule."""
    files = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
    return [rule for file in files for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


@cache
def recorded_names() -> set[str]:
    """The names that recording rules make."""
    return {str(rule["record"]) for rule in rules() if "record" in rule}


def unknown_names(expression: str) -> set[str]:
    """The metrics of an expression that nobody exports or records."""
    recorded = set(re.findall(r"\b[a-z_]+:[a-z0-9_]+:[a-z0-9_]+", expression))
    rest = re.sub(r"\b[a-z_]+:[a-z0-9_]+:[a-z0-9_]+", "", expression)
    named = set(re.findall(r"\bpaper_[a-z0-9_]+", rest))
    return (named - exported_names()) | (recorded - recorded_names())
