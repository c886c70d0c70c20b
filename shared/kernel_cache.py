"""Where compiled kernels are kept: in a folder for each source, named by a hash of it and of all that it imports.

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
    """The folder of the compiled kernels, made if it is not there.

    It is `NUMBA_CACHE_DIR` if that is set, else beside the sources of a checkout, or in the user's own cache.
    """
    return _made(_base())


@cache
def folder_of(source: Path) -> Path:
    """Where the kernels of a source are kept: a folder named by the module and a hash of all that decides them.

    That is the source and, step by step, what it imports of the project; not the place where they lie, so that compiled
    kernels may be copied, and that a change compiles only what it reaches.
    """
    digest = hashlib.sha256()
    for path in sorted(sources_of([source]), key=_name):
        digest.update(_name(path).encode() + b"\0" + _digest(path))
    return kernel_cache() / f"{_name(source)}-{digest.hexdigest()[:16]}"


@cache
def kernel_folders() -> tuple[Path, ...]:
    """The folders of all kernels of these sources, in the order of their names."""
    return tuple(sorted(folder_of(path) for path, source in _project().items() if _holds_kernels(source)))


@cache
def _name(source: Path) -> str:
    inside = source.relative_to(ROOT) if source.is_relative_to(ROOT) else Path(source.name)
    return ".".join(inside.with_suffix("").parts)


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
    return sources_of([path for path, source in _project().items() if _holds_kernels(source)])


def sources_of(sources: list[Path]) -> dict[Path, bytes]:
    """These sources and, step by step, the project's sources that they import."""
    found: dict[Path, bytes] = {}
    waiting = list(sources)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = _read(path)
            waiting += _imported(path)
    return found


def _read(path: Path) -> bytes:
    return _project().get(path) or path.read_bytes()


@cache
def _digest(path: Path) -> bytes:
    return hashlib.sha256(_read(path)).digest()


@cache
def _project() -> dict[Path, bytes]:
    return {
        path: path.read_bytes() for folder in ("shared", "services", "replay") for path in (ROOT / folder).rglob("*.py")
    }


def _holds_kernels(source: bytes) -> bool:
    return b"@njit" in source


@cache
def _places() -> dict[str, Path]:
    """The project's sources by their place in it: text is looked up much faster than paths, and it is done often."""
    return {path.relative_to(ROOT).as_posix(): path for path in _project()}


@cache
def _imported(path: Path) -> tuple[Path, ...]:
    """The project's modules that a source imports: `from a import b` may mean the module `a` or `a.b`."""
    places = _places()
    return tuple(places[found] for found in _named(_read(path)) if found in places)


def _named(source: bytes) -> Iterator[str]:
    for module, names in _IMPORT.findall(source):
        place = module.decode().replace(".", "/")
        yield from (f"{place}.py", f"{place}/__init__.py")
        yield from (f"{place}/{name}.py" for name in re.findall(r"\w+", names.decode()))
