"""The stack as an operator meets it: build, start, scale, break, repair, stop, start. Run by `make test-compose`.

Needs root and a Docker engine 25 or newer with Compose. Where public images cannot be pulled, COMPOSE_BASE_IMAGES names
a script that makes them (default `../shared/compose/base-images.sh`, if it is there).
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from tests.compose import short_rules
from tests.compose.stack import ROOT, Stack, skip, until
from tools.panel_data import Prometheus, complaints

FOLDS: Final = ("fill-sim", "quoter", "estimator", "outcome-tracker", "calibration", "monitor")
SERVICES: Final = ("feed", *FOLDS, "broker-exporter", "nats")
IMAGES: Final = (
    "python:3.12-slim",
    "nats:2.15-alpine",
    "prom/prometheus:v2.53.3",
    "prom/alertmanager:v0.28.1",
    "grafana/grafana:12.3.0",
)
MAX_IMAGE_BYTES: Final = 600e6
MAX_UP_S: Final = 60.0
MAX_IDLE_CORES: Final = 0.5
MARKETS: Final = 2
ACCOUNT_STATE: Final = ('paper_pnl{part="realised"}', "paper_position", 'paper_count{count="fills"}')
SYNTHETIC: Final = '[feed]\nsource = "synthetic"\nspeed = {speed}\n[feed.synthetic]\nduration_s = 2592000.0\n'
TAPE: Final = '[feed]\nsource = "tape"\nspeed = {speed}\ntapes = ["/tapes/{name}"]\n'


class Settings:
    """The settings file of the run, changed under the stack's feet."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "settings.toml"
        self.synthetic(1.0)

    def synthetic(self, speed: float) -> None:
        """The synthetic market."""
        self.file.write_text(SYNTHETIC.format(speed=speed))

    def tape(self, name: str, speed: float) -> None:
        """A tape."""
        self.file.write_text(TAPE.format(name=name, speed=speed))


def prepare() -> None:
    """An engine that answers and images to build from, or a loud skip."""
    script = Path(os.environ.get("COMPOSE_BASE_IMAGES", ROOT.parent / "shared" / "compose" / "base-images.sh"))
    if os.geteuid() != 0:
        skip("the engine needs root")
    if script.exists() and (not _runs("docker", "info") or not all(map(_have_image, IMAGES))):
        subprocess.run(["bash", str(script)], check=True)
    if not _runs("docker", "info"):
        skip("no Docker engine answers, and there is no script that installs one")
    if not _runs("docker", "compose", "version"):
        skip("docker compose is not installed")


