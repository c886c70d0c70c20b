"""Kernels in their Python form: uncompiled, so that coverage sees their branches and a mutant costs no compiling.

A plugin of pytest: `NUMBA_DISABLE_JIT=1 python -m pytest -p tests.python_form tests/unit/test_fill_sim_queue.py`. A
compiled kernel reads the fields of a row as attributes, and integers of any width are 64 bits wide; numpy does so for
neither, so every structured array is made one of rows that do.
"""

from collections.abc import Callable
from typing import Any

import numba
import numpy as np


class Row(np.record):
    """A row whose fields are attributes, whatever else their names mean to numpy."""

    def __getattribute__(self, name: str) -> Any:
        fields = np.void.__getattribute__(self, "dtype").fields
        if fields is None or name not in fields:
            return super().__getattribute__(name)
        value = np.void.__getattribute__(self, "getfield")(*fields[name][:2])
        if isinstance(value, np.signedinteger):
            return int(value)
        return as_rows(value)

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __getitem__(self, name: Any) -> Any:
        return getattr(self, name) if isinstance(name, str) else super().__getitem__(name)


def as_rows(value: Any) -> Any:
    """A structured array or row as one of `Row`; anything else as it is."""
    if isinstance(value, np.ndarray | np.void) and value.dtype.names is not None:
        return value.view(np.dtype((Row, value.dtype)))
    return value


def rowed(make: Callable[..., Any]) -> Callable[..., Any]:
    """A maker of arrays, with structured rows as `Row`."""
    return lambda *arguments, **named: as_rows(make(*arguments, **named))


if not numba.config.DISABLE_JIT:
    raise RuntimeError("the Python form needs NUMBA_DISABLE_JIT=1 in the environment")
for maker in ("zeros", "empty", "array", "concatenate", "frombuffer"):
    setattr(np, maker, rowed(getattr(np, maker)))
np.seterr(over="ignore")  # hashes wrap round on purpose, which compiled code does without a word
