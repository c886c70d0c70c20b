"""What is learned from fills, and the checklist."""

from typing import Annotated, Literal, TypeAlias

import msgspec

from papertrader.shared.messages.base import FEATURES, FILL_INPUTS, RELIABILITY_BINS, FeatureVector, Int, Message, Side

WeightVector: TypeAlias = Annotated[tuple[float, ...], msgspec.Meta(min_length=FEATURES + 1, max_length=FEATURES + 1)]
FillWeightVector: TypeAlias = Annotated[tuple[float, ...], msgspec.Meta(min_length=FILL_INPUTS, max_length=FILL_INPUTS)]
RegimeVector: TypeAlias = Annotated[tuple[float, ...], msgspec.Meta(min_length=4, max_length=4)]
BinVector: TypeAlias = Annotated[
    tuple[float, ...], msgspec.Meta(min_length=RELIABILITY_BINS, max_length=RELIABILITY_BINS)
]


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
    `cancel_odds` and `join_share` are the draws' of this market, posterior means with 95 % intervals. While
    `cancel_odds_known` or `join_share_known` is false the feed does not tell them, and they are the priors:
    `cancels_single_share` is the share of shrinks that are one order's cancel, beyond chance.
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
    cancel_odds: float | None = None
    cancel_odds_low: float | None = None
    cancel_odds_high: float | None = None
    cancel_odds_known: bool = False
    cancels_seen: Int = 0
    cancels_single_share: float | None = None
    cancels_by_chance: float | None = None
    join_share: float | None = None
    join_share_low: float | None = None
    join_share_high: float | None = None
    join_share_known: bool = False
    joins_seen: Int = 0


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
