"""Compiled kernels are kept by their sources: those that a kernel depends on, and no others."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from papertrader.shared import kernel_cache as place
from papertrader.shared.kernel_cache import ROOT, KernelCacheError, kernel_cache, kernel_sources

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
    assert {
        "shared/market/events.py",
        "shared/messages/base.py",
        "shared/messages/market.py",
        "services/fill_sim/state.py",
        "replay/loop.py",
    } <= found
    assert found.isdisjoint(
        {"shared/log/reader.py", "shared/log/lease.py", "services/fill_sim/metrics.py", "replay/sweep.py"}
    )


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """No checkout: the cache is the user's own, here below `tmp_path`."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(place, "ROOT", tmp_path)
    kernel_cache.cache_clear()
    yield tmp_path / "papertrader" / "kernels"
    kernel_cache.cache_clear()


def test_kernels_of_an_installation_are_kept_in_a_folder_of_the_users_own(installed: Path) -> None:
    assert kernel_cache().parent == installed
    assert (installed.stat().st_mode & 0o777, kernel_cache().stat().st_mode & 0o777) == (0o700, 0o700)


def test_cache_that_others_may_write_to_is_refused(installed: Path) -> None:
    installed.mkdir(parents=True)
    installed.chmod(0o777)
    with pytest.raises(KernelCacheError, match="make it yours alone"):
        kernel_cache()


def test_cache_that_cannot_be_made_says_where_and_what_to_change(installed: Path) -> None:
    installed.parent.write_text("a file in the way")
    with pytest.raises(KernelCacheError, match=rf"kept in {installed}: .*; set NUMBA_CACHE_DIR"):
        kernel_cache()


def test_nothing_is_compiled_or_set_by_importing_the_package() -> None:
    code = "import sys, os; import papertrader, papertrader.shared, papertrader.services, papertrader.replay; "
    code += "print('numba' in sys.modules, 'numpy' in sys.modules, os.environ.get('NUMBA_CACHE_DIR'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False False None"
