"""papertrader: a paper trader for market makers. What stands in `__all__` is public, everything else is private.

Nothing is imported before it is used: `import papertrader` does no work.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from papertrader import client, compiled, messages, runs, strategies, sweeps
    from papertrader.client import Client, ClientError
    from papertrader.runs import Column, Run, RunError, columns, load, run_replay
    from papertrader.strategies import Glft, Strategy, StrategyError, Target, View
    from papertrader.sweeps import Sweep, run_sweep

__all__ = [
    "Client",
    "ClientError",
    "Column",
    "Glft",
    "Run",
    "RunError",
    "Strategy",
    "StrategyError",
    "Sweep",
    "Target",
    "View",
    "__version__",
    "client",
    "columns",
    "compiled",
    "load",
    "messages",
    "run_replay",
    "run_sweep",
    "runs",
    "strategies",
    "sweeps",
]

__version__ = "0.1.0"

_HOMES = {
    "client": ("Client", "ClientError"),
    "runs": ("Column", "Run", "RunError", "columns", "load", "run_replay"),
    "strategies": ("Glft", "Strategy", "StrategyError", "Target", "View"),
    "sweeps": ("Sweep", "run_sweep"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """A public name, imported now that somebody asks for it."""
    if name in _HOME_OF:
        return getattr(import_module(f"papertrader.{_HOME_OF[name]}"), name)
    if name in __all__:
        return import_module(f"papertrader.{name}")
    raise AttributeError(f"module 'papertrader' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
