"""Which variants there are: every combination of listed values, or draws from lists and ranges."""

import math
import random
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from papertrader.shared.service.config import ACCOUNTS, SECTIONS, SettingsError, Tables

MOST_VARIANTS: Final = 100_000
RANGE: Final = re.compile(r"(?P<low>[^.,]+(?:\.\d+)?)\.\.(?P<high>[^:,]+)(?P<log>:log)?")

Variant = dict[str, Any]
"""One value for every dotted key."""


class Range(NamedTuple):
    """All numbers from `low` to `high`, both included; whole ones only, or evenly over their logarithm."""

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def drawn(self, chance: random.Random) -> float:
        """One of them at random."""
        if self.whole and not self.log:
            return chance.randint(int(self.low), int(self.high))
        if not self.log:
            return chance.uniform(self.low, self.high)
        value = math.exp(chance.uniform(math.log(self.low), math.log(self.high)))
        return round(value) if self.whole else value


Axes = dict[str, list[Any] | Range]
"""What to try by dotted key, e.g. `quoter.levels`: a list of values or a range."""


def axes_of(options: Iterable[str]) -> Axes:
    """The axes of `section.key=value,value` and `section.key=low..high[:log]` options; raises SettingsError."""
    axes: Axes = {}
    for option in options:
        key, equals, values = option.partition("=")
        if not equals or key.split(".")[0] not in SECTIONS or "." not in key or not values:
            raise SettingsError(
                f"--set {option}: write SECTION.KEY=VALUE,VALUE or SECTION.KEY=LOW..HIGH with one of "
                f"{', '.join(SECTIONS)}"
            )
        axes[key] = _range(option, values) or [_value(text.strip()) for text in values.split(",")]
    return axes


def _range(option: str, text: str) -> Range | None:
    found = RANGE.fullmatch(text.strip())
    if not found:
        return None
    low, high = _value(found["low"]), _value(found["high"])
    numbers = isinstance(low, int | float) and isinstance(high, int | float)
    if not numbers or not low < high or (found["log"] and low <= 0):
        raise SettingsError(f"--set {option}: LOW..HIGH are two numbers, the lower one first and above 0 with :log")
    return Range(low, high, bool(found["log"]), isinstance(low, int) and isinstance(high, int))


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def variants_of(axes: Axes, count: int | None = None, seed: int = 1) -> list[Variant]:
    """All combinations, or `count` different ones at random; raises SettingsError for too many, or a range's all."""
    lists = {key: values for key, values in axes.items() if isinstance(values, list)}
    if len(lists) < len(axes):
        return _drawn(axes, count, seed)
    total = int(np.prod([len(values) for values in lists.values()], dtype=float))
    chosen: Iterable[int] = range(total)
    if count is not None and count < total:
        chosen = sorted(random.Random(seed).sample(range(total), count))
    elif total > MOST_VARIANTS:
        raise SettingsError(f"{total} variants are too many for a grid: draw some with --random COUNT")
    return [_variant(lists, number) for number in chosen]


def _drawn(axes: Axes, count: int | None, seed: int) -> list[Variant]:
    if count is None:
        raise SettingsError("a range LOW..HIGH has no end of values: draw some with --random or search with --trials")
    chance = random.Random(seed)
    found: dict[tuple[Any, ...], Variant] = {}
    for _ in range(100 * count):
        if len(found) == count:
            break
        variant = {key: _one_of(values, chance) for key, values in axes.items()}
        found.setdefault(tuple(map(str, variant.values())), variant)
    return list(found.values())


def _one_of(values: Sequence[Any], chance: random.Random) -> Any:
    return values.drawn(chance) if isinstance(values, Range) else chance.choice(values)


def _variant(lists: dict[str, list[Any]], number: int) -> Variant:
    variant: Variant = {}
    for key, values in reversed(lists.items()):
        number, place = divmod(number, len(values))
        variant[key] = values[place]
    return {key: variant[key] for key in lists}


def with_variant(tables: Mapping[str, Any], variant: Variant) -> Tables:
    """The settings with a variant's values, which no account's own settings override."""
    result: Tables = {name: _copied(table) for name, table in tables.items()}
    for key, value in variant.items():
        path = key.split(".")
        _set(result, path, value)
        for account in result.get(ACCOUNTS, {}).values():
            _drop(account, path)
    return result


def _copied(table: Any) -> Any:
    return {key: _copied(value) for key, value in table.items()} if isinstance(table, Mapping) else table


def _set(tables: Tables, path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        tables = tables.setdefault(name, {})
    tables[path[-1]] = value


def _drop(tables: Tables, path: Sequence[str]) -> None:
    for name in path[:-1]:
        tables = tables.get(name, {})
    tables.pop(path[-1], None)
