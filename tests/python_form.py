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
        self[name] = wrapped(value) if isinstance(value, int) else value

    def __getitem__(self, name: Any) -> Any:
        return getattr(self, name) if isinstance(name, str) else super().__getitem__(name)


def wrapped(value: int) -> int:
    """The same 64 bits as a signed integer, as compiled code stores them."""
    return value if abs(value) < 2**63 else (value + 2**63) % 2**64 - 2**63


def as_rows(value: Any) -> Any:
    """A structured array or row as one of `Row`; anything else as it is."""
    if isinstance(value, np.ndarray | np.void) and value.dtype.names is not None:
        return value.view(np.dtype((Row, value.dtype)))
    return value


class Unsigned(np.uint64):
    """Made of any integer by its 64 bits, as compiled code does."""

    def __new__(cls, value: Any = 0) -> Any:
        return unsigned(value % 2**64 if isinstance(value, int) else value)


def rowed(make: Callable[..., Any]) -> Callable[..., Any]:
    """A maker of arrays, with structured rows as `Row`."""
    return lambda *arguments, **named: as_rows(make(*arguments, **named))


def with_its_python_form(function: Callable[..., Any], **_: Any) -> Callable[..., Any]:
    """What `numba.njit` makes, which also has `py_func` when it is compiled."""
    function.py_func = function  # type: ignore[attr-defined]
    return function


if not numba.config.DISABLE_JIT:
    raise RuntimeError("the Python form needs NUMBA_DISABLE_JIT=1 in the environment")
for maker in ("zeros", "empty", "array", "concatenate", "frombuffer"):
    setattr(np, maker, rowed(getattr(np, maker)))
numba.njit = with_its_python_form
unsigned, np.uint64 = np.uint64, Unsigned  # type: ignore[misc,assignment]
np.seterr(over="ignore")  # hashes wrap round on purpose, which compiled code does without a word
