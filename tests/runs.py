"""The runs of the system that tests make: where they are, and that the log of each is what its folds say."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAPERTRADER = Path(sys.executable).with_name("papertrader")
_verified: set[Path] = set()


def papertrader(*arguments: object, timeout_s: float = 240) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    command = [str(PAPERTRADER), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


def verify(directory: Path) -> dict[str, Any]:
    """Fold an ended run's log again: every message must come out byte for byte the same. What was compared."""
    _verified.add(directory)
    done = papertrader("verify", directory, "--json", timeout_s=900)
    assert done.stdout, f"{directory}: {done.stderr}"
    found: dict[str, Any] = json.loads(done.stdout)
    assert not found["nothing_compared"], f"{directory}: {found['nothing_compared']}"
    assert found["same"], "\n".join([str(directory), *found["first_difference"]])
    assert done.returncode == 0
    return found


def verify_runs(below: Path) -> None:
    """Verify every run that was made below a folder and has not been verified yet."""
    for directory in runs(below):
        if directory not in _verified:
            found = verify(directory)
            print(f"{directory.relative_to(below)}: {sum(found['verified'].values())} messages verified")  # noqa: T201


def runs(below: Path) -> Iterator[Path]:
    """The directories of runs: where there are the logs of services and the log of a broker.

    A feed or a toy fold alone on a broker is no run: nobody has folded what it says, or nobody whose fold is known.
    The sessions of the golden tests and of `papertrader replay` are folded without a broker, and leave no log.
    """
    for path, folders, _ in os.walk(below):
        if {"logs", "nats"} <= set(folders):
            yield Path(path)
            folders.clear()
