"""The frames of Binance USD-M as typed structs: combined streams and the REST depth snapshot."""

from typing import Annotated, Final, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType, field

from papertrader.services.feed.adapter import Id, Millis
from papertrader.services.feed.guard import known

Levels: TypeAlias = list[tuple[float, float]]
"""(price, size) pairs as the venue sends them."""


class Difference(msgspec.Struct, tag_field="e", tag="depthUpdate", gc=False):
    """Changed levels: absolute sizes, 0 removes a level."""

    symbol: str = field(name="s")
    time: Millis = field(name="T")
    first_id: Id = field(name="U")
    last_id: Id = field(name="u")
    previous_id: Id = field(name="pu")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")


class Ticker(msgspec.Struct, tag_field="e", tag="bookTicker", gc=False):
    """Best bid and ask after the update `last_id`."""

    symbol: str = field(name="s")
    time: Millis = field(name="T")
    last_id: Id = field(name="u")
    bid_price: float = field(name="b")
    bid_size: float = field(name="B")
    ask_price: float = field(name="a")
    ask_size: float = field(name="A")


class Print(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    """A public trade; the taker sold if the buyer is the maker."""

    symbol: str = field(name="s")
    time: Millis = field(name="T")
    trade_id: Id = field(name="t")
    price: float = field(name="p")
    size: float = field(name="q")
    buyer_is_maker: bool = field(name="m")
    kind: str = field(name="X", default="MARKET")


class AggregatePrint(msgspec.Struct, tag_field="e", tag="aggTrade", gc=False):
    """The fills of one taker at one price."""

    symbol: str = field(name="s")
    time: Millis = field(name="T")
    trade_id: Id = field(name="a")
    price: float = field(name="p")
    size: float = field(name="q")
    buyer_is_maker: bool = field(name="m")
    kind: str = "MARKET"


class Mark(msgspec.Struct, tag_field="e", tag="markPriceUpdate", gc=False):
    """Mark and index price, and the funding rate of a whole funding interval (empty for delivery contracts).

    It is paid at `next_funding`, ms; 0 for delivery contracts.
    """

    symbol: str = field(name="s")
    time: Millis = field(name="E")
    mark_price: float | None = field(name="p", default=None)
    index_price: float | None = field(name="i", default=None)
    funding_rate: str = field(name="r", default="")
    next_funding: Annotated[int, msgspec.Meta(ge=0, le=4_102_444_800_000)] = field(name="T", default=0)

    def rate(self) -> float | None:
        """The funding rate; None without one."""
        try:
            return known(float(self.funding_rate))
        except ValueError:
            return None


class Frame(msgspec.Struct, gc=False):
    """A combined-stream frame (`data`), or an answer over REST: a depth snapshot, or a symbol's funding interval.

    The venue's snapshot names no symbol; the feed and its recorder write it in front.
    """

    data: Difference | Ticker | Print | AggregatePrint | Mark | UnsetType = UNSET
    symbol: str | UnsetType = field(name="symbol", default=UNSET)
    last_update_id: Id | UnsetType = field(name="lastUpdateId", default=UNSET)
    time: Millis | UnsetType = field(name="T", default=UNSET)
    bids: Levels = []
    asks: Levels = []
    funding_interval_h: Annotated[int, msgspec.Meta(ge=1, le=24)] | UnsetType = field(
        name="fundingIntervalHours", default=UNSET
    )


class Event(msgspec.Struct, gc=False):
    """The kind of an event of any stream."""

    kind: str = field(name="e")


class Envelope(msgspec.Struct, gc=False):
    """The outermost part of a combined-stream frame."""

    data: Event | UnsetType = UNSET
    result: msgspec.Raw | UnsetType = UNSET

    @property
    def kind(self) -> str:
        """The kind of its event; `RESULT` for the answer to a request."""
        if isinstance(self.data, Event):
            return self.data.kind
        return "" if self.result is UNSET else RESULT


RESULT: Final = "result"
READ_EVENTS: Final = frozenset({"depthUpdate", "bookTicker", "trade", "aggTrade", "markPriceUpdate"})
