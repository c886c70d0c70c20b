"""A strategy that is a compiled function: it is compiled once for its source, and found by its address."""

import ast
import hashlib
import inspect
import linecache
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt
from numba import types
from numba.np.numpy_support import from_dtype

from papertrader.services.quoter.glft import VIEW
from papertrader.services.quoter.kernel import QUOTER
from papertrader.services.quoter.own import OWN, PRINTED, WISHED
from papertrader.services.quoter.wishes import Seen
from papertrader.shared.kernel_cache import folder_of, kernel_cache
from papertrader.shared.kernels import KernelLocator
from papertrader.shared.market.book import BOOK
from papertrader.shared.market.features import FEATURE_STATE
from papertrader.shared.market.records import Records

ASKING: Final = Path(__file__).with_name("asking.py")
SETTINGS: Final = "SETTINGS"
MEMORY: Final = "MEMORY"
LOADED: Final[list[Any]] = []
"""Compiled strategies, whose code is held."""


class ProgramError(ValueError):
    """A function that cannot be a strategy; the text says why."""


class ProgramLocator(KernelLocator):
    """Keeps a compiled strategy in a folder named by its source, what it imports from beside it, and our kernels."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        super().__init__(py_func, py_file)
        self._cache_path = str(folder_of_program(Path(py_file).resolve(), py_func.__module__))


def folder_of_program(source: Path, module: str) -> Path:
    """Where the kernel of a strategy's source is kept; a compiled function knows its module by its name."""
    digest = hashlib.sha256(f"{folder_of(ASKING).name} {module}".encode())
    for path in sorted(set(_beside(source, {source}))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return kernel_cache() / f"strategy.{source.stem}-{digest.hexdigest()[:16]}"


def _beside(source: Path, known: set[Path]) -> Iterator[Path]:
    """A source and, step by step, the modules beside it that it imports."""
    yield source
    for node in ast.walk(ast.parse(source.read_bytes())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for path in (source.with_name(f"{name.rpartition('.')[2]}.py") for name in names):
            if path not in known and path.exists():
                known.add(path)
                yield from _beside(path, known)


class Program:
    """A user's `decide(view, settings, memory, out)`: its module names SETTINGS and MEMORY with their first values."""

    def __init__(self, function: Callable[..., None], module: ModuleType, settings: Mapping[str, Any]) -> None:
        self.function = function
        """The function as Python runs it."""
        self.settings = record_of_values(_settings(module, settings))
        self.memory = record_of_values(dict(getattr(module, MEMORY, {})))
        self.before = self.memory.copy()
        """The memory as it was before the last decision."""
        self.address = _address(function, self.settings.dtype, self.memory.dtype)

    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """What it remembers."""
        return {"memory": self.memory}

    def wrong_line(self, seen: Sequence[Records], out: Records, error: BaseException) -> str:
        """The line that raised, or whose wish made no sense, as a traceback has it; empty if it cannot be told.

        The decision is made once more on copies, in Python, and looked at line by line.
        """
        *parts, settings, memory, again = (
            np.array(record).view(np.recarray)[0] for record in (*seen, self.settings, self.before, out)
        )
        again["wrong"], again["count"] = 0, 0
        lines: list[int] = []
        wrong: list[int] = []

        def look(frame: FrameType, _event: str, _value: Any) -> Any:
            if frame.f_code is not self.function.__code__:
                return None
            if again["wrong"] and not wrong:
                wrong.extend(lines[-1:])
            lines.append(frame.f_lineno)
            return look

        before, division = sys.gettrace(), isinstance(error, ZeroDivisionError)
        sys.settrace(look)
        try:
            with np.errstate(all="raise" if division else "ignore"):  # numpy's numbers divide by zero
                self.function(Seen(*parts), settings, memory, again)
        except Exception as raised:
            if isinstance(raised, FloatingPointError if division else type(error)):
                wrong = lines[-1:]
        finally:
            sys.settrace(before)
        return self._at(wrong[0]) if wrong else ""

    def _at(self, line: int) -> str:
        file = inspect.getfile(self.function)
        return f'  File "{file}", line {line}, in {self.function.__name__}\n    {linecache.getline(file, line).strip()}'


@cache
def _address(function: Callable[..., None], settings: "np.dtype[np.void]", memory: "np.dtype[np.void]") -> int:
    """Where the machine code of a function lies: it is loaded once in a process, and stays."""
    kernel = _kept(function)
    parts = [from_dtype(kind) for kind in (VIEW, BOOK, FEATURE_STATE, PRINTED, OWN, QUOTER)]
    seen = types.NamedTuple(parts, Seen)  # type: ignore[no-untyped-call]
    arguments = (seen, from_dtype(settings), from_dtype(memory), from_dtype(WISHED))
    kernel.compile(arguments)
    made = kernel.overloads[arguments]
    if made.signature.return_type != types.none:
        raise ProgramError(f"it returns {made.signature.return_type}: what it wants goes into `out`")
    LOADED.append(kernel)
    address: int = made.library.get_pointer_to_function(made.fndesc.llvm_func_name)
    return address


def _kept(function: Callable[..., None]) -> Any:
    """The function to be compiled, and kept as `folder_of_program` says; it may not look beyond the end of an array."""
    config: Any = numba.config
    before = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = str(kernel_cache()), f"{__name__}.{ProgramLocator.__name__}"
    try:
        made: Any = numba.njit  # noqa: TID251
        return made(function, cache=True, boundscheck=True, no_cfunc_wrapper=True)
    finally:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = before


def _settings(module: ModuleType, given: Mapping[str, Any]) -> dict[str, Any]:
    defaults = dict(getattr(module, SETTINGS, {}))
    for name, value in given.items():
        if name not in defaults:
            known = ", ".join(defaults) or "none"
            raise ProgramError(f"there is no setting {name!r}; SETTINGS has {known}")
        if isinstance(value, str) or (isinstance(value, float) and type(defaults[name]) in (int, bool)):
            raise ProgramError(f"setting {name} was {value!r}, not of the kind of {defaults[name]!r}")
        defaults[name] = type(defaults[name])(value)
    return defaults


def record_of_values(values: Mapping[str, Any]) -> Records:
    """Named numbers and arrays as one record, shape (1,)."""
    arrays = {name: np.asarray(value) for name, value in values.items()}
    kinds: list[tuple[Any, ...]] = [
        (name, array.dtype if array.dtype.kind != "b" else np.dtype("i1"), array.shape)
        for name, array in arrays.items()
    ]
    record = np.zeros(1, dtype=np.dtype(kinds or [("nothing", "i8")], align=True))
    for name, array in arrays.items():
        record[name][0] = array
    return record
