"""Numpy record layouts for kernels, derived from the message structs: one schema, two forms.

A struct's field becomes a field of the same name: int → i8, float and `float | None` → f8 (None is NaN), bool → i1,
`Literal` → i1 (`Side` as −1, 0, +1; any other as the index of its value), a fixed-length tuple of floats → a
sub-array of f8.
"""

import math
from collections.abc import Callable, Collection
from functools import cache
from struct import Struct, calcsize
from types import UnionType
from typing import Any, Final, Literal, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
import numpy as np
import numpy.typing as npt

from papertrader.shared.messages import Message, Side

M = TypeVar("M", bound=Message)
Records: TypeAlias = npt.NDArray[np.void]
"""A structured array."""
Record: TypeAlias = Any
"""One row of a structured array as a kernel sees it: fields are attributes, and writing them changes the array."""
_FORMATS: Final = {"i8": "q", "f8": "d", "i1": "b"}
Integers: TypeAlias = npt.NDArray[np.int64]
"""An array of whole numbers."""
Row: TypeAlias = npt.NDArray[np.float64]
"""A small array of floats that a kernel writes into."""


@cache
def record_dtype(struct: type[Message]) -> np.dtype[np.void]:
    """The record layout of a message struct; raises TypeError for a field that has none."""
    hints = get_type_hints(struct, include_extras=True)
    return np.dtype([(name, *_layout(hints[name])) for name in struct.__struct_fields__], align=True)


@cache
def settings_dtype(struct: type[msgspec.Struct]) -> np.dtype[np.void]:
    """The record layout of a struct of settings: of its fields those that are numbers, as they are declared."""
    hints = get_type_hints(struct)
    kinds = {int: "i8", float: "f8", bool: "i1"}
    return np.dtype(
        [(name, kinds[hints[name]]) for name in struct.__struct_fields__ if hints[name] in kinds], align=True
    )


def settings_records(configs: Collection[msgspec.Struct]) -> Records:
    """The numbers of settings, all of one struct, as kernels read them: one row each, shape (n,)."""
    dtype = settings_dtype(type(next(iter(configs))))
    return np.array([tuple(getattr(config, name) for name in dtype.names or ()) for config in configs], dtype=dtype)


def _layout(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) is Literal or hint is bool:
        return ("i1",)
    if _is_int(hint):
        return ("i8",)
    if hint is float or (get_origin(hint) in (Union, UnionType) and float in get_args(hint)):
        return ("f8",)
    for constraint in getattr(hint, "__metadata__", ()):
        if isinstance(constraint, msgspec.Meta) and constraint.max_length is not None:
            return ("f8", (constraint.max_length,))
    raise TypeError(f"no record layout for {hint}")


def _is_int(hint: Any) -> bool:
    return hint is int or getattr(hint, "__origin__", None) is int


def code(literal: Any, value: str) -> int:
    """The kernel's number for a value of a Literal."""
    return get_args(literal).index(value) - (1 if literal is Side else 0)


def message_of(struct: type[M], record: Any) -> M:
    """The message that a kernel's output record stands for."""
    unpack, make = _maker(struct)
    return make(unpack(record))


@cache
def _maker(struct: type[M]) -> tuple[Callable[[Any], tuple[Any, ...]], Callable[[tuple[Any, ...]], M]]:
    """What takes the numbers out of a record, and what makes the message of them.

    The latter is the call of the struct written out, for it is made all the time.
    """
    hints = get_type_hints(struct, include_extras=True)
    dtype = record_dtype(struct)
    packed, fields, first = "<", [], 0
    for name in struct.__struct_fields__:
        field, offset = dtype[name], dtype.fields[name][1] if dtype.fields else 0
        count = math.prod(field.shape)
        packed += f"{offset - calcsize(packed)}x{count}{_FORMATS[field.base.str[1:]]}"
        fields.append(f"{name}={_value(hints[name], name, first, count)}")
        first += count
    unpack = Struct(f"{packed}{dtype.itemsize - calcsize(packed)}x").unpack
    literals = {f"of_{name}": get_args(hint) for name, hint in hints.items() if get_origin(hint) is Literal}
    return unpack, eval(f"lambda values: struct({', '.join(fields)})", {"struct": struct, **literals})


def _value(hint: Any, name: str, first: int, count: int) -> str:
    """An expression for the value that a record's numbers from the first on stand for."""
    number = f"values[{first}]"
    if get_origin(hint) is Literal:
        return f"of_{name}[{number}{' + 1' if hint == Side else ''}]"
    if hint is bool:
        return f"bool({number})"
    if get_origin(hint) in (Union, UnionType):
        return f"None if {number} != {number} else {number}"
    if hint is float or _is_int(hint):
        return number
    return f"values[{first}:{first + count}]"


@cache
def _encoders(struct: type[Message]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    hints = get_type_hints(struct, include_extras=True)
    return tuple((name, _encoder(hints[name])) for name in struct.__struct_fields__)


def _encoder(hint: Any) -> Callable[[Any], Any]:
    if get_origin(hint) is Literal:
        numbers = {value: index - (1 if hint == Side else 0) for index, value in enumerate(get_args(hint))}
        return numbers.__getitem__
    if get_origin(hint) in (Union, UnionType):
        return lambda value: math.nan if value is None else value
    return lambda value: value


def record_of(message: Message) -> Any:
    """The record that a kernel takes for a message: the inverse of `message_of`."""
    struct = type(message)
    values = tuple(encode(getattr(message, name)) for name, encode in _encoders(struct))
    return np.array(values, dtype=record_dtype(struct))[()]


def records_of(struct: type[Message], messages: list[Any]) -> Records:
    """The messages, all of one struct, as one record array of shape (n,)."""
    rows = [tuple(encode(getattr(item, name)) for name, encode in _encoders(struct)) for item in messages]
    return np.array(rows, dtype=record_dtype(struct))
