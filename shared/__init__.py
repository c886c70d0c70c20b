"""What all services share. Importing it also says where compiled kernels are kept.

numba keeps a kernel beside its source and compiles it anew when that file changes, but not when a function that it
calls changes in another file: it would go on running the old one. So kernels are kept in a folder named by a hash of
every source that holds one, or that such a source imports.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_IMPORT = re.compile(
    rb"^(?:from|import) papertrader\.((?:shared|services|replay)[\w.]*)(?: import (\([^)]*\)|.*))?", re.MULTILINE
)


def kernel_cache() -> Path:
    """The folder of the compiled kernels of exactly these sources, under `NUMBA_CACHE_DIR` or beside them."""
    base = Path(os.environ.get("NUMBA_CACHE_DIR", ROOT / ".numba_cache"))
    digest = hashlib.sha256()
    for _, source in sorted(kernel_sources().items()):
        digest.update(source)
    name = digest.hexdigest()[:16]
    return base if base.name == name else base / name


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
        yield place.with_suffix(".py")
        yield from (place / f"{name}.py" for name in re.findall(r"\w+", names.decode()))


os.environ["NUMBA_CACHE_DIR"] = str(kernel_cache())
