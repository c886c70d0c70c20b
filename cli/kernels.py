"""Kernels are compiled once for these sources, this Python and a processor, before the first command that needs them.

The processor is this one, or what `NUMBA_CPU_NAME` names: `generic` is any of the architecture, for images that run
elsewhere. The numbers are the same.
"""

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import typer
from rich.console import Console

from papertrader.shared.kernel_cache import KernelCacheError, kernel_cache, kernel_folders

PARTS: Final = ("services", "replay")
_KERNELS_OF_A_SOURCE: Final = re.compile("-[0-9a-f]{16}$")
FORGOTTEN_AFTER_S: Final = 30 * 86_400.0
"""Kernels of other sources that nobody has used for so long are removed."""


def ensure_compiled(part: str) -> None:
    """Compile the kernels of the services or of the replay if that was never done; exits with a clear line if not."""
    try:
        marker = _marker(part)
        if marker.exists():
            with suppress(OSError):  # an image's kernels lie on a file system that cannot be written to
                marker.touch()
            return
        with _alone(marker):
            if not marker.exists():  # or somebody else compiled it meanwhile
                compile_parts([part])
    except (KernelCacheError, OSError) as error:
        Console(stderr=True).print(f"papertrader: {error}", style="red", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(2) from None


def compile_parts(parts: list[str]) -> None:
    """Compile parts, each in a process of its own: the compiler's memory is not carried along. Exits if one fails."""
    for part in parts:
        if part not in PARTS:
            raise KernelCacheError(f"warm {part}: there are {' and '.join(PARTS)}")
        command = [sys.executable, "-P", "-m", "papertrader.cli.compiling", part]
        if code := subprocess.run(command, check=False).returncode:
            raise typer.Exit(code)
        _marker(part).write_text("\n".join(folder.name for folder in kernel_folders()))
    _forget(kernel_cache())


def make_lean() -> None:
    """Remove the compiled kernels that no part which was compiled loads: what calls them has them within itself.

    Nine tenths of the files' size; whoever changes a source compiles them again.
    """
    kept = {path for part in PARTS if _marker(part).exists() for path in _loaded(part)}
    kept |= {path.with_name(f"{path.name.rsplit('.', 2)[0]}.nbi") for path in kept}
    for folder in kernel_folders():
        for path in folder.glob("*.nb[ci]"):
            if path not in kept:
                path.unlink()


def _loaded(part: str) -> list[Path]:
    command = [sys.executable, "-P", "-m", "papertrader.cli.loaded", part]
    return list(map(Path, subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()))


def target() -> str:
    """The processor that kernels are compiled for, by name if one was named."""
    named, machine = os.environ.get("NUMBA_CPU_NAME"), platform.machine()
    return f"{named}_{machine}" if named else machine


def _marker(part: str) -> Path:
    """The file that says that a part is compiled, and which folders it needs."""
    names = " ".join(folder.name for folder in kernel_folders())
    digest = hashlib.sha256(names.encode()).hexdigest()[:16]
    return kernel_cache() / f"{part}-{digest}-{sys.implementation.cache_tag}-{target()}.compiled"


@contextmanager
def _alone(marker: Path) -> Iterator[None]:
    """Commands that are started together compile once: the others wait."""
    with marker.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _forget(cache: Path) -> None:
    """Remove what was compiled long ago and no marker that was touched since needs."""
    now, used = time.time(), set[str]()
    for marker in cache.glob("*.compiled"):
        if now - marker.stat().st_mtime <= FORGOTTEN_AFTER_S:
            used.update(marker.read_text().splitlines())
        else:
            marker.unlink(missing_ok=True)
    for folder in cache.iterdir():
        old = now - folder.stat().st_mtime > FORGOTTEN_AFTER_S
        if old and folder.name not in used and folder.is_dir() and _KERNELS_OF_A_SOURCE.search(folder.name):
            shutil.rmtree(folder, ignore_errors=True)
