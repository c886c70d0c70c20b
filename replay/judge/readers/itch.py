"""NASDAQ TotalView-ITCH 5.0, whole files or one symbol's, decoded by the library `itchfeed`.

Messages used: A and F add, E executes, C executes with a price, X reduces, D deletes, U replaces (the new order
stands at the back), P is the trade of an order that was never shown.
"""

import bz2
import gzip
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from papertrader.replay.judge.orders import ADD, EXECUTE, HIDDEN, PRINT, REDUCE, JudgeError, OrderData, order_data

UNIT: Final = 100
"""Price units, of 1/10000, in a tick of one cent."""
OPENERS: Final[dict[str, Callable[..., Any]]] = {".gz": gzip.open, ".bz2": bz2.open}
WANTED: Final = b"AFECXDUP"
Row = tuple[int, int, float, int, int, int]


def read(path: Path, symbol: str | None = None) -> OrderData:
    """The orders of one symbol. Raises JudgeError: for a file that does not read, and without a symbol."""
    if not symbol:
        raise JudgeError(f"{path.name}: an ITCH file holds a whole exchange: say which one with --symbol AAPL")
    orders = _Orders(symbol.upper())
    try:
        for message in _messages(path):
            orders.take(message)
    except (ValueError, EOFError) as error:
        raise JudgeError(f"{path.name}: not an ITCH 5.0 file: {error}") from None
    names = ("ts", "order", "size", "tick", "action", "side")
    columns = {name: np.array([row[place] for row in orders.rows]) for place, name in enumerate(names)}
    return order_data(columns, 0.01, f"{path.name} ({orders.symbol})")


def _messages(path: Path) -> Any:
    try:
        parser: Any = import_module("itch.parser")
    except ImportError:
        raise JudgeError("ITCH files need `pip install papertrader[judge]`") from None
    opened: Callable[..., Any] = OPENERS.get(path.suffix, open)
    with opened(path, "rb") as file:
        yield from parser.MessageParser(message_type=WANTED).parse_file(file)


class _Orders:
    """One symbol's orders, from the messages of all."""

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.rows: list[Row] = []
        self._known: dict[int, tuple[float, int, int]] = {}

    def take(self, message: Any) -> None:
        """Fold one message."""
        kind = message.message_type
        if kind in (b"A", b"F"):
            if _text(message.stock) == self.symbol:
                side = 1 if message.buy_sell_indicator == b"B" else -1
                self._add(message, message.order_reference_number, message.shares, message.price, side)
        elif kind == b"P":
            if _text(message.stock) == self.symbol:
                side = -1 if message.buy_sell_indicator == b"B" else 1
                self.rows.append((message.timestamp, -1, message.shares, message.price // UNIT, HIDDEN, side))
        elif message.order_reference_number in self._known:
            self._change(kind, message)

    def _add(self, message: Any, order: int, shares: float, price: int, side: int) -> None:
        tick = price // UNIT
        self._known[order] = (shares, tick, side)
        self.rows.append((message.timestamp, order, shares, tick, ADD, side))

    def _change(self, kind: bytes, message: Any) -> None:
        order = message.order_reference_number
        size, tick, side = self._known[order]
        taken = size
        if kind in (b"E", b"C"):
            taken = message.executed_shares
            printed = message.execution_price // UNIT if kind == b"C" else tick
            self.rows.append((message.timestamp, order, taken, printed, PRINT, -side))
        elif kind == b"X":
            taken = message.cancelled_shares
        action = EXECUTE if kind in (b"E", b"C") else REDUCE
        self.rows.append((message.timestamp, order, taken, tick, action, side))
        self._known[order] = (size - taken, tick, side)
        if kind == b"U":
            self._add(message, message.new_order_reference_number, message.shares, message.price, side)
        if size - taken <= 0 or kind in (b"D", b"U"):
            del self._known[order]


def _text(stock: bytes) -> str:
    return stock.decode("ascii").strip()
