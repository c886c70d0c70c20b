"""The dashboards: what is committed is what the code generates, and every panel says what it shows."""

import json
from itertools import combinations
from typing import Any

import pytest
import yaml

from grafana.generate import BOARDS, FOLDER, dashboard_json
from tests.conftest import ROOT
from tests.unit.declared import unknown_names

COMMITTED = {name: json.loads((FOLDER / f"{name}.json").read_text()) for name in BOARDS}
VARIABLES = ["datasource", "venue", "asset", "account"]


PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, board in COMMITTED.items()
    for panel in board["panels"]
    if panel["type"] != "row"
]


@pytest.mark.parametrize("name", BOARDS)
def test_committed_dashboard_is_what_the_code_generates(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text() == dashboard_json(name), "run `make dashboards`"


def test_no_dashboard_is_left_over() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == set(BOARDS)


@pytest.mark.parametrize("panel", PANELS)
def test_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"


@pytest.mark.parametrize("panel", PANELS)
def test_panel_asks_only_for_metrics_that_exist(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        assert unknown_names(target["expr"]) == set()
        assert target["legendFormat"]
        assert "[1m]" not in target["expr"], "a fixed short window breaks when zoomed out: use $__rate_interval"


@pytest.mark.parametrize("name", BOARDS)
def test_dashboard_has_the_variables_annotations_and_an_identity(name: str) -> None:
    board = COMMITTED[name]
    assert [variable["name"] for variable in board["templating"]["list"]] == VARIABLES
    assert {annotation["name"] for annotation in board["annotations"]["list"]} >= {"gap", "hand-over"}
    assert board["uid"].startswith("paper-")
    for annotation in board["annotations"]["list"]:
        assert unknown_names(annotation.get("expr", "")) == set()


def test_identities_are_unique() -> None:
    assert len({board["uid"] for board in COMMITTED.values()}) == len(COMMITTED)
    for board in COMMITTED.values():
        numbers = [panel["id"] for panel in board["panels"]]
        assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("name", BOARDS)
def test_panels_do_not_overlap_and_stay_on_the_grid(name: str) -> None:
    places = [panel["gridPos"] for panel in COMMITTED[name]["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, f"{one} and {other}"


def test_provisioned_data_source_is_the_scraping_prometheus() -> None:
    folder = ROOT / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert [source["uid"] for source in sources if source.get("isDefault")] == ["prometheus"]
    provider = yaml.safe_load((folder / "dashboards" / "papertrader.yml").read_text())["providers"][0]
    mounts = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]["volumes"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounts
