"""What every venue adapter is, and how its messages are made.

An adapter turns the raw frames of one connection into messages. It is pure: live WebSocket and tape use the same one.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Annotated, Any, Final, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from papertrader.services.feed.guard import Guard
from papertrader.shared.messages import Bbo, Book, Message, Side, Trades

NO_ASSET: Final = ""
"""Counts what cannot be attributed to an asset."""
NS_PER_MS: Final = 1_000_000
BAD_REASONS: Final = (
    "malformed_line",
    "undecodable",
    "malformed_message",
    "unknown_message",
    "unknown_asset",
    "non_positive",
    "unsorted_book",
    "locked_book",
    "crossed_book",
    "price_off",
    "off_grid",
    "beyond_grid",
    "time_went_back",
    "time_jumped",
    "stale_print",
    "untimed_print",
    "unsided_print",
    "no_depth_snapshot",
    "tape_truncated",
)

Millis: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=4_102_444_800_000)]
"""Unix time in ms, before the year 2100."""
Id: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Adapter(Protocol):
    """Frames of one connection in, messages out. Nothing may raise, whatever the bytes."""

    bad: dict[str, Counter[str]]
    """Per asset (`NO_ASSET` if unknown) and reason: what was refused."""
    ignored: dict[str, Counter[str]]
    """Per asset and reason: what is in order but not wanted, such as acknowledgements and repeated prints."""

    def frame(self, recv_ns: int, data: bytes) -> list[tuple[str, Message]]:
        """The messages of a frame, each with its asset as the venue spells it."""
        ...

    def reconnected(self, assets: Collection[str] | None = None) -> None:
        """Forget what only holds within one connection, for some assets or (None) all."""
        ...


class Guarded(Protocol):
    """One asset of an adapter: whatever it remembers, its guard tells good data from bad."""

    guard: Guard


class Envelope(Protocol):
    """The outermost part of any frame."""

    @property
    def kind(self) -> str:
        """What the frame is, in the venue's word; empty if it does not say."""
        ...


A = TypeVar("A", bound=Guarded)


class AssetAdapter(Generic[A]):
    """The assets of one connection, each made when it is first named, and the counts of what was not taken.

    `assets` None accepts every name.
    """

    def __init__(self, make: Callable[[Guard], A], assets: Collection[str] | None) -> None:
        self.bad: dict[str, Counter[str]] = defaultdict(Counter)
        self.ignored: dict[str, Counter[str]] = defaultdict(Counter)
        self._make = make
        self._wanted = assets
        self._assets: dict[str, A] = {}

    def reconnected(self, assets: Collection[str] | None = None) -> None:
        """Forget what only holds within one connection, for some assets or (None) all."""
        for name, asset in self._assets.items():
            if assets is None or name in assets:
                asset.guard.reconnected()

    def _asset(self, name: str) -> A | None:
        asset = self._assets.get(name)
        if asset is None:
            if self._wanted is not None and name not in self._wanted:
                self.bad[NO_ASSET]["unknown_asset"] += 1
                return None
            asset = self._assets[name] = self._make(Guard(self.bad[name], self.ignored[name]))
        return asset

    def _classify(
        self, data: bytes, envelopes: "msgspec.json.Decoder[Any]", read: Collection[str], ignored: Collection[str]
    ) -> None:
        """Count a frame that could not be read, by what its envelope says: of kinds that are `read` or `ignored`."""
        try:
            envelope: Envelope = envelopes.decode(data)
        except msgspec.ValidationError:
            self.bad[NO_ASSET]["unknown_message"] += 1
        except (msgspec.MsgspecError, ValueError, RecursionError):
            self.bad[NO_ASSET]["undecodable"] += 1
        else:
            if envelope.kind in ignored:
                self.ignored[NO_ASSET][envelope.kind] += 1
            else:
                self.bad[NO_ASSET]["malformed_message" if envelope.kind in read else "unknown_message"] += 1


def trades_of(recv_ns: int, prints: Sequence[tuple[int, float, float, Side, int]]) -> Trades:
    """The prints of one frame, at least one: each its ts, price, size, the taker's side and its id."""
    times, prices, sizes, aggressors, trade_ids = map(list, zip(*prints, strict=True))
    return Trades(
        ts=max(times),
        recv_ts=recv_ns,
        times=times,
        prices=prices,
        sizes=sizes,
        aggressors=aggressors,
        trade_ids=trade_ids,
    )


def confirmed(guard: Guard, recv_ns: int, prices: Iterable[float | None]) -> list[Message]:
    """The prints that were held and are confirmed by the prices that the venue's book now has, as a message."""
    released = guard.released(recv_ns, prices)
    return [trades_of(recv_ns, released)] if released else []


def under_touch(book: Book, touch: Bbo) -> Book:
    """A book brought up to a touch that is newer."""
    bid_prices, bid_sizes = with_touch(book.bid_prices, book.bid_sizes, touch.bid_price, touch.bid_size, 1)
    ask_prices, ask_sizes = with_touch(book.ask_prices, book.ask_sizes, touch.ask_price, touch.ask_size, -1)
    told = (touch.bid_orders or not bid_prices) and (touch.ask_orders or not ask_prices)
    return msgspec.structs.replace(
        book,
        bid_prices=bid_prices,
        bid_sizes=bid_sizes,
        ask_prices=ask_prices,
        ask_sizes=ask_sizes,
        bid_orders=_orders_under(touch.bid_orders, book.bid_orders, len(bid_prices)) if told else [],
        ask_orders=_orders_under(touch.ask_orders, book.ask_orders, len(ask_prices)) if told else [],
    )


def _orders_under(touch: int, orders: list[int], levels: int) -> list[int]:
    """How many orders stand at the levels of one side under a newer touch; nothing where the book does not tell."""
    return [touch, *orders[len(orders) + 1 - levels :]] if levels and orders else []


def with_touch(
    prices: Sequence[float], sizes: Sequence[float], touch: float | None, size: float | None, direction: int
) -> tuple[list[float], list[float]]:
    """One side of a book, best first, brought up to a newer touch: better levels are gone, the touch is its best.

    `direction` is +1 for bids, −1 for asks; a touch of None empties the side.
    """
    if touch is None or size is None:
        return [], []
    worse = sum(1 for price in prices if direction * (touch - price) > 0)
    start = len(prices) - worse
    return [touch, *prices[start:]], [size, *sizes[start:]]


def number_of(trade_id: str) -> int:
    """The trade id if it is a number that fits, else 62 bits of its hash."""
    if trade_id.isascii() and trade_id.isdigit() and len(trade_id) < 19:
        return int(trade_id)
    return int.from_bytes(hashlib.blake2b(trade_id.encode(), digest_size=8).digest()) >> 2