def _runs(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _have_image(name: str) -> bool:
    return _runs("docker", "image", "inspect", name)


def build(stack: Stack) -> str:
    """Build; the image stays small."""
    stack.compose("build", timeout_s=1800)
    size = int(stack.docker("image", "inspect", "-f", "{{.Size}}", "papertrader:dev"))
    assert size < MAX_IMAGE_BYTES, f"the image has {size / 1e6:.0f} MB"
    return f"{size / 1e6:.0f} MB"


def up(stack: Stack, *arguments: str) -> str:
    """Start and wait until everything is healthy."""
    busy = os.getloadavg()[0]
    started = time.monotonic()
    stack.compose("up", "-d", "--wait", *arguments, timeout_s=600)
    took = time.monotonic() - started
    idle = busy < 1
    assert took < MAX_UP_S or not idle, f"took {took:.0f} s"
    return f"{took:.0f} s" + ("" if idle else f" (not judged: the machine's load was {busy:.1f})")


def targets_up(stack: Stack) -> str:
    """Every target of Prometheus answers, at least one per service."""

    def unhappy() -> list[str]:
        targets = stack.get("PROMETHEUS_PORT", "/api/v1/targets")["data"]["activeTargets"]
        jobs = {target["labels"]["job"] for target in targets}
        down = [target["labels"]["job"] for target in targets if target["health"] != "up"]
        return [*down, *({*FOLDS, "feed", "broker-exporter", "alertmanager", "prometheus"} - jobs)]

    until(lambda: not unhappy(), 40, unhappy)
    return f"{int(stack.value('count(up)'))} targets"


def idle_cores(stack: Stack) -> str:
    """CPU of the whole stack while nobody does anything."""
    time.sleep(20)  # starting is not idling
    before, started = _cpu_s(stack), time.monotonic()
    time.sleep(20)
    cores = (_cpu_s(stack) - before) / (time.monotonic() - started)
    assert cores < MAX_IDLE_CORES, f"{cores:.2f} cores"
    return f"{cores:.2f} cores"


def _cpu_s(stack: Stack) -> float:
    total = 0.0
    for container in stack.compose("ps", "-q").split():
        pid = stack.docker("inspect", "-f", "{{.State.Pid}}", container)
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if "cpuacct" in controllers.split(","):
                total += int(Path(f"/sys/fs/cgroup/cpuacct{path}/cpuacct.usage").read_text()) * 1e-9
            elif controllers == "":
                with contextlib.suppress(OSError):
                    statistics = Path(f"/sys/fs/cgroup{path}/cpu.stat").read_text().split()
                    total += int(statistics[1]) * 1e-6
    return total


def all_checks_pass(stack: Stack, timeout_s: float) -> str:
    """Every item of the checklist passes, for every market and account."""

    def others() -> list[str]:
        found = stack.values('paper_check{state!="pass"} == 1')
        return [f"{labels['asset']} {labels['check']} {labels['state']}" for labels, _ in found]

    until(lambda: stack.value('count(paper_check{state="pass"})') >= 9 and not others(), timeout_s, others)
    until(lambda: stack.value("min(paper_counts_equal)") == 1, 30)
    return f"{int(stack.value('sum(paper_check)'))} checks"


def every_panel_has_data(stack: Stack) -> str:
    """Every query of every panel, against this Prometheus."""
    variables = {"venue": ".*", "asset": ".*", "account": ".*"}
    prometheus = Prometheus(f"http://127.0.0.1:{stack.environment['PROMETHEUS_PORT']}", 300, variables)
    paths = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
    found: list[str] = []

    def empty() -> bool:
        found[:] = complaints(prometheus, paths)
        return not found

    until(empty, 90, lambda: "\n".join(found))
    return f"{len(paths)} dashboards"


def dashboards_are_provisioned(stack: Stack) -> str:
    """What stands behind the Grafana port has read the dashboards and forwards a query."""
    titles = {board["title"] for board in stack.get("GRAFANA_PORT", "/api/search?type=dash-db")}
    assert {"Overview", "Market", "Validation checklist", "Fill simulation", "Services"} <= titles, titles
    image = stack.docker("inspect", "-f", '{{index .Config.Labels "standin"}}', stack.container("grafana"))
    return "a stand-in for Grafana: it checks provisioning and draws nothing" if image == "true" else "Grafana"


def hardened(stack: Stack) -> None:
    """No root, nothing writable but /tmp and the volumes, no capability, ports on the loopback interface only."""
    for container in stack.compose("ps", "-q").split():
        form = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.Name}}"
        text = stack.docker("inspect", "-f", form, container)
        assert text.startswith("true [ALL] [no-new-privileges:true]"), text
        user = Path(f"/proc/{stack.docker('inspect', '-f', '{{.State.Pid}}', container)}/status").read_text()
        assert "\nUid:\t0\t" not in user, f"{text} runs as root"
        hosts = stack.docker(
            "inspect", "-f", "{{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}} {{end}}{{end}}", container
        )
        assert set(hosts.split()) <= {"127.0.0.1"}, f"{text} listens on {hosts}"


def outside_is_for_the_feed(stack: Stack) -> str:
    """Every service but the feed is cut off from the outside."""
    probe = "import socket; socket.create_connection(('pypi.org', 443), 4)"
    reached = {name for name in ("feed", *FOLDS, "broker-exporter") if _python(stack, name, probe)}
    assert reached <= {"feed"}, reached
    return "the feed gets out" if reached else "nobody gets out: this machine has no way out for the feed either"


def _python(stack: Stack, service: str, code: str) -> bool:
    try:
        stack.docker("exec", stack.container(service), "python", "-c", code)
    except RuntimeError:
        return False
    return True


def forged_fill_is_refused(stack: Stack) -> None:
    """With the quoter's own key, from the quoter's own container."""
    code = """
import asyncio, os
from shared.bus import Bus
async def forge():
    bus = await Bus.connect(os.environ["PAPER_BUS_URL"], "quoter", nkeys_seed=os.environ["PAPER_BUS_NKEY_SEED_FILE"])
    complaints = []
    async def hear(error): complaints.append(str(error).lower())
    bus.client._error_cb = hear
    await bus.publish("orders.none.none.none", b"")
    await bus.client.flush()
    await asyncio.sleep(0.5)
    assert not complaints, complaints
    await bus.publish("fills.none.none.none", b"{}")
    await bus.client.flush()
    await asyncio.sleep(0.5)
    assert any("permissions violation" in complaint for complaint in complaints), complaints
asyncio.run(forge())
"""
    stack.docker("exec", stack.container("quoter"), "python", "-c", code)


