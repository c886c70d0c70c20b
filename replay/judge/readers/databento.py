"""Databento MBO, `.dbn` and `.dbn.zst`, decoded by the venue-neutral library `databento-dbn`.

Actions (https://databento.com/docs/schemas-and-data-formats/mbo): A adds, C cancels wholly or in part, M modifies,
R clears the book, T is the aggressor's trade, F the fill of a resting order. Neither T nor F changes the book: the C
or M that follows takes off what was filled.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from papertrader.replay.judge.orders import (
    ADD,
    EXECUTE,
    MODIFY,
    PRINT,
    REDUCE,
    STANDING,
    JudgeError,
    OrderData,
    order_data,
    tick_of,
)

CHUNK: Final = 1 << 22
MBO: Final = 160
"""The record type of MBO."""
UNDEFINED: Final = 2**63 - 1
SNAPSHOT_FLAG: Final = 32
SIDES: Final = {b"B": 1, b"A": -1}


def read(path: Path, symbol: str | None = None) -> OrderData:
    """The orders of one instrument of the file: that of id `symbol`, the busiest by default. Raises JudgeError."""
    records = np.concatenate(list(_records(path)) or [np.zeros(0, dtype=_dtype())])
    if not len(records):
        raise JudgeError(f"{path.name}: holds no MBO records")
    ids, counts = np.unique(records["instrument_id"], return_counts=True)
    wanted = int(symbol) if symbol and symbol.isdigit() else int(ids[np.argmax(counts)])
    records = records[records["instrument_id"] == wanted]
    prices = records["price"][(records["action"] == b"A") & (records["price"] != UNDEFINED)]
    if not len(prices):
        raise JudgeError(f"{path.name}: instrument {wanted} has no orders")
    step = tick_of(np.unique(prices))
    return order_data(_columns(records, step), step * 1e-9, f"{path.name} ({wanted})")


def _dtype() -> np.dtype[np.void]:
    dbn = _library()
    return np.dtype(dbn.MBOMsg._dtypes)


def _library() -> Any:
    try:
        import databento_dbn
    except ImportError:
        raise JudgeError("Databento files need `pip install papertrader[judge]`") from None
    return databento_dbn


def _records(path: Path) -> Iterator[Any]:
    """The MBO records as arrays, a piece of the file at a time."""
    dbn = _library()
    zstd = path.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    decoder = dbn.DBNDecoder(compression=dbn.Compression.ZSTD if zstd else dbn.Compression.NONE)
    dtype, size = _dtype(), _dtype().itemsize
    with path.open("rb") as file:
        while piece := file.read(CHUNK):
            try:
                decoder.write(piece)
                decoded = decoder.decode()
            except dbn.DBNError as error:
                raise JudgeError(f"{path.name}: {error}") from None
            parts = [bytes(record)[:size] for record in decoded if isinstance(record, dbn.MBOMsg)]
            if parts:
                yield np.frombuffer(b"".join(parts), dtype=dtype)


def _columns(records: Any, step: int) -> dict[str, Any]:
    """The events' columns. What was filled is taken off where the C or M that says so stands."""
    rows: list[tuple[int, int, float, int, int, int]] = []
    filled: dict[int, float] = {}
    sizes: dict[int, float] = {}
    fields = ("ts_event", "order_id", "size", "price", "action", "side", "flags")
    for ts, order, size, price, action, side, flags in zip(*(records[name].tolist() for name in fields), strict=True):
        sign = SIDES.get(side, 0)
        tick = price // step if price != UNDEFINED else 0
        if action == b"A" and sign:
            sizes[order] = size
            rows.append((ts, order, size, tick, STANDING if flags & SNAPSHOT_FLAG else ADD, sign))
        elif action == b"T" and sign:
            rows.append((ts, order, size, tick, PRINT, sign))
        elif action == b"F":
            filled[order] = filled.get(order, 0.0) + size
        elif action == b"C":
            executed = min(filled.pop(order, 0.0), size)
            sizes[order] = sizes.get(order, size) - size
            if executed > 0:
                rows.append((ts, order, executed, tick, EXECUTE, sign))
            if size > executed:
                rows.append((ts, order, size - executed, tick, REDUCE, sign))
        elif action == b"M" and sign:
            executed = min(filled.pop(order, 0.0), sizes.get(order, 0.0))
            if executed > 0:
                rows.append((ts, order, executed, tick, EXECUTE, sign))
            if size != sizes.get(order, -1.0) - executed or executed == 0:
                rows.append((ts, order, size, tick, MODIFY, sign))
            sizes[order] = size
        elif action == b"R":
            rows += [(ts, other, left, 0, REDUCE, 0) for other, left in sizes.items() if left > 0]
            sizes.clear()
            filled.clear()
    names = ("ts", "order", "size", "tick", "action", "side")
    return dict(zip(names, (np.array(column) for column in zip(*rows, strict=True)), strict=True))
