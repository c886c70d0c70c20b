"""Settings of one paper account's exchange."""

from typing import Annotated, Literal, TypeAlias

import msgspec

FillModel: TypeAlias = Literal["flat", "fifo", "through", "draws"]
Decide: TypeAlias = Literal["chance", "half"]
Cancels: TypeAlias = Literal["power", "ahead", "behind", "pro_rata"]
Latency: TypeAlias = float | tuple[tuple[float, float], ...]

LatencyPreset: TypeAlias = Literal["none", "public_api", "own_node", "gossip_slot"]

PRESETS: dict[str, Latency] = {
    "public_api": ((0.05, 400.0), (0.5, 600.0), (0.9, 850.0), (0.99, 1500.0)),
    "own_node": ((0.05, 250.0), (0.5, 450.0), (0.9, 700.0), (0.99, 1350.0)),
    "gossip_slot": ((0.05, 140.0), (0.5, 340.0), (0.9, 590.0), (0.99, 1240.0)),
}
"""Hyperliquid, from the decision until an order is live or a cancel has taken effect, ms by quantile.

`public_api` is what was published in 2026: 600 to 700 ms by the API, 0.9 s from order to fill at the slow end. A node
of one's own saves the 150 ms or so of the public feed, a gossip slot some 110 ms more (70 to 150, and 10 a slot):
these two are assumptions until your own orders have measured them.
"""
FAST_CANCEL_MS = 70.0
"""How much sooner a cancel with `f` takes effect: a block, an assumption."""
LATENCY_KNOTS = 8
LATENCY_LIMIT_MS = 60_000.0


class FillSimConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an account's orders travel, wait, fill and are paid for."""

    fill_model: Annotated[
        FillModel,
        msgspec.Meta(
            description="`draws`: the queue as a distribution; `fifo`: the queue as one number; `flat`: a coin per "
            "print, ignoring depth; `through`: only prints strictly beyond the price"
        ),
    ] = "draws"
    decide: Annotated[
        Decide,
        msgspec.Meta(
            description="draws: an order is filled when the share of its draws that is reached passes a number of its "
            "own between 0 and 1, so that counts are right (`chance`), or one half, the likeliest path (`half`)"
        ),
    ] = "chance"
    fill_prob_base: Annotated[
        float, msgspec.Meta(ge=0, le=1, description="flat model: base probability b of a fill at a print")
    ] = 0.3
    queue_position_factor: Annotated[
        float, msgspec.Meta(gt=0, le=1, description="flat model: share of a print that gets as far as the order")
    ] = 0.4
    cancels: Annotated[
        Cancels,
        msgspec.Meta(
            description="fifo: which cancels leave from ahead of an order: `power` the share (ahead/total)^n, "
            "`pro_rata` the share ahead/total, `ahead` as many as possible (upper bound), `behind` as few (lower bound)"
        ),
    ] = "power"
    cancel_exponent: Annotated[float, msgspec.Meta(ge=0, le=100, description="n of `power`")] = 3.5
    cancel_odds: Annotated[
        float,
        msgspec.Meta(
            gt=0, le=100, description="draws: how likely a cancel is ahead of an order, over how likely it is behind"
        ),
    ] = 0.15
    unseen_s: Annotated[
        float,
        msgspec.Meta(
            gt=0,
            le=3600,
            description="draws: time within which orders that come and leave again are missed by half of the messages "
            "that show whole levels, s",
        ),
    ] = 0.8
    join_share: Annotated[
        float,
        msgspec.Meta(
            ge=0.34,
            le=0.66,
            description="draws: mean share that is ahead of what joined the level between the messages around the join",
        ),
    ] = 0.45
    adverse_fill_ratio: Annotated[
        float,
        msgspec.Meta(ge=0, le=1, description="robustness test: share of orders filled only by prints strictly through"),
    ] = 0.0
    latency_preset: Annotated[
        LatencyPreset,
        msgspec.Meta(
            description="Hyperliquid's latencies in place of the two below: `public_api`, `own_node` or `gossip_slot`; "
            "`none` takes those below"
        ),
    ] = "none"
    fast_cancels: Annotated[
        bool,
        msgspec.Meta(description="with a preset: cancels carry `f`, as no public client's do, and land a block sooner"),
    ] = False
    placement_latency_ms: Annotated[
        Latency,
        msgspec.Meta(
            description="from the decision until an order is live, ms: a constant or quantiles [[0.5, 80], [0.9, 200]]"
        ),
    ] = 100.0
    cancel_latency_ms: Annotated[
        Latency,
        msgspec.Meta(description="from the decision until a cancel takes effect, ms; like placement_latency_ms"),
    ] = 50.0
    late_print_ms: Annotated[
        float,
        msgspec.Meta(
            ge=0,
            le=5000,
            description="how long a cancelled order waits for prints from before its cancel that the feed delivers "
            "late, ms; its `cancelled` ack comes after that",
        ),
    ] = 200.0
    fee_tier: Annotated[
        int, msgspec.Meta(ge=0, le=20, description="row of the venue's fee schedule, by volume; 0 is everybody's")
    ] = 0
    fee_discount_tier: Annotated[
        int,
        msgspec.Meta(
            ge=0, le=20, description="discount on fees, by HYPE staked (Hyperliquid 1-6), for BNB (Binance 1)"
        ),
    ] = 0
    maker_rebate_tier: Annotated[
        int, msgspec.Meta(ge=0, le=20, description="rebate instead of a maker fee (Hyperliquid 1-3, by maker volume)")
    ] = 0
    maker_fee_bps: Annotated[
        Annotated[float, msgspec.Meta(ge=-50, le=100)] | None,
        msgspec.Meta(description="maker fee, bps; negative is a rebate; without it the schedule's"),
    ] = None
    taker_fee_bps: Annotated[
        Annotated[float, msgspec.Meta(ge=-50, le=100)] | None,
        msgspec.Meta(description="taker fee, bps; without it the schedule's"),
    ] = None
    liquidation_fee_bps: Annotated[
        Annotated[float, msgspec.Meta(ge=0, le=1000)] | None,
        msgspec.Meta(description="penalty of a liquidation, bps of what is closed; without it the venue's"),
    ] = None
    leverage: Annotated[
        float,
        msgspec.Meta(
            ge=0.1,
            le=200,
            description="margin used is the position's value at the mark divided by this, or by what the venue allows "
            "at most; spot has none",
        ),
    ] = 10.0
    initial_cash: Annotated[
        float,
        msgspec.Meta(
            gt=0, le=1e12, description="starting cash: quote currency, of an inverse contract the coin it settles in"
        ),
    ] = 10_000.0
    max_distance: Annotated[
        float,
        msgspec.Meta(gt=0, le=1, description="largest |price/mid − 1| of an order, fraction; beyond it is refused"),
    ] = 0.2
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**62, description="seed of the coins and the sampled latencies")] = 1

    def placement_latency(self) -> Latency:
        """From the decision until an order is live."""
        return PRESETS.get(self.latency_preset, self.placement_latency_ms)

    def cancel_latency(self) -> Latency:
        """From the decision until a cancel takes effect."""
        preset = PRESETS.get(self.latency_preset)
        if preset is None or isinstance(preset, float | int):
            return self.cancel_latency_ms
        sooner = FAST_CANCEL_MS if self.fast_cancels else 0.0
        return tuple((quantile, ms - sooner) for quantile, ms in preset)

    def __post_init__(self) -> None:
        check_latency("placement_latency_ms", self.placement_latency_ms)
        check_latency("cancel_latency_ms", self.cancel_latency_ms)


def check_latency(name: str, latency: Latency) -> None:
    """Raise ValueError unless the latency is a constant in bounds or an increasing quantile table of 1-8 knots."""
    knots = ((1.0, latency),) if isinstance(latency, int | float) else latency
    if not 1 <= len(knots) <= LATENCY_KNOTS:
        raise ValueError(f"{name} needs 1 to {LATENCY_KNOTS} quantiles, was {len(knots)}")
    previous_u, previous_ms = 0.0, 0.0
    for u, ms in knots:
        if not (previous_u < u <= 1 and previous_ms <= ms <= LATENCY_LIMIT_MS):
            raise ValueError(f"{name} must rise in (0, 1] and in 0 to {LATENCY_LIMIT_MS:.0f} ms, was {latency!r}")
        previous_u, previous_ms = u, ms
