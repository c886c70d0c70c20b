"""Where compiled kernels are kept: in a folder named by a hash of the sources that hold one, and of what these import.

numba keeps a kernel by its own source and compiles it anew when that file changes, but not when a function that it
calls changes in another file: it would go on running the old one.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

ROOT: Final = Path(__file__).resolve().parents[1]
_IMPORT: Final = re.compile(
    rb"^(?:from|import) papertrader\.((?:shared|services|replay)[\w.]*)(?: import (\([^)]*\)|.*))?", re.MULTILINE
)


class KernelCacheError(RuntimeError):
    """Compiled kernels cannot be kept; the text says where, why and what to change."""


@cache
def kernel_cache() -> Path:
    """The folder of the compiled kernels of exactly these sources, made if it is not there.

    It lies under `NUMBA_CACHE_DIR` if that is set, beside the sources of a checkout, or else in the user's own cache.
    """
    digest = hashlib.sha256()
    for _, source in sorted(kernel_sources().items()):
        digest.update(source)
    return _made(_base() / digest.hexdigest()[:16])


def _base() -> Path:
    if given := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(given)
    if (ROOT / "pyproject.toml").exists():
        return ROOT / ".numba_cache"
    return _own(user_cache_path("papertrader") / "kernels")


def _made(folder: Path) -> Path:
    reason = "it may not be written to"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        reason = error.strerror or str(error)
    if not os.access(folder, os.W_OK):
        raise KernelCacheError(
            f"compiled kernels cannot be kept in {folder}: {reason}; set NUMBA_CACHE_DIR to a folder of yours"
        )
    return folder


def _own(folder: Path) -> Path:
    """A folder that only this user can write to: what lies in it is run. Raises KernelCacheError if others can."""
    there = _made(folder).stat()
    others_write = stat.S_IMODE(there.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
    if hasattr(os, "getuid") and (there.st_uid != os.getuid() or others_write):
        raise KernelCacheError(
            f"{folder} belongs to somebody else or others may write to it, and what lies in it is run: "
            f"make it yours alone (chmod 700), or set NUMBA_CACHE_DIR to a folder of yours"
        )
    return folder


def kernel_sources() -> dict[Path, bytes]:
    """The sources that hold a kernel and, step by step, the project's sources that they import."""
    everything = {
        path: path.read_bytes() for folder in ("shared", "services", "replay") for path in (ROOT / folder).rglob("*.py")
    }
    found: dict[Path, bytes] = {}
    waiting = [path for path, source in everything.items() if b"njit" in source]
    while waiting:
        path = waiting.pop()
        if path in everything and path not in found:
            found[path] = everything[path]
            waiting += _imported(found[path])
    return found


def _imported(source: bytes) -> Iterator[Path]:
    """Where the modules may lie that a source imports: `from a import b` may mean the module `a` or `a.b`."""
    for module, names in _IMPORT.findall(source):
        place = ROOT / module.decode().replace(".", "/")
        yield from (place.with_suffix(".py"), place / "__init__.py")
        yield from (place / f"{name}.py" for name in re.findall(r"\w+", names.decode()))
