"""Orders and commands, and what the exchange answers: acks, fills and money."""

from typing import Annotated, Literal, TypeAlias

import msgspec

from papertrader.shared.messages.base import FeatureVector, Int, Message, Side

TimeInForce: TypeAlias = Literal["post_only", "gtc", "ioc"]
TriggerKind: TypeAlias = Literal["stop", "take_profit"]


class Place(Message, frozen=True, kw_only=True, tag_field="type", tag="place", forbid_unknown_fields=True):
    """Place an order. `order_id` is chosen by the sender and unique per account.

    `mid` is the mid that the decision saw; `p_fill` forecasts a fill within 10 s of going live, `p_adverse` an
    adverse move within 5 s of a fill. A `reduce_only` order never makes the position larger or turns it: it is cut to
    the position, and cancelled when there is nothing left to reduce. `priority_bps` is bid for a place in the block,
    bps of what is filled (`ioc`) or placed (`post_only`), on venues that sell them.
    """

    order_id: Annotated[int, msgspec.Meta(gt=0, lt=2**62)]
    side: Literal["buy", "sell"]
    price: float
    size: float
    time_in_force: TimeInForce = "post_only"
    mid: float | None = None
    params_version: Int = 0
    p_fill: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    p_adverse: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    reduce_only: bool = False
    priority_bps: Annotated[float, msgspec.Meta(ge=0, le=10_000)] = 0.0


class Trigger(Message, frozen=True, kw_only=True, tag_field="type", tag="trigger", forbid_unknown_fields=True):
    """Place an order that waits at the exchange until the mark reaches `trigger_price`.

    A stop waits for a mark that is worse for who holds the other side: to sell at it or below, to buy at it or above;
    a take-profit for one that is better. The order is then placed at `price`: to rest there (`gtc`), or to take no
    worse than that at once (`ioc`, what venues call a market trigger).

    With a `parent`, the id of an order of the same account, it waits until that one is filled. When an order of a
    `group` is filled, the others of the group are cancelled. One of the `whole_position` has the position's size, at
    most `size` where that is not 0, and goes when the position does. One that `replaces` another waiting order takes
    its place, and is rejected if there is no such order any more.
    """

    order_id: Annotated[int, msgspec.Meta(gt=0, lt=2**62)]
    side: Literal["buy", "sell"]
    price: float
    size: float
    trigger_price: float
    trigger: TriggerKind
    time_in_force: Literal["gtc", "ioc"] = "ioc"
    reduce_only: bool = False
    whole_position: bool = False
    parent: Int = 0
    group: Int = 0
    replaces: Int = 0


class Cancel(Message, frozen=True, kw_only=True, tag_field="type", tag="cancel", forbid_unknown_fields=True):
    """Cancel an order; a `fast` one (Hyperliquid's `f`) comes sooner, and not to an order that waits for the mark."""

    order_id: Int
    fast: bool = False


class Modify(Message, frozen=True, kw_only=True, tag_field="type", tag="modify", forbid_unknown_fields=True):
    """Change an order's price or size. A new price joins the back of the queue; a smaller size keeps its place."""

    order_id: Int
    price: float
    size: float


Command: TypeAlias = Place | Cancel | Modify | Trigger
ControlAction: TypeAlias = Literal["pause", "resume", "flatten", "reset"]


class Control(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operator's command to an account: `flatten` closes the position, `reset` starts the account afresh."""

    action: ControlAction


AckStatus: TypeAlias = Literal[
    "accepted", "rejected", "modified", "cancelled", "expired", "filled", "refused", "waiting", "triggered"
]
"""`accepted` when the order goes live; `refused` answers a command that named no order that could obey it.

An order with a trigger is `waiting` first, then `triggered`, and then what any order is."""
Reason: TypeAlias = Literal[
    "none",
    "post_only_would_cross",
    "insufficient_margin",
    "off_tick",
    "off_lot",
    "below_min_notional",
    "too_far_from_mid",
    "bad_size",
    "bad_price",
    "bad_time",
    "duplicate_order_id",
    "too_many_orders",
    "unknown_order",
    "no_market",
    "no_liquidity",
    "never_touched",
    "queue_not_reached",
    "touched_before_live",
    "coin",
    "not_through",
    "max_position",
    "reset",
    "insufficient_balance",
    "reduce_only",
    "liquidated",
    "bad_trigger_price",
    "never_triggered",
    "waits_for_parent",
    "parent_ended",
    "sibling_filled",
    "self_trade",
    "no_priority",
]
"""Why an order was rejected or changed, or what kept an order that ended unfilled from filling."""


class Ack(Message, frozen=True, kw_only=True):
    """What became of an order. A terminal ack describes the whole life of the order.

    `queue_ahead` is the external size ahead when the order joined its level; `first_fill_ts` is 0 if never filled.
    With the fill model `draws`, `fill_probability` is the share of the order's draws that the market has reached, and
    `fills_expected` sums the hazards of a first fill over the order's life, `fills_variance` their variances: over
    many orders, orders filled less `fills_expected` has mean 0.

    `priority_fee` is what the order's bid has cost so far, `queue_passed` the size that would stand ahead without it.
    `won_by_ms`: so long after its fast cancel took effect a taker reached the order, whom a cancel without `f` would
    have met.
    """

    order_id: Int
    status: AckStatus
    reason: Reason
    side: Side
    price: float
    size: float
    filled_size: float
    live_ts: Int
    first_fill_ts: Int
    mid_at_placement: float | None
    queue_ahead: float | None
    p_fill: float | None
    p_adverse: float | None
    fill_probability: float | None = None
    fills_expected: float | None = None
    fills_variance: float | None = None
    priority_fee: float | None = None
    queue_passed: float | None = None
    won_by_ms: float | None = None


class Fill(Message, frozen=True, kw_only=True):
    """A simulated fill with everything that later learning needs, frozen at fill time.

    `fill_probability`, of a maker's fill with the model `draws`, is the share of the order's draws that the market had
    reached: 1 is certain, less is possible.
    """

    fill_id: Int
    order_id: Int
    trade_id: Int
    side: Side
    price: float
    size: float
    maker: bool
    fee: float
    mid_at_placement: float
    mid_at_fill: float
    half_spread_bps: float
    through: bool
    queue_ahead_at_join: float | None
    live_ts: Int
    toxicity: float | None
    p_fill: float | None
    p_adverse: float | None
    features: FeatureVector
    position_after: float
    fill_probability: float | None = None


class Account(Message, frozen=True, kw_only=True):
    """Money of one paper account in one market. The identity: total = spread + inventory − fees + funding.

    All of it is in the currency that the market settles in: quote currency, of an inverse contract the base coin.
    `notional` is the position's value at the mark and `leverage` what it may be held at; below `maintenance_margin`
    the account is liquidated. The fees are those of its next fills. `priority_fees`, a part of `fees`, is what bids for
    a place in the block have cost.
    """

    position: float
    average_entry_price: float
    mark_price: float
    cash: float
    equity: float
    margin_used: float
    margin_available: float
    realised: float
    unrealised: float
    spread: float
    inventory: float
    fees: float
    funding: float
    total: float
    residual: float
    turnover: float
    fills: Int
    orders_live: Int
    notional: float = 0.0
    leverage: float = 0.0
    maintenance_margin: float = 0.0
    liquidations: Int = 0
    maker_fee_bps: float | None = None
    taker_fee_bps: float | None = None
    priority_fees: float = 0.0
