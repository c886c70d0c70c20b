"""Mutation testing of the kernels that decide about money and queues: which changes of them does no test notice?

`python -m tools.mutation COSMIC_RAY [MODULE ...]` changes one operator, number or branch of a kernel after the other in
a copy of the checkout, and runs the kernel's tests in their Python form. It prints every survivor with its change, and
how many mutants survived. Exit code 1 if any did.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
COPY: Final = ROOT / "build" / "mutants"
TESTS: Final = {
    "services/fill_sim/account.py": ("test_fill_sim_account",),
    "services/fill_sim/queue.py": ("test_fill_sim_queue",),
    "services/fill_sim/matching.py": ("test_fill_sim_queue", "test_fill_sim_models"),
}
"""The kernels, and the unit tests that must notice."""
SETTINGS: Final = """
[cosmic-ray]
module-path = "{module}"
timeout = {timeout}
excluded-modules = []
test-command = "{python} -m pytest -x -q -p tests.python_form -p no:cacheprovider {tests}"

[cosmic-ray.distributor]
name = "local"
"""
TIMEOUT_S: Final = 120.0


def main(cosmic_ray: Path, modules: list[str]) -> int:
    """Mutate the modules, all if none is named."""
    shutil.rmtree(COPY, ignore_errors=True)
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, tracked.decode().split("\0")):
        target = COPY / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    return max(mutate(cosmic_ray, module) for module in modules or TESTS)


def mutate(cosmic_ray: Path, module: str) -> int:
    """Mutate one module and report; 1 if a mutant survived."""
    tests = " ".join(f"tests/unit/{name}.py" for name in TESTS[module])
    config, session = COPY / "mutation.toml", COPY / f"{Path(module).stem}.sqlite"
    config.write_text(SETTINGS.format(module=module, timeout=TIMEOUT_S, python=sys.executable, tests=tests))
    environment = {"NUMBA_DISABLE_JIT": "1", "PATH": f"{cosmic_ray.parent}:/usr/bin:/bin", "PYTHONPATH": str(COPY)}
    for step in (("baseline", config), ("init", config, session), ("exec", config, session)):
        subprocess.run([cosmic_ray, *step], cwd=COPY, env=environment, check=True)
    report = [cosmic_ray.with_name("cr-report"), "--show-diff", "--surviving-only", session]
    subprocess.run(report, cwd=COPY, env=environment, check=True)
    rate = subprocess.run(
        [cosmic_ray.with_name("cr-rate"), session], cwd=COPY, capture_output=True, text=True, check=True
    )
    survived = float(rate.stdout.strip())
    print(f"{module}: {survived:.1f} % of the mutants survived")  # noqa: T201
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve(), sys.argv[2:]))
