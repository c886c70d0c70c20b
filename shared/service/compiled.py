"""Compiled kernels in a service's life: load them before the first message, then let the compiler's memory go."""

import ctypes
import logging
import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from papertrader.shared.log.kinds import KIND_OF
from papertrader.shared.messages import (
    HORIZONS_S,
    LABEL_HORIZON_S,
    Account,
    Ack,
    Bbo,
    Book,
    Calibration,
    Cancel,
    Context,
    Estimate,
    Fill,
    Gap,
    Instrument,
    Markout,
    Message,
    Place,
    Trades,
)
from papertrader.shared.service.fold import Fold, Received, Round, canonical

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Message)

WARM_ROUNDS: Final = 8
"""Beyond the label horizon: outcomes are settled as well."""
_SECOND: Final = 1_000_000_000


def warm(fold: Fold) -> None:
    """Fold seconds of a tiny market with every kind of message, so that every kernel is loaded (or compiled) now.

    A kernel that is compiled at the first fill instead stops the fold, and with it the feed, for seconds.
    """
    for round_ in _session(tuple(getattr(fold, "accounts", ()))):
        fold.fold(round_)


def _session(accounts: tuple[str, ...]) -> Iterable[Round]:
    """Rounds a second apart: all market data in the first, what the others say in the second, then time passes."""
    for second in range(1, WARM_ROUNDS + 1):
        ts = second * _SECOND
        yield Round(
            number=second,
            ts=ts + _SECOND // 2,
            previous_ts=ts - _SECOND // 2,
            heard=canonical(_said(ts, accounts) if second == 2 else ()),
            market_data=_market_data(ts, first=second == 1),
        )


def _market_data(ts: int, first: bool) -> tuple[Message, ...]:
    sizes = [1.0, 2.0]
    book = Book(ts=ts, recv_ts=ts, bid_prices=[99.9, 99.8], bid_sizes=sizes, ask_prices=[100.1, 100.2], ask_sizes=sizes)
    touch = Bbo(ts=ts, recv_ts=ts, bid_price=99.9, bid_size=1.0, ask_price=100.1, ask_size=1.0)
    prints = Trades(ts=ts, recv_ts=ts, times=[ts], prices=[100.1], sizes=[0.1], aggressors=["buy"], trade_ids=[ts])
    if not first:
        return book, touch, prints
    instrument = Instrument(ts=ts, tick_size=0.1, lot_size=0.001)
    context = Context(ts=ts, recv_ts=ts, funding_rate=0.0, mark_price=100.0)
    gap = Gap(ts=ts, recv_ts=ts, from_ts=ts - _SECOND, to_ts=ts - _SECOND, reason="warm")
    return instrument, book, touch, prints, context, gap


def _said(ts: int, accounts: tuple[str, ...]) -> list[Received]:
    """An order's whole life and what is learned from it, once per account."""
    order = {"ts": ts, "order_id": 1, "side": "buy", "price": 99.9, "size": 0.1, "live_ts": ts - _SECOND // 2}
    messages: list[Message] = [
        Place(ts=ts, order_id=1, side="buy", price=99.9, size=0.1, mid=100.0),
        Cancel(ts=ts, order_id=1),
        _filled_in(Ack, order | {"status": "accepted", "filled_size": 0.0, "first_fill_ts": 0}),
        _filled_in(Fill, order | {"mid_at_placement": 100.0, "mid_at_fill": 100.0}),
        _filled_in(Ack, order | {"status": "cancelled"}),
        _filled_in(Account, {"ts": ts}),
        _filled_in(Estimate, {"ts": ts, "kappa": 2500.0}),
        _filled_in(Calibration, {"ts": ts}),
    ]
    fill = {"ts": ts, "fill_ts": ts - _SECOND // 2, "price": 99.9, "side": "buy", "mid": 100.0}
    for horizon_s in HORIZONS_S:
        label = horizon_s == LABEL_HORIZON_S
        messages.append(_filled_in(Markout, fill | {"horizon_s": horizon_s, "label": label}))
    return [
        Received(KIND_OF[type(message)], account, message, sequence)
        for account in accounts
        for sequence, message in enumerate(messages)
    ]


def _filled_in(struct: type[T], given: dict[str, Any]) -> T:
    """A message with the given fields and something of the right type in all others."""
    blank = {field.name: _blank(msgspec.inspect.type_info(field.type)) for field in msgspec.structs.fields(struct)}
    return msgspec.convert(blank | given, struct)


def _blank(kind: msgspec.inspect.Type) -> Any:
    match kind:
        case msgspec.inspect.IntType():
            return 1
        case msgspec.inspect.FloatType() | msgspec.inspect.UnionType():
            return 0.5
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.LiteralType():
            return min(map(str, kind.values))
        case msgspec.inspect.VarTupleType():
            return (0.5,) * (kind.min_length or 0)
    raise TypeError(f"no blank for {kind}")


def release_compiler_memory() -> None:
    """Hand the pages of the compiler's machine code back to the system.

    The kernels are native code of their own once loaded; the 100 MB of libllvmlite that importing numba touched are
    not used again. The pages are clean and file-backed, so anything that does need them reads them anew.
    """
    try:
        maps = Path("/proc/self/maps").read_text()
        madvise = ctypes.CDLL(None, use_errno=True).madvise
    except (OSError, AttributeError):
        return  # not Linux: the memory stays
    madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for line in maps.splitlines():
        if "libllvmlite" in line and " r-xp " in line:
            low, high = (int(part, 16) for part in line.split()[0].split("-"))
            if madvise(low, high - low, mmap.MADV_DONTNEED) != 0:
                log.warning("the compiler's memory could not be released: errno %d", ctypes.get_errno())
