"""What all services share. Importing it also says where compiled kernels are kept.

numba keeps a kernel beside its source and compiles it anew when that file changes, but not when a function that it
calls changes in another file: it would go on running the old one. So kernels are kept in a folder named by a hash of
all sources of every folder that holds one.
"""

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def kernel_cache() -> Path:
    """The folder of the compiled kernels of exactly these sources, under `NUMBA_CACHE_DIR` or beside them."""
    base = Path(os.environ.get("NUMBA_CACHE_DIR", ROOT / ".numba_cache"))
    digest = hashlib.sha256()
    for folder in (ROOT / "replay", *sorted((ROOT / "services").iterdir()), ROOT / "shared"):
        sources = [source.read_bytes() for source in sorted(folder.rglob("*.py"))]
        if any(b"njit" in source for source in sources):
            digest.update(b"".join(sources))
    name = digest.hexdigest()[:16]
    return base if base.name == name else base / name


os.environ["NUMBA_CACHE_DIR"] = str(kernel_cache())
