"""Arrays without a reference count, for loops that hand the same arrays to many steps.

Numba counts references where a step takes an array as argument or out of a tuple, two atomic operations each, which is
more than a step on one event costs otherwise. The caller's own reference keeps the memory alive.
"""

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic


def _borrowed(_context: Any, value: Any) -> Any:
    """The same array, or named tuple of arrays, not counted: it must not outlive the caller's reference."""

    def without_owner(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _stripped(context, builder, signature.return_type, arguments[0])

    return value(value), without_owner


def _stripped(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if not isinstance(kind, types.Array):
        parts = [
            _stripped(context, builder, part, builder.extract_value(value, place)) for place, part in enumerate(kind)
        ]
        return context.make_tuple(builder, kind, parts)
    view = context.make_array(kind)(context, builder, value)
    view.meminfo = ir.Constant(view.meminfo.type, None)
    view.parent = ir.Constant(view.parent.type, None)
    return view._getvalue()


borrowed: Any = intrinsic(_borrowed)
