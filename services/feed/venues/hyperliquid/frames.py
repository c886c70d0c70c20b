"""Hyperliquid WebSocket frames to messages.

Channels l2Book, bbo, trades, activeAssetCtx and activeSpotAssetCtx; every other known channel is ignored. Prices and
sizes are strings on the wire. Venue documentation: hyperliquid.gitbook.io, API / WebSocket / Subscriptions.
"""

from collections.abc import Collection
from typing import Annotated, Any, Final, Literal, TypeAlias

import msgspec
from msgspec import field

from papertrader.services.feed.adapter import (
    NO_ASSET,
    NS_PER_MS,
    AssetAdapter,
    Id,
    Millis,
    confirmed,
    trades_of,
    under_touch,
)
from papertrader.services.feed.guard import Guard, Prints
from papertrader.shared.messages import Bbo, Book, Message, Side

Orders: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]
_TAKER: Final[dict[str, Side]] = {"B": "buy", "A": "sell"}
GREETING: Final = b"Websocket connection established"
IGNORED_CHANNELS: Final = frozenset(
    {"subscriptionResponse", "pong", "error", "post", "candle", "allMids", "fastAssetCtxs", "notification", "user"}
    | {"userFills", "userFundings", "userNonFundingLedgerUpdates", "userTwapSliceFills", "userTwapHistory"}
    | {"orderUpdates", "openOrders", "clearinghouseState", "spotState", "twapStates", "activeAssetData"}
    | {"webData2", "webData3"}
)


class Level(msgspec.Struct, gc=False):
    """A price level, and how many orders stand there."""

    price: float = field(name="px")
    size: float = field(name="sz")
    orders: Orders = field(name="n", default=0)


class BookData(msgspec.Struct, gc=False):
    """The whole published book: bids, asks. The fast one holds the best five levels only."""

    coin: str
    time: Millis
    levels: tuple[list[Level], list[Level]]
    fast: bool = False


class BboData(msgspec.Struct, gc=False):
    """Best bid and ask, null where a side is empty."""

    coin: str
    time: Millis
    bbo: tuple[Level | None, Level | None]


class Print(msgspec.Struct, gc=False):
    """A public trade; the side is the taker's."""

    coin: str
    side: Literal["B", "A"]
    price: float = field(name="px")
    size: float = field(name="sz")
    time: Millis
    tid: Id


class AssetContext(msgspec.Struct, gc=False):
    """Slow market state; funding is per hour."""

    funding: float | None = None
    oracle_price: float | None = field(name="oraclePx", default=None)
    mark_price: float | None = field(name="markPx", default=None)
    open_interest: float | None = field(name="openInterest", default=None)


class ContextData(msgspec.Struct, gc=False):
    """The context of one coin. It carries no time."""

    coin: str
    ctx: AssetContext


class BookFrame(msgspec.Struct, tag_field="channel", tag="l2Book", gc=False):
    """Frame of channel l2Book."""

    data: BookData


class BboFrame(msgspec.Struct, tag_field="channel", tag="bbo", gc=False):
    """Frame of channel bbo."""

    data: BboData


class TradesFrame(msgspec.Struct, tag_field="channel", tag="trades", gc=False):
    """Frame of channel trades."""

    data: list[Print]


class ContextFrame(msgspec.Struct, tag_field="channel", tag="activeAssetCtx", gc=False):
    """Frame of channel activeAssetCtx."""

    data: ContextData


class SpotContextFrame(msgspec.Struct, tag_field="channel", tag="activeSpotAssetCtx", gc=False):
    """Frame of channel activeSpotAssetCtx."""

    data: ContextData


class Envelope(msgspec.Struct, gc=False):
    """The outermost part of any frame."""

    kind: str = field(name="channel")


Frame: TypeAlias = BookFrame | BboFrame | TradesFrame | ContextFrame | SpotContextFrame
READ_CHANNELS: Final = frozenset({"l2Book", "bbo", "trades", "activeAssetCtx", "activeSpotAssetCtx"})


