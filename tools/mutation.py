"""Mutation testing of the kernels that decide about money and queues: which changes of them does no test notice?

`python -m tools.mutation PYTHON [MODULE ...]`, where PYTHON is one that has cosmic-ray. The kernels run in their Python
form: a forked process takes over a mutant's functions and runs the kernel's unit tests. Prints every survivor with its
change, and how many survived. Those that `tools.equivalents` lists, since no test can notice them, are not run. Exit
code 1 if a mutant survived, or if something is listed that is no mutant any more.
"""

import difflib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FunctionType
from typing import Final

import pytest

from tools.equivalents import EQUIVALENTS, EVERYWHERE

ROOT: Final = Path(__file__).resolve().parents[1]
TESTS: Final = {
    "services/fill_sim/account.py": ("fill_sim_bookkeeping", "fill_sim_auction"),
    "services/fill_sim/auction.py": ("fill_sim_auction",),
    "services/fill_sim/behind.py": ("fill_sim_behind", "fill_sim_changes", "fill_sim_draws_levels"),
    "services/fill_sim/bursts.py": ("fill_sim_bursts",),
    "services/fill_sim/changes.py": ("fill_sim_changes", "fill_sim_draws_levels", "fill_sim_behind"),
    "services/fill_sim/recent.py": ("fill_sim_changes", "fill_sim_draws_levels"),
    "services/fill_sim/queue.py": ("fill_sim_queue_messages", "fill_sim_queue"),
    "services/fill_sim/matching.py": ("fill_sim_matching", "fill_sim_crossing", "fill_sim_models", "fill_sim_auction"),
    "services/fill_sim/margin.py": ("fill_sim_margin", "fill_sim_affordable", "fill_sim_reduce_only"),
    "services/fill_sim/liquidation.py": ("fill_sim_liquidation_terms", "fill_sim_liquidation"),
    "services/fill_sim/funding.py": ("fill_sim_settlements",),
    "services/fill_sim/draws.py": ("fill_sim_draws_levels", "fill_sim_draws_prints", "fill_sim_behind"),
    "services/fill_sim/groups.py": ("fill_sim_groups", "fill_sim_triggers"),
    "services/fill_sim/triggers.py": ("fill_sim_triggers", "fill_sim_groups"),
    "shared/market/money.py": ("money",),
    "shared/market/orders_told.py": ("fill_sim_changes",),
}
"""The kernels, and the unit tests (`test_NAME.py`) that must notice."""
QUIETLY: Final = ("-x", "-q", "-p", "tests.python_form", "-p", "no:cacheprovider")
SLOWER: Final = 3
"""How many times the processor time of the tests without a mutant one may take: beyond it loops, and is noticed."""


def main(cosmic_ray: Path, modules: Sequence[str]) -> int:
    """Mutate the modules, all if none is named."""
    return max(mutate(cosmic_ray, module) for module in modules or TESTS)


def mutate(cosmic_ray: Path, module: str) -> int:
    """Mutate one module and report; 1 if a mutant survived, or a listed one is none."""
    code, mutants = (ROOT / module).read_text(), mutants_of(cosmic_ray, module)
    listed = EQUIVALENTS.get(module, ())
    excused = {name for name, changed in mutants.items() if any(e.is_(code, changed) for e in (*EVERYWHERE, *listed))}
    unused = [e for e in listed if not any(e.is_(code, changed) for changed in mutants.values())]
    for equivalent in unused:
        say(f"{module}: listed as equivalent, but no mutant: {equivalent}")
    survivors = outlive(module, code, {name: mutants[name] for name in mutants if name not in excused})
    say(f"{module}: {len(mutants)} mutants, {survivors} survived, {len(excused)} equivalent")
    return int(survivors > 0 or bool(unused))


def mutants_of(cosmic_ray: Path, module: str) -> dict[str, str]:
    """The mutants of a module by name."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([cosmic_ray, "-m", "tools.mutants", module, folder], check=True, stdout=subprocess.DEVNULL)
        return {mutant.stem: mutant.read_text() for mutant in sorted(Path(folder).iterdir())}


def outlive(module: str, code: str, mutants: dict[str, str]) -> int:
    """How many mutants the module's tests do not notice; says each."""
    tests = [f"tests/unit/test_{name}.py" for name in TESTS[module]]
    before_s = time.process_time()
    if pytest.main([*QUIETLY, *tests]) != 0:
        sys.exit(f"{module}: its tests fail without any mutant")
    limit_s = 1 + SLOWER * (time.process_time() - before_s)
    survivors = 0
    for name, changed in mutants.items():
        if passes(module, changed, tests, limit_s):
            survivors += 1
            say(f"survived: {name}\n{difference(module, code, changed)}")
    return survivors


def difference(module: str, code: str, changed: str) -> str:
    """What a mutant changed, in lines."""
    lines = difflib.unified_diff(code.splitlines(), changed.splitlines(), module, module, lineterm="", n=1)
    return "\n".join(lines)


def passes(module: str, changed: str, tests: list[str], limit_s: float) -> bool:
    """Whether the tests pass on a mutant, in a process of their own that ends in time."""
    child = os.fork()
    if child == 0:
        signal.setitimer(signal.ITIMER_PROF, limit_s)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        code = 1
        try:
            take_over(module, changed)
            code = int(pytest.main([*QUIETLY, *tests]))
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def take_over(module: str, changed: str) -> None:
    """Give the module of this process the code and constants of a mutant, for everyone who has imported them."""
    original = importlib.import_module(f"papertrader.{module.removesuffix('.py').replace('/', '.')}")
    names = dict(vars(original))
    exec(compile(changed, module, "exec"), names)
    for name, value in names.items():
        before = vars(original)[name]
        if isinstance(value, FunctionType) and value is not before:
            before.__code__ = value.__code__
        else:
            setattr(original, name, value)


def say(text: str) -> None:
    """A line of the report."""
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute(), sys.argv[2:]))