def scale(stack: Stack, count: int) -> str:
    """So many workers of fill-sim, and every market folded by exactly one of them."""
    stack.compose("up", "-d", "--wait", "--no-recreate", "--scale", f"fill-sim={count}", timeout_s=300)
    until(
        lambda: stack.value('count(up{job="fill-sim"} == 1)') == count, 40, lambda: stack.values('up{job="fill-sim"}')
    )
    one_owner_each(stack)
    shares = sorted(int(value) for _, value in stack.values('paper_owned_markets{job="fill-sim"}'))
    return f"markets per worker: {shares}"


def one_owner_each(stack: Stack) -> None:
    """Every market is folded by one worker of each service, and all keep up."""
    until(
        lambda: all(stack.value(f'sum(paper_owned_markets{{job="{fold}"}})') == MARKETS for fold in FOLDS),
        60,
        lambda: stack.values("paper_owned_markets"),
    )
    keeps_up(stack)


def keeps_up(stack: Stack) -> None:
    """Nobody lags behind the feed, and the feed's clock moves."""
    behind = "max(job_market:paper_clock_behind_feed_seconds:min)"
    until(lambda: stack.value(behind) < 20, 120, lambda: stack.values("job_market:paper_clock_behind_feed_seconds:min"))
    clock = stack.value("min(market:paper_feed_clock_seconds:max)")
    until(lambda: stack.value("min(market:paper_feed_clock_seconds:max)") > clock, 120)


def killed_service_is_named(stack: Stack, service: str) -> str:
    """`docker kill`: the alert that names the service fires and reaches Alertmanager; after `up` it resolves."""

    def named(alerts: list[Any]) -> bool:
        return any(alert["service"] == service for alert in alerts)

    started = time.monotonic()
    stack.docker("kill", stack.container(service))
    until(lambda: named(stack.firing("PaperServiceDown")), 60, lambda: stack.values("up"))
    fired = time.monotonic() - started
    until(lambda: named(stack.told("PaperServiceDown")), 30)
    stack.compose("up", "-d", "--wait", "--no-recreate", timeout_s=300)
    until(lambda: not named(stack.firing("PaperServiceDown")), 60)
    until(lambda: not named(stack.told("PaperServiceDown")), 90)
    keeps_up(stack)
    return f"fired after {fired:.0f} s"


def cut_off_worker_loses_its_markets(stack: Stack) -> str:
    """A worker without network is a worker without markets; when it is back, nothing is counted twice."""
    owners = {labels["instance"].split(":")[0]: n for labels, n in stack.values('paper_owned_markets{job="fill-sim"}')}
    address = max(owners, key=lambda ip: owners[ip])
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    names = stack.compose("ps", "--format", "{{.Name}}", "fill-sim").split()
    victim = next(name for name in names if address in stack.docker("inspect", "-f", form, name).split())
    network = f"{stack.environment['COMPOSE_PROJECT_NAME']}_bus"
    stack.docker("network", "disconnect", network, victim)
    started = time.monotonic()
    rest = f'sum(paper_owned_markets{{job="fill-sim",instance!~"{address}:.*"}})'
    until(lambda: stack.value(rest) == MARKETS, 60, lambda: stack.values('paper_owned_markets{job="fill-sim"}'))
    took = time.monotonic() - started
    keeps_up(stack)
    stack.docker("network", "connect", "--alias", "fill-sim", network, victim)
    one_owner_each(stack)
    until(lambda: stack.value("min(paper_counts_equal)") == 1, 60, lambda: stack.values("paper_count"))
    return f"taken over after {took:.0f} s"


def accounts(stack: Stack) -> dict[str, float]:
    """What the paper accounts hold."""
    found = {}
    for expression in ACCOUNT_STATE:
        for labels, value in stack.values(expression):
            found[f"{labels['asset']} {labels['account']} {expression}"] = value
    return found


