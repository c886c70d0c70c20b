"""Candles from prints. Pure: they are folded by the prints' own times."""

from typing import Final

import msgspec

from papertrader.shared.messages import Trades

MINUTE_MS: Final = 60_000
KEPT: Final = 7 * 24 * 60
"""Minutes that are remembered for each market."""
INTERVALS_MS: Final = {
    "1m": 1, "3m": 3, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "2h": 120, "4h": 240, "8h": 480, "12h": 720, "1d": 1_440
}  # fmt: skip


class Candle(msgspec.Struct, kw_only=True, gc=False):
    """Prices and volume of the prints within an interval that begins at `start_ms`, event time."""

    start_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    prints: int


def interval_ms(name: str) -> int:
    """The length of an interval; raises KeyError for one that is not served."""
    return INTERVALS_MS[name] * MINUTE_MS


class Candles:
    """The candles of one market, one a minute; longer ones are put together from these."""

    def __init__(self) -> None:
        self._minutes: dict[int, Candle] = {}

    def hear(self, trades: Trades) -> None:
        """Take prints."""
        for time_ns, price, size in zip(trades.times, trades.prices, trades.sizes, strict=True):
            start = time_ns // 1_000_000 // MINUTE_MS * MINUTE_MS
            candle = self._minutes.get(start)
            if candle is None:
                self._begin(start, price, size)
            else:
                candle.high, candle.low, candle.close = max(candle.high, price), min(candle.low, price), price
                candle.volume += size
                candle.prints += 1

    def _begin(self, start: int, price: float, size: float) -> None:
        self._minutes[start] = Candle(
            start_ms=start, open=price, high=price, low=price, close=price, volume=size, prints=1
        )
        if len(self._minutes) > KEPT:
            del self._minutes[min(self._minutes)]

    def of(self, interval: str, from_ms: int, to_ms: int) -> list[Candle]:
        """The candles of an interval that begin within the times, oldest first."""
        length = interval_ms(interval)
        found: dict[int, Candle] = {}
        for start in sorted(self._minutes):
            minute, first = self._minutes[start], start // length * length
            if not from_ms // length * length <= first <= to_ms:
                continue
            whole = found.get(first)
            if whole is None:
                found[first] = msgspec.structs.replace(minute, start_ms=first)
            else:
                whole.high, whole.low, whole.close = (
                    max(whole.high, minute.high),
                    min(whole.low, minute.low),
                    minute.close,
                )
                whole.volume += minute.volume
                whole.prints += minute.prints
        return list(found.values())

    def newest(self, interval: str) -> Candle | None:
        """The candle of the last print."""
        if not self._minutes:
            return None
        last = next(reversed(self._minutes))
        found = self.of(interval, last, last)
        return found[-1] if found else None
