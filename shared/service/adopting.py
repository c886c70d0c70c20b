"""Taking over a fold's state from a checkpoint: field by field and account by account, each by its name.

A field or an array that is new keeps the value of a fold that remembers nothing, one that is gone is left out; an
account that is new begins now. A list that has grown keeps what it had: lists grow at their end. What else has the same
name and another form is refused: what a number means may change only with the service's `state_version`.
"""

import ast
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from papertrader.shared.service.fold import State

PER_ACCOUNT: Final = frozenset({"accounts", "quoters", "estimators", "trackers", "controllers", "owns"})
"""Arrays with a row for each account, in the order of the accounts' names."""
MADE_ANEW: Final = frozenset({"features"})
"""Fields that follow from what comes next: where their form is another one they begin as in a fold that is new."""
WITHOUT: Final = {"row": -1}
"""What a field is in rows of a state that did not have it yet, where that is not 0: an order without draws."""
BYTES: Final = frozenset({"facts"})
"""Arrays of bytes whose length says nothing."""


class LayoutError(ValueError):
    """A state that cannot be taken over; the text says which part does not fit."""


def layout_of(array: Any) -> str:
    """What an array's rows look like, as text."""
    return str(array.dtype.descr) if array.dtype.names else str(array.dtype.str)


def dtype_of(layout: str) -> "np.dtype[Any]":
    """The inverse of `layout_of`; raises LayoutError."""
    try:
        return np.dtype(ast.literal_eval(layout) if layout.startswith("[") else layout)
    except (ValueError, SyntaxError, TypeError) as error:
        raise LayoutError(f"{layout[:40]!r} is no layout of an array") from error


def copied(state: State) -> dict[str, Any]:
    """A state as it is now."""
    return {name: np.array(array) for name, array in state.items()}


def adopt(state: State, saved: Mapping[str, Any], accounts: Sequence[str], saved_accounts: Sequence[str]) -> None:
    """Write what was saved into a fold's state; raises LayoutError, and the state is then to be thrown away."""
    rows = [(place, saved_accounts.index(name)) for place, name in enumerate(accounts) if name in saved_accounts]
    for name, target in state.items():
        if name not in saved:
            continue
        source = saved[name]
        if name in PER_ACCOUNT and saved_accounts:
            for place, old in rows:
                _copy(f"{name} of {accounts[place]}", target[place : place + 1], source[old : old + 1])
        elif name in BYTES:
            size = min(len(source), len(target))
            if source[size:].any():
                raise LayoutError(f"{name} takes {len(source)} bytes, there is room for {len(target)}")
            target[:] = np.zeros((), dtype=target.dtype)
            target[:size] = source[:size]
        else:
            _copy(name, target, source)


def _copy(name: str, target: Any, source: Any) -> None:
    if target.shape != source.shape:
        if name.rpartition(".")[2] in MADE_ANEW:
            return
        if target.shape[:-1] != source.shape[:-1] or target.shape[-1] < source.shape[-1]:
            raise LayoutError(f"{name} has the shape {source.shape}, {target.shape} is needed")
        target = target[..., : source.shape[-1]]
    if target.dtype == source.dtype:
        target[...] = source
    elif target.dtype.names and source.dtype.names:
        for field in target.dtype.names:
            if field in source.dtype.names:
                _copy(f"{name}.{field}", target[field], source[field])
            elif field in WITHOUT:
                target[field] = WITHOUT[field]
    elif target.dtype.names or source.dtype.names or not np.can_cast(source.dtype, target.dtype, "safe"):
        raise LayoutError(f"{name} is {source.dtype}, {target.dtype} is needed")
    else:
        target[...] = source
