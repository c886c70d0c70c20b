"""Settings of one paper account's exchange."""

from typing import Annotated, Literal, TypeAlias

import msgspec

from papertrader.shared.market.latencies import Latencies, Latency, LatencyPreset, check_latency, in_force

FillModel: TypeAlias = Literal["flat", "fifo", "through", "draws"]
Decide: TypeAlias = Literal["chance", "half"]
Cancels: TypeAlias = Literal["power", "ahead", "behind", "pro_rata"]


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
    learned_queue: Annotated[
        bool,
        msgspec.Meta(
            description="draws: a new order takes `cancel_odds` and `join_share` as the estimator has learned them "
            "from the market, where its feed tells them; else, and by default, they are those above"
        ),
    ] = False
    match_sizes: Annotated[
        bool,
        msgspec.Meta(
            description="draws: where the market's feed tells single orders, the size of a cancel tells whether it was "
            "of one that joined behind"
        ),
    ] = True
    adverse_fill_ratio: Annotated[
        float,
        msgspec.Meta(ge=0, le=1, description="robustness test: share of orders filled only by prints strictly through"),
    ] = 0.0
    latency_preset: Annotated[
        LatencyPreset,
        msgspec.Meta(
            description="`venue`: the latencies below where they are set, else the venue's (Hyperliquid: "
            "`public_api`, others: `none`); `none`: those below, else 100 ms, cancels 50 ms; "
            "`public_api`, `own_node` and `gossip_slot` are Hyperliquid's and replace those below"
        ),
    ] = "venue"
    fast_cancels: Annotated[
        bool,
        msgspec.Meta(description="every cancel carries Hyperliquid's `f`; without it those do whose sender says so"),
    ] = False
    placement_latency_ms: Annotated[
        Latency | None,
        msgspec.Meta(
            description="from sending until a new order is live, ms: a constant or quantiles [[0.5, 80], [0.9, 200]]"
        ),
    ] = None
    modify_latency_ms: Annotated[
        Latency | None,
        msgspec.Meta(description="from sending until a change takes effect, ms; without it as placement_latency_ms"),
    ] = None
    cancel_latency_ms: Annotated[
        Latency | None,
        msgspec.Meta(description="from sending until a cancel takes effect, ms; like placement_latency_ms"),
    ] = None
    fast_cancel_latency_ms: Annotated[
        Latency | None,
        msgspec.Meta(
            description="the same of a cancel with `f`, ms; without it 70 ms sooner than another on Hyperliquid, "
            "elsewhere no sooner"
        ),
    ] = None
    response_latency_ms: Annotated[
        Latency | None,
        msgspec.Meta(
            description="how old what you know is, market data and answers: every command is sent so much later, ms"
        ),
    ] = None
    latency_burst_s: Annotated[
        float,
        msgspec.Meta(
            ge=0, le=600, description="length of the bursts in which half of the slowest tenth comes, s; 0: none"
        ),
    ] = 1.0
    latency_burst_market: Annotated[
        float,
        msgspec.Meta(
            ge=0,
            le=1,
            description="share of the chance of a burst that follows how far the market moved in the second before; "
            "0.3 was measured on Hyperliquid's BTC and ETH, 0 on a small coin; `papertrader probe` measures it",
        ),
    ] = 0.0
    block_ms: Annotated[
        Annotated[float, msgspec.Meta(ge=0, le=10_000)] | None,
        msgspec.Meta(
            description="length of a block, at the end of which what may take does so, ms; without it the venue's "
            "(Hyperliquid: 70, others: 0, at once)"
        ),
    ] = None
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

    def latencies(self, venue: str = "") -> Latencies:
        """What is in force on a venue, by kind of command."""
        return in_force(
            venue,
            self.latency_preset,
            self.placement_latency_ms,
            self.modify_latency_ms,
            self.cancel_latency_ms,
            self.response_latency_ms,
            self.fast_cancel_latency_ms,
        )

    def __post_init__(self) -> None:
        for kind in ("placement", "modify", "cancel", "fast_cancel", "response"):
            name = f"{kind}_latency_ms"
            if (latency := getattr(self, name)) is not None:
                check_latency(name, latency)
