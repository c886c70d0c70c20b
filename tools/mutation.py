"""Mutation testing of the kernels that decide about money and queues: which changes of them does no test notice?

`python -m tools.mutation PYTHON [MODULE ...]`, where PYTHON is one that has cosmic-ray. Each mutant stands in for the
kernel in a copy of the checkout, and a forked process runs the kernel's unit tests on it in their Python form. Prints
every survivor with its change, and how many mutants survived. Exit code 1 if any did.
"""

import difflib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
COPY: Final = ROOT / "build" / "mutants"
TESTS: Final = {
    "services/fill_sim/account.py": ("fill_sim_account", "fill_sim_reduce_only"),
    "services/fill_sim/queue.py": ("fill_sim_queue",),
    "services/fill_sim/matching.py": ("fill_sim_queue", "fill_sim_models"),
    "services/fill_sim/margin.py": ("fill_sim_liquidation", "fill_sim_account", "fill_sim_money"),
    "services/fill_sim/liquidation.py": ("fill_sim_liquidation",),
    "services/fill_sim/funding.py": ("fill_sim_funding",),
    "services/fill_sim/draws.py": ("fill_sim_draws",),
    "shared/market/money.py": ("money",),
}
"""The kernels, and the unit tests (`test_NAME.py`) that must notice."""
TIMEOUT_S: Final = 120


def main(cosmic_ray: Path, modules: Sequence[str]) -> int:
    """Mutate the modules, all if none is named."""
    copy_checkout()
    os.chdir(COPY)
    sys.path.insert(0, str(COPY))
    import numba  # noqa: F401  # what every child would import
    import pytest  # noqa: F401

    return max(mutate(cosmic_ray, module) for module in modules or TESTS)


def copy_checkout() -> None:
    """Copy what is tracked, so that a mutant touches nothing else."""
    shutil.rmtree(COPY, ignore_errors=True)
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, tracked.decode().split("\0")):
        target = COPY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)


def mutate(cosmic_ray: Path, module: str) -> int:
    """Mutate one module and report; 1 if a mutant survived."""
    source, folder = COPY / module, COPY / "build" / Path(module).stem
    folder.mkdir(parents=True)
    code = source.read_text()
    subprocess.run([cosmic_ray, "-m", "tools.mutants", module, folder], check=True, stdout=subprocess.DEVNULL)
    tests = [f"tests/unit/test_{name}.py" for name in TESTS[module]]
    if not passes(tests):
        sys.exit(f"{module}: its tests fail without any mutant")
    survivors = 0
    mutants = sorted(folder.iterdir())
    for mutant in mutants:
        changed = mutant.read_text()
        source.write_text(changed)
        if passes(tests):
            survivors += 1
            say(f"survived: {mutant.stem}\n{difference(module, code, changed)}")
    source.write_text(code)
    say(f"{module}: {survivors} of {len(mutants)} mutants survived")
    return int(survivors > 0)


def difference(module: str, code: str, changed: str) -> str:
    """What a mutant changed, in lines."""
    lines = difflib.unified_diff(code.splitlines(), changed.splitlines(), module, module, lineterm="", n=1)
    return "\n".join(lines)


def passes(tests: list[str]) -> bool:
    """Whether the tests pass on what lies in the copy, in a process of their own that ends in time."""
    child = os.fork()
    if child == 0:
        run(tests)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def run(tests: list[str]) -> None:
    """Run the tests and end the process with their result."""
    import pytest

    signal.alarm(TIMEOUT_S)
    sys.dont_write_bytecode = True
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    os._exit(int(pytest.main(["-x", "-q", "-p", "tests.python_form", "-p", "no:cacheprovider", *tests])))


def say(text: str) -> None:
    """A line of the report."""
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute(), sys.argv[2:]))
