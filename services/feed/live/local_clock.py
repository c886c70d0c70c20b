"""The receive clock: wall time that never steps."""

import time
from typing import Final

_RUNNING: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class LocalClock:
    """Wall time at its creation, then what has elapsed since, sleep of the machine included.

    A step of the wall clock (NTP, an operator) must not look like a silence or a jump of the venue.
    """

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.clock_gettime_ns(_RUNNING)

    def now_ns(self) -> int:
        """Nanoseconds UTC."""
        return self._offset_ns + time.clock_gettime_ns(_RUNNING)
