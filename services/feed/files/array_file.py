"""A market's session as a file of hftbacktest that loses nothing: rows for any reader, and beside them what rows
cannot say.

Beside the array `data` a file holds `messages`, one row for each message of the session with how many rows of `data`
are its, `others`, the messages that are no rows at all (context, gaps, changed rules) as lines of JSON, and `market`,
the names and trading rules as JSON. A file without them is read by its rows alone.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from papertrader.services.feed.files import hftbacktest
from papertrader.services.feed.files.hftbacktest import (
    BUY,
    CLEAR,
    DATA,
    DEPTH,
    HFTBACKTEST_EVENT,
    SELL,
    SNAPSHOT,
    TRADE,
)
from papertrader.services.feed.files.ladder import Ladder
from papertrader.services.feed.files.names import market_of
from papertrader.services.feed.files.sidecar import NOTHING, Sidecar, encoded, parsed, sidecar_of
from papertrader.services.feed.kernel import Break, Frames
from papertrader.shared.log.kinds import KIND_OF, decode
from papertrader.shared.log.subjects import Market, token
from papertrader.shared.messages import Bbo, Book, Context, Depth, Gap, Instrument, Message, RoundEnd, Trades

MESSAGES: Final = "messages"
OTHERS: Final = "others"
MARKET: Final = "market"
MESSAGE: Final = np.dtype(
    [
        ("kind", "i1"),
        ("frame", "i4"),
        ("ts", "i8"),
        ("recv_ts", "i8"),
        ("rows", "i4"),
        ("worst_bid", "f8"),
        ("worst_ask", "f8"),
    ]
)
"""Messages of one `frame` were received at once and stand in one round. `worst_bid` and `worst_ask` are the last levels
that a whole book shows, NaN for an empty side."""
KINDS: Final = (Context, Book, Depth, Bbo, Trades)
"""Messages by the kind of their row; 0 stands for all that are a line of `others`."""
OF_ROUNDS: Final = ("silence", "tape_truncated")
"""Gaps that are found anew whenever the session is cut into rounds."""


class ArrayFile(NamedTuple):
    """A file of one market: its names and what is told of its rules, and when it begins."""

    path: Path
    market: Market
    symbol: str
    told: Sidecar
    first_ns: int


def opened(path: Path) -> ArrayFile:
    """What a file is; raises TapeError if it is no event array."""
    arrays = hftbacktest.load(path, (MARKET,))
    market = market_of(path, hftbacktest.VENUE)
    held = parsed(bytes(arrays[MARKET]), path) if MARKET in arrays else NOTHING
    beside = sidecar_of(path, market)
    venue, symbol = beside.venue or held.venue or market.venue, beside.asset or held.asset or market.asset
    told = msgspec.structs.replace(held, instrument=held.instrument | beside.instrument)
    rows = hftbacktest.received(arrays[DATA], path)
    return ArrayFile(path, Market(token(venue), token(symbol)), symbol, told, int(rows["local_ts"][0]))


def frames(paths: Iterable[Path], bad: Counter[str]) -> Frames:
    """What the files of one market hold, one after the other."""
    ladder = Ladder()
    for path in paths:
        arrays = hftbacktest.load(path, (MESSAGES, OTHERS))
        rows = arrays[DATA]
        if MESSAGES in arrays and _fits(rows, arrays[MESSAGES]):
            yield from _own_frames(arrays, ladder)
        else:
            yield from hftbacktest.frames(hftbacktest.received(rows, path), bad, ladder)


def _fits(rows: npt.NDArray[Any], index: npt.NDArray[Any]) -> bool:
    """Whether the rows are still those that the messages were made of."""
    local = np.count_nonzero(rows["ev"] & np.uint64(hftbacktest.LOCAL))
    return index.dtype == MESSAGE and rows.dtype == HFTBACKTEST_EVENT and int(index["rows"].sum()) == local


def _own_frames(arrays: dict[str, npt.NDArray[Any]], ladder: Ladder) -> Frames:
    for (_, recv_ts), together in groupby(_own_messages(arrays, ladder), itemgetter(0, 1)):
        messages: list[Message] = []
        for _, _, message in together:
            if not isinstance(message, Gap) or message.reason == "sequence_break":
                messages.append(message)
            elif message.reason not in OF_ROUNDS:
                yield recv_ts, Break(message.reason)
        if messages:
            yield recv_ts, messages


def received_at(message: Message) -> int:
    """When a message was received; rules are as old as they are."""
    return int(getattr(message, "recv_ts", message.ts))


def _own_messages(arrays: dict[str, npt.NDArray[Any]], ladder: Ladder) -> Iterator[tuple[int, int, Message]]:
    """Each message with the number of its frame and when that was received."""
    local = arrays[DATA][arrays[DATA]["ev"] & np.uint64(hftbacktest.LOCAL) > 0]
    lines = iter(bytes(arrays[OTHERS]).splitlines())
    start = 0
    for entry in arrays[MESSAGES]:
        rows = local[start : start + int(entry["rows"])]
        start += len(rows)
        kind = KINDS[entry["kind"]]
        message = _other(next(lines)) if kind is Context else _MADE[kind](entry, rows, ladder)
        yield int(entry["frame"]), int(entry["recv_ts"]), message


def _other(line: bytes) -> Message:
    name, _, content = line.partition(b" ")
    return decode(name.decode(), content)


def _levels(rows: npt.NDArray[Any]) -> list[tuple[int, float, float]]:
    sides = np.where(rows["ev"] & np.uint64(BUY), 1, -1)
    shown = rows["ev"] & np.uint64(hftbacktest.KIND) != CLEAR
    return list(zip(*(column[shown].tolist() for column in (sides, rows["px"], rows["qty"])), strict=True))


def _tell(rows: npt.NDArray[Any], ladder: Ladder) -> list[tuple[int, float, float]]:
    levels = _levels(rows)
    for side, price, size in levels:
        ladder.told(side, [(price, size)])
    return levels


def _book(entry: Any, rows: npt.NDArray[Any], ladder: Ladder) -> Message:
    if (rows["ev"] & np.uint64(hftbacktest.KIND) == CLEAR).any():
        ladder.sides = {1: {}, -1: {}}
    _tell(rows, ladder)
    worst = [None if np.isnan(entry[name]) else float(entry[name]) for name in ("worst_bid", "worst_ask")]
    return hftbacktest.book(ladder, int(entry["ts"]), int(entry["recv_ts"]), *worst)


def _depth(entry: Any, rows: npt.NDArray[Any], ladder: Ladder) -> Message:
    return hftbacktest.depth(int(entry["ts"]), int(entry["recv_ts"]), _tell(rows, ladder))


def _bbo(entry: Any, rows: npt.NDArray[Any], ladder: Ladder) -> Message:
    _tell(rows, ladder)
    (bid, bid_size), (ask, ask_size) = (ladder.best(side) or (None, None) for side in (1, -1))
    return Bbo(
        ts=int(entry["ts"]),
        recv_ts=int(entry["recv_ts"]),
        bid_price=bid,
        bid_size=bid_size,
        ask_price=ask,
        ask_size=ask_size,
    )


def _trades(entry: Any, rows: npt.NDArray[Any], _ladder: Ladder) -> Message:
    return Trades(
        ts=int(entry["ts"]),
        recv_ts=int(entry["recv_ts"]),
        times=rows["exch_ts"].tolist(),
        prices=rows["px"].tolist(),
        sizes=rows["qty"].tolist(),
        aggressors=["buy" if flag else "sell" for flag in (rows["ev"] & np.uint64(BUY) > 0).tolist()],
        trade_ids=rows["order_id"].astype(np.int64).tolist(),
    )


_MADE: Final = {Book: _book, Depth: _depth, Bbo: _bbo, Trades: _trades}

EventRow = tuple[int, int, int, float, float, int]
"""ev, exch_ts, local_ts, px, qty, order_id."""


class Written:
    """The rows of a session, and what is written beside them."""

    def __init__(self) -> None:
        self.rows: list[EventRow] = []
        self.index: list[tuple[Any, ...]] = []
        self.lines: list[bytes] = []
        self._ladder = Ladder()
        self._told = False
        self._frame, self._recv_ts = 0, -1

    def add(self, message: Message) -> None:
        """Take a message. The first rules are those of the session, and stand beside it."""
        if isinstance(message, RoundEnd) or (isinstance(message, Instrument) and not self._told):
            self._told |= isinstance(message, Instrument)
            self._recv_ts = -1
            return
        if received_at(message) != self._recv_ts:
            self._frame, self._recv_ts = self._frame + 1, received_at(message)
        rows = list(event_rows(message, self._ladder))
        self.rows += rows
        worst: tuple[float, ...] = (np.nan, np.nan)
        kind = KINDS.index(type(message)) if type(message) in KINDS[1:] else 0
        if not kind:
            self.lines.append(KIND_OF[type(message)].encode() + b" " + msgspec.json.encode(message))
        if isinstance(message, Book):
            worst = tuple(prices[-1] if prices else np.nan for prices in (message.bid_prices, message.ask_prices))
        self.index.append((kind, self._frame, message.ts, received_at(message), len(rows), *worst))

    def write(self, path: Path, market: Market, symbol: str, instrument: Instrument) -> None:
        """Write everything to a file."""
        np.savez_compressed(
            path,
            data=events_of(self.rows),
            messages=np.array(self.index, dtype=MESSAGE),
            others=np.frombuffer(b"\n".join(self.lines), dtype=np.uint8),
            market=np.frombuffer(encoded(market, symbol, instrument), dtype=np.uint8),
        )


def event_rows(message: Message, ladder: Ladder) -> Iterator[EventRow]:
    """The rows of a message: its prints, or what it changes of the levels."""
    if isinstance(message, Trades):
        for index, time in enumerate(message.times):
            side = BUY if message.aggressors[index] == "buy" else SELL
            price, size, trade_id = message.prices[index], message.sizes[index], message.trade_ids[index]
            yield TRADE | side, time, message.recv_ts, price, size, trade_id
        return
    before = {side: ladder.within(side, None) for side in (1, -1)} if isinstance(message, Book) else {}
    snapshot, changes = ladder.changes(message)
    recv_ts = received_at(message)
    if snapshot:
        for side, flag in ((1, BUY), (-1, SELL)):
            prices = [*before[side], *(change.price for change in changes if change.side == side)]
            if prices:
                yield CLEAR | flag, message.ts, recv_ts, min(prices) if side > 0 else max(prices), 0.0, 0
    for change in changes:
        kind = SNAPSHOT if snapshot else DEPTH
        yield kind | (BUY if change.side > 0 else SELL), message.ts, recv_ts, change.price, change.size, 0


def events_of(rows: list[EventRow]) -> npt.NDArray[np.void]:
    """Events in both orders, of the exchange and of receipt, as hftbacktest's `validate_event_order` wants them.

    A clock of receipt behind the venue's is put forward for all, and one that goes back stands still meanwhile.
    """
    events = np.zeros(len(rows), dtype=HFTBACKTEST_EVENT)
    for column, name in enumerate(("ev", "exch_ts", "local_ts", "px", "qty", "order_id")):
        events[name] = [row[column] for row in rows]
    if len(events):
        events["local_ts"] += max(-int((events["local_ts"] - events["exch_ts"]).min()), 0)
        events["local_ts"] = np.maximum.accumulate(events["local_ts"])
    return in_both_orders(events)


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
        flags.append((hftbacktest.EXCHANGE if exchange else 0) | (hftbacktest.LOCAL if both or not exchange else 0))
        at += exchange
        to += both or not exchange
    found = events[order]
    found["ev"] |= np.asarray(flags, dtype=np.uint64)
    return found
