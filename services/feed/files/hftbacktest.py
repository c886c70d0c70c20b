"""hftbacktest's event arrays (`.npz`, `.npy`): rows with flags, read back as messages.

A row belongs to the receiver's order if it carries LOCAL; what carries EXCHANGE alone repeats such a row in the order
of the exchange. An array without such flags, as converters leave it before they order it, is read in order of receipt.
Depth sizes are absolute, the side of a trade is the taker's. A clear empties one side from its best level up to its
price, a clear of no side both. Rows of time 0, a snapshot put before the data, are as old as the row that follows.
"""

import zipfile
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from papertrader.services.feed.files.ladder import Ladder
from papertrader.services.feed.files.numbers import decimal, in_nanoseconds
from papertrader.shared.market.tape import TapeError
from papertrader.shared.messages import Book, Depth, Message, Trades

SUFFIXES: Final = (".npz", ".npy")
DATA: Final = "data"
"""The array of a file that holds the rows."""
MAGIC: Final = (b"PK\x03\x04", b"\x93NUMPY")
VENUE: Final = "hftbacktest"
"""The venue of a file whose name does not begin with one."""
HFTBACKTEST_EVENT: Final = np.dtype(
    [
        ("ev", "u8"),
        ("exch_ts", "i8"),
        ("local_ts", "i8"),
        ("px", "f8"),
        ("qty", "f8"),
        ("order_id", "u8"),
        ("ival", "i8"),
        ("fval", "f8"),
    ],
    align=True,
)
FIELDS: Final = ("ev", "exch_ts", "local_ts", "px", "qty")
OLD_COLUMNS: Final = ("ev", "exch_ts", "local_ts", "side", "px", "qty")
"""The columns of hftbacktest 1, whose arrays have no fields; a time of −1 takes a row out of that order."""
DEPTH: Final = 1
TRADE: Final = 2
CLEAR: Final = 3
SNAPSHOT: Final = 4
TOUCH: Final = 5
ORDERS: Final = (10, 11, 12, 13)
"""Rows of an order-by-order book."""
KIND: Final = 0xFF
EXCHANGE: Final = 1 << 31
LOCAL: Final = 1 << 30
BUY: Final = 1 << 29
SELL: Final = 1 << 28
FLAGS: Final = 0xFFFFFFFF

MESSAGE_OF: Final = {DEPTH: DEPTH, TOUCH: DEPTH, TRADE: TRADE, CLEAR: SNAPSHOT, SNAPSHOT: SNAPSHOT}
"""Rows of these kinds stand in one message; all others are not known here."""
ROWS_AT_ONCE: Final = 100_000


class Row(NamedTuple):
    """One row in the receiver's order; `number` is its place in the file, `side` 0 says that it has none."""

    number: int
    kind: int
    side: int
    exch_ts: int
    local_ts: int
    price: float
    size: float
    order_id: int


def is_array(path: Path) -> bool:
    """Whether a file is an array by its name or its first bytes."""
    if path.suffix in SUFFIXES:
        return True
    try:
        with path.open("rb") as file:
            return file.read(6).startswith(MAGIC)
    except OSError:
        return False


