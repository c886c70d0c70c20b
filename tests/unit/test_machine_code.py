"""Kernels that are loaded without their bitcode are called and linked like any other."""

import subprocess
import sys

PROGRAM = """
import numba
from papertrader.shared.machine_code import load_machine_code_alone
from papertrader.shared.market.mathematics import decade_of, exp

load_machine_code_alone()
assert decade_of(250.0) == 2

@numba.njit
def both(x):
    return decade_of(x) + exp(0.0)

assert both(250.0) == 3.0
assert decade_of.stats.cache_hits and exp.stats.cache_hits, "they were kept"
"""


def test_a_kernel_loaded_as_machine_code_is_called_and_linked() -> None:
    for _ in range(2):  # the first run keeps them, if nobody has yet
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
