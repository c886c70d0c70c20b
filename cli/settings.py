"""All sections together: check them before a run, compile their kernels."""

import importlib
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console

from papertrader.services.feed.config import FeedConfig
from papertrader.shared import kernel_cache
from papertrader.shared.log.health import FOLDS, section_of
from papertrader.shared.service.config import ACCOUNTS, Settings
from papertrader.shared.service.runtime import BusConfig

WARM_REPLAY_S: Final = 5.0


def sections() -> dict[str, Any]:
    """Every section's settings struct."""
    found: dict[str, Any] = {"bus": BusConfig, "feed": FeedConfig}
    for name in map(section_of, FOLDS):
        module = importlib.import_module(f"papertrader.services.{name}.config")
        found[name] = getattr(module, f"{name.title().replace('_', '')}Config")
    return found


def check_all(settings: Settings) -> None:
    """Raise SettingsError for the first setting that is wrong in any section or account."""
    for name, struct in sections().items():
        settings.section(name, struct)
        for account in settings.tables.get(ACCOUNTS, {}):
            settings.section(name, struct, account)


def warm_all(console: Console) -> None:
    """Compile and cache the kernels of every fold and of the replay, and forget those of other sources."""
    # they bring every kernel along, which a check of settings should not pay for
    from papertrader.replay.composition import MEMBERS
    from papertrader.replay.replay import replay
    from papertrader.replay.session import sessions

    settings = Settings({})
    for service in MEMBERS.values():
        console.print(f"compiling {service.name} …")
        service.warm(settings)
    console.print("compiling replay …")
    with TemporaryDirectory() as folder:
        for session in sessions(FeedConfig(duration_s=WARM_REPLAY_S), Path(folder)):
            replay(session, settings)
    current = kernel_cache()
    for other in current.parent.iterdir():
        if other.is_dir() and other.name != current.name and len(other.name) == len(current.name):
            shutil.rmtree(other, ignore_errors=True)