class Asset:
    """One coin: merges the fast touch into the slower books, and drops prints that are repeated or old.

    How many orders stand at a level is believed from the first level on that has several: a source that writes 1
    everywhere does not know.
    """

    __slots__ = ("bbo", "book_ts", "counted", "deep_ts", "fast", "first_ts", "guard", "prints")

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        guard.forget = self._forget_times
        self.book_ts = 0  # of the newest book, fast or deep
        self.deep_ts = 0
        self.fast: Book | None = None
        self.first_ts = 0  # of the connection's first book or touch
        self.bbo: Bbo | None = None
        self.counted = False
        self.prints = Prints()

    def _forget_times(self) -> None:
        self.book_ts = self.deep_ts = self.first_ts = 0
        self.bbo = None
        self.fast = None

    def book(self, recv_ns: int, data: BookData) -> list[Message]:
        """The book, brought up to a newer fast book and a newer touch."""
        ts = data.time * NS_PER_MS
        bids, asks = data.levels
        self.counted = self.counted or any(level.orders > 1 for level in (*bids, *asks))
        book = Book(
            ts=ts,
            recv_ts=recv_ns,
            bid_prices=[level.price for level in bids],
            bid_sizes=[level.size for level in bids],
            ask_prices=[level.price for level in asks],
            ask_sizes=[level.size for level in asks],
            bid_orders=self._orders(bids),
            ask_orders=self._orders(asks),
        )
        if not self.guard.accepts_book(book, self.book_ts if data.fast else self.deep_ts):
            return []
        if data.fast:
            self.fast = book
        else:
            self.deep_ts = ts
            book = self._under_fast(book)
        self.book_ts = max(self.book_ts, book.ts)
        self.first_ts = self.first_ts or ts
        newest = under_touch(book, self.bbo) if self.bbo is not None and self.bbo.ts > book.ts else book
        return [*confirmed(self.guard, recv_ns, (*newest.bid_prices, *newest.ask_prices)), newest]

    def _orders(self, levels: list[Level]) -> list[int]:
        return [level.orders for level in levels] if self.counted and all(level.orders for level in levels) else []

    def _under_fast(self, deep: Book) -> Book:
        """A deep book that is older than the fast one: of it only what lies beyond the fast levels is news."""
        fast = self.fast
        if fast is None or fast.ts <= deep.ts:
            return deep
        bid, ask = _beyond(fast.bid_prices, deep.bid_prices, 1), _beyond(fast.ask_prices, deep.ask_prices, -1)
        told = (fast.bid_orders or fast.ask_orders) and (deep.bid_orders or deep.ask_orders)
        return Book(
            ts=fast.ts,
            recv_ts=deep.recv_ts,
            bid_prices=fast.bid_prices + deep.bid_prices[bid:],
            bid_sizes=fast.bid_sizes + deep.bid_sizes[bid:],
            ask_prices=fast.ask_prices + deep.ask_prices[ask:],
            ask_sizes=fast.ask_sizes + deep.ask_sizes[ask:],
            bid_orders=fast.bid_orders + deep.bid_orders[bid:] if told else [],
            ask_orders=fast.ask_orders + deep.ask_orders[ask:] if told else [],
        )

    def touch(self, recv_ns: int, data: BboData) -> list[Message]:
        """The best bid and ask, unless the book is newer."""
        ts = data.time * NS_PER_MS
        bid, ask = data.bbo
        told = self.counted and all(level.orders for level in (bid, ask) if level)
        bbo = Bbo(
            ts=ts,
            recv_ts=recv_ns,
            bid_price=bid.price if bid else None,
            bid_size=bid.size if bid else None,
            ask_price=ask.price if ask else None,
            ask_size=ask.size if ask else None,
            bid_orders=bid.orders if bid and told else 0,
            ask_orders=ask.orders if ask and told else 0,
        )
        if not self.guard.accepts_bbo(bbo, self.bbo.ts if self.bbo else 0):
            return []
        self.bbo = bbo
        self.first_ts = self.first_ts or ts
        if ts < self.book_ts:
            self.guard.ignored["older_touch"] += 1
            return []
        return [*confirmed(self.guard, recv_ns, (bbo.bid_price, bbo.ask_price)), bbo]

    def trades(self, recv_ns: int, prints: list[Print]) -> list[Message]:
        """The prints that are new, younger than the connection's first book or touch, and sound."""
        accepts = self.guard.accepts_print
        kept: list[tuple[int, float, float, Side, int]] = []
        for item in prints:
            ts, side = item.time * NS_PER_MS, _TAKER[item.side]
            if self._is_new(item) and accepts(item.price, item.size, ts, recv_ns, side, item.tid):
                kept.append((ts, item.price, item.size, side, item.tid))
        return [trades_of(recv_ns, kept)] if kept else []

    def _is_new(self, item: Print) -> bool:
        if not self.prints.add(item.tid):
            self.guard.ignored["duplicate_print"] += 1
            return False
        if not self.first_ts or item.time * NS_PER_MS < self.first_ts:
            self.guard.ignored["old_print"] += 1
            return False
        return True

    def context(self, recv_ns: int, context: AssetContext) -> list[Message]:
        """The context, to which the venue gives no time."""
        return self.guard.context(
            recv_ns, context.funding, context.oracle_price, context.mark_price, context.open_interest
        )


def _beyond(prices: list[float], deep_prices: list[float], direction: int) -> int:
    """Where the deep levels begin that follow those of a side, best first; `direction` is +1 for bids, −1 for asks."""
    if not prices:
        return len(deep_prices)
    return sum(1 for price in deep_prices if direction * (price - prices[-1]) >= 0)


class HyperliquidAdapter(AssetAdapter[Asset]):
    """The adapter of Hyperliquid. `assets` None accepts every coin."""

    def __init__(self, assets: Collection[str] | None = None) -> None:
        super().__init__(Asset, assets)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(Frame, strict=False)
        self._envelope = msgspec.json.Decoder(Envelope)

    def frame(self, recv_ns: int, data: bytes) -> list[tuple[str, Message]]:
        """The messages of a frame."""
        try:
            frame = self._decoder.decode(data)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self._unread(data)
            return []
        if isinstance(frame, TradesFrame):
            return self._trades(recv_ns, frame.data)
        coin = frame.data.coin
        asset = self._asset(coin)
        if asset is None:
            return []
        if isinstance(frame, BookFrame):
            messages = asset.book(recv_ns, frame.data)
        elif isinstance(frame, BboFrame):
            messages = asset.touch(recv_ns, frame.data)
        else:
            messages = asset.context(recv_ns, frame.data.ctx)
        return [(coin, message) for message in messages]

    def _trades(self, recv_ns: int, prints: list[Print]) -> list[tuple[str, Message]]:
        by_coin: dict[str, list[Print]] = {}
        for item in prints:
            by_coin.setdefault(item.coin, []).append(item)
        found = ((coin, self._asset(coin), items) for coin, items in by_coin.items())
        return [(coin, message) for coin, asset, items in found if asset for message in asset.trades(recv_ns, items)]

    def _unread(self, data: bytes) -> None:
        if data.lstrip().startswith(GREETING):
            self.ignored[NO_ASSET]["greeting"] += 1
        else:
            self._classify(data, self._envelope, READ_CHANNELS, IGNORED_CHANNELS)
