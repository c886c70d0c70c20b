"""All sections of the settings together: what they are, whether they are right, and where a user's strategy lies."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from papertrader.services.feed.config import FeedConfig
from papertrader.shared.log.health import FOLDS, section_of
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.config import ACCOUNTS, Settings, Tables, load


def sections() -> dict[str, Any]:
    """Every section's settings struct."""
    found: dict[str, Any] = {"bus": BusConfig, "feed": FeedConfig}
    for name in (*map(section_of, FOLDS), "gateway", "archive"):
        module = importlib.import_module(f"papertrader.services.{name}.config")
        found[name] = getattr(module, f"{name.title().replace('_', '')}Config")
    return found


def check_all(settings: Settings) -> None:
    """Raise SettingsError for the first setting that is wrong in any section or account."""
    for name, struct in sections().items():
        settings.section(name, struct)
        for account in settings.tables.get(ACCOUNTS, {}):
            settings.section(name, struct, account)


def tables_of(settings: Path | str | Mapping[str, Any] | None, overrides: Mapping[str, Mapping[str, Any]]) -> Tables:
    """The settings of a file (or as they are given), and over them what is not None in `overrides`.

    A strategy's file is named by its whole path, so that it is found from any folder later. Raises SettingsError.
    """
    given = Settings(settings) if isinstance(settings, Mapping) else load(settings)
    tables: Tables = _copied(given.tables)
    for section, values in overrides.items():
        wanted = {key: value for key, value in values.items() if value is not None}
        if wanted:
            tables.setdefault(section, {}).update(wanted)
    folder = Path.cwd() if settings is None or isinstance(settings, Mapping) else Path(settings).parent
    for table in (tables, *tables.get(ACCOUNTS, {}).values()):
        _locate_strategy(table.get("quoter", {}), folder)
    return tables


def effective(tables: Mapping[str, Any]) -> Tables:
    """Every setting that is in force, with the defaults of what the tables leave out; accounts as they are given."""
    settings = Settings(tables)
    found: Tables = {
        name: msgspec.to_builtins(settings.section(name, struct), enc_hook=str) for name, struct in sections().items()
    }
    return found | ({ACCOUNTS: tables[ACCOUNTS]} if ACCOUNTS in tables else {})


def _locate_strategy(quoter: dict[str, Any], folder: Path) -> None:
    """Name a strategy's file by its path: it lies in the current folder or beside the settings."""
    file, colon, name = str(quoter.get("strategy", "")).rpartition(":")
    found = [place / file for place in (Path.cwd(), folder) if file.endswith(".py") and (place / file).is_file()]
    if found:
        quoter["strategy"] = f"{found[0].resolve()}{colon}{name}"


def _copied(table: Any) -> Any:
    return {key: _copied(value) for key, value in table.items()} if isinstance(table, Mapping) else table
