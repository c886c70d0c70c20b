"""What all services share. Importing it also says where compiled kernels are kept.

numba keeps a kernel beside its source and compiles it anew when that file changes, but not when a function that it
calls changes in another file: it would go on running the old one. So kernels are kept in a folder named by a hash of
all sources that can be part of one.
"""

import hashlib
import os
from pathlib import Path

SOURCES = ("replay", "services", "shared")
ROOT = Path(__file__).resolve().parents[1]


def kernel_cache() -> Path:
    """The folder of the compiled kernels of exactly these sources, under `NUMBA_CACHE_DIR` or beside them."""
    base = Path(os.environ.get("NUMBA_CACHE_DIR", ROOT / ".numba_cache"))
    digest = hashlib.sha256()
    for folder in SOURCES:
        for source in sorted((ROOT / folder).rglob("*.py")):
            digest.update(source.read_bytes())
    name = digest.hexdigest()[:16]
    return base if base.name == name else base / name


os.environ["NUMBA_CACHE_DIR"] = str(kernel_cache())
