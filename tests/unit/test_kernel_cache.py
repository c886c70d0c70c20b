"""Compiled kernels are kept by their sources: those that a kernel depends on, and no others."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from papertrader.shared import kernel_cache as place
from papertrader.shared.kernel_cache import ROOT, KernelCacheError, kernel_cache, kernel_folders, kernel_sources

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
        {"shared/log/reader.py", "shared/log/lease.py", "services/fill_sim/metrics.py", "replay/sweep/outcomes.py"}
    )


COPIED = """
import sys
from papertrader.shared.market import mathematics
assert mathematics.exp(0.0) == 1.0
print(sum(mathematics.exp.stats.cache_hits.values()), mathematics.exp.stats.cache_path)
"""


def test_kernels_are_found_wherever_the_sources_lie(tmp_path: Path) -> None:
    """A copy of the project elsewhere loads what the first one compiled, and compiles itself what it has changed."""
    shutil.copytree(ROOT / "shared", tmp_path / "shared", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "papertrader").mkdir()
    (tmp_path / "papertrader" / "__init__.py").touch()
    (tmp_path / "papertrader" / "shared").symlink_to("../shared")
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    answers = []
    for lies, change in ((ROOT, b""), (tmp_path, b""), (tmp_path, b"# changed")):
        with (tmp_path / "shared" / "market" / "mathematics.py").open("ab") as source:
            source.write(change)
        command = [sys.executable, "-P", "-c", COPIED]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            cwd=lies,
            env={**environment, "PYTHONPATH": str(lies)},
        )
        answers.append(done.stdout.split())
    assert [hits for hits, _ in answers] == ["0", "1", "0"]
    assert answers[0][1] == answers[1][1] != answers[2][1]


def test_a_change_compiles_only_what_it_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    before = set(kernel_folders())
    changed = {path: source + b"#" * path.match("quoter/glft.py") for path, source in place._project().items()}
    monkeypatch.setattr(place, "_project", lambda: changed)
    try:
        clear()
        reached = {folder.name.rpartition("-")[0] for folder in set(kernel_folders()) - before}
    finally:
        clear()
    assert {"services.quoter.glft", "services.quoter.kernel", "replay.loop"} <= reached
    assert not {name for name in reached if not name.startswith(("services.quoter.", "replay."))}


def clear() -> None:
    for known in (place._digest, place._imported, place.folder_of):
        known.cache_clear()
    place.kernel_folders.cache_clear()


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
    assert kernel_cache() == installed
    assert installed.stat().st_mode & 0o777 == 0o700


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
    before = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=before
    )
    assert done.stdout.strip() == "False False None"
