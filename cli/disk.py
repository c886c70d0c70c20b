"""What an operator is told of the disk: how much a run writes a day, when it is full, and what retention took."""

import shutil
import time
from pathlib import Path
from typing import Final

from papertrader.services.archive.config import ArchiveConfig
from papertrader.services.archive.kernel import DAY_S, days_left, forecast, growth
from papertrader.shared.log.sealed import Sealed
from papertrader.shared.service.bus_config import BusConfig
from papertrader.shared.service.data_directory import LEAST_FREE_BYTES

LOOK_EVERY_S: Final = 30.0


class Disk:
    """The disk of a data directory, whose log the archive seals."""

    def __init__(self, directory: Path, config: ArchiveConfig) -> None:
        self._directory = directory
        self._config = config
        self._sealed = Sealed(directory)
        self._dropped = self._sealed.catalogue.dropped_messages
        self._told_at: float | None = None
        self._look_again_at = 0.0

    def at_start(self, bus: BusConfig) -> list[str]:
        """Whether there is room for what the broker may hold, and how the log grew when it last did."""
        free, segments = self._free(), self._sealed.catalogue.segments
        told = []
        if free <= bus.max_bytes + LEAST_FREE_BYTES:
            told.append(
                f"the broker may hold {bus.max_bytes / 2**30:.1f} GiB, the disk of {self._directory} has "
                f"{free / 2**30:.1f} left: lower [bus] max_bytes or make room"
            )
        if segments and (line := forecast(segments, segments[-1].ended_ns, free, self._config)):
            self._told_at = time.monotonic()
            told.append(line)
        return told

    def news(self) -> list[str]:
        """What is to be told now: the forecast once it is known, daily when there is little time, and what is gone."""
        if time.monotonic() < self._look_again_at:
            return []
        self._look_again_at = time.monotonic() + LOOK_EVERY_S
        catalogue, told = self._sealed.catalogue, []
        if catalogue.dropped_messages > self._dropped:
            told.append(
                f"retention dropped {catalogue.dropped_messages - self._dropped} messages of the log: it begins at "
                f"sequence {catalogue.segments[0].first} now"
            )
            self._dropped = catalogue.dropped_messages
        return told + self._forecast()

    def _forecast(self) -> list[str]:
        segments, now_ns = self._sealed.catalogue.segments, time.time_ns()
        grown = growth(segments, now_ns)
        if grown is None or (self._told_at is not None and time.monotonic() < self._told_at + DAY_S):
            return []
        kept = sum(segment.file_bytes for segment in segments)
        if self._told_at is not None and days_left(self._free(), kept, grown, self._config) > self._config.warn_days:
            return []
        self._told_at = time.monotonic()
        return [forecast(segments, now_ns, self._free(), self._config)]

    def _free(self) -> int:
        return shutil.disk_usage(self._directory).free
