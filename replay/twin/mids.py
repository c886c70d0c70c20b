"""The path of the mid through a session, to mark live and paper fills alike."""

from collections import deque
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

MARKOUT_S: Final = 5.0
NS_PER_S: Final = 1_000_000_000


class MidPath(NamedTuple):
    """The mid at the end of every round, NaN while the book had not two sides; times in ns, rising."""

    ts: npt.NDArray[np.int64]
    mid: npt.NDArray[np.float64]
    gaps: npt.NDArray[np.int64]
    """Shape (n, 2): from and to of every gap, ns."""

    def at(self, ts: int) -> float:
        """The last mid at or before `ts`, NaN before the first."""
        row = int(np.searchsorted(self.ts, ts, side="right")) - 1
        return float(self.mid[row]) if row >= 0 else np.nan

    def markout_bps(self, side: int, price: float, ts: int) -> float:
        """side·(mid 5 s later − price)/price·1e4: positive is good for us; NaN beyond the data."""
        later = ts + int(MARKOUT_S * NS_PER_S)
        if not len(self.ts) or later > self.ts[-1]:
            return np.nan
        return side * (self.at(later) - price) / price * 1e4

    def has_gap(self, from_ts: int, to_ts: int) -> bool:
        """Whether data were missing at any time between the two."""
        return bool(np.any((self.gaps[:, 0] < to_ts) & (self.gaps[:, 1] > from_ts)))


class MidRecorder:
    """Keeps the mid and the gaps of a session, round by round."""

    def __init__(self, rounds: int | None = None) -> None:
        """Keep the last so many rounds, or all."""
        self._ts: deque[int] = deque(maxlen=rounds)
        self._mid: deque[float] = deque(maxlen=rounds)
        self._gaps: deque[tuple[int, int]] = deque(maxlen=rounds)

    def gap(self, from_ts: int, to_ts: int) -> None:
        """Data were missing between the two."""
        self._gaps.append((from_ts, to_ts))

    def end_round(self, ts: int, mid: float) -> None:
        """The mid at the end of a round; 0 for none yet."""
        self._ts.append(ts)
        self._mid.append(mid if mid > 0 else np.nan)

    def path(self) -> MidPath:
        """The path so far."""
        gaps = np.array(self._gaps, dtype=np.int64).reshape(-1, 2)
        return MidPath(np.array(self._ts, dtype=np.int64), np.array(self._mid), gaps)
