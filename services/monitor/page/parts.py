"""What a page is told, in parts: each is made at most once in its time, whoever asks, and sent when it has changed."""

import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec

from papertrader.services.monitor.facts.history import kept_fills, kept_series
from papertrader.services.monitor.page import view
from papertrader.services.monitor.report.statistics import LIVE_RESAMPLES
from papertrader.services.monitor.report.verdict import verdict_of
from papertrader.services.monitor.service import Monitor

SERIES_POINTS: Final = 720
FILLS_SHOWN: Final = 300
VERDICT_EVERY: Final = 5
CACHED: Final = 4_096

View = Callable[[], Iterable[Monitor]]
"""Gives the monitors of all owned markets, at the moment of asking."""


class Part(NamedTuple):
    """A part of an account's state: made anew at most every `every` intervals."""

    make: Callable[[Monitor, str], Any]
    every: int


PARTS: Final[dict[str, Part]] = {
    "now": Part(view.now, 1),
    "checks": Part(view.checks, 2),
    "learned": Part(view.learned, 2),
    "worth": Part(view.worth, 5),
    "peers": Part(view.peers, 5),
    "services": Part(view.services, 5),
}


class Shared:
    """Encoded values that are made at most once in a time, for all connections together."""

    def __init__(self, interval_s: float) -> None:
        self.interval_s = interval_s
        self._kept: dict[Hashable, tuple[float, bytes]] = {}

    def get(self, key: Hashable, every: int, make: Callable[[], Any]) -> bytes:
        """The encoded value of a key, at most `every` intervals old."""
        kept, now_s = self._kept.get(key), time.monotonic()
        if kept is not None and now_s - kept[0] < (every - 0.5) * self.interval_s:
            return kept[1]
        if len(self._kept) >= CACHED:
            self._kept.clear()
        encoded = msgspec.json.encode(make())
        self._kept[key] = now_s, encoded
        return encoded


class Told:
    """What one connection has been told of one account, so that it is told only what is new."""

    def __init__(
        self, shared: Shared, monitor: Monitor, account: str, settings: Mapping[str, Any] | None = None
    ) -> None:
        self.monitor, self.account = monitor, account
        self._shared, self._settings = shared, settings
        self._last: dict[str, bytes] = {}
        self._series_ts = self._fill_id = self._event = 0

    def news(self) -> bytes:
        """The parts that have changed and the rows that are new, as one JSON object."""
        parts = {name: encoded for name, encoded in self._parts() if self._last.get(name) != encoded}
        self._last |= parts
        rows = {name: msgspec.json.encode(new) for name, new in self._rows() if new}
        named = [b'"%s":%s' % (name.encode(), encoded) for name, encoded in (parts | rows).items()]
        return b"{" + b",".join(named) + b"}"

    def _parts(self) -> Iterable[tuple[str, bytes]]:
        monitor, account = self.monitor, self.account
        for name, part in PARTS.items():
            key = (name, monitor.market, account)
            yield name, self._shared.get(key, part.every, partial(part.make, monitor, account))
        verdict = partial(verdict_of, monitor, account, self._settings, LIVE_RESAMPLES)
        yield "verdict", self._shared.get(("verdict", monitor.market, account), VERDICT_EVERY, verdict)

    def _rows(self) -> Iterable[tuple[str, Any]]:
        facts, history = self.monitor.facts.accounts[self.account], self.monitor.history(self.account)
        series = kept_series(history, facts, 0 if self._series_ts else SERIES_POINTS)
        series = series[series["ts"] > self._series_ts]
        if len(series):
            self._series_ts = int(series["ts"][-1])
            yield "series", view.columns(series)
        fills = kept_fills(history, facts)[-FILLS_SHOWN:]
        fills = fills[fills["fill_id"] > self._fill_id]
        if len(fills):
            self._fill_id = int(fills["fill_id"].max())
            yield "fills", view.columns(fills)
        events = facts.events.since(self._event)
        if events:
            self._event = facts.events.said
            yield "events", events
