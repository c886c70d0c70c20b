"""Binance USD-M combined-stream frames and REST depth snapshots to messages.

Streams depth, bookTicker, trade or aggTrade, and markPrice. Book synchronisation follows the venue's "How to manage a
local order book correctly": buffer the differences, take a snapshot, begin with the first difference that has
U <= lastUpdateId <= u, and require pu to equal the previous u from then on.
"""

import math
from collections import Counter, deque
from collections.abc import Collection
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from papertrader.services.feed.adapter import NO_ASSET, NS_PER_MS, AssetAdapter, confirmed, trades_of, under_touch
from papertrader.services.feed.guard import MAX_STRIKES, Guard, known
from papertrader.services.feed.venues.binance.rules import FUNDING_INTERVAL_H
from papertrader.services.feed.venues.binance.wire import (
    READ_EVENTS,
    RESULT,
    AggregatePrint,
    Difference,
    Envelope,
    Frame,
    Levels,
    Mark,
    Print,
    Ticker,
)
from papertrader.shared.messages import Bbo, Book, Context, Depth, Gap, Message, Side

BUFFERED_DIFFERENCES: Final = 2_000
PATIENT_DIFFERENCES: Final = 50
"""So many may come before the snapshot that they follow."""
IGNORED_EVENTS: Final = frozenset(
    {"kline", "continuous_kline", "24hrMiniTicker", "24hrTicker", "forceOrder", "compositeIndex", "contractInfo"}
    | {RESULT}
)


