"""Where a user's own code is found: in a file, in the current folder, or among what is installed."""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def module_named(name: str) -> ModuleType:
    """An importable module, or one of the current folder; raises what importing it raises."""
    _search(Path.cwd())
    return importlib.import_module(name)


def module_of_file(path: Path) -> ModuleType:
    """The module that a file holds, run once per process; it may import what lies beside it.

    Raises OSError if there is no such file, and what running it raises.
    """
    path = path.resolve(strict=True)
    name = f"{path.stem}@{path.parent}"
    if name not in sys.modules:
        _search(path.parent)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _search(folder: Path) -> None:
    """Look for modules in a folder too, after everything that is installed."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
