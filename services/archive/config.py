"""Settings of the archive."""

from typing import Annotated

import msgspec
from msgspec import Meta


class ArchiveConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the log is sealed into segments, and how much of it is kept."""

    enabled: Annotated[bool, Meta(description="whether `papertrader run` seals the log into segments")] = True
    segment_bytes: Annotated[
        int, Meta(ge=2**16, le=2**30, description="a segment is sealed when its messages have so many bytes")
    ] = 16 * 2**20
    segment_s: Annotated[float, Meta(gt=0, description="or when its first message is so old, s")] = 3600.0
    keep_days: Annotated[
        float, Meta(ge=0, description="segments that ended so many days ago are dropped; 0 keeps all")
    ] = 0.0
    keep_bytes: Annotated[
        int, Meta(ge=0, description="the oldest segments are dropped while all have more bytes; 0 keeps all")
    ] = 0
    warn_days: Annotated[
        float, Meta(ge=0, description="a check fails if the disk will be full within so many days")
    ] = 3.0
