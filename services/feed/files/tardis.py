"""Tardis' CSV files: how a session is written as them.

One file a type of data, times in µs. A snapshot replaces all that was known; levels that it does not show are removed
before it, so that two snapshots in a row are not taken for one.
"""

import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TextIO

import numpy as np

from papertrader.services.feed.files.ladder import Ladder
from papertrader.shared.messages import Bbo, Book, Context, Message, Trades
from papertrader.shared.whole_file import settle

COLUMNS: Final = {
    "trades": "exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
    "incremental_book_L2": "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount",
    "book_ticker": "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount",
    "derivative_ticker": "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,"
    "predicted_funding_rate,open_interest,last_price,index_price,mark_price",
}
VENUE_OF: Final = {"binance-futures": "binance", "binance": "binance-spot"}
"""Exchanges that Tardis names otherwise than we do."""
EXCHANGE_OF: Final = {venue: exchange for exchange, venue in VENUE_OF.items()}


def exchange_of(venue: str) -> str:
    """Tardis' name of a venue."""
    return EXCHANGE_OF.get(venue, venue)


FUNDING_PERIOD_S: Final = {"hyperliquid": 3_600}
"""Seconds that a funding rate is for, where it is not eight hours."""


def period_s(exchange: str) -> int:
    """How many seconds an exchange's funding rate is for."""
    return FUNDING_PERIOD_S.get(exchange, 28_800)


def write(messages: Iterable[Message], venue: str, symbol: str, stem: Path) -> list[Path]:
    """Write a session as files that begin with `stem`, one for each type of data that it holds.

    A writing that fails leaves nothing. Raises ValueError for a session that holds nothing.
    """
    paths = {name: stem.with_name(f"{stem.name}-{name}.csv.gz") for name in COLUMNS}
    partial = {name: path.with_name(f"{path.name}.part") for name, path in paths.items()}
    try:
        rows = _write(messages, exchange_of(venue), symbol, partial)
        if not rows.total():
            raise ValueError(f"{venue} {symbol}: there is nothing to write")
        written = {name: path for name, path in paths.items() if rows[name]}
        for name, path in written.items():
            settle(partial[name], path)
        return list(written.values())
    finally:
        for part in partial.values():
            part.unlink(missing_ok=True)


def _write(messages: Iterable[Message], exchange: str, symbol: str, paths: dict[str, Path]) -> Counter[str]:
    """Write all files; returns how many rows each has."""
    ladder, rows = Ladder(), Counter[str]()
    with ExitStack() as stack:
        files: dict[str, TextIO] = {}
        for name, path in paths.items():
            files[name] = stack.enter_context(gzip.open(path, "wt", encoding="utf-8", newline="\n"))
            files[name].write(COLUMNS[name] + "\n")
        for message in messages:
            for name, row in rows_of(message, ladder):
                rows[name] += 1
                files[name].write(",".join((exchange, symbol, *map(_cell, row))) + "\n")
    return rows


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return np.format_float_positional(value, trim="-")
    return str(value).lower() if isinstance(value, bool) else str(value)


def rows_of(message: Message, ladder: Ladder) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """The rows of a message, each with the name of its file; times in µs."""
    recv_us = getattr(message, "recv_ts", message.ts) // 1_000
    if isinstance(message, Trades):
        for index, time in enumerate(message.times):
            row = (message.trade_ids[index], message.aggressors[index], message.prices[index], message.sizes[index])
            yield "trades", (time // 1_000, recv_us, *row)
        return
    times = (message.ts // 1_000, recv_us)
    if isinstance(message, Bbo):
        touch = (message.ask_size, message.ask_price, message.bid_price, message.bid_size)
        yield "book_ticker", (*times, *touch)
    if isinstance(message, Context):
        yield "derivative_ticker", (*times, *_derivative(message))
    before = {side: ladder.within(side, None) for side in (1, -1)} if isinstance(message, Book) else {}
    snapshot, changes = ladder.changes(message)
    if snapshot:
        for side in before:
            for price in before[side]:
                if price not in ladder.sides[side]:
                    yield "incremental_book_L2", (*times, False, _side(side), price, 0.0)
    for change in changes:
        yield "incremental_book_L2", (*times, snapshot, _side(change.side), change.price, change.size)


def _derivative(message: Context) -> tuple[Any, ...]:
    rate, due_us = message.funding_rate, message.next_funding_ts // 1_000 or None
    return (due_us, rate, None, message.open_interest, None, message.oracle_price, message.mark_price)


def _side(side: int) -> str:
    return "bid" if side > 0 else "ask"
