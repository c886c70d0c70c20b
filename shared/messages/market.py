"""Market data, as the feed says it."""

from typing import Annotated, Literal, TypeAlias

import msgspec

from papertrader.shared.messages.base import Int, Message, Side

MARGIN_TIERS = 16
"""Rows that a table of margin tiers may have."""
MarketKind: TypeAlias = Literal["perpetual", "spot", "inverse"]
"""An inverse contract is worth a fixed amount of quote currency and settled in base; its sizes are contracts."""
Fraction: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1)]


class MarginTier(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Margin of positions whose notional, in quote currency, is at least `notional_floor`.

    `initial_rate` and `maintenance_rate` are fractions of the notional; of the maintenance margin that comes of its
    rate `maintenance_deduction`, quote currency, is taken off, so that it is continuous where a tier begins.
    """

    notional_floor: Annotated[float, msgspec.Meta(ge=0)]
    initial_rate: Fraction
    maintenance_rate: Fraction
    maintenance_deduction: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class Instrument(Message, frozen=True, kw_only=True):
    """The trading rules of a market: the first message of every session, and again when they change.

    It is in force from the beginning of the round that it stands in. Sizes on the log are base units: those of a
    linear contract have been multiplied by `contract_size`. An inverse contract's are contracts of `contract_size`
    units of quote currency each.
    """

    tick_size: float
    lot_size: float
    significant_figures: Int = 0
    """Figures that a price may have beside the tick rule, 0 where there is no such rule; whole numbers always may."""
    finest_tick_size: float = 0.0
    """What the tick becomes at most as the price falls and its figures move, 0 where nothing bounds it."""
    min_notional: float = 0.0
    contract_size: float = 1.0
    kind: MarketKind = "perpetual"
    funding_interval_s: Int = 0
    """Funding is paid at the multiples (UTC) of this, 0 where there is none or it is not known."""
    funding_price: Literal["mark", "oracle"] = "mark"
    maximum_leverage: float = 0.0
    """0 while unknown."""
    margin_tiers: Annotated[tuple[MarginTier, ...], msgspec.Meta(max_length=MARGIN_TIERS)] = ()
    """From the lowest notional up, the first at 0; empty while unknown."""
    inferred: tuple[str, ...] = ()
    """The names of the fields that nobody has told: guessed from prices and sizes, or left at their defaults."""
    doubtful: tuple[str, ...] = ()
    """Those of them for which the evidence is thin."""


class Book(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Full depth as far as the venue shows it: bids descending, asks ascending.

    `bid_orders` and `ask_orders` are how many orders stand at each level, empty where the venue does not tell.
    """

    recv_ts: Int
    bid_prices: list[float]
    bid_sizes: list[float]
    ask_prices: list[float]
    ask_sizes: list[float]
    bid_orders: list[Int] = msgspec.field(default_factory=list)
    ask_orders: list[Int] = msgspec.field(default_factory=list)


class Depth(Message, frozen=True, kw_only=True):
    """Incremental levels: absolute sizes, 0 removes a level."""

    recv_ts: Int
    bid_prices: list[float]
    bid_sizes: list[float]
    ask_prices: list[float]
    ask_sizes: list[float]


class Bbo(Message, frozen=True, kw_only=True, omit_defaults=True):
    """Best bid and ask; a side that is empty is `None`. Orders are 0 where the venue does not tell their number."""

    recv_ts: Int
    bid_price: float | None
    bid_size: float | None
    ask_price: float | None
    ask_size: float | None
    bid_orders: Int = 0
    ask_orders: Int = 0


class Trades(Message, frozen=True, kw_only=True):
    """The prints of one venue message; the lists run in parallel."""

    recv_ts: Int
    times: list[Int]
    prices: list[float]
    sizes: list[float]
    aggressors: list[Side]
    trade_ids: list[Int]


class Context(Message, frozen=True, kw_only=True):
    """Slow market state.

    `funding_rate` is the venue's own, a fraction of the position's value for `funding_period_s` seconds. It is paid
    next at `next_funding_ts`; 0 where the venue does not say: at the next multiple of the instrument's interval.
    """

    recv_ts: Int
    funding_rate: float | None = None
    funding_period_s: Int = 3600
    next_funding_ts: Int = 0
    oracle_price: float | None = None
    mark_price: float | None = None
    open_interest: float | None = None


class Gap(Message, frozen=True, kw_only=True):
    """Market data between `from_ts` and `to_ts` was missed."""

    recv_ts: Int
    from_ts: Int
    to_ts: Int
    reason: str


class RoundEnd(Message, frozen=True, kw_only=True):
    """Closes a round: the `messages` market data messages since the last marker, and what was said, are to be folded.

    `ts` is the market's event clock, `frame` counts the source's frames up to here (a restarted feed resumes after
    it), `final` says that the source has ended. With `discard` it closes nothing: a restarted feed says that what was
    published since the last marker will come again.
    """

    recv_ts: Int
    round: Int
    frame: Int
    session: str
    messages: Int = 0
    final: bool = False
    discard: bool = False
