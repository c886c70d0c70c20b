"""What must be true of a stack that nobody has broken."""

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Final

from papertrader.shared.log.health import FOLDS
from tests.compose.stack import ROOT, TAG, Stack, until
from tools.panel_data import Prometheus, complaints

MAX_IMAGE_BYTES: Final = 600e6
MAX_UP_S: Final = 60.0
MAX_IDLE_CORES: Final = 0.5
MARKETS: Final = 2
SCRAPED: Final = {*FOLDS, "feed", "gateway", "archive", "broker-exporter", "alertmanager", "prometheus"}


def build(stack: Stack) -> str:
    """Build; the image stays small."""
    stack.compose("build", timeout_s=600)
    size = int(stack.docker("image", "inspect", "-f", "{{.Size}}", f"papertrader:{TAG}"))
    assert size < MAX_IMAGE_BYTES, f"the image has {size / 1e6:.0f} MB"
    return f"{size / 1e6:.0f} MB"


def up(stack: Stack) -> str:
    """Start and wait until everything is healthy."""
    busy = os.getloadavg()[0]
    started = time.monotonic()
    stack.compose("up", "-d", "--wait")
    took = time.monotonic() - started
    idle = busy < 1
    assert took < MAX_UP_S or not idle, f"took {took:.0f} s"
    return f"{took:.0f} s" + ("" if idle else f" (not judged: the machine's load was {busy:.1f})")


def targets_up(stack: Stack) -> str:
    """Every target of Prometheus answers, at least one per service."""

    def unhappy() -> list[str]:
        targets = stack.get("PROMETHEUS_PORT", "/api/v1/targets")["data"]["activeTargets"]
        jobs = {target["labels"]["job"] for target in targets}
        return [*(target["labels"]["job"] for target in targets if target["health"] != "up"), *(SCRAPED - jobs)]

    until(lambda: not unhappy(), 40, unhappy)
    return f"{int(stack.value('count(up)'))} targets"


def idle_cores(stack: Stack) -> str:
    """CPU of the whole stack while nobody does anything."""
    time.sleep(20)  # starting is not idling
    before, started = _cpu_s(stack), time.monotonic()
    time.sleep(15)
    cores = (_cpu_s(stack) - before) / (time.monotonic() - started)
    assert cores < MAX_IDLE_CORES, f"{cores:.2f} cores"
    return f"{cores:.2f} cores"


def _cpu_s(stack: Stack) -> float:
    """CPU seconds of all containers, from either version of the control groups."""
    total = 0.0
    for container in stack.containers():
        for line in (Path("/proc") / stack.pid(container) / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if "cpuacct" in controllers.split(","):
                total += int(Path(f"/sys/fs/cgroup/cpuacct{path}/cpuacct.usage").read_text()) * 1e-9
            elif controllers == "":
                with contextlib.suppress(OSError):
                    total += int(Path(f"/sys/fs/cgroup{path}/cpu.stat").read_text().split()[1]) * 1e-6
    return total


def nothing_was_compiled(stack: Stack) -> str:
    """Every service runs the kernels of the image: what it had compiled itself would be a file among the links."""
    for fold in FOLDS:
        found = stack.docker("exec", stack.container(fold), "find", "/tmp/kernels", "-type", "f")
        assert not found, f"{fold} has compiled {found}"
    peaks = {labels["job"]: value for labels, value in stack.values("max by (job) (process_resident_memory_bytes)")}
    largest = max(peaks, key=lambda job: peaks[job])
    return f"the largest process is {largest} with {peaks[largest] / 2**20:.0f} MiB"


def all_checks_pass(stack: Stack, timeout_s: float) -> str:
    """Every item of the checklist passes, for every market and account."""

    def others() -> list[str]:
        found = stack.values('paper_check{state!="pass"} == 1')
        return [f"{labels['asset']} {labels['check']} {labels['state']}" for labels, _ in found]

    until(lambda: stack.value('count(paper_check{state="pass"})') >= 9 and not others(), timeout_s, others)
    until(lambda: stack.value("min(paper_counts_equal)") == 1, 30, lambda: stack.values("paper_count"))
    return f"{int(stack.value('sum(paper_check)'))} checks"


def log_comes_out_the_same(stack: Stack) -> str:
    """The whole log of this broker, folded again by the operator's command line; the feed is stopped meanwhile."""
    stack.compose("stop", "feed")
    until(lambda: stack.value("sum(paper_bus_lag_messages)") == 0, 60, lambda: stack.values("paper_bus_lag_messages"))
    found = json.loads(stack.compose("run", "--rm", "-T", "cli", "verify", "--json", timeout_s=600).splitlines()[-1])
    assert found["same"], found
    stack.compose("up", "-d", "--wait", "--no-recreate")
    return f"{sum(found['verified'].values())} messages of {found['rounds']} rounds"


def every_panel_has_data(stack: Stack) -> str:
    """Every query of every panel, against this Prometheus."""
    variables = {"venue": ".*", "asset": ".*", "account": ".*"}
    prometheus = Prometheus(f"http://127.0.0.1:{stack.environment['PROMETHEUS_PORT']}", 300, variables)
    paths = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
    found: list[str] = []

    def all_have() -> bool:
        found[:] = complaints(prometheus, paths)
        return not found

    until(all_have, 90, lambda: "\n".join(found))
    return f"{len(paths)} dashboards"


def dashboards_are_provisioned(stack: Stack) -> str:
    """What stands behind the Grafana port has read the dashboards and forwards a query."""
    titles = {board["title"] for board in stack.get("GRAFANA_PORT", "/api/search?type=dash-db")}
    assert {"Overview", "Market", "Validation checklist", "Fill simulation", "Services"} <= titles, titles
    forwarded = stack.get("GRAFANA_PORT", "/api/datasources/proxy/uid/prometheus/api/v1/query?query=vector(1)")
    assert forwarded["status"] == "success", forwarded
    image = stack.docker("inspect", "-f", '{{index .Config.Labels "standin"}}', stack.container("grafana"))
    return "a stand-in for Grafana: it checks provisioning and draws nothing" if image == "true" else "Grafana"


def hardened(stack: Stack) -> str:
    """No root, nothing writable but /tmp and the volumes, no capability, ports on the loopback interface only."""
    containers = stack.containers()
    for container in containers:
        form = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.Name}}"
        text = stack.docker("inspect", "-f", form, container)
        assert text.startswith("true [ALL] [no-new-privileges:true]"), text
        assert "\nUid:\t0\t" not in (Path("/proc") / stack.pid(container) / "status").read_text(), f"{text} is root"
        form = "{{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}} {{end}}{{end}}"
        hosts = stack.docker("inspect", "-f", form, container)
        assert set(hosts.split()) <= {"127.0.0.1"}, f"{text} listens on {hosts}"
    return f"{len(containers)} containers"


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
from papertrader.shared.log.bus import Bus
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


def keeps_up(stack: Stack) -> None:
    """Nobody lags behind the feed, and the feed's clock moves."""
    behind = "max(job_market:paper_clock_behind_feed_seconds:min)"
    until(lambda: stack.value(behind) < 20, 120, lambda: stack.values("job_market:paper_clock_behind_feed_seconds:min"))
    clock = stack.value("min(market:paper_feed_clock_seconds:max)")
    until(lambda: stack.value("min(market:paper_feed_clock_seconds:max)") > clock, 120)
