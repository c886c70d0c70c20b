"""Settings of one paper account's exchange."""

from typing import Annotated, Literal, TypeAlias

import msgspec

FillModel: TypeAlias = Literal["flat", "queue", "through"]
Cancels: TypeAlias = Literal["power", "ahead", "behind", "pro_rata"]
Latency: TypeAlias = float | tuple[tuple[float, float], ...]

LATENCY_KNOTS = 8
LATENCY_LIMIT_MS = 60_000.0


class FillSimConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an account's orders travel, wait, fill and are paid for."""

    fill_model: Annotated[
        FillModel,
        msgspec.Meta(
            description="`queue`: the depth-aware line; `flat`: a coin per print, ignoring depth; "
            "`through`: only prints strictly beyond the price"
        ),
    ] = "queue"
    fill_prob_base: Annotated[
        float, msgspec.Meta(ge=0, le=1, description="flat model: base probability b of a fill at a print")
    ] = 0.3
    queue_position_factor: Annotated[
        float, msgspec.Meta(gt=0, le=1, description="flat model: share of a print that gets as far as the order")
    ] = 0.4
    cancels: Annotated[
        Cancels,
        msgspec.Meta(
            description="which cancels leave from ahead of an order: `power` the share (ahead/total)^n, `pro_rata` "
            "the share ahead/total, `ahead` as many as possible (upper bound), `behind` as few (lower bound)"
        ),
    ] = "power"
    cancel_exponent: Annotated[float, msgspec.Meta(ge=0, le=100, description="n of `power`")] = 3.5
    draws: Annotated[int, msgspec.Meta(ge=1, le=256, description="draws of the queue per order")] = 32
    cancel_odds: Annotated[
        float,
        msgspec.Meta(gt=0, le=100, description="hazard of a cancel ahead of an order over that of one behind it"),
    ] = 0.15
    join_share: Annotated[
        float,
        msgspec.Meta(gt=0, lt=1, description="share of what joined its level around its own join that is ahead"),
    ] = 0.45
    adverse_fill_ratio: Annotated[
        float,
        msgspec.Meta(ge=0, le=1, description="robustness test: share of orders filled only by prints strictly through"),
    ] = 0.0
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
