"""Every message on the log: one frozen, typed struct each.

Conventions: `ts` is event time in integer nanoseconds UTC; prices and money are in quote currency; sizes in base
units; every other unit stands in the field's name. `buy` means that we buy (a bid of ours was hit); the aggressor of
a public print is the taker's side. Unknown floats are `None` on the wire and NaN in kernels.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

Side: TypeAlias = Literal["sell", "none", "buy"]
"""Encoded in kernels as index − 1: sell −1, none 0, buy +1."""

FEATURE_NAMES = (
    "touch_imbalance",
    "depth_imbalance",
    "near_imbalance_1bp",
    "near_imbalance_3bp",
    "signed_flow_1s",
    "log_sigma_bps",
    "log_spread_bps",
    "log_distance_bps",
)
FEATURES = len(FEATURE_NAMES)
REGIMES = ("quiet", "normal", "volatile", "extreme")
HORIZONS_S = (0.5, 1.0, 5.0, 10.0, 30.0, 60.0)
LABEL_HORIZON_S = 5.0
FORECAST_HORIZON_S = 10.0
RELIABILITY_BINS = 10

Int: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What a kernel can hold: a message with a larger integer is refused."""
FeatureVector: TypeAlias = Annotated[tuple[float, ...], msgspec.Meta(min_length=FEATURES, max_length=FEATURES)]
WeightVector: TypeAlias = Annotated[tuple[float, ...], msgspec.Meta(min_length=FEATURES + 1, max_length=FEATURES + 1)]
FILL_INPUTS = 5
FillWeightVector: TypeAlias = Annotated[tuple[float, ...], msgspec.Meta(min_length=FILL_INPUTS, max_length=FILL_INPUTS)]
RegimeVector: TypeAlias = Annotated[tuple[float, ...], msgspec.Meta(min_length=4, max_length=4)]
BinVector: TypeAlias = Annotated[
    tuple[float, ...], msgspec.Meta(min_length=RELIABILITY_BINS, max_length=RELIABILITY_BINS)
]


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every message carries."""

    ts: Int


# --- market data -----------------------------------------------------------------------------------------------


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


class Book(Message, frozen=True, kw_only=True):
    """Full depth as far as the venue shows it: bids descending, asks ascending."""

    recv_ts: Int
    bid_prices: list[float]
    bid_sizes: list[float]
    ask_prices: list[float]
    ask_sizes: list[float]


class Depth(Message, frozen=True, kw_only=True):
    """Incremental levels: absolute sizes, 0 removes a level."""

    recv_ts: Int
    bid_prices: list[float]
    bid_sizes: list[float]
    ask_prices: list[float]
    ask_sizes: list[float]


class Bbo(Message, frozen=True, kw_only=True):
    """Best bid and ask; a side that is empty is `None`."""

    recv_ts: Int
    bid_price: float | None
    bid_size: float | None
    ask_price: float | None
    ask_size: float | None


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


# --- commands ---------------------------------------------------------------------------------------------------

TimeInForce: TypeAlias = Literal["post_only", "gtc", "ioc"]


class Place(Message, frozen=True, kw_only=True, tag_field="type", tag="place", forbid_unknown_fields=True):
    """Place an order. `order_id` is chosen by the sender and unique per account.

    `mid` is the mid that the decision saw; `p_fill` forecasts a fill within 10 s of going live, `p_adverse` an
    adverse move within 5 s of a fill. A `reduce_only` order never makes the position larger or turns it: it is cut to
    the position, and cancelled when there is nothing left to reduce.
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


class Cancel(Message, frozen=True, kw_only=True, tag_field="type", tag="cancel", forbid_unknown_fields=True):
    """Cancel an order."""

    order_id: Int


class Modify(Message, frozen=True, kw_only=True, tag_field="type", tag="modify", forbid_unknown_fields=True):
    """Change an order's price or size. A new price joins the back of the queue; a smaller size keeps its place."""

    order_id: Int
    price: float
    size: float


Command: TypeAlias = Place | Cancel | Modify

ControlAction: TypeAlias = Literal["pause", "resume", "flatten", "reset"]


class Control(Message, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An operator's command to an account: `flatten` closes the position, `reset` starts the account afresh."""

    action: ControlAction


# --- what the folds say -------------------------------------------------------------------------------------------

AckStatus: TypeAlias = Literal["accepted", "rejected", "modified", "cancelled", "expired", "filled", "refused"]
"""`accepted` when the order goes live; `refused` answers a command that named no order that could obey it."""

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
]
"""Why an order was rejected or changed, or what kept an order that ended unfilled from filling."""


