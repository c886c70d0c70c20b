"""The one door to the compiler: every kernel is made by this `njit`, and kept in the folder of its sources.

Nobody else's numba settings are touched.
"""

from typing import Any, Final

import numba

from papertrader.shared.kernel_cache import kernel_cache

KERNELS: Final[list[Any]] = []
"""Every kernel that was made so far, compiled or not."""


def njit(*function: Any, **options: Any) -> Any:
    """`numba.njit` whose cache lies in `kernel_cache()`; raises KernelCacheError if it cannot."""
    if not function:
        return lambda given: njit(given, **options)
    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, str(kernel_cache())
    try:
        kernel = numba.njit(*function, **options)
    finally:
        config.CACHE_DIR = before
    KERNELS.append(kernel)
    return kernel
