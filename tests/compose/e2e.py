"""The stack as an operator meets it: build, start, scale, break, repair, stop, start. Run by `make test-compose`.

Needs root and a Docker engine 25 or newer with Compose. Where public images cannot be pulled, COMPOSE_BASE_IMAGES names
a script that makes them (default `../shared/compose/base-images.sh`, if it is there). COMPOSE_STEPS runs only the steps
whose names contain it, COMPOSE_KEEP leaves the stack running, COMPOSE_TIMEOUT_S is when everything is given up.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from papertrader.shared.log.health import FOLDS
from tests.compose import short_rules
from tests.compose.broken import (
    accounts_survive,
    cut_off_worker_loses_its_markets,
    killed_service_is_named,
    others_resolved,
    scale,
)
from tests.compose.healthy import (
    all_checks_pass,
    build,
    dashboards_are_provisioned,
    every_panel_has_data,
    forged_fill_is_refused,
    hardened,
    idle_cores,
    log_comes_out_the_same,
    nothing_was_compiled,
    outside_is_for_the_feed,
    targets_up,
    up,
)
from tests.compose.sources import Choice, faster, live, live_on, real_tape
from tests.compose.stack import ROOT, OutOfTimeError, Stack, skip, tell
from tools import images

TIMEOUT_S: Final = 1500
SERVICES: Final = ("feed", *FOLDS, "gateway", "archive", "broker-exporter", "nats")
IMAGES: Final = tuple(tag for path in images.FILES for tag in images.references(path.read_text()))


def prepare() -> None:
    """An engine that answers and images to build from, or a loud skip."""
    if os.geteuid() != 0:
        skip("the engine needs root")
    script = Path(os.environ.get("COMPOSE_BASE_IMAGES", ROOT.parent / "shared" / "compose" / "base-images.sh"))
    ready = _runs("docker", "info") and all(map(_have_image, IMAGES))
    if script.exists() and not ready and subprocess.run(["bash", str(script)], check=False).returncode != 0:
        skip(f"{script} made no engine and no images")
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


def steps(stack: Stack, choice: Choice, tapes: Path) -> list[tuple[str, Callable[[], object]]]:
    """All steps in order."""
    found: list[tuple[str, Callable[[], object]]] = [
        ("build", lambda: build(stack)),
        ("up --wait", lambda: up(stack)),
        ("every target is up", lambda: targets_up(stack)),
        ("idle CPU", lambda: idle_cores(stack)),
        ("hardened containers, ports on 127.0.0.1", lambda: hardened(stack)),
        ("only the feed can reach outside", lambda: outside_is_for_the_feed(stack)),
        ("the quoter cannot forge a fill", lambda: forged_fill_is_refused(stack)),
        ("dashboards are provisioned", lambda: dashboards_are_provisioned(stack)),
        ("event time at five times the speed", lambda: faster(stack, choice, 5.0)),
        ("all checks pass on the synthetic market", lambda: all_checks_pass(stack, 240)),
        ("every panel of every dashboard has data", lambda: every_panel_has_data(stack)),
        ("no service has compiled anything", lambda: nothing_was_compiled(stack)),
        ("scale fill-sim to 3", lambda: scale(stack, 3)),
        ("cut a worker off the network", lambda: cut_off_worker_loses_its_markets(stack)),
        ("scale fill-sim back to 1", lambda: scale(stack, 1)),
    ]
    found += [(f"kill {name}", lambda name=name: killed_service_is_named(stack, name)) for name in SERVICES]
    found += [
        ("the last alert has resolved", lambda: others_resolved(stack)),
        ("all checks pass after all that", lambda: all_checks_pass(stack, 120)),
        ("down and up: the accounts are intact", lambda: accounts_survive(stack)),
        ("verify the log of all that", lambda: log_comes_out_the_same(stack)),
    ]
    if tapes.is_dir():
        found += [
            ("all checks pass on a real tape", lambda: real_tape(stack, choice, 5.0)),
            ("verify the log of the tape", lambda: log_comes_out_the_same(stack)),
        ]
    found += [
        ("live Hyperliquid by .env, recorded", lambda: live(stack, choice, "hyperliquid")),
        ("live Binance by .env, recorded", lambda: live_on(stack, choice, "binance")),
        ("verify the log of both", lambda: log_comes_out_the_same(stack)),
    ]
    return found


def tear_down(stack: Stack) -> None:
    """Leave nothing behind but what the engine keeps to build faster the next time."""
    stack.compose("--profile", "*", "down", "-v", "--remove-orphans")


def main() -> None:
    """Walk through everything and tear it down; exit code 1 if a step failed or the time was up."""
    started = time.monotonic()
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _give_up)
    limit_s = int(os.environ.get("COMPOSE_TIMEOUT_S", TIMEOUT_S))
    signal.alarm(limit_s)
    try:
        prepare()
    except OutOfTimeError as reason:
        sys.exit(f"FAILED: {reason} while the engine and the images were made")
    tapes = Path(os.environ.get("PAPER_TEST_DATA", ROOT.parent / "shared" / "data"))
    wanted = os.environ.get("COMPOSE_STEPS", "")
    with tempfile.TemporaryDirectory(prefix="papertrader-e2e-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        choice = Choice(directory)
        stack = Stack(
            {
                "PROMETHEUS_DIR": str(directory / "prometheus"),
                "SETTINGS_FILE": str(choice.settings),
                "ENV_FILE": str(choice.env),
                "COMPOSE_ENV_FILES": str(choice.env),
            }
            | ({"TAPES_DIR": str(tapes)} if tapes.is_dir() else {})
        )
        short_rules.copy(ROOT / "prometheus", directory / "prometheus")
        try:
            stack.step("clean start", lambda: tear_down(stack))
            for title, work in steps(stack, choice, tapes):
                if wanted in title:
                    stack.step(title, work)
        except OutOfTimeError as reason:
            stack.failures.append(f"{reason} (the limit is {limit_s} s)")
        finally:
            signal.alarm(0)
            if not os.environ.get("COMPOSE_KEEP"):
                stack.step("tear down", lambda: tear_down(stack))
    tell(f"{stack.passed} passed, {len(stack.failures)} failed in {time.monotonic() - started:.0f} s")
    sys.exit(f"FAILED: {'; '.join(stack.failures)}" if stack.failures else 0)


def _give_up(number: int, _frame: object) -> None:
    raise OutOfTimeError("out of time" if number == signal.SIGALRM else f"ended by {signal.Signals(number).name}")


if __name__ == "__main__":
    main()
