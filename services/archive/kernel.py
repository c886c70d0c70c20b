"""How fast the log grows, when the disk will be full, what retention drops and what the broker may let go of. Pure."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from papertrader.services.archive.config import ArchiveConfig
from papertrader.shared.log.segments import Segment

DAY_S: Final = 86_400.0
GIB: Final = 2**30
NS_PER_S: Final = 1_000_000_000
LOOK_BACK_S: Final = DAY_S
"""Growth is that of the last day."""
LEAST_SPAN_S: Final = 60.0
"""Less than this says nothing of growth."""
BASES: Final = 8
SAFE_S: Final = 600.0
"""So long the broker holds what is sealed, however full it is: a reader that is late has not read it yet."""


class Growth(NamedTuple):
    """Bytes that are added in a day of wall time: to the segments, and of messages as they come."""

    file_bytes_per_day: float
    payload_bytes_per_day: float


def growth(segments: Sequence[Segment], now_ns: int) -> Growth | None:
    """How the log grew in the last day, None while nothing can be said of that."""
    recent = [segment for segment in segments if segment.ended_ns > now_ns - LOOK_BACK_S * NS_PER_S]
    if not recent:
        return None
    span_s = (now_ns - recent[0].began_ns) / NS_PER_S
    if span_s < LEAST_SPAN_S:
        return None
    days = span_s / DAY_S
    return Growth(
        sum(segment.file_bytes for segment in recent) / days, sum(segment.payload_bytes for segment in recent) / days
    )


def days_left(free_bytes: float, kept_bytes: float, growth: Growth, config: ArchiveConfig) -> float:
    """In how many days the disk is full; infinite if retention keeps it from that."""
    rate = growth.file_bytes_per_day
    if rate <= 0:
        return math.inf
    limits = [limit for limit in (config.keep_bytes, config.keep_days * rate) if limit > 0]
    if limits and free_bytes > min(limits) - kept_bytes:
        return math.inf
    return free_bytes / rate


def forecast(segments: Sequence[Segment], now_ns: int, free_bytes: float, config: ArchiveConfig) -> str:
    """How fast the log grows and when the disk is full, as a sentence; empty while that is not known."""
    grown = growth(segments, now_ns)
    if grown is None:
        return ""
    days = days_left(free_bytes, sum(segment.file_bytes for segment in segments), grown, config)
    left = "retention keeps it from being full" if math.isinf(days) else f"it is full in {days:,.0f} days"
    return (
        f"the log grows by {grown.payload_bytes_per_day / GIB:.2f} GiB a day, as segments "
        f"{grown.file_bytes_per_day / GIB:.3f}; the disk has {free_bytes / GIB:.1f} GiB left: {left}"
    )


def dropped(segments: Sequence[Segment], now_ns: int, config: ArchiveConfig) -> list[Segment]:
    """The oldest segments that retention takes away; the newest always stays."""
    total, found = sum(segment.file_bytes for segment in segments), []
    for segment in segments[:-1]:
        old = 0 < config.keep_days * DAY_S * NS_PER_S < now_ns - segment.ended_ns
        if not old and not 0 < config.keep_bytes < total:
            break
        found.append(segment)
        total -= segment.file_bytes
    return found


def base_due(segments: Sequence[Segment], newest: int, now_ns: int, config: ArchiveConfig) -> bool:
    """Whether what folds have saved is to be kept again: retention holds the log of some `BASES` such times.

    `newest` is the sequence up to which the log was sealed when it was kept last.
    """
    since = [segment for segment in segments if segment.last > newest]
    if not since:
        return False
    by_age = 0 < config.keep_days * DAY_S * NS_PER_S <= BASES * (now_ns - since[0].began_ns)
    by_size = 0 < config.keep_bytes <= BASES * sum(segment.file_bytes for segment in since)
    return by_age or by_size


def releasable(segments: Sequence[Segment], now_ns: int, held_s: float) -> int:
    """The sequence up to which the broker may let go: sealed, and stored at least so long ago; 0 if there is none."""
    limit = now_ns - max(held_s, SAFE_S) * NS_PER_S
    return max((segment.last for segment in segments if segment.ended_ns <= limit), default=0)
