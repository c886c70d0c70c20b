"""Settings: one TOML file, every key overridable by `PAPER_<SECTION>_<KEY>`; wrong keys and values are refused.

A section is a service's settings. `[accounts.<name>.<section>]` overrides a section for one paper account; without an
`[accounts]` table there is one account, `main`.
"""

import difflib
import math
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, get_args, get_type_hints

import msgspec

from papertrader.shared.log.health import FOLDS, section_of

SECTIONS: Final = ("bus", "feed", *map(section_of, FOLDS), "gateway", "archive")
ACCOUNTS: Final = "accounts"
DEFAULT_ACCOUNT: Final = "main"
ENVIRONMENT_PREFIX: Final = "PAPER_"
NOT_SETTINGS: Final = ("PAPER_SETTINGS", "PAPER_TEST_DATA")

_NO_SUCH_WORD: Final = re.compile(r"Invalid enum value .* - at `\$\.(?P<path>[\w.]+)`")

T = TypeVar("T")
Tables = dict[str, Any]


class SettingsError(ValueError):
    """A setting that cannot be used; the text names the key and what to change."""


class Settings:
    """The merged settings, not yet checked against any section's type."""

    def __init__(self, tables: Mapping[str, Any]) -> None:
        for name in tables:
            if name not in (*SECTIONS, ACCOUNTS):
                raise SettingsError(f"unknown section [{name}]{_suggestion(name, (*SECTIONS, ACCOUNTS))}")
        for account, overrides in tables.get(ACCOUNTS, {}).items():
            check_account(account, overrides)
        self.tables: Tables = {name: dict(table) for name, table in tables.items()}
        self.closed: frozenset[str] = frozenset()
        """The accounts of which no orders are heard."""

    @property
    def accounts(self) -> tuple[str, ...]:
        """The paper accounts, in the order of the file."""
        return tuple(self.tables.get(ACCOUNTS, {})) or (DEFAULT_ACCOUNT,)

    def section(self, name: str, struct: type[T], account: str | None = None) -> T:
        """A section as its typed settings; raises SettingsError naming the key that is wrong."""
        values = dict(self.tables.get(name, {}))
        path = f"[{name}]"
        if account is not None:
            overrides = self.tables.get(ACCOUNTS, {}).get(account, {})
            if overrides.get(name):
                values |= overrides[name]
                path = f"[{name}] or [accounts.{account}.{name}]"
        return _convert(values, struct, path)

    def by_account(self, name: str, struct: type[T]) -> dict[str, T]:
        """A section once per paper account, with that account's overrides."""
        return {account: self.section(name, struct, account) for account in self.accounts}


def check_account(account: str, overrides: Any) -> None:
    """Raise SettingsError for a name or a table that no account can have."""
    where = f"[{ACCOUNTS}.{account}]"
    if not account.isascii() or not account.replace("-", "").replace("_", "").isalnum():
        raise SettingsError(f"{where}: an account is named with letters, digits, '-' and '_'")
    if not isinstance(overrides, dict):
        raise SettingsError(f"{where} must be a table of sections such as [{ACCOUNTS}.{account}.quoter]")
    for section, values in overrides.items():
        if section not in SECTIONS:
            raise SettingsError(f"unknown section [{ACCOUNTS}.{account}.{section}]{_suggestion(section, SECTIONS)}")
        if not isinstance(values, dict):
            raise SettingsError(f"[{ACCOUNTS}.{account}] {section} must be a table of settings")


def _convert(values: Mapping[str, Any], struct: type[T], path: str) -> T:
    names = struct.__struct_fields__  # type: ignore[attr-defined]
    for key in values:
        if key not in names:
            raise SettingsError(f"{path}: unknown setting {key!r}{_suggestion(key, names)}")
        if not _is_finite(values[key]):
            raise SettingsError(f"{path}: Expected a finite number, got {values[key]!r} - at `$.{key}`")
    try:
        return msgspec.convert(values, struct, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {error}{_choices(str(error), values, struct)}") from None


def _choices(complaint: str, values: Any, struct: Any) -> str:
    """The words that a setting may be, where it was another one."""
    found = _NO_SUCH_WORD.fullmatch(complaint)
    if found is None:
        return ""
    hint: Any = struct
    for name in found["path"].split("."):
        hint = get_type_hints(hint)[name]
        values = values.get(name, {}) if isinstance(values, Mapping) else ""
    return _suggestion(str(values), get_args(hint), always=True)


def _is_finite(value: Any) -> bool:
    """Whether a value, whatever it holds, can be written as JSON and read back."""
    if isinstance(value, str):
        return value.strip().lower().lstrip("+-") not in ("inf", "infinity", "nan")
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(_is_finite(item) for item in value.values())
    return all(_is_finite(item) for item in value) if isinstance(value, list | tuple) else True


def _decode(kind: type, value: Any) -> Any:
    if kind is Path:
        if not isinstance(value, str):
            raise ValueError(f"Expected a path in quotes, got {value!r}")
        return Path(value)
    raise NotImplementedError(f"a setting cannot be of type {kind.__name__}")


def _suggestion(word: str, known: Any, always: bool = False) -> str:
    close = difflib.get_close_matches(word, list(known), 1)
    listed = f"; known are {', '.join(known)}"
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return meant + listed if always else meant or listed


def load(path: Path | str | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings file (TOML, or JSON by its ending) and apply the environment's overrides.

    Without a path `PAPER_SETTINGS` names the file; without either the defaults hold. Raises SettingsError.
    """
    environment = os.environ if environment is None else environment
    path = path or environment.get("PAPER_SETTINGS")
    tables = _read(Path(path)) if path else {}
    for name, text in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX) and name not in NOT_SETTINGS:
            section, key = _split(name)
            tables.setdefault(section, {})[key] = setting_value(text)
    return Settings(tables)


def _read(path: Path) -> Tables:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from None
    try:
        tables = msgspec.json.decode(content) if path.suffix == ".json" else tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"the settings file {path} is not valid: {error}") from None
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise SettingsError(f"the settings file {path} must hold sections such as [feed], each with its settings")
    return tables


def _split(name: str) -> tuple[str, str]:
    words = name.removeprefix(ENVIRONMENT_PREFIX).lower()
    for section in sorted(SECTIONS, key=len, reverse=True):
        if words.startswith(section + "_"):
            return section, words.removeprefix(section + "_")
    raise SettingsError(f"the environment variable {name} names no section{_suggestion(words, SECTIONS)}")


def setting_value(text: str) -> Any:
    """The value of a setting that was written on a line: as in TOML, or else the text itself."""
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value if isinstance(value, (str, int, float, list, dict)) else text
