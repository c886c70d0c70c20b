"""Tapes in the formats of others: hftbacktest's event arrays and Tardis' CSV files."""

import gzip
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple, TextIO

import numpy as np
import numpy.typing as npt

from papertrader.services.feed.files.hftbacktest import (
    BUY,
    CLEAR,
    DEPTH,
    EXCHANGE,
    HFTBACKTEST_EVENT,
    LOCAL,
    SELL,
    SNAPSHOT,
    TRADE,
)
from papertrader.services.feed.sources import MarketSource
from papertrader.shared.messages import Bbo, Book, Context, Depth, Gap, Message, Trades

FORMATS: Final = ("hftbacktest", "tardis")


class Change(NamedTuple):
    """A level's new size: `side` is +1 for bids, −1 for asks, size 0 removes it."""

    side: int
    price: float
    size: float


class Changes(NamedTuple):
    """What a message changed in the book; a snapshot replaces all of it."""

    is_snapshot: bool
    levels: list[Change]


class Ladder:
    """The levels of one market, from which snapshots and touches become changes."""

    def __init__(self) -> None:
        self._sides: dict[int, dict[float, float]] = {1: {}, -1: {}}
        self._complete = False

    def changes(self, message: Message) -> Changes:
        """What a message changes. After a gap the next book is a snapshot again."""
        if isinstance(message, Gap):
            self._complete = False
        if isinstance(message, Book):
            return self._book(message)
        found: list[Change] = []
        if isinstance(message, Depth):
            found = [
                *self._set(1, zip(message.bid_prices, message.bid_sizes, strict=True)),
                *self._set(-1, zip(message.ask_prices, message.ask_sizes, strict=True)),
            ]
        elif isinstance(message, Bbo):
            found = [
                *self._touch(1, message.bid_price, message.bid_size),
                *self._touch(-1, message.ask_price, message.ask_size),
            ]
        return Changes(False, found)

    def _book(self, book: Book) -> Changes:
        shown = {
            1: dict(zip(book.bid_prices, book.bid_sizes, strict=True)),
            -1: dict(zip(book.ask_prices, book.ask_sizes, strict=True)),
        }
        if not self._complete:
            self._complete, self._sides = True, shown
            return Changes(True, [Change(side, *level) for side in (1, -1) for level in shown[side].items()])
        found: list[Change] = []
        for side, levels in shown.items():
            worst = next(reversed(levels)) if levels else 0.0
            gone = [price for price in self._sides[side] if price not in levels and side * (price - worst) >= 0]
            found += self._set(side, ((price, 0.0) for price in gone))
            found += self._set(side, levels.items())
        return Changes(False, found)

    def _touch(self, side: int, price: float | None, size: float | None) -> list[Change]:
        better = [level for level in self._sides[side] if price is None or side * (level - price) > 0]
        gone = self._set(side, ((level, 0.0) for level in better))
        return gone if price is None or size is None else [*gone, *self._set(side, [(price, size)])]

    def _set(self, side: int, levels: Iterable[tuple[float, float]]) -> list[Change]:
        known, changed = self._sides[side], []
        for price, size in levels:
            if known.get(price, 0.0) != size:
                changed.append(Change(side, price, size))
            if size > 0:
                known[price] = size
            else:
                known.pop(price, None)
        return changed


def convert(source: MarketSource, form: str, directory: Path) -> list[Path]:
    """Write a market's tape in another format; returns the files. A tape that breaks off is written up to there."""
    directory.mkdir(parents=True, exist_ok=True)
    stem = f"{source.market.venue}-{source.market.asset}".replace("/", "-").replace(":", "-")
    messages = (message for round_ in source.rounds() for message in round_.messages)
    if form == "hftbacktest":
        path = directory / f"{stem}.npz"
        np.savez_compressed(path, data=hftbacktest_events(messages))
        return [path]
    return _write_tardis(messages, source, directory / stem)


def hftbacktest_events(messages: Iterable[Message]) -> npt.NDArray[np.void]:
    """Events in both orders, of the exchange and of receipt, as hftbacktest's `validate_event_order` wants them."""
    ladder = Ladder()
    rows = [row for message in messages for row in _event_rows(message, ladder)]
    events = np.zeros(len(rows), dtype=HFTBACKTEST_EVENT)
    for column, name in enumerate(("ev", "exch_ts", "local_ts", "px", "qty", "order_id")):
        events[name] = [row[column] for row in rows]
    if len(events):
        events["local_ts"] += max(-int((events["local_ts"] - events["exch_ts"]).min()), 0)
    return in_both_orders(events)


