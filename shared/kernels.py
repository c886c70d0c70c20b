"""The one door to the compiler: every kernel is made by this `njit`, and kept in the folder of its sources.

Nobody else's numba settings are touched.
"""

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

import numba
from numba.core.caching import UserProvidedCacheLocator

from papertrader.shared.kernel_cache import folder_of, kernel_cache

KERNELS: Final[list[Any]] = []
"""Every kernel that was made so far, compiled or not."""


class KernelLocator(UserProvidedCacheLocator):
    """Keeps a kernel in the folder of its source, which numba would name by where the source lies."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        self._py_file, self._lineno = py_file, py_func.__code__.co_firstlineno
        self._cache_path = _folder(py_file)

    def ensure_cache_path(self) -> None:
        """See that the folder is there and can be written to: once for all of its kernels, while it is there."""
        if _can_be_kept_in(self._cache_path) and not os.path.isdir(self._cache_path):
            super().ensure_cache_path()  # type: ignore[no-untyped-call]


@cache
def _folder(py_file: str) -> str:
    return str(folder_of(Path(py_file).resolve()))


@cache
def _can_be_kept_in(folder: str) -> bool:
    os.makedirs(folder, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()
    return True


def njit(*function: Any, **options: Any) -> Any:
    """`numba.njit` whose cache lies in `kernel_cache()`; raises KernelCacheError if it cannot."""
    if not function:
        return lambda given: njit(given, **options)
    options.setdefault("no_cfunc_wrapper", True)  # nobody calls kernels from C
    config: Any = numba.config
    before = config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES
    config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = str(kernel_cache()), f"{__name__}.{KernelLocator.__name__}"
    try:
        kernel = numba.njit(*function, **options)
    finally:
        config.CACHE_DIR, config.CACHE_LOCATOR_CLASSES = before
    KERNELS.append(kernel)
    return kernel
