"""Tardis' CSV files read back: the files of one market, merged by when their rows were received.

What is read: incremental_book_L2, book_snapshot_N (left out where there is the former), quotes and book_ticker,
trades, derivative_ticker. Of rows received at once prints come first, then levels. A snapshot discards all that was
known; changes before the first one are those of a book that nobody knows, and are left out.
"""

import contextlib
import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import merge
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from papertrader.services.feed.adapter import number_of
from papertrader.services.feed.files.hftbacktest import CLEAR, DEPTH, SNAPSHOT, Row, book_messages, is_sound
from papertrader.services.feed.files.ladder import Ladder
from papertrader.services.feed.files.tardis import VENUE_OF, period_s
from papertrader.services.feed.kernel import Frames
from papertrader.shared.market.tape import GZIP_MAGIC, TapeError, nanoseconds_in
from papertrader.shared.messages import Bbo, Book, Context, Message, Side, Trades

HEAD: Final = ("exchange", "symbol", "timestamp", "local_timestamp")
PRIORITY: Final = ("trades", "derivative_ticker", "incremental_book_L2", "book_snapshot", "quotes")
"""Types of data in the order in which those of one moment are heard: a print comes before the change that it makes."""
MARKS: Final = {
    "is_snapshot": "incremental_book_L2",
    "asks[0].price": "book_snapshot",
    "bid_price": "quotes",
    "funding_rate": "derivative_ticker",
    "amount": "trades",
}
"""By which column a type of data is told, the first that there is."""
DISCOVERY_ROWS: Final = 20_000
Cells: TypeAlias = Mapping[str, str]


class CsvFile(NamedTuple):
    """A file: its type of data, the ns of its unit of time, and the markets (exchange, symbol) at its beginning."""

    path: Path
    form: str
    unit_ns: int
    first_ns: int
    markets: tuple[tuple[str, str], ...]
    has_snapshots: bool


def is_csv(path: Path) -> bool:
    """Whether a file begins as one of Tardis' does."""
    try:
        with _opened(path) as lines:
            return next(lines, "").startswith("exchange,symbol,")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        return False


def _opened(path: Path) -> Any:
    with path.open("rb") as file:
        compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    opener: Callable[..., Any] = gzip.open if compressed else open
    return opener(path, "rt", encoding="utf-8", newline="")


def opened(path: Path) -> CsvFile:
    """What a file is; raises TapeError if it is none that can be read."""
    form, rows = _form(path), list(_beginning(path))
    first = int(rows[0]["local_timestamp"]) if rows else 0
    unit_ns = nanoseconds_in(first)
    markets = tuple(dict.fromkeys((row["exchange"], row["symbol"]) for row in rows))
    snapshots = form == "incremental_book_L2" and any(row["is_snapshot"] == "true" for row in rows)
    return CsvFile(path, form, unit_ns, first * unit_ns, markets, snapshots)


def _beginning(path: Path) -> Iterator[dict[str, str]]:
    """The first rows of a file, as many as can be read."""
    with contextlib.suppress(TapeError):
        yield from islice(_rows(path, Counter()), DISCOVERY_ROWS)


def _form(path: Path) -> str:
    with _opened(path) as lines:
        columns = next(csv.reader(lines), [])
    form = next((form for mark, form in MARKS.items() if mark in columns), "")
    if "liquidations" in path.name or "option_type" in columns:
        raise TapeError(f"{path}: liquidations and option chains are no market of their own: leave the file out")
    missing = [name for name in HEAD if name not in columns]
    if missing or not form:
        known = "incremental_book_L2, book_snapshot_N, quotes, book_ticker, trades or derivative_ticker"
        raise TapeError(f"{path}: is no file of Tardis that can be read: expected the columns of {known}")
    return form


def _rows(path: Path, bad: Counter[str]) -> Iterator[dict[str, str]]:
    """The rows of a file; one without its times is counted. Raises TapeError where the file cannot be read on."""
    number = 0
    try:
        with _opened(path) as lines:
            for row in csv.DictReader(lines):
                number += 1
                if (row["local_timestamp"] or "").isdigit() and (row["timestamp"] or row["local_timestamp"]).isdigit():
                    yield row
                else:
                    bad["malformed_line"] += 1
    except (EOFError, OSError, zlib.error, UnicodeDecodeError, csv.Error, KeyError) as error:
        raise TapeError(f"{path}: cannot be read beyond row {number}: {error}") from error


def frames(files: Iterable[CsvFile], market: tuple[str, str], bad: Counter[str]) -> Frames:
    """What the files hold of one market, everything that was received at one time at once."""
    files = _without_repetition(list(files))
    streams = [_batches(file, market, bad) for file in files]
    for recv_ts, together in groupby(merge(*streams, key=itemgetter(0, 1)), key=itemgetter(0)):
        messages = [message for _, _, made in together for message in made]
        if messages:
            yield recv_ts, messages


def _without_repetition(files: list[CsvFile]) -> list[CsvFile]:
    told = any(file.form == "incremental_book_L2" for file in files)
    return [file for file in files if not (told and file.form == "book_snapshot")]


def _batches(file: CsvFile, market: tuple[str, str], bad: Counter[str]) -> Iterator[tuple[int, int, list[Message]]]:
    """The messages of one file, each time with when they were received and the priority of their type."""
    mine = (row for row in _rows(file.path, bad) if (row["exchange"], row["symbol"]) == market)
    make = _Maker(file, bad)
    for recv, rows in groupby(mine, key=lambda row: int(row["local_timestamp"])):
        yield recv * file.unit_ns, PRIORITY.index(file.form), make(recv * file.unit_ns, list(rows))


