"""Settings of the outcome tracker."""

from typing import Annotated

import msgspec


class OutcomeTrackerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a fill counts as adverse, and which unfilled quotes are followed."""

    adverse_threshold_bps: Annotated[
        float,
        msgspec.Meta(ge=0, le=1000, description="a fill is adverse if the mid moves against us by more than this, bp"),
    ] = 1.0
    volatility_threshold: Annotated[
        float,
        msgspec.Meta(
            ge=0,
            le=100,
            description="volatility-scaled label: the threshold in standard deviations of the 5 s return, never below "
            "adverse_threshold_bps",
        ),
    ] = 0.5
    volatility_half_life_s: Annotated[
        float,
        msgspec.Meta(ge=1, le=86_400, description="half-life of the volatility behind the scaled label, s"),
    ] = 60.0
    unfilled_sample_one_in: Annotated[
        int,
        msgspec.Meta(ge=1, le=1_000_000, description="one in this many quotes that ended unfilled is followed too"),
    ] = 10