def load(path: Path, names: Collection[str] = ()) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file: `data`, and those of `names` that it has; raises TapeError if there are no such."""
    try:
        with path.open("rb") as file:
            found: Any = np.load(file, allow_pickle=False)
            return _members(found, path, names) if isinstance(found, np.lib.npyio.NpzFile) else {DATA: found}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise TapeError(f"{path}: is not an event array of hftbacktest: {error}") from error


def _members(file: Any, path: Path, names: Collection[str]) -> dict[str, npt.NDArray[Any]]:
    data = [name for name in file.files if name == DATA] or list(file.files)
    if len(data) != 1:
        held = ", ".join(data) or "nothing"
        raise TapeError(f"{path}: is not an event array of hftbacktest: expected an array named data, found {held}")
    return {DATA: file[data[0]]} | {name: file[name] for name in file.files if name in names and name != DATA}


def received(rows: npt.NDArray[Any], path: Path) -> npt.NDArray[np.void]:
    """The rows of the receiver's order as HFTBACKTEST_EVENT, whatever the array's types, order of fields and units."""
    columns = _columns(rows, path)
    flags = columns["ev"].astype(np.int64) & FLAGS
    exch_ts, local_ts = in_nanoseconds(columns["exch_ts"]), in_nanoseconds(columns["local_ts"])
    places = _receivers(flags)
    if not len(places):
        raise TapeError(f"{path}: is not an event array of hftbacktest: it has no rows")
    found = np.zeros(len(places), dtype=HFTBACKTEST_EVENT)
    found["ev"] = flags[places]
    found["exch_ts"], found["local_ts"] = _times(exch_ts[places], local_ts[places], path)
    found["px"], found["qty"] = decimal(columns["px"][places]), decimal(columns["qty"][places])
    found["order_id"] = places + 1
    if "order_id" in columns:
        ids = columns["order_id"][places].astype(np.int64)
        found["order_id"] = np.where(ids > 0, ids, places + 1)
    in_order = np.argsort(found["local_ts"], kind="stable") if (np.diff(found["local_ts"]) < 0).any() else slice(None)
    return _readable(found[in_order], path)


def _columns(rows: npt.NDArray[Any], path: Path) -> dict[str, npt.NDArray[Any]]:
    expected = f"expected one row an event with the fields {', '.join(FIELDS)}"
    names = rows.dtype.names or ()
    if not names and rows.ndim == 2 and rows.shape[1] == len(OLD_COLUMNS):
        return _old_columns(rows)
    missing = [name for name in FIELDS if name not in names]
    if missing or rows.ndim != 1:
        held = f"the fields {', '.join(names)}" if names else f"an array of {rows.dtype} of shape {rows.shape}"
        raise TapeError(f"{path}: is not an event array of hftbacktest: {held}; {expected}")
    wrong = [name for name in (*FIELDS, "order_id") if name in names and rows.dtype[name].kind not in "iuf"]
    if wrong:
        raise TapeError(
            f"{path}: is not an event array of hftbacktest: {', '.join(wrong)} holds no numbers; {expected}"
        )
    return {name: rows[name] for name in (*FIELDS, "order_id") if name in names}


def _old_columns(rows: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    columns = {name: rows[:, index] for index, name in enumerate(OLD_COLUMNS)}
    flags = columns["ev"].astype(np.int64) & KIND
    for name, value in (("side", 1), ("side", -1)):
        flags |= np.where(columns[name] == value, BUY if value > 0 else SELL, 0)
    flags |= np.where(columns["exch_ts"] > 0, EXCHANGE, 0) | np.where(columns["local_ts"] > 0, LOCAL, 0)
    return columns | {"ev": flags}


def _receivers(flags: npt.NDArray[np.int64]) -> npt.NDArray[np.intp]:
    """The places of the rows of the receiver's order; where no row says what it belongs to, all of the one order."""
    for flag in (LOCAL, EXCHANGE):
        if (flags & flag).any():
            return np.flatnonzero(flags & flag)
    return np.arange(len(flags))