class Ack(Message, frozen=True, kw_only=True):
    """What became of an order. A terminal ack describes the whole life of the order.

    `queue_ahead` is the external size ahead when the order joined its level; `first_fill_ts` is 0 if never filled.
    With the fill model `draws`, `fill_probability` is the share of the order's draws that the market has reached, and
    `fills_expected` sums the hazards of a first fill over the order's life, `fills_variance` their variances: over
    many orders, orders filled less `fills_expected` has mean 0.
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
    the account is liquidated. The fees are those of its next fills.
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


class Markout(Message, frozen=True, kw_only=True):
    """One fill (or one sampled quote that ended unfilled) at one horizon. Positive markout is good for us.

    Only the label horizon (5 s) carries `adverse`; an unresolved markout carries no numbers at all.
    """

    fill_id: Int
    order_id: Int
    filled: bool
    side: Side
    fill_ts: Int
    price: float
    size: float
    mid_at_fill: float
    horizon_s: float
    resolved: bool
    mid: float | None
    markout_bps: float | None
    adverse_selection_bps: float | None
    label: bool
    adverse: bool
    adverse_volatility_scaled: bool
    toxicity: float | None
    features: FeatureVector


class Estimate(Message, frozen=True, kw_only=True):
    """What is known of a market and of one's own fills in it.

    κ in 1/(fraction of price); `intensity` is A of A·e^(−κδ) in fills per second per order; σ in bp per √s.
    `classifier_ready` is false while toxicity is the base rate: until it has shown skill out of sample.
    `toxicity_weights` give its log-odds from 1 and the features as an order faces them. Skill, AUC and their
    intervals are those of forecasts for every market sweep, made before its outcome was known: `toxicity_moments` of
    them, within 5 s. The forecast of a fill within 10 s is judged on orders as if they were left alone, hypothetical
    ones (`fill_moments`) and own ones (`own_orders_judged`); `fill_weights` give its log-odds.
    `moments` counts the different times at which resting orders filled, `classifier_moments` those with an outcome:
    what κ, its confidence and the recalibration learn from. `regime` says nothing while `regime_known` is false;
    `regime_sigma_ratio` is σ's p90/p10 since it last changed.
    """

    version: Int
    kappa: float
    kappa_sd: float
    intensity: float
    own_fills: Int
    kappa_confidence: float
    moments: Int = 0
    exposure_s: float
    market_kappa: float
    market_prints: Int
    sigma_bps: float
    sigma_bipower_bps: float
    jump_ratio: float
    sigma_p10_bps: float
    sigma_p90_bps: float
    regime: Literal["quiet", "normal", "volatile", "extreme"]
    regime_probabilities: RegimeVector
    regime_seconds: RegimeVector
    regime_changes: Int
    regime_known: bool = True
    regime_unchanged_s: float = 0.0
    regime_sigma_ratio: float = 0.0
    toxicity_bid: float
    toxicity_ask: float
    adverse_base_rate: float
    classifier_ready: bool
    classifier_samples: Int
    classifier_moments: Int = 0
    dropped: Int
    toxicity_weights: WeightVector = (0.0,) * (FEATURES + 1)
    toxicity_moments: Int = 0
    toxicity_dropped: Int = 0
    toxicity_skill: float | None = None
    toxicity_skill_low: float | None = None
    toxicity_skill_high: float | None = None
    toxicity_auc: float | None = None
    toxicity_auc_low: float | None = None
    toxicity_auc_high: float | None = None
    toxicity_skill_1s: float | None = None
    toxicity_auc_1s: float | None = None
    fill_weights: FillWeightVector = (0.0,) * FILL_INPUTS
    fill_moments: Int = 0
    fill_skill: float | None = None
    fill_skill_low: float | None = None
    fill_skill_high: float | None = None
    fill_auc: float | None = None
    own_orders_judged: Int = 0
    own_fills_expected: float = 0.0
    own_orders_filled: Int = 0
    own_fill_skill: float | None = None
    own_fill_skill_low: float | None = None
    own_fill_skill_high: float | None = None


class Calibration(Message, frozen=True, kw_only=True):
    """How far the system may trust what it learned, and how well its forecasts held.

    `fills` and `outcomes_resolved` count messages; progress and the toxicity forecasts' scores count moments.
    """

    version: Int
    cal_progress: float
    cal_gamma: float
    as_progress: float
    kappa_progress: float
    fill_rate_progress: float
    fills: Int
    moments: Int = 0
    outcomes_resolved: Int
    outcome_moments: Int = 0
    outcomes_adverse: Int
    fill_forecasts: Int
    fill_brier: float | None
    fill_skill: float | None
    fill_log_loss: float | None
    fill_ece: float | None
    fill_bin_count: BinVector
    fill_bin_forecast: BinVector
    fill_bin_observed: BinVector
    toxicity_forecasts: Int
    toxicity_brier: float | None
    toxicity_skill: float | None
    toxicity_log_loss: float | None
    toxicity_ece: float | None
    toxicity_bin_count: BinVector
    toxicity_bin_forecast: BinVector
    toxicity_bin_observed: BinVector


CheckState: TypeAlias = Literal["waiting", "pass", "fail"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One item of the validation checklist, with the numbers it was judged on."""

    state: CheckState
    cause: str
    remedy: str
    numbers: dict[str, float]


class Checklist(Message, frozen=True, kw_only=True):
    """The validation checklist of one account in one market."""

    checks: dict[str, Check]
    counts: dict[str, int]
    counts_equal: bool
