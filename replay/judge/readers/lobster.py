"""LOBSTER: a pair of CSV files, `*_message_*.csv` and `*_orderbook_*.csv` (https://lobsterdata.com/info/DataStructure.php).

Columns of the messages: seconds after midnight, type, order id, size, price in 1/10000, direction of the resting
order. Types: 1 submission, 2 partial and 3 whole cancellation, 4 execution, 5 execution of a hidden order, 6 cross
trade, 7 halt. The first row of the book says what stood before: one order of unknown composition a level.
"""

from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from papertrader.replay.judge.orders import (
    ADD,
    EXECUTE,
    HIDDEN,
    PRINT,
    REDUCE,
    STANDING,
    JudgeError,
    OrderData,
    order_data,
    tick_of,
)

Floats = npt.NDArray[np.float64]
FIRST_STANDING: Final = -1_000_000
"""Ids below this are of what stood before the data begin."""
NO_LEVEL: Final = 9_999_999_999
CENT: Final = 100
"""A LOBSTER price unit is 1/100 of a cent."""


def read(path: Path) -> OrderData:
    """The orders of a message file and of the book file beside it. Raises JudgeError."""
    rows = _table(path)
    if rows.shape[1] < 6:
        raise JudgeError(f"{path.name}: a LOBSTER message has 6 columns, was {rows.shape[1]}")
    rows = rows[np.isin(rows[:, 1], (1, 2, 3, 4, 5))]
    if not len(rows):
        raise JudgeError(f"{path.name}: holds no orders")
    standing = _standing(path, rows)
    kind, side = rows[:, 1].astype(np.int64), rows[:, 5].astype(np.int64)
    prices = rows[:, 4].astype(np.int64)
    step = max(tick_of(prices[kind != 5]), CENT)
    action = np.select([kind == 1, (kind == 2) | (kind == 3), kind == 4], [ADD, REDUCE, EXECUTE], HIDDEN)
    columns = {
        "ts": np.rint(rows[:, 0] * 1e9),
        "order": rows[:, 2].astype(np.int64),
        "size": rows[:, 3],
        "tick": np.where(side > 0, prices // step, -(-prices // step)),
        "action": action,
        "side": np.where(kind == 5, -side, side),
    }
    columns = _with_standing(_with_prints(columns), standing, step)
    return order_data(columns, step * 1e-4, path.name)


def _table(path: Path) -> Floats:
    try:
        return np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float64)
    except ValueError as error:
        raise JudgeError(f"{path.name}: not a LOBSTER file of numbers: {error}") from None


def _with_prints(columns: dict[str, Floats]) -> dict[str, Floats]:
    """A print before every execution: its taker is of the other side."""
    executed = np.flatnonzero(columns["action"] == EXECUTE)
    prints = {name: values[executed] for name, values in columns.items()}
    prints["action"], prints["side"] = np.full(len(executed), PRINT), -prints["side"]
    return {name: np.insert(values, executed, prints[name]) for name, values in columns.items()}


def _standing(path: Path, rows: Floats) -> Floats:
    """What stood before the first message, as rows of (id, size, price, side), from the book after it."""
    book_path = path.with_name(path.name.replace("_message_", "_orderbook_"))
    if book_path == path or not book_path.exists():
        raise JudgeError(f"{path.name}: the book file {book_path.name} belongs beside it")
    first = np.loadtxt(book_path, delimiter=",", ndmin=2, max_rows=1)[0].reshape(-1, 4)
    levels = [
        (price, size, side) for ask, asks, bid, bids in first for price, size, side in ((ask, asks, -1), (bid, bids, 1))
    ]
    known = {int(order) for order in rows[rows[:, 1] == 1, 2]}
    unseen = [row for row in rows if int(row[2]) not in known and row[1] in (2, 3, 4)]
    found = _unseen_orders(unseen)
    for number, (price, size, side) in enumerate(levels):
        if not 0 < price < NO_LEVEL:
            continue
        sent = rows[0, 3] if rows[0, 1] == 1 and rows[0, 4] == price and rows[0, 5] == side else 0.0
        rest = size - sent - sum(row[1] for row in found if row[2] == price and row[3] == side)
        if rest > 0:
            found.append((FIRST_STANDING - number, rest, price, side))
    return np.array(found).reshape(-1, 4)


def _unseen_orders(rows: list[Floats]) -> list[tuple[float, float, float, float]]:
    """Orders that nobody saw arrive: as large as all that is later taken from them."""
    sizes: dict[int, tuple[float, float, float, float]] = {}
    for row in rows:
        order = int(row[2])
        before = sizes[order][1] if order in sizes else 0.0
        sizes[order] = (order, before + row[3], row[4], row[5])
    return list(sizes.values())


def _with_standing(columns: dict[str, Floats], standing: Floats, step: int) -> dict[str, Floats]:
    first = {
        "ts": np.full(len(standing), columns["ts"][0]),
        "order": standing[:, 0],
        "size": standing[:, 1],
        "tick": np.rint(standing[:, 2] / step),
        "action": np.full(len(standing), STANDING),
        "side": standing[:, 3],
    }
    return {name: np.concatenate([first[name], values]) for name, values in columns.items()}
