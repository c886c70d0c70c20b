"""What every message is, and the words and sizes that several of them have in common."""

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
FILL_INPUTS = 5


class Message(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every message carries."""

    ts: Int
