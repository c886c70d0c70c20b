"""Settings of calibration."""

from typing import Annotated

import msgspec


class CalibrationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When estimates may be trusted, and how tight quotes are until then."""

    publish_interval_s: Annotated[
        float,
        msgspec.Meta(ge=0.05, le=60, description="changes are said this often; fills and labels at once, s"),
    ] = 1.0
    min_multiplier: Annotated[
        float, msgspec.Meta(gt=0, le=1, description="cal_gamma at the start: the fill-hungry half-spread multiplier")
    ] = 0.3
    target_fills_per_hour: Annotated[
        float, msgspec.Meta(gt=0, le=100_000, description="fill rate at which quotes need not be tightened, 1/h")
    ] = 60.0
    lookback_s: Annotated[
        float, msgspec.Meta(ge=10, le=86_400, description="time with data over which the fill rate is measured, s")
    ] = 900.0
    outcomes_needed: Annotated[
        int, msgspec.Meta(ge=1, le=100_000, description="resolved outcomes at which as_progress is complete")
    ] = 20
    kappa_confidence_needed: Annotated[
        float, msgspec.Meta(gt=0, le=1, description="kappa_confidence at which kappa_progress is complete")
    ] = 0.5
    calibrated_progress: Annotated[
        float, msgspec.Meta(gt=0, le=1, description="cal_progress from which cal_gamma is exactly 1")
    ] = 0.95
