"""Kernels are compiled once for these sources, this Python and a processor, before the first command that needs them.

The processor is this one, or what `NUMBA_CPU_NAME` names: `generic` is any of the architecture, for images that run
elsewhere. The numbers are the same.
"""

import os
import platform
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import typer
from rich.console import Console

from papertrader.shared.kernel_cache import KernelCacheError, kernel_cache

PARTS: Final = ("services", "replay")
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
        _marker(part).touch()
    _forget(kernel_cache())


def target() -> str:
    """The processor that kernels are compiled for, by name if one was named."""
    named, machine = os.environ.get("NUMBA_CPU_NAME"), platform.machine()
    return f"{named}_{machine}" if named else machine


def _marker(part: str) -> Path:
    return kernel_cache() / f"{part}-{sys.implementation.cache_tag}-{target()}"


def _forget(current: Path) -> None:
    for other in current.parent.iterdir():
        unused_s = time.time() - max((marker.stat().st_mtime for marker in (other, *other.glob("*-*-*"))), default=0.0)
        alike = other.is_dir() and len(other.name) == len(current.name)
        if alike and other != current and unused_s > FORGOTTEN_AFTER_S:
            shutil.rmtree(other, ignore_errors=True)
