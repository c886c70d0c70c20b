"""Settings of the quoter."""

from typing import Annotated, Final

import msgspec

MAX_LEVELS: Final = 8


def _positive(description: str, gt: float = 0.0, le: float = 1e12) -> msgspec.Meta:
    return msgspec.Meta(gt=gt, le=le, description=description)


def _from_zero(description: str, le: float = 1e6) -> msgspec.Meta:
    return msgspec.Meta(ge=0.0, le=le, description=description)


class QuoterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How wide, how large and how often to quote, and when to stop."""

    strategy: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            description="`glft`, `none` (a program outside trades), `file.py:Name` or `package.module:Name`",
        ),
    ] = "glft"
    settings: Annotated[
        dict[str, float | int | str | bool],
        msgspec.Meta(description="settings handed to the strategy; `glft` needs none"),
    ] = {}

    levels: Annotated[int, msgspec.Meta(ge=1, le=MAX_LEVELS, description="quotes per side")] = 2
    level_spacing: Annotated[
        float, _from_zero("each further level's extra distance, as a share of the half-spread", le=100)
    ] = 0.5
    quote_notional: Annotated[float, _positive("size of one quote, quote currency")] = 500.0
    max_position_notional: Annotated[
        float, _positive("hard cap of the position with all own open orders of a side, quote currency")
    ] = 2500.0

    min_edge_bps: Annotated[float, _from_zero("least half-spread beyond the account's maker fee, bp", le=1000)] = 0.5
    max_half_spread_bps: Annotated[float, _positive("largest half-spread of the first level, bp", le=2000)] = 100.0
    risk_aversion: Annotated[
        float, _positive("ξ of GLFT, per fraction of price and unit order; acts through σ and A", le=1e5)
    ] = 100.0
    adverse_weight_bps: Annotated[float, _from_zero("half-spread per unit of the adverse base rate, bp", le=1000)] = 2.0
    toxicity_weight_bps: Annotated[
        float, _from_zero("half-spread per unit of a side's toxicity above the base rate, bp", le=1000)
    ] = 10.0
    max_toxicity: Annotated[
        float,
        msgspec.Meta(
            ge=0,
            le=1,
            description="where toxicity has skill, a side is quoted only while it is lower, and its first level joins "
            "the touch; 0 quotes no side that is forecast, 1 every side",
        ),
    ] = 0.4
    join_position_share: Annotated[
        float, msgspec.Meta(ge=0, le=1, description="up to this share of the largest position a side joins the touch")
    ] = 0.5
    inventory_skew_bps: Annotated[
        float, _from_zero("shift of the reservation price at the largest position and reference σ, bp", le=1000)
    ] = 12.5
    sigma_reference_bps: Annotated[
        float, _positive("σ at which the skew is as configured, bp per √s; others scale it by 0.85 to 1.2", le=1000)
    ] = 1.0

    prior_kappa: Annotated[float, _positive("κ before any estimate, 1/(fraction of price)", le=1e6)] = 2500.0
    prior_intensity: Annotated[
        float, _positive("A before any estimate, fills per second of one order at the mid", le=1e4)
    ] = 0.1
    prior_sigma_bps: Annotated[float, _positive("σ before any estimate, bp per √s", le=1000)] = 1.0
    prior_adverse_rate: Annotated[
        float, msgspec.Meta(ge=0, le=1, description="share of adverse fills before any estimate")
    ] = 0.5
    min_intensity: Annotated[
        float, _positive("least A that GLFT is given: the spread grows without bound as A goes to 0", le=1e4)
    ] = 0.01

    requote_interval_ms: Annotated[float, _from_zero("least event time between two requotes, ms", le=3.6e6)] = 250.0
    requote_cost_bps: Annotated[
        float,
        _from_zero("what a requote costs: a quote stays while it is off its target by less, bp", le=1000),
    ] = 0.5
    queue_value_bps: Annotated[
        float,
        _from_zero("what a place in the queue at the touch is worth: there a quote may be off by more, bp", le=1000),
    ] = 0.25
    distance_share: Annotated[
        float, _from_zero("a quote also stays while it is off by less than this share of its target's distance", le=10)
    ] = 0.75
    left_behind_factor: Annotated[
        float,
        msgspec.Meta(
            ge=1,
            le=100,
            description="how much more a quote that the market left behind may be off: it only misses fills",
        ),
    ] = 2.0
    answer_timeout_s: Annotated[
        float, _positive("an order or cancel unanswered for so long is given up and counted, s", le=3600)
    ] = 5.0
    stale_after_ms: Annotated[float, _positive("no quotes when the book has not changed for so long, ms", le=3.6e6)] = (
        5000.0
    )
    gap_pause_s: Annotated[float, _from_zero("no quotes for so long after a gap in the market data, s", le=3600)] = 1.0
    margin_pause_s: Annotated[
        float, _from_zero("nothing that adds to the position for so long after a rejection for margin, s", le=3600)
    ] = 1.0

    max_loss: Annotated[
        float, _positive("quoting pauses when this share of the first equity is lost; 1 switches it off", le=1)
    ] = 0.05
    max_drawdown: Annotated[
        float, _positive("quoting pauses when equity is this share below its peak; 1 switches it off", le=1)
    ] = 0.05