class _Maker:
    """Makes messages of the rows of one file that were received at once."""

    def __init__(self, file: CsvFile, bad: Counter[str]) -> None:
        self._unit_ns = file.unit_ns
        self._bad = bad
        self._ladder = Ladder()
        self._begun = not file.has_snapshots
        self._make = {
            "trades": self._trades,
            "incremental_book_L2": self._levels,
            "book_snapshot": self._books,
            "quotes": self._touches,
            "derivative_ticker": self._contexts,
        }[file.form]

    def __call__(self, recv_ts: int, rows: list[dict[str, str]]) -> list[Message]:
        """The messages; a row that holds no number where one must be is counted."""
        try:
            return self._make(recv_ts, rows)
        except ValueError:
            if len(rows) == 1:
                self._bad["malformed_line"] += 1
                return []
            return [message for row in rows for message in self(recv_ts, [row])]

    def _time(self, row: Cells) -> int:
        return int(row["timestamp"] or row["local_timestamp"]) * self._unit_ns

    def _trades(self, recv_ts: int, rows: list[dict[str, str]]) -> list[Message]:
        kept = [row for row in rows if self._is_print(row)]
        if not kept:
            return []
        times = [self._time(row) for row in kept]
        sides: list[Side] = ["buy" if row["side"] == "buy" else "sell" for row in kept]
        return [
            Trades(
                ts=max(times),
                recv_ts=recv_ts,
                times=times,
                prices=[float(row["price"]) for row in kept],
                sizes=[float(row["amount"]) for row in kept],
                aggressors=sides,
                trade_ids=[number_of(row["id"] or f"{row['timestamp']} {place}") for place, row in enumerate(kept)],
            )
        ]

    def _is_print(self, row: Cells) -> bool:
        if row["side"] not in ("buy", "sell"):
            self._bad["no_side"] += 1
            return False
        if not (0 < float(row["price"]) < float("inf") and 0 < float(row["amount"]) < float("inf")):
            self._bad["non_positive"] += 1
            return False
        return True

    def _levels(self, recv_ts: int, rows: list[dict[str, str]]) -> list[Message]:
        messages: list[Message] = []
        for (is_snapshot, ts), members in groupby(
            rows, key=lambda row: (row["is_snapshot"] == "true", self._time(row))
        ):
            levels = [self._level(row, SNAPSHOT if is_snapshot else DEPTH, ts, recv_ts) for row in members]
            if is_snapshot:
                self._begun = True
                levels.insert(0, Row(0, CLEAR, 0, ts, recv_ts, 0.0, 0.0, 0))
            elif not self._begun:
                self._bad["before_snapshot"] += 1
                continue
            sound = [row for row in levels if is_sound(row, self._bad)]
            if sound:
                messages += book_messages(self._ladder, SNAPSHOT if is_snapshot else DEPTH, ts, recv_ts, sound)
        return messages

    def _level(self, row: Cells, kind: int, ts: int, recv_ts: int) -> Row:
        side = {"bid": 1, "buy": 1, "ask": -1, "sell": -1}.get(row["side"], 0)
        return Row(0, kind, side, ts, recv_ts, float(row["price"]), float(row["amount"]), 0)

    def _books(self, recv_ts: int, rows: list[dict[str, str]]) -> list[Message]:
        return [self._book(recv_ts, row) for row in rows]

    def _book(self, recv_ts: int, row: Cells) -> Message:
        bids, asks = (_side_of(row, name) for name in ("bids", "asks"))
        return Book(
            ts=self._time(row),
            recv_ts=recv_ts,
            bid_prices=[price for price, _ in bids],
            bid_sizes=[size for _, size in bids],
            ask_prices=[price for price, _ in asks],
            ask_sizes=[size for _, size in asks],
        )

    def _touches(self, recv_ts: int, rows: list[dict[str, str]]) -> list[Message]:
        return [
            Bbo(
                ts=self._time(row),
                recv_ts=recv_ts,
                bid_price=_number(row["bid_price"]),
                bid_size=_number(row["bid_amount"]),
                ask_price=_number(row["ask_price"]),
                ask_size=_number(row["ask_amount"]),
            )
            for row in rows
        ]

    def _contexts(self, recv_ts: int, rows: list[dict[str, str]]) -> list[Message]:
        return [self._context(recv_ts, row) for row in rows]

    def _context(self, recv_ts: int, row: Cells) -> Message:
        return Context(
            ts=self._time(row),
            recv_ts=recv_ts,
            funding_rate=_number(row["funding_rate"]),
            funding_period_s=period_s(row["exchange"]),
            next_funding_ts=int(row["funding_timestamp"] or 0) * self._unit_ns,
            oracle_price=_number(row["index_price"]),
            mark_price=_number(row["mark_price"]),
            open_interest=_number(row["open_interest"]),
        )


def _number(text: str | None) -> float | None:
    return float(text) if text else None


def _side_of(row: Cells, name: str) -> list[tuple[float, float]]:
    """One side of a whole book, as far as it goes."""
    found: list[tuple[float, float]] = []
    while price := row.get(f"{name}[{len(found)}].price"):
        found.append((float(price), float(row[f"{name}[{len(found)}].amount"])))
    return found


def venue_of(exchange: str) -> str:
    """Our name of an exchange of Tardis."""
    return VENUE_OF.get(exchange, exchange)