class Asset:
    """One symbol: its book's place in the update sequence, and its last touch."""

    __slots__ = (
        *("buffer", "depth_ts", "funding_interval_h", "guard", "joined", "last_id", "print_type", "strikes"),
        *("ticker", "ticker_id", "trade_id", "unsnapped"),
    )

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        guard.forget = self._forget_times
        self.buffer: deque[Difference] = deque(maxlen=BUFFERED_DIFFERENCES)
        self.unsnapped = 0  # differences since the book is not known
        self.last_id = 0  # update id up to which the book is known, 0 while it is not
        self.joined = False  # whether a difference has followed the snapshot
        self.depth_ts = 0
        self.ticker: Bbo | None = None
        self.ticker_id = 0
        self.trade_id = -1
        self.strikes: Counter[str] = Counter()  # new messages in a row whose ids say that they are old, by kind
        self.funding_interval_h: float = FUNDING_INTERVAL_H
        self.print_type: type[Print] | type[AggregatePrint] | None = None

    def _forget_times(self) -> None:
        self.depth_ts = 0
        self.ticker = None

    def touch(self, recv_ns: int, ticker: Ticker) -> list[Message]:
        """The best bid and ask, unless the book is newer."""
        ts = ticker.time * NS_PER_MS
        bbo = Bbo(
            ts=ts,
            recv_ts=recv_ns,
            bid_price=ticker.bid_price,
            bid_size=ticker.bid_size,
            ask_price=ticker.ask_price,
            ask_size=ticker.ask_size,
        )
        if not self.guard.accepts_bbo(bbo, self.ticker.ts if self.ticker else 0):
            return []
        if ticker.last_id < max(self.last_id, self.ticker_id):
            if self._ids_are_wrong("older_touch", ts):
                self.ticker_id = 0
            return []
        self.strikes["older_touch"] = 0
        self.ticker_id = ticker.last_id
        self.ticker = bbo
        return [*confirmed(self.guard, recv_ns, (bbo.bid_price, bbo.ask_price)), bbo]

    def difference(self, recv_ns: int, difference: Difference) -> list[Message]:
        """Changed levels, buffered while the book is not known; a break in the sequence is a gap."""
        ts = difference.time * NS_PER_MS
        if not self.guard.accepts_time(ts, 0, recv_ns):
            return []
        if self.last_id and not self._follows(difference):
            if difference.last_id <= self.last_id and not self._ids_are_wrong("older_depth", ts):
                return []
            self.last_id = 0
            self.buffer.append(difference)
            if not self.depth_ts:
                return []  # the connection broke, and that gap has been told
            return [Gap(ts=ts, recv_ts=recv_ns, from_ts=min(self.depth_ts, ts), to_ts=ts, reason="sequence_break")]
        if not self.last_id:
            self.buffer.append(difference)
            return self._behind_touch(recv_ns, difference)
        return self._apply(recv_ns, difference)

    def _behind_touch(self, recv_ns: int, difference: Difference) -> list[Message]:
        """What a difference tells while the book is not known: its levels, those behind the touch, which is.

        When none has come for a while, it is said that the book is told by differences alone: `no_depth_snapshot`.
        """
        self.unsnapped += 1
        if self.ticker is None:
            return []
        if self.unsnapped > PATIENT_DIFFERENCES:
            self.guard.bad["no_depth_snapshot"] += 1
        bids = self._levels(difference.bids, 0.0, self.ticker.bid_price or 0.0)
        asks = self._levels(difference.asks, self.ticker.ask_price or math.inf, math.inf)
        return _depth(difference.time * NS_PER_MS, recv_ns, bids, asks)

    def _ids_are_wrong(self, reason: str, ts: int) -> bool:
        """Count a message whose id says that it is old; true when, by their times, too many such ones were new."""
        self.guard.ignored[reason] += 1
        self.strikes[reason] += 0 < self.guard.clock <= ts
        return self.strikes[reason] >= MAX_STRIKES

    def snapshot(self, recv_ns: int, frame: Frame) -> list[Message]:
        """The whole book and the buffered differences that follow it."""
        if not isinstance(frame.last_update_id, int) or self.last_id:
            self.guard.ignored["unneeded_snapshot"] += 1
            return []
        ts = frame.time * NS_PER_MS if isinstance(frame.time, int) else self.guard.clock
        book = _book(recv_ns, ts, frame)
        if not self.guard.accepts_book(book, 0):
            return []
        following = [item for item in self.buffer if item.last_id >= frame.last_update_id]
        if following and following[0].first_id > frame.last_update_id:
            self.guard.ignored["older_snapshot"] += 1
            return []
        self.buffer.clear()
        self.unsnapped = 0
        self.last_id, self.joined, self.depth_ts = frame.last_update_id, False, ts
        newer = self.ticker if self.ticker_id > self.last_id else None
        newest = under_touch(book, newer) if newer else book
        messages: list[Message] = [*confirmed(self.guard, recv_ns, (*newest.bid_prices, *newest.ask_prices)), newest]
        for item in following:
            messages += self.difference(recv_ns, item)
        return messages

    def _follows(self, difference: Difference) -> bool:
        if self.joined:
            return difference.previous_id == self.last_id
        return difference.first_id <= self.last_id <= difference.last_id or difference.previous_id == self.last_id

    def _apply(self, recv_ns: int, difference: Difference) -> list[Message]:
        self.last_id, self.joined = difference.last_id, True
        self.strikes["older_depth"] = 0
        self.depth_ts = max(self.depth_ts, difference.time * NS_PER_MS)
        bid_limit, ask_limit = math.inf, 0.0
        if self.ticker is not None and difference.last_id < self.ticker_id:
            bid_limit, ask_limit = self.ticker.bid_price or math.inf, self.ticker.ask_price or 0.0
        bids = self._levels(difference.bids, 0.0, bid_limit)
        asks = self._levels(difference.asks, ask_limit, math.inf)
        found = confirmed(self.guard, recv_ns, [price for price, _ in (*bids, *asks)])
        return [*found, *_depth(self.depth_ts, recv_ns, bids, asks)]

    def _levels(self, levels: Levels, above: float, below: float) -> Levels:
        """The sound levels strictly between two prices: what lies at and inside a newer touch is overtaken by it."""
        kept = [(price, size) for price, size in levels if above < price < below and 0.0 <= size < math.inf]
        if len(kept) < len(levels):
            bad = sum(1 for price, size in levels if not (0.0 < price < math.inf and 0.0 <= size < math.inf))
            if bad:
                self.guard.bad["non_positive"] += bad
            self.guard.ignored["overtaken_level"] += len(levels) - len(kept) - bad
        return kept

    def trade(self, recv_ns: int, item: Print | AggregatePrint) -> list[Message]:
        """A print of the order book, once: of `trade` and `aggTrade` only the stream that came first is read."""
        self.print_type = self.print_type or type(item)
        if not isinstance(item, self.print_type):
            self.guard.ignored["other_trade_stream"] += 1
            return []
        if item.kind != "MARKET":
            self.guard.ignored["off_book_print"] += 1
            return []
        ts = item.time * NS_PER_MS
        if item.trade_id <= self.trade_id:
            if self._ids_are_wrong("duplicate_print", ts):
                self.trade_id = -1
            return []
        side: Side = "sell" if item.buyer_is_maker else "buy"
        held = len(self.guard.held)
        accepted = self.guard.accepts_print(item.price, item.size, ts, recv_ns, side, item.trade_id)
        if accepted or len(self.guard.held) > held:
            self.trade_id = item.trade_id
            self.strikes["duplicate_print"] = 0
        return [trades_of(recv_ns, [(ts, item.price, item.size, side, item.trade_id)])] if accepted else []

    def mark(self, recv_ns: int, mark: Mark) -> list[Message]:
        """Mark and index price, and the funding rate of an interval with the time when it is paid."""
        ts = mark.time * NS_PER_MS
        if not self.guard.accepts_time(ts, 0, recv_ns):
            return []
        return [
            Context(
                ts=ts,
                recv_ts=recv_ns,
                funding_rate=mark.rate(),
                funding_period_s=round(self.funding_interval_h * 3600),
                next_funding_ts=mark.next_funding * NS_PER_MS,
                oracle_price=known(mark.index_price),
                mark_price=known(mark.mark_price),
            )
        ]


