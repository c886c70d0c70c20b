"""What the log is to the broker."""

from typing import Final

from nats.js import api

from papertrader.shared.log.kinds import TOKENS
from papertrader.shared.log.subjects import STREAM

DUPLICATES_S: Final = 120.0
EPOCHS_TOKEN: Final = "epochs"
"""What made the log is said on it, too; no fold hears it."""


def stream_config(max_bytes: int, max_readers: int, replicas: int) -> api.StreamConfig:
    """A log that drops nothing by itself: when it is full it refuses, and says so. What is sealed is taken from it."""
    return api.StreamConfig(
        name=STREAM,
        subjects=[f"{token}.>" for token in (*TOKENS, EPOCHS_TOKEN)],
        retention=api.RetentionPolicy.LIMITS,
        storage=api.StorageType.FILE,
        discard=api.DiscardPolicy.NEW,
        max_bytes=max_bytes,
        max_age=0,
        max_consumers=max_readers,
        duplicate_window=DUPLICATES_S,
        num_replicas=replicas,
    )