def _event_rows(message: Message, ladder: Ladder) -> Iterator[tuple[int, int, int, float, float, int]]:
    if isinstance(message, Trades):
        for index, time in enumerate(message.times):
            side = BUY if message.aggressors[index] == "buy" else SELL
            price, size, trade_id = message.prices[index], message.sizes[index], message.trade_ids[index]
            yield TRADE | side, time, message.recv_ts, price, size, trade_id
        return
    snapshot, changes = ladder.changes(message)
    recv_ts: int = getattr(message, "recv_ts", message.ts)
    if snapshot:
        for side, flag in ((1, BUY), (-1, SELL)):
            prices = [change.price for change in changes if change.side == side]
            if prices:
                yield CLEAR | flag, message.ts, recv_ts, prices[-1], 0.0, 0
    for change in changes:
        kind = SNAPSHOT if snapshot else DEPTH
        yield kind | (BUY if change.side > 0 else SELL), message.ts, recv_ts, change.price, change.size, 0


def in_both_orders(events: npt.NDArray[np.void]) -> npt.NDArray[np.void]:
    """Rows ordered by exchange time and by receipt at once; a row whose places differ stands twice, once in each."""
    by_exchange = np.argsort(events["exch_ts"], kind="stable")
    by_receipt = np.argsort(events["local_ts"], kind="stable")
    exch_ts = events["exch_ts"].tolist()
    first, second = by_exchange.tolist(), by_receipt.tolist()
    order: list[int] = []
    flags: list[int] = []
    at, to, count = 0, 0, len(events)
    while at < count or to < count:
        both = at < count and to < count and first[at] == second[to]
        exchange = both or to == count or (at < count and exch_ts[first[at]] <= exch_ts[second[to]])
        order.append(first[at] if exchange else second[to])
        flags.append((EXCHANGE if exchange else 0) | (LOCAL if both or not exchange else 0))
        at += exchange
        to += both or not exchange
    found = events[order]
    found["ev"] |= np.asarray(flags, dtype=np.uint64)
    return found


TARDIS_COLUMNS: Final = {
    "trades": "exchange,symbol,timestamp,local_timestamp,id,side,price,amount",
    "incremental_book_L2": "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount",
    "book_ticker": "exchange,symbol,timestamp,local_timestamp,ask_amount,ask_price,bid_price,bid_amount",
    "derivative_ticker": "exchange,symbol,timestamp,local_timestamp,funding_timestamp,funding_rate,"
    "predicted_funding_rate,open_interest,last_price,index_price,mark_price",
}


def _write_tardis(messages: Iterable[Message], source: MarketSource, stem: Path) -> list[Path]:
    head = f"{source.market.venue},{source.market.asset}"
    ladder = Ladder()
    with ExitStack() as stack:
        files: dict[str, TextIO] = {}
        paths = {name: stem.with_name(f"{stem.name}-{name}.csv.gz") for name in TARDIS_COLUMNS}
        for name, path in paths.items():
            files[name] = stack.enter_context(gzip.open(path, "wt", encoding="ascii", newline="\n"))
            files[name].write(TARDIS_COLUMNS[name] + "\n")
        for message in messages:
            for name, row in tardis_rows(message, ladder):
                files[name].write(",".join((head, *map(_cell, row))) + "\n")
    return list(paths.values())


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return np.format_float_positional(value, trim="-")
    return str(value).lower() if isinstance(value, bool) else str(value)


def tardis_rows(message: Message, ladder: Ladder) -> Iterator[tuple[str, tuple[Any, ...]]]:
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
        context = (None, message.funding_rate, None, message.open_interest, None)
        yield "derivative_ticker", (*times, *context, message.oracle_price, message.mark_price)
    snapshot, changes = ladder.changes(message)
    for change in changes:
        side = "bid" if change.side > 0 else "ask"
        yield "incremental_book_L2", (*times, snapshot, side, change.price, change.size)
