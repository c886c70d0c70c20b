"""What `warm` promises: afterwards a market is folded and scraped without another kernel loaded or compiled."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from papertrader.shared.kernel_cache import kernel_cache, kernel_folders
from tests.runs import PAPERTRADER

SESSION = """
import sys
from numba.core.dispatcher import Dispatcher
from papertrader.replay.composition import MEMBERS, Composition
from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.sources import sources
from papertrader.shared.service.config import Settings

def loaded():
    return {
        f"{name}.{key}": len(value.overloads)
        for name, module in list(sys.modules.items())
        if name.startswith(("papertrader.services.", "papertrader.shared."))
        for key, value in vars(module).items()
        if isinstance(value, Dispatcher) and value.__module__ == name
    }

settings = Settings({})
for member in MEMBERS.values():
    member.warm(settings)
before = loaded()
source = sources(FeedConfig(duration_s=240.0, speed=0.0))[0]
composition = Composition(settings, source.market)
fills = 0
for round_ in source.rounds():
    fills += sum(spoken.output.kind == "fills" for spoken in composition.fold(round_.messages[:-1], round_.end))
    if round_.end.round and round_.end.ts - source.instrument.ts > 240e9:
        break
for name, fold in composition.folds.items():
    assert list(MEMBERS[name].samples(source.market, fold))
after = loaded()
assert fills > 0, "the session tests nothing without fills"
print(sorted(name for name in after if after[name] != before.get(name)))
"""


def test_warm_leaves_no_kernel_to_be_loaded_later() -> None:
    result = subprocess.run([sys.executable, "-c", SESSION], capture_output=True, text=True, check=False, timeout=300)
    assert (result.stdout.strip(), result.stderr) == ("[]", "")


def test_lean_cache_holds_all_that_a_market_needs(tmp_path: Path) -> None:
    shutil.copytree(kernel_cache(), tmp_path / "kernels", copy_function=os.link)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "kernels")}

    def kept() -> dict[str, int]:
        return {path.name: path.stat().st_size for folder in folders for path in folder.glob("*.nbc")}

    folders = [tmp_path / "kernels" / folder.name for folder in kernel_folders()]
    whole = sum(kept().values())
    done = subprocess.run([PAPERTRADER, "warm", "services", "--lean"], env=environment, check=True, capture_output=True)
    assert not done.stdout
    lean = kept()
    assert 0 < sum(lean.values()) < whole / 4
    result = subprocess.run(
        [sys.executable, "-c", SESSION], capture_output=True, text=True, env=environment, timeout=300
    )
    assert (result.stdout.strip(), result.stderr) == ("[]", "")
    assert kept() == lean, "a kernel was compiled that had been there"


@pytest.mark.parametrize(
    "module",
    [
        "papertrader.services.estimator.__main__",
        "papertrader.services.fill_sim.__main__",
        "papertrader.replay.composition",
    ],
)
def test_kernels_are_kept_by_their_sources_whatever_is_imported_first(module: str) -> None:
    code = (
        f"import pathlib, {module}, numba; from papertrader.shared import kernel_cache, kernels; "
        "folders = {pathlib.Path(kernel.stats.cache_path) for kernel in kernels.KERNELS}; "
        "print(folders <= set(kernel_cache.kernel_folders()), numba.config.CACHE_DIR)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert (result.stdout.strip(), result.stderr) == ("True", "")
