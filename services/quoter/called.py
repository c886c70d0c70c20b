"""A strategy that is a Python class, called by compiled code with a view that costs microseconds."""

import ctypes
from collections.abc import Sequence
from struct import Struct, error
from typing import Any, Final

import numpy as np

from papertrader.services.quoter.glft import VIEW
from papertrader.services.quoter.own import WISH, WISHED, WISHES
from papertrader.services.quoter.sight import Sight
from papertrader.services.quoter.strategy import (
    FLAGS,
    Cancel,
    Change,
    Order,
    Sleep,
    Strategy,
    StrategyError,
    Target,
    View,
    checked,
)
from papertrader.services.quoter.wishes import CANCEL, MODIFY, PLACE, QUOTE, RAISED
from papertrader.shared.market.records import Records, code
from papertrader.shared.messages import REGIMES, TimeInForce

FORM: Final = ctypes.CFUNCTYPE(ctypes.c_int32)
"""The kernels' own calling convention, whose answer 0 is success; its arguments are not looked at."""
SIDES: Final = {"buy": 1, "sell": -1}
TIMES: Final = {name: code(TimeInForce, name) for name in ("post_only", "gtc", "ioc")}
NAN: Final = float("nan")


def struct_of(dtype: "np.dtype[np.void]", flags: Sequence[str] = ()) -> Struct:
    """What packs and unpacks a flat aligned record; flags as truth values."""
    found = "<"
    fields: Any = dtype.fields
    for name in dtype.names or ():
        kind, offset = fields[name][:2]
        letter = "?" if name in flags else {"i8": "q", "f8": "d", "i1": "b"}[kind.str[1:]]
        found += f"{offset - Struct(found).size}x{letter}"
    return Struct(f"{found}{dtype.itemsize - Struct(found).size}x")


_VIEW: Final = struct_of(VIEW, FLAGS)
_WISH: Final = struct_of(WISH)
_FIELDS: Final[Any] = WISHED.fields
_ROWS: Final = _FIELDS["rows"][1]
_NAMES: Final = VIEW.names or ()


def _bytes_of(record: Any) -> memoryview:
    return memoryview(record.view(np.uint8))


class Called:
    """A class's instance behind an address."""

    def __init__(self, strategy: Strategy, view: Records, out: Records, sight: Sight) -> None:
        """`view` and `out` are the records, shape (1,), that compiled code writes and reads."""
        self.error: BaseException | None = None
        """What the strategy raised last."""
        self._targets, self._sight = strategy.targets, sight
        self._view, self._out = _bytes_of(view), _bytes_of(out)
        self._count, self._sleeps, self._wrong = out["count"], out["sleeps_until"], out["wrong"]
        self._function = FORM(self._answer)
        self.address = ctypes.cast(self._function, ctypes.c_void_p).value or 0

    def _answer(self) -> int:
        try:
            self._write(self._targets(self._seen()))
        except BaseException as error:
            self.error, self._wrong[0] = error, RAISED
        return 0

    def _seen(self) -> View:
        values = _VIEW.unpack_from(self._view)
        view = View.__new__(View)
        fields: dict[str, Any] = view.__dict__
        fields.update(zip(_NAMES, values, strict=True))
        fields["regime"], fields["sight"] = REGIMES[fields["regime"]], self._sight
        return view

    def _write(self, wanted: Sequence[Any]) -> None:
        if len(wanted) > WISHES:
            raise StrategyError(f"{len(wanted)} quotes and orders: more than {WISHES} in one decision")
        place = _ROWS
        count = 0
        for index, item in enumerate(wanted):
            if type(item) is Sleep:
                self._sleeps[0] = item.until_ts
                continue
            try:
                _WISH.pack_into(self._out, place, *_row(item))
            except (KeyError, TypeError, AttributeError, error):
                checked(index, item)
                raise
            place += _WISH.size
            count += 1
        self._count[0] = count


def _row(item: Any) -> tuple[Any, ...]:
    """A wish's fields."""
    kind = type(item)
    if kind is Target:
        p_fill = NAN if item.p_fill is None else item.p_fill
        p_adverse = NAN if item.p_adverse is None else item.p_adverse
        return QUOTE, SIDES[item.side], 0, 0, 0, item.price, item.size, p_fill, p_adverse, item.priority_bps
    if kind is Order:
        time, side = TIMES[item.time_in_force], SIDES[item.side]
        return PLACE, side, time, item.reduce_only, 0, item.price, item.size, NAN, NAN, 0.0
    if kind is Change:
        return MODIFY, 0, 0, 0, item.order_id, item.price, item.size, NAN, NAN, 0.0
    if kind is Cancel:
        return CANCEL, 0, 0, 0, item.order_id, 0.0, 0.0, NAN, NAN, 0.0
    raise TypeError(item)