class BinanceAdapter(AssetAdapter[Asset]):
    """The adapter of Binance USD-M. `assets` None accepts every symbol."""

    def __init__(self, assets: Collection[str] | None = None) -> None:
        super().__init__(Asset, assets)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Frame, strict=False)
        self._envelope = msgspec.json.Decoder(Envelope)

    def unsynchronised(self) -> list[str]:
        """The symbols that wait for a depth snapshot."""
        return [symbol for symbol, asset in self._assets.items() if not asset.last_id]

    def frame(self, recv_ns: int, data: bytes) -> list[tuple[str, Message]]:
        """The messages of a frame, or of a depth snapshot (which names no symbol)."""
        try:
            frame = self._decoder.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._classify(data, self._envelope, READ_EVENTS, IGNORED_EVENTS)
            return []
        event = frame.data
        if event is UNSET:
            return self._answer(recv_ns, data, frame)
        asset = self._asset(event.symbol)
        if asset is None:
            return []
        return [(event.symbol, message) for message in _messages(asset, recv_ns, event)]

    def _answer(self, recv_ns: int, data: bytes, frame: Frame) -> list[tuple[str, Message]]:
        if frame.symbol is not UNSET and frame.funding_interval_h is not UNSET:
            if asset := self._asset(frame.symbol):
                asset.funding_interval_h = frame.funding_interval_h
            return []
        if frame.last_update_id is UNSET:
            self._classify(data, self._envelope, READ_EVENTS, IGNORED_EVENTS)
            return []
        if not isinstance(frame.symbol, UnsetType):
            asset = self._asset(frame.symbol)
            return [(frame.symbol, message) for message in asset.snapshot(recv_ns, frame)] if asset else []
        symbol = self._owner(frame)
        if symbol is None:
            self.bad[NO_ASSET]["unknown_asset"] += 1
            return []
        return [(symbol, message) for message in self._assets[symbol].snapshot(recv_ns, frame)]

    def _owner(self, frame: Frame) -> str | None:
        """The symbol of a snapshot that does not say it: the only one, or the one that waits for a book there."""
        if len(self._assets) == 1:
            return next(iter(self._assets))
        price = frame.bids[0][0] if frame.bids else math.nan
        waiting = [name for name in self.unsynchronised() if self._assets[name].guard.mid]
        return next((name for name in waiting if self._assets[name].guard.is_near(price)), None)


def _messages(asset: Asset, recv_ns: int, event: Difference | Ticker | Print | AggregatePrint | Mark) -> list[Message]:
    if isinstance(event, Ticker):
        return asset.touch(recv_ns, event)
    if isinstance(event, (Print, AggregatePrint)):
        return asset.trade(recv_ns, event)
    if isinstance(event, Difference):
        return asset.difference(recv_ns, event)
    return asset.mark(recv_ns, event)


def _depth(ts: int, recv_ns: int, bids: Levels, asks: Levels) -> list[Message]:
    """The message of changed levels, if there are any."""
    if not bids and not asks:
        return []
    return [
        Depth(
            ts=ts,
            recv_ts=recv_ns,
            bid_prices=[price for price, _ in bids],
            bid_sizes=[size for _, size in bids],
            ask_prices=[price for price, _ in asks],
            ask_sizes=[size for _, size in asks],
        )
    ]


def _book(recv_ns: int, ts: int, frame: Frame) -> Book:
    return Book(
        ts=ts,
        recv_ts=recv_ns,
        bid_prices=[price for price, _ in frame.bids],
        bid_sizes=[size for _, size in frame.bids],
        ask_prices=[price for price, _ in frame.asks],
        ask_sizes=[size for _, size in frame.asks],
    )
