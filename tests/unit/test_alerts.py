"""The alert rules: valid, tested, and each with a page that says what to do."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from tests.unit.declared import rules, unknown_names

FOLDER = ROOT / "prometheus"
ALERTS = {str(rule["alert"]): rule for rule in rules() if "alert" in rule}
NAMED_BY_THE_OPERATORS = {
    "PaperZeroFills",
    "PaperKappaStuck",
    "PaperToxicityFlat",
    "PaperCalibrationStuck",
    "PaperMarginStale",
    "PaperRegimeStuck",
    "PaperCheckpointStale",
    "PaperAdverseRateHigh",
    "PaperFeedStale",
    "PaperFeedGapping",
    "PaperPnlIdentityBroken",
    "PaperCountsUnequal",
    "PaperServiceDown",
    "PaperMarketWithoutOwner",
    "PaperBrokerStorageFilling",
    "PaperSlowConsumer",
}
SECTIONS = ["## Symptom", "## Causes, the likeliest first", "## How to tell", "## Remedy"]


def promtool(*arguments: str | Path) -> None:
    """Run promtool; its complaint is the failure."""
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("NO PROMTOOL: the rules were not checked (Debian package `prometheus`)")
    result = subprocess.run([found, *map(str, arguments)], capture_output=True, text=True, check=False, cwd=FOLDER)
    assert result.returncode == 0, result.stdout + result.stderr


def test_configuration_is_valid() -> None:
    promtool("check", "config", "prometheus.yml")


def test_rules_are_valid() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", *sorted((FOLDER / "rules").glob("*.yml")))


@pytest.mark.parametrize("file", sorted((FOLDER / "tests").glob("*.yml")), ids=lambda file: file.stem)
def test_rules_fire_stay_silent_and_resolve(file: Path) -> None:
    promtool("test", "rules", file)


def test_every_failure_of_the_operators_list_has_an_alert() -> None:
    assert set(ALERTS) >= NAMED_BY_THE_OPERATORS


@pytest.mark.parametrize("name", ALERTS)
def test_alert_has_a_case_in_the_rule_tests(name: str) -> None:
    cases = "".join(file.read_text() for file in (FOLDER / "tests").glob("*.yml"))
    assert len(re.findall(rf'(alertname: {name}\b|alertname="{name}")', cases)) >= 2


@pytest.mark.parametrize("name", ALERTS)
def test_alert_says_what_why_and_where_to_look(name: str) -> None:
    labels, annotations = ALERTS[name]["labels"], ALERTS[name]["annotations"]
    assert isinstance(labels, dict)
    assert isinstance(annotations, dict)
    assert labels["severity"] in ("critical", "warning")
    assert annotations["summary"].endswith(".")
    assert "{{" not in annotations["summary"]
    assert len(annotations["description"]) > 40
    assert annotations["runbook_url"] == f"docs/runbooks/{name}.md"


@pytest.mark.parametrize("name", ALERTS)
def test_runbook_page_has_symptom_causes_tests_and_remedies(name: str) -> None:
    page = (ROOT / "docs" / "runbooks" / f"{name}.md").read_text()
    assert re.findall(r"^## .*$", page, re.MULTILINE) == SECTIONS
    counts = {len(re.findall(r"^\d+\. ", part, re.MULTILINE)) for part in page.split("\n## ")[2:]}
    assert len(counts) == 1, "as many ways to tell and remedies as causes"
    assert counts.pop() >= 2


def test_every_runbook_page_belongs_to_an_alert() -> None:
    assert {page.stem for page in (ROOT / "docs" / "runbooks").glob("Paper*.md")} == set(ALERTS)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule.get("alert", rule.get("record"))))
def test_rule_names_only_metrics_that_exist(rule: dict[str, object]) -> None:
    annotations = rule.get("annotations", {})
    assert unknown_names(f"{rule['expr']} {annotations}") == set()


@pytest.mark.parametrize("name", ALERTS)
def test_runbook_names_only_metrics_that_exist(name: str) -> None:
    page = (ROOT / "docs" / "runbooks" / f"{name}.md").read_text()
    assert unknown_names(page) == set()


def test_alertmanager_routes_lead_to_receivers_and_one_is_a_webhook() -> None:
    settings = yaml.safe_load((ROOT / "deploy" / "alertmanager.yml").read_text())
    receivers = {receiver["name"] for receiver in settings["receivers"]}
    routes = [settings["route"], *settings["route"]["routes"]]
    assert {route["receiver"] for route in routes} <= receivers
    assert any("webhook_configs" in receiver for receiver in settings["receivers"])


def test_every_service_of_the_compose_file_is_scraped() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    ours = {
        name
        for name, service in services.items()
        if service.get("command", [""])[0].startswith("papertrader.services.")
    }
    jobs = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    scraped = {job["dns_sd_configs"][0]["names"][0] for job in jobs if "dns_sd_configs" in job}
    assert ours <= scraped
