"""Compiled kernels are kept by their sources: those that a kernel depends on, and no others."""

import subprocess
import sys

from shared import ROOT, kernel_sources

LOADED = """
import sys
from replay import loop
from services.monitor import market
for module in list(sys.modules.values()):
    path = getattr(module, "__file__", None) or ""
    if module.__name__.partition(".")[0] in ("shared", "services", "replay"):
        print(path)
"""


def test_every_module_that_kernels_import_is_a_source_of_theirs() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {path for path in done.stdout.splitlines() if not path.endswith("__init__.py")}
    assert len(loaded) > 30
    assert loaded <= {str(path) for path in kernel_sources()}


def test_what_no_kernel_imports_compiles_nothing_anew() -> None:
    found = {str(path.relative_to(ROOT)) for path in kernel_sources()}
    assert {"shared/events.py", "shared/messages.py", "services/fill_sim/state.py", "replay/loop.py"} <= found
    assert found.isdisjoint({"shared/reader.py", "shared/lease.py", "services/fill_sim/metrics.py", "replay/sweep.py"})