def _times(
    exch_ts: npt.NDArray[np.int64], local_ts: npt.NDArray[np.int64], path: Path
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Both times of every row: one that is missing (0 or less) is the other one, or else that of the next row."""
    local = np.where(local_ts > 0, local_ts, exch_ts)
    exch = np.where(exch_ts > 0, exch_ts, local)
    known = local > 0
    if not known.any():
        raise TapeError(f"{path}: no row has a time")
    following = np.minimum.accumulate(np.where(known, np.arange(len(local)), len(local) - 1)[::-1])[::-1]
    last = int(np.flatnonzero(known)[-1])
    following = np.where(known[following], following, last)
    return np.where(known, exch, exch[following]), local[following]


def _readable(rows: npt.NDArray[np.void], path: Path) -> npt.NDArray[np.void]:
    kinds = set(np.unique(rows["ev"] & np.uint64(KIND)).tolist())
    if kinds & set(ORDERS) and not kinds & {DEPTH, SNAPSHOT}:
        raise TapeError(f"{path}: holds orders one by one (kinds 10 to 13): expected levels (kinds 1, 3 and 4)")
    if not kinds & set(MESSAGE_OF):
        named = ", ".join(map(str, sorted(kinds)))
        raise TapeError(f"{path}: holds rows of the kinds {named} alone: expected levels (1, 3, 4) and trades (2)")
    return rows


def frames(
    rows: npt.NDArray[np.void], bad: Counter[str], ladder: Ladder | None = None
) -> Iterator[tuple[int, list[Message]]]:
    """The messages that were received at once, with that time. What no market data can be is counted in `bad`.

    `rows` are those of `received`, `ladder` the levels that were told before them.
    """
    ladder = ladder or Ladder()
    sound = (row for row in _rows(rows) if is_sound(row, bad))
    for local_ts, together in groupby(sound, lambda row: row.local_ts):
        alike = groupby(together, lambda row: (MESSAGE_OF[row.kind], row.exch_ts))
        found = [
            message
            for (kind, ts), members in alike
            for message in book_messages(ladder, kind, ts, local_ts, list(members))
        ]
        if found:
            yield local_ts, found


def _rows(rows: npt.NDArray[np.void]) -> Iterator[Row]:
    for start in range(0, len(rows), ROWS_AT_ONCE):
        part = rows[start : start + ROWS_AT_ONCE]
        flags = part["ev"].astype(np.int64)
        sides = np.where(flags & BUY, 1, 0) - np.where(flags & SELL, 1, 0)
        numbers = np.arange(start, start + len(part))
        columns: list[Any] = [numbers, flags & KIND, sides]
        columns += [part[name] for name in ("exch_ts", "local_ts", "px", "qty", "order_id")]
        yield from map(Row._make, zip(*(column.tolist() for column in columns), strict=True))


def is_sound(row: Row, bad: Counter[str]) -> bool:
    """Whether a row can be market data; counted in `bad` if not."""
    if row.kind not in MESSAGE_OF:
        bad["unknown_message"] += 1
        return False
    if row.kind == CLEAR:
        return True
    if not row.side:
        bad["no_side"] += 1
        return False
    if not (0 < row.price < np.inf and 0 <= row.size < np.inf and (row.size or row.kind != TRADE)):
        bad["non_positive"] += 1
        return False
    return True


def book_messages(ladder: Ladder, kind: int, ts: int, recv_ts: int, rows: list[Row]) -> list[Message]:
    """The messages of rows of one kind that stand together; `ladder` knows the levels that were told before."""
    if kind == TRADE:
        return [_trades(ts, recv_ts, rows)]
    if kind == SNAPSHOT:
        return _snapshot(ladder, ts, recv_ts, rows)
    gone: list[tuple[int, float, float]] = []
    for row in (row for row in rows if row.kind == TOUCH):
        gone += [change for change in ladder.touched(row.side, row.price, row.size) if change.size == 0]
    levels = [(row.side, row.price, row.size) for row in rows]
    for level in levels:
        ladder.told(level[0], [level[1:]])
    return [depth(ts, recv_ts, gone + levels)]


def _snapshot(ladder: Ladder, ts: int, recv_ts: int, rows: list[Row]) -> list[Message]:
    """A whole book where both sides were cleared, or where there was none; else what became of the cleared side."""
    first = not any(ladder.sides.values())
    cleared = _applied(ladder, rows)
    levels = [(row.side, row.price, row.size) for row in rows if row.kind != CLEAR]
    told = {side: [price for its, price, size in levels if its == side and size] for side in (1, -1)}
    worst = {1: min(told[1], default=None), -1: max(told[-1], default=None)}
    gone = [(side, price, 0.0) for side in cleared for price in cleared[side] if price not in ladder.sides[side]]
    whole = all(told[side] or not ladder.sides[side] for side in told)
    if whole and (first or len(cleared) == 2):
        beyond = [level for level in gone if _is_beyond(level, worst[level[0]])]
        shown = book(ladder, ts, recv_ts, worst[1], worst[-1])
        return [depth(ts, recv_ts, beyond), shown] if beyond else [shown]
    return [depth(ts, recv_ts, gone + levels)] if gone or levels else []


def _applied(ladder: Ladder, rows: list[Row]) -> dict[int, list[float]]:
    """Apply clears and levels to the ladder; the prices that were cleared, by side."""
    cleared: dict[int, list[float]] = {}
    for row in rows:
        if row.kind != CLEAR:
            ladder.told(row.side, [(row.price, row.size)])
            continue
        for side in (row.side,) if row.side else (1, -1):
            prices = ladder.within(side, row.price if row.side and np.isfinite(row.price) else None)
            ladder.told(side, ((price, 0.0) for price in prices))
            cleared.setdefault(side, []).extend(prices)
    return cleared


def _is_beyond(level: tuple[int, float, float], worst: float | None) -> bool:
    side, price, _ = level
    return worst is not None and side * (price - worst) < 0


def book(ladder: Ladder, ts: int, recv_ts: int, worst_bid: float | None, worst_ask: float | None) -> Book:
    """What a ladder holds of both sides from the best levels to the worst ones shown, `None` for all."""
    bids, asks = ladder.within(1, worst_bid), ladder.within(-1, worst_ask)
    return Book(
        ts=ts,
        recv_ts=recv_ts,
        bid_prices=bids,
        bid_sizes=[ladder.sides[1][price] for price in bids],
        ask_prices=asks,
        ask_sizes=[ladder.sides[-1][price] for price in asks],
    )


def depth(ts: int, recv_ts: int, levels: list[tuple[int, float, float]]) -> Depth:
    """Levels as (side, price, size) in one message."""
    return Depth(
        ts=ts,
        recv_ts=recv_ts,
        bid_prices=[price for side, price, _ in levels if side > 0],
        bid_sizes=[size for side, _, size in levels if side > 0],
        ask_prices=[price for side, price, _ in levels if side < 0],
        ask_sizes=[size for side, _, size in levels if side < 0],
    )


def _trades(ts: int, recv_ts: int, rows: list[Row]) -> Trades:
    return Trades(
        ts=ts,
        recv_ts=recv_ts,
        times=[ts] * len(rows),
        prices=[row.price for row in rows],
        sizes=[row.size for row in rows],
        aggressors=["buy" if row.side > 0 else "sell" for row in rows],
        trade_ids=[row.order_id for row in rows],
    )
