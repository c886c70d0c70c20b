"""A live record as a CSV table with named columns: one row per order, or one per fill of an order.

Times are numbers in s, ms, µs or ns since 1970, told apart by their size; a row may leave empty what did not happen.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from papertrader.replay.twin.record import LiveFill, LiveOrder, LiveRecord, LiveStatus, RecordError, ordered
from papertrader.shared.market.tape import nanoseconds_in
from papertrader.shared.messages import Side, TimeInForce

NEEDED: Final = ("order_id", "side", "price", "size", "placed_ts")
OPTIONAL: Final = (
    "symbol",
    "time_in_force",
    "ended_ts",
    "status",
    "reduce_only",
    "fill_ts",
    "fill_price",
    "fill_size",
    "fee",
    "maker",
)
SIDES: Final[Mapping[str, Side]] = {"buy": "buy", "b": "buy", "bid": "buy", "sell": "sell", "a": "sell", "ask": "sell"}
TIMES_IN_FORCE: Final[Mapping[str, TimeInForce]] = {
    "post_only": "post_only",
    "alo": "post_only",
    "po": "post_only",
    "gtx": "post_only",
    "gtc": "gtc",
    "ioc": "ioc",
}
STATUSES: Final[Mapping[str, LiveStatus]] = {
    "open": "open",
    "filled": "filled",
    "closed": "filled",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "expired": "cancelled",
    "rejected": "rejected",
}
T = TypeVar("T")
YES: Final = frozenset({"1", "true", "yes"})


def read(paths: Iterable[Path]) -> LiveRecord:
    """The orders of the tables; raises RecordError naming file, line and column for what cannot be read."""
    orders: dict[str, LiveOrder] = {}
    for path in paths:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",")
            _check_columns(path, rows.fieldnames or ())
            for line, row in enumerate(rows, start=2):
                _add(orders, _Row(f"{path}: line {line}", row))
    return ordered(orders.values(), dict(Counter()))


def _check_columns(path: Path, columns: Iterable[str]) -> None:
    given = set(columns)
    missing = [name for name in NEEDED if name not in given]
    if missing:
        raise RecordError(f"{path}: no column {', '.join(missing)}; needed are {', '.join(NEEDED)}")
    unknown = sorted(given - {*NEEDED, *OPTIONAL})
    if unknown:
        raise RecordError(f"{path}: unknown column {', '.join(unknown)}; known are {', '.join(NEEDED + OPTIONAL)}")


class _Row:
    """One row, whose values are read with errors that name the place."""

    def __init__(self, place: str, values: Mapping[str, str | None]) -> None:
        self.place = place
        self._values = values

    def text(self, name: str) -> str:
        return (self._values.get(name) or "").strip()

    def number(self, name: str, default: float | None = None) -> float:
        text = self.text(name)
        if not text and default is not None:
            return default
        try:
            return float(text)
        except ValueError:
            raise RecordError(f"{self.place}: {name} was {text!r}, not a number") from None

    def time(self, name: str) -> int:
        """The time in ns, 0 if the row leaves it empty."""
        text = self.text(name)
        if not text:
            return 0
        try:
            value: int | float = int(text)
        except ValueError:
            value = self.number(name)
        return round(value * nanoseconds_in(int(value)))

    def choice(self, name: str, known: Mapping[str, T], default: str) -> T:
        """What a word stands for; raises RecordError for an unknown one."""
        text = self.text(name).casefold() or default
        if text not in known:
            raise RecordError(f"{self.place}: {name} was {text!r}; known are {', '.join(known)}")
        return known[text]


def _add(orders: dict[str, LiveOrder], row: _Row) -> None:
    """Add a row's order, or the fill that it brings to an order of an earlier row."""
    order_id = row.text("order_id")
    if not order_id:
        raise RecordError(f"{row.place}: order_id is empty")
    known = orders.get(order_id)
    order = _order(row, order_id) if known is None else known
    ended = max(order.ended_ts, row.time("ended_ts"))
    orders[order_id] = order._replace(ended_ts=ended, fills=(*order.fills, *_fills(row, order)))


def _order(row: _Row, order_id: str) -> LiveOrder:
    ended = row.time("ended_ts")
    happened = "filled" if row.text("fill_ts") else "cancelled" if ended else "open"
    status = row.choice("status", STATUSES, happened)
    return LiveOrder(
        live_id=order_id,
        symbol=row.text("symbol"),
        side=row.choice("side", SIDES, ""),
        price=row.number("price"),
        size=row.number("size"),
        time_in_force=row.choice("time_in_force", TIMES_IN_FORCE, "gtc"),
        placed_ts=row.time("placed_ts"),
        ended_ts=ended if status == "cancelled" else 0,
        status=status,
        reduce_only=row.text("reduce_only").casefold() in YES,
    )


def _fills(row: _Row, order: LiveOrder) -> tuple[LiveFill, ...]:
    ts = row.time("fill_ts")
    if not ts:
        return ()
    price, size = row.number("fill_price", order.price), row.number("fill_size", order.size)
    return (LiveFill(ts, price, size, row.number("fee", 0.0), row.text("maker").casefold() in {*YES, ""}),)
