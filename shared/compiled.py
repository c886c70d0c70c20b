"""Compiled kernels in a service's life: load them before the first message, then let the compiler's memory go."""

import ctypes
import logging
import mmap
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from shared.fold import Fold, Received, Round, canonical
from shared.messages import Bbo, Book, Context, Gap, Instrument, Trades

log = logging.getLogger(__name__)

_SECOND: Final = 1_000_000_000


def warm(fold: Fold) -> None:
    """Fold a minute's worth of a tiny market, so that every kernel of the fold is loaded (or compiled) now."""
    for round_ in _session():
        fold.fold(round_)


def _session() -> Iterable[Round]:
    """A few rounds with every kind of market data."""
    start = _SECOND
    instrument = Instrument(ts=start, tick_size=0.1, lot_size=0.001)
    sizes = [1.0, 2.0]
    book = Book(
        ts=start, recv_ts=start, bid_prices=[99.9, 99.8], bid_sizes=sizes, ask_prices=[100.1, 100.2], ask_sizes=sizes
    )
    touch = Bbo(ts=start, recv_ts=start, bid_price=99.9, bid_size=1.0, ask_price=100.1, ask_size=1.0)
    prints = Trades(
        ts=start, recv_ts=start, times=[start], prices=[100.1], sizes=[0.1], aggressors=["buy"], trade_ids=[1]
    )
    context = Context(ts=start, recv_ts=start, funding_rate=0.0, mark_price=100.0)
    gap = Gap(ts=start, recv_ts=start, from_ts=start, to_ts=start, reason="warm")
    said: tuple[Received, ...] = canonical(())
    for second in range(1, 4):
        ts = start + second * _SECOND
        market_data = (instrument, book, touch, prints, context, gap) if second == 1 else (book, touch, prints)
        yield Round(number=second, ts=ts, previous_ts=ts - _SECOND, said=said, market_data=market_data)


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