def accounts_survive(stack: Stack) -> str:
    """`down` and `up`: the same positions, profits and fills."""
    stack.compose("stop", "feed")
    time.sleep(10)
    before = accounts(stack)
    assert len(before) == MARKETS * len(ACCOUNT_STATE), before
    stack.compose("down")
    stack.compose("up", "-d", "--wait", "--scale", "feed=0", timeout_s=600)
    until(lambda: accounts(stack) == before, 60, lambda: f"{accounts(stack)} instead of {before}")
    stack.compose("up", "-d", "--wait", timeout_s=300)
    fills = stack.value("sum(paper_fills_total)")
    until(lambda: stack.value("sum(paper_fills_total)") > fills, 240)
    until(lambda: stack.value("min(paper_counts_equal)") == 1, 60, lambda: stack.values("paper_count"))
    return f"{int(fills)} fills kept, and trading goes on"


def real_tape(stack: Stack, settings: Settings, speed: float) -> str:
    """From nothing, on a recorded session of a real venue."""
    stack.compose("down", "-v")
    settings.tape(os.environ.get("COMPOSE_TAPE", "hyperliquid-20250904-WLFI.gz"), speed)
    up(stack)
    return all_checks_pass(stack, 600)


def faster(stack: Stack, settings: Settings, speed: float) -> None:
    """Let event time pass faster."""
    settings.synthetic(speed)
    stack.compose("restart", "feed")
    keeps_up(stack)


def walk(stack: Stack, settings: Settings, tapes: Path) -> None:
    """All steps in order."""
    steps: list[tuple[str, Callable[[], object]]] = [
        ("build", lambda: build(stack)),
        ("up --wait", lambda: up(stack)),
        ("every target is up", lambda: targets_up(stack)),
        ("idle CPU", lambda: idle_cores(stack)),
        ("hardened containers, ports on 127.0.0.1", lambda: hardened(stack)),
        ("only the feed can reach outside", lambda: outside_is_for_the_feed(stack)),
        ("the quoter cannot forge a fill", lambda: forged_fill_is_refused(stack)),
        ("dashboards are provisioned", lambda: dashboards_are_provisioned(stack)),
        ("event time at five times the speed", lambda: faster(stack, settings, 5.0)),
        ("all checks pass on the synthetic market", lambda: all_checks_pass(stack, 600)),
        ("every panel of every dashboard has data", lambda: every_panel_has_data(stack)),
        ("scale fill-sim to 3", lambda: scale(stack, 3)),
        ("scale fill-sim back to 1", lambda: scale(stack, 1)),
    ]
    steps += [(f"kill {name}", lambda name=name: killed_service_is_named(stack, name)) for name in SERVICES]
    steps += [
        ("scale fill-sim to 2", lambda: scale(stack, 2)),
        ("cut a worker off the network", lambda: cut_off_worker_loses_its_markets(stack)),
        ("scale fill-sim back to 1 again", lambda: scale(stack, 1)),
        ("all checks pass after all that", lambda: all_checks_pass(stack, 300)),
        ("down and up: the accounts are intact", lambda: accounts_survive(stack)),
    ]
    if tapes.is_dir():
        steps.append(("all checks pass on a real tape", lambda: real_tape(stack, settings, 5.0)))
    wanted = os.environ.get("COMPOSE_STEPS", "")
    for name, work in steps:
        if wanted in name:
            stack.step(name, work)


def main() -> None:
    """Walk through everything and leave nothing behind; exit code 1 if a step failed."""
    prepare()
    tapes = Path(os.environ.get("PAPER_TEST_DATA", ROOT.parent / "shared" / "data"))
    with tempfile.TemporaryDirectory(prefix="papertrader-e2e-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        short_rules.copy(ROOT / "prometheus", directory / "prometheus")
        settings = Settings(directory)
        environment = {"PROMETHEUS_DIR": str(directory / "prometheus"), "SETTINGS_FILE": str(settings.file)}
        stack = Stack(environment | ({"TAPES_DIR": str(tapes)} if tapes.is_dir() else {}))
        stack.step("clean start", lambda: stack.compose("down", "-v", "--remove-orphans"))
        try:
            walk(stack, settings, tapes)
        finally:
            if not os.environ.get("COMPOSE_KEEP"):
                stack.step("down -v", lambda: stack.compose("down", "-v", "--remove-orphans"))
    sys.exit(f"FAILED: {'; '.join(stack.failures)}" if stack.failures else 0)


if __name__ == "__main__":
    main()
