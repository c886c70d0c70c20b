"""A settings file with every setting in it, each with its meaning and its default, to be changed by hand."""

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from papertrader.replay.settings import sections

HEAD: Final = """\
# Settings of papertrader. Every setting is here with its meaning and its default, switched off by a '#': take the '#'
# away from a line to change it. Use the file with --settings FILE, or name it in PAPER_SETTINGS.
# Another paper account differs from [section] by what stands in [accounts.NAME.section]:
#
# [accounts.main]
# [accounts.wide.quoter]
# min_edge_bps = 3.0
"""
WIDTH: Final = 118


def settings_file() -> str:
    """The file's text, TOML; as it is written it changes nothing, and with every '#' of a setting removed neither."""
    parts = [HEAD]
    for name, struct in sections().items():
        parts += ["", *_section(name, struct)]
    return "\n".join(parts) + "\n"


def _section(path: str, struct: type[msgspec.Struct]) -> Iterator[str]:
    yield f"[{path}]"
    hints = get_type_hints(struct, include_extras=True)
    inner = []
    for field in msgspec.structs.fields(struct):
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        if isinstance(default, msgspec.Struct):
            inner.append((f"{path}.{field.name}", type(default)))
            continue
        yield from _comment(hints[field.name])
        yield f"#{field.name} =" if default is None else f"#{field.name} = {toml(default)}"
    for name, nested in inner:
        yield ""
        yield from _section(name, nested)


def _comment(hint: Any) -> Iterator[str]:
    """The meaning of a setting, its choices and its limits."""
    text, choices = _meaning(hint), choices_of(hint)
    if choices:
        text += f" ({', '.join(map(str, choices))})"
    line = "#"
    for word in text.split():
        if len(line) + len(word) >= WIDTH:
            yield line
            line = "#"
        line += f" {word}"
    yield line


def _meaning(hint: Any) -> str:
    for meta in getattr(hint, "__metadata__", ()):
        if isinstance(meta, msgspec.Meta) and meta.description:
            return meta.description
    return ""


def choices_of(hint: Any) -> tuple[Any, ...]:
    """The words that a setting may be; empty for one that is no choice of words."""
    if get_origin(hint) is Annotated:
        return choices_of(get_args(hint)[0])
    return get_args(hint) if get_origin(hint) is Literal else ()


def section_of(section: str, head: str, settings: Sequence[tuple[str, Any, str]]) -> str:
    """A settings file of one section: name, value and where it comes from, in the order given."""
    lines = [head, f"[{section}]", *(f"{name} = {toml(value)}  # {origin}" for name, value, origin in settings)]
    return "\n".join(lines) + "\n"


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, msgspec.Struct):
        value = msgspec.to_builtins(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    return repr(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
