"""The rounds of a session by columns: their markers, their events, and what is heard of them beside the events."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from papertrader.replay.session import Session
from papertrader.services.monitor.facts.market import readings_of
from papertrader.shared.market.events import GAP, PRINT, ROUND, RULES, Events, Grid
from papertrader.shared.market.records import Integers, Records
from papertrader.shared.messages import Gap, Instrument, Message, Trades
from papertrader.shared.service.market_data import MarketData

ROUNDS_AT_ONCE: Final = 8_192


class Stretch(NamedTuple):
    """Rounds in a row, the first of them number `first`, under the same rules, which are `told` where they are new.

    `ends` are the rows of their markers in `events`; one row lies between two rounds.
    """

    first: int
    told: bool
    rules: Instrument
    events: Events
    ends: Integers

    def rounds(self) -> Iterator[tuple[int, int, int, Events]]:
        """Each round's number, the time and the id of its marker, and its events."""
        start, markers = 0, self.events[self.ends]
        columns = (markers["ts"].tolist(), markers["id"].tolist(), self.ends.tolist())
        for place, (ts, id_, end) in enumerate(zip(*columns, strict=True)):
            yield self.first + place, ts, id_, self.events[start:end]
            start = end + 1

    def market_data(self) -> dict[int, list[Message]]:
        """By round what is read of the market beside the book: the rules that are told, the prints and the gaps."""
        found: dict[int, list[Message]] = {self.first: [self.rules]} if self.told else {}
        kinds = self.events["kind"]
        for number, trades in self._trades(np.flatnonzero(kinds == PRINT)):
            found.setdefault(number, []).append(trades)
        gaps = np.flatnonzero(kinds == GAP)
        columns = (self._rounds_of(gaps).tolist(), self.events["id"][gaps].tolist(), self.events["ts"][gaps].tolist())
        for number, from_ts, to_ts in zip(*columns, strict=True):
            gap = Gap(ts=to_ts, recv_ts=0, from_ts=from_ts, to_ts=to_ts, reason="")
            found.setdefault(number, []).append(gap)
        return found

    def _rounds_of(self, rows: Integers) -> Integers:
        found: Integers = np.searchsorted(self.ends, rows) + self.first
        return found

    def _trades(self, rows: Integers) -> Iterator[tuple[int, Trades]]:
        prints, numbers, grid = self.events[rows], self._rounds_of(rows), Grid(self.rules)
        ticks = prints["tick"]
        prices = (ticks / grid.ticks_per_unit if grid.ticks_per_unit else ticks * grid.tick_size).tolist()
        times, sizes, ids = prints["ts"].tolist(), prints["size"].tolist(), prints["id"].tolist()
        aggressors = np.where(prints["side"] > 0, "buy", "sell").tolist()
        for start, end in pairwise([*np.flatnonzero(np.diff(numbers, prepend=-1)).tolist(), len(rows)]):
            here = slice(start, end)
            yield (
                int(numbers[start]),
                Trades(
                    ts=max(times[here]),
                    recv_ts=0,
                    times=times[here],
                    prices=prices[here],
                    sizes=sizes[here],
                    aggressors=aggressors[here],
                    trade_ids=ids[here],
                ),
            )


def stretches(session: Session) -> Iterator[Stretch]:
    """All rounds of a session, in stretches of bounded length."""
    events = session.events
    kinds = events["kind"]
    markers, changes = np.flatnonzero(kinds == ROUND), np.flatnonzero(kinds == RULES)
    rules = {0: session.instrument}
    for number, id_ in zip(np.searchsorted(markers, changes).tolist(), events["id"][changes].tolist(), strict=True):
        rules[number] = session.changes[id_ - 1]
    cuts = {*range(0, len(markers), ROUNDS_AT_ONCE), *(number for number in rules if number < len(markers))}
    in_force = session.instrument
    for first, end in pairwise([*sorted(cuts), len(markers)]):
        in_force = rules.get(first, in_force)
        begin = int(markers[first - 1]) + 1 if first else 0
        while kinds[begin] == RULES:
            begin += 1
        stretch = events[begin : markers[end - 1] + 1]
        yield Stretch(first, first in rules, in_force, stretch, markers[first:end] - begin)


def read_session(session: Session, market_data: MarketData) -> Records:
    """What every round tells of the book, which is folded by them."""
    return np.concatenate([read_stretch(stretch, market_data) for stretch in stretches(session)])


def read_stretch(stretch: Stretch, market_data: MarketData) -> Records:
    """The same of a stretch that follows those which were read before."""
    market_data.learn(stretch.rules)
    return readings_of(market_data.book, stretch.events, stretch.ends)
