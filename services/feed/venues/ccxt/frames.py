"""Order books and trades that ccxt has unified, to messages. One adapter for every exchange that ccxt can watch."""

from collections.abc import Collection
from typing import Annotated, Any, Literal

import msgspec

from papertrader.services.feed.adapter import (
    NO_ASSET,
    NS_PER_MS,
    AssetAdapter,
    Millis,
    confirmed,
    number_of,
    trades_of,
)
from papertrader.services.feed.guard import Guard, Prints
from papertrader.shared.messages import Book, Message, Side


class BookFrame(msgspec.Struct, tag_field="kind", tag="book", gc=False):
    """The best levels of an order book; without a time it is as old as its receipt."""

    asset: str
    time: Millis | None
    bids: list[tuple[float, float]]
    asks: list[tuple[float, float]]


class Print(msgspec.Struct, gc=False):
    """A public trade; the side is the taker's. None is what the exchange does not say."""

    id: str
    time: Millis | None
    price: float
    size: float
    side: Literal["buy", "sell"] | None


class TradesFrame(msgspec.Struct, tag_field="kind", tag="trades", gc=False):
    """Public trades of one asset."""

    asset: str
    prints: list[Print]


class FundingFrame(msgspec.Struct, tag_field="kind", tag="funding", gc=False):
    """Slow market state: the rate of `period_s` seconds, and when it is paid, ms; 0 where the venue does not say."""

    asset: str
    rate: float | None = None
    period_s: Annotated[int, msgspec.Meta(gt=0, le=31_536_000)] = 3600
    next_time: Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800_000)] = 0
    mark_price: float | None = None
    index_price: float | None = None


class Asset:
    """One symbol: its clock, and the prints that were seen."""

    __slots__ = ("book_ts", "guard", "prints")

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        guard.forget = self._forget_times
        self.book_ts = 0
        self.prints = Prints()

    def _forget_times(self) -> None:
        self.book_ts = 0

    def book(self, recv_ns: int, frame: BookFrame) -> list[Message]:
        """The book, if it is sound."""
        ts = (frame.time or recv_ns // NS_PER_MS) * NS_PER_MS
        book = Book(
            ts=ts,
            recv_ts=recv_ns,
            bid_prices=[price for price, _ in frame.bids],
            bid_sizes=[size for _, size in frame.bids],
            ask_prices=[price for price, _ in frame.asks],
            ask_sizes=[size for _, size in frame.asks],
        )
        if not self.guard.accepts_book(book, self.book_ts):
            return []
        self.book_ts = ts
        return [*confirmed(self.guard, recv_ns, (*book.bid_prices, *book.ask_prices)), book]

    def trades(self, recv_ns: int, prints: list[Print]) -> list[Message]:
        """The prints that are new and sound; before the first book there is no market to print in."""
        accepts = self.guard.accepts_print
        kept: list[tuple[int, float, float, Side, int]] = []
        for item in prints:
            if item.time is None or item.side is None:
                self.guard.refuse("untimed_print" if item.time is None else "unsided_print")
                continue
            ts, trade_id = item.time * NS_PER_MS, number_of(item.id)
            if self._is_new(trade_id) and accepts(item.price, item.size, ts, recv_ns, item.side, trade_id):
                kept.append((ts, item.price, item.size, item.side, trade_id))
        return [trades_of(recv_ns, kept)] if kept else []

    def _is_new(self, trade_id: int) -> bool:
        if not self.prints.add(trade_id):
            self.guard.ignored["duplicate_print"] += 1
            return False
        if not self.book_ts:
            self.guard.ignored["old_print"] += 1
        return self.book_ts > 0

    def funding(self, recv_ns: int, frame: FundingFrame) -> list[Message]:
        """Mark price and funding, to which ccxt gives no time."""
        next_ts = frame.next_time * NS_PER_MS
        return self.guard.context(
            recv_ns,
            frame.rate,
            frame.index_price,
            frame.mark_price,
            funding_period_s=frame.period_s,
            next_funding_ts=next_ts,
        )


class CcxtAdapter(AssetAdapter[Asset]):
    """The adapter of every exchange that ccxt watches."""

    def __init__(self, assets: Collection[str] | None = None) -> None:
        super().__init__(Asset, assets)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(BookFrame | TradesFrame | FundingFrame)

    def frame(self, recv_ns: int, data: bytes) -> list[tuple[str, Message]]:
        """The messages of a frame."""
        try:
            frame = self._decoder.decode(data)
        except msgspec.ValidationError:
            self.bad[NO_ASSET]["malformed_message"] += 1
            return []
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.bad[NO_ASSET]["undecodable"] += 1
            return []
        asset = self._asset(frame.asset)
        if asset is None:
            return []
        if isinstance(frame, BookFrame):
            messages = asset.book(recv_ns, frame)
        elif isinstance(frame, TradesFrame):
            messages = asset.trades(recv_ns, frame.prints)
        else:
            messages = asset.funding(recv_ns, frame)
        return [(frame.asset, message) for message in messages]
