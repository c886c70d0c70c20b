"""The stack under test: docker compose in a project of its own, and questions to what runs in it."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

ROOT: Final = Path(__file__).resolve().parents[2]
PROJECT: Final = "papertrader-e2e"
TAG: Final = "e2e"
PORTS: Final = {
    "PAGE_PORT": "18080",
    "PROMETHEUS_PORT": "19090",
    "ALERTMANAGER_PORT": "19093",
    "GRAFANA_PORT": "13000",
    "NATS_PORT": "14222",
}


class OutOfTimeError(BaseException):
    """The run has to end: no step may take this for its own failure."""


class Stack:
    """One run; `environment` is what docker compose is told."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        names = {"COMPOSE_PROJECT_NAME": PROJECT, "PAPERTRADER_TAG": TAG}
        self.environment = {**os.environ, **PORTS, **names, **environment}
        self.failures: list[str] = []
        self.passed = 0

    def compose(self, *arguments: str, timeout_s: float = 300) -> str:
        """Run docker compose; raises CalledProcessError with its output."""
        return self.docker("compose", *arguments, timeout_s=timeout_s)

    def docker(self, *arguments: str, timeout_s: float = 300) -> str:
        """Run docker; raises CalledProcessError with its output."""
        result = subprocess.run(
            ["docker", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )
        if result.returncode:
            raise RuntimeError(f"docker {' '.join(arguments)}: {(result.stdout + result.stderr)[-1500:]}")
        return result.stdout.strip()

    def container(self, service: str, number: int = 1) -> str:
        """The name of a service's container."""
        return f"{PROJECT}-{service}-{number}"

    def containers(self) -> list[str]:
        """The identities of all running containers."""
        return self.compose("ps", "-q").split()

    def pid(self, container: str) -> str:
        """The process identity of a container's first process, on this machine."""
        return self.docker("inspect", "-f", "{{.State.Pid}}", container)

    def get(self, port: str, path: str) -> Any:
        """JSON of a published port."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.environment[port]}{path}", timeout=20) as response:
            return json.load(response)

    def values(self, expression: str) -> list[tuple[Mapping[str, str], float]]:
        """Labels and values of an instant query."""
        query = urllib.parse.urlencode({"query": expression})
        result = self.get("PROMETHEUS_PORT", f"/api/v1/query?{query}")["data"]["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]

    def value(self, expression: str) -> float:
        """The value of an instant query that has one answer; NaN without any."""
        found = self.values(expression)
        return found[0][1] if found else float("nan")

    def firing(self, name: str) -> list[Mapping[str, str]]:
        """The labels of the alerts of a name that fire, as Prometheus says."""
        alerts = self.get("PROMETHEUS_PORT", "/api/v1/alerts")["data"]["alerts"]
        return [
            alert["labels"] for alert in alerts if alert["state"] == "firing" and alert["labels"]["alertname"] == name
        ]

    def told(self, name: str) -> list[Mapping[str, str]]:
        """The labels of the active alerts of a name, as Alertmanager says."""
        alerts = self.get("ALERTMANAGER_PORT", "/api/v2/alerts?active=true&silenced=false&inhibited=true")
        return [alert["labels"] for alert in alerts if alert["labels"]["alertname"] == name]

    def step(self, name: str, work: Callable[[], object]) -> None:
        """Do a step, print how long it took, remember a failure and go on."""
        started = time.monotonic()
        try:
            result = work()
        except OutOfTimeError:
            tell(f"{time.monotonic() - started:7.1f} s  FAIL  {name}: not ended")
            raise
        except Exception as error:  # a step that breaks must not hide what the later ones show
            self.failures.append(name)
            tell(f"{time.monotonic() - started:7.1f} s  FAIL  {name}: {error}")
            self._tell_state()
            return
        self.passed += 1
        remark = f": {result}" if isinstance(result, str) and result else ""
        tell(f"{time.monotonic() - started:7.1f} s  ok    {name}{remark}")

    def _tell_state(self) -> None:
        """What an operator would look at first."""
        for command in (["ps", "-a", "--format", "{{.Name}} {{.Status}}"], ["logs", "--no-color", "--tail", "3"]):
            try:
                tell(self.compose(*command))
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                tell(str(error))


def tell(text: str) -> None:
    """A line for whoever watches."""
    print(text, flush=True)  # noqa: T201


def until(condition: Callable[[], object], timeout_s: float, what: Callable[[], object] = lambda: "") -> None:
    """Wait until a condition holds; raises AssertionError saying `what` is there instead."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            if condition():
                return
        except (OSError, urllib.error.URLError, KeyError) as error:
            if time.monotonic() > deadline:
                raise AssertionError(f"after {timeout_s:.0f} s: {error}") from error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:.0f} s; {what()}")
        time.sleep(0.5)


def skip(reason: str) -> NoReturn:
    """End without having tested anything, and say so; an error where COMPOSE_REQUIRED is set."""
    tell(f"SKIPPED, NOTHING WAS TESTED: {reason}\n0 passed, 0 failed, 1 skipped")
    sys.exit(1 if os.environ.get("COMPOSE_REQUIRED") else 0)
