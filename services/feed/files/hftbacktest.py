"""hftbacktest's event arrays (`.npz`, its `data`): the row and its flags, and rows read back as messages.

A row belongs to the receiver's order if it carries LOCAL; what carries EXCHANGE alone repeats such a row in the order
of the exchange. Depth sizes are absolute, the side of a trade is the taker's.
"""

import zipfile
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from papertrader.services.feed.instrument import infer_instrument
from papertrader.shared.log.subjects import Market, token
from papertrader.shared.market.tape import TapeError
from papertrader.shared.messages import Book, Depth, Instrument, Message, Trades

SUFFIX: Final = ".npz"
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
DEPTH: Final = 1
TRADE: Final = 2
CLEAR: Final = 3
SNAPSHOT: Final = 4
KIND: Final = 0xFF
EXCHANGE: Final = 1 << 31
LOCAL: Final = 1 << 30
BUY: Final = 1 << 29
SELL: Final = 1 << 28

MESSAGE_OF: Final = {DEPTH: DEPTH, TRADE: TRADE, CLEAR: SNAPSHOT, SNAPSHOT: SNAPSHOT}
"""Rows of these kinds stand in one message; all others are not known here."""
DISCOVERY_ROWS: Final = 20_000
"""Rows from which the price and size grid is read."""


class Row(NamedTuple):
    """One row in the receiver's order; `number` is its place in the file."""

    number: int
    kind: int
    side: int
    exch_ts: int
    local_ts: int
    price: float
    size: float
    order_id: int


def market_of(path: Path) -> Market:
    """The market that a file is named after, `<venue>-<asset>.npz` as `convert` writes it."""
    venue, dash, asset = path.stem.rpartition("-")
    return Market(token(venue), token(asset)) if dash and venue and asset else Market(VENUE, token(path.stem))


def load(path: Path) -> npt.NDArray[np.void]:
    """The rows of a file; raises TapeError if it is none of hftbacktest's."""
    try:
        with np.load(path) as file:
            rows: npt.NDArray[np.void] = file["data"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise TapeError(f"{path}: is not an event array of hftbacktest: {error}") from error
    missing = [name for name in ("ev", "exch_ts", "local_ts", "px", "qty") if name not in (rows.dtype.names or ())]
    if missing or not len(rows):
        raise TapeError(f"{path}: is not an event array of hftbacktest: {', '.join(missing) or 'rows'} missing")
    return rows


def instrument_of(rows: npt.NDArray[np.void]) -> Instrument:
    """The price and size grid that the first rows obey."""
    return infer_instrument(
        [message for _, messages in frames(rows[:DISCOVERY_ROWS], Counter()) for message in messages], 0, 0.0
    )


def frames(rows: npt.NDArray[np.void], bad: Counter[str]) -> Iterator[tuple[int, list[Message]]]:
    """The messages that were received at once, with that time. What no market data can be is counted in `bad`."""
    received = (row for row in _received(rows) if _is_sound(row, bad))
    for local_ts, together in groupby(received, lambda row: row.local_ts):
        alike = groupby(together, lambda row: (MESSAGE_OF[row.kind], row.exch_ts))
        yield local_ts, [_message(kind, ts, local_ts, list(members)) for (kind, ts), members in alike]


def _received(rows: npt.NDArray[np.void]) -> Iterator[Row]:
    """The rows in the receiver's order."""
    places = np.flatnonzero(rows["ev"] & np.uint64(LOCAL))
    mine = rows[places]
    flags = mine["ev"].astype(np.int64)
    sides = np.where(flags & BUY, 1, np.where(flags & SELL, -1, 0))
    ids = mine["order_id"].astype(np.int64) if "order_id" in (rows.dtype.names or ()) else np.zeros(len(mine), np.int64)
    columns: list[Any] = [places, flags & KIND, sides, mine["exch_ts"], mine["local_ts"], mine["px"], mine["qty"], ids]
    return map(Row._make, zip(*(column.tolist() for column in columns), strict=True))


def _is_sound(row: Row, bad: Counter[str]) -> bool:
    if row.kind not in MESSAGE_OF:
        bad["unknown_message"] += 1
        return False
    if row.kind == CLEAR:
        return True
    if not (row.side and 0 < row.price < np.inf and 0 <= row.size < np.inf and (row.size or row.kind != TRADE)):
        bad["non_positive"] += 1
        return False
    return True


def _message(kind: int, ts: int, recv_ts: int, rows: list[Row]) -> Message:
    if kind == TRADE:
        return Trades(
            ts=ts,
            recv_ts=recv_ts,
            times=[ts] * len(rows),
            prices=[row.price for row in rows],
            sizes=[row.size for row in rows],
            aggressors=["buy" if row.side > 0 else "sell" for row in rows],
            trade_ids=[row.order_id or row.number + 1 for row in rows],
        )
    levels = [row for row in rows if row.kind != CLEAR]
    bids, asks = [row for row in levels if row.side > 0], [row for row in levels if row.side < 0]
    if kind == SNAPSHOT:
        bids.sort(key=lambda row: -row.price)
        asks.sort(key=lambda row: row.price)
    return (Book if kind == SNAPSHOT else Depth)(
        ts=ts,
        recv_ts=recv_ts,
        bid_prices=[row.price for row in bids],
        bid_sizes=[row.size for row in bids],
        ask_prices=[row.price for row in asks],
        ask_sizes=[row.size for row in asks],
    )
