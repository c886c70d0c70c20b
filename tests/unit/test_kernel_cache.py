"""Compiled kernels are kept by their sources: those that a kernel depends on, and no others."""

import subprocess
import sys

from papertrader.shared import ROOT, kernel_sources

LOADED = """
import pathlib, sys
from papertrader.replay import loop
from papertrader.services.monitor.facts import market
for module in list(sys.modules.values()):
    path = getattr(module, "__file__", None) or ""
    if module.__name__.startswith(("papertrader.shared.", "papertrader.services.", "papertrader.replay.")):
        print(pathlib.Path(path).resolve())
"""


def test_every_module_that_kernels_import_is_a_source_of_theirs() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {path for path in done.stdout.splitlines() if not path.endswith("__init__.py")}
    assert len(loaded) > 30
    assert loaded <= {str(path) for path in kernel_sources()}


def test_what_no_kernel_imports_compiles_nothing_anew() -> None:
    found = {str(path.relative_to(ROOT)) for path in kernel_sources()}
    assert {"shared/market/events.py", "shared/messages.py", "services/fill_sim/state.py", "replay/loop.py"} <= found
    assert found.isdisjoint(
        {"shared/log/reader.py", "shared/log/lease.py", "services/fill_sim/metrics.py", "replay/sweep.py"}
    )
