"""Messages of levels, and a market whose lines of orders are followed as they come."""

from collections.abc import Sequence

import numpy as np

from papertrader.services.estimator import arrivals, odds, queues
from papertrader.shared.market.book import apply, new_book
from papertrader.shared.market.events import EVENT, LEVEL, PRINT, SNAPSHOT, TOUCH, Events
from papertrader.shared.market.records import Record, record_dtype
from papertrader.shared.messages import Estimate

S, MS = 1_000_000_000, 1_000_000
BID, ASK = 1, -1
TICK = 1000
Levels = Sequence[tuple[int, float]]
"""Tick and size of each."""


def rows(ts: int, *said: tuple[int, int, int, float]) -> Events:
    """A message of (kind, side, tick, size)."""
    events = np.zeros(len(said), dtype=EVENT)
    for event, (kind, side, tick, size) in zip(events, said, strict=True):
        event["ts"], event["kind"], event["side"], event["tick"], event["size"] = ts, kind, side, tick, size
    events[-1]["last"] = 1
    return events


def levels(ts: int, *said: tuple[int, int, float]) -> Events:
    return rows(ts, *((LEVEL, *level) for level in said))


def full(ts: int, bids: Levels = (), asks: Levels = (), worst_bid: int = 0, worst_ask: int = 0) -> Events:
    begin = ((SNAPSHOT, BID, worst_bid, 0.0), (SNAPSHOT, ASK, worst_ask, 0.0))
    return rows(ts, *begin, *((LEVEL, BID, *level) for level in bids), *((LEVEL, ASK, *level) for level in asks))


def touch(ts: int, bid: int, bid_size: float, ask: int = 1100, ask_size: float = 1.0) -> Events:
    return rows(ts, (TOUCH, BID, bid, bid_size), (TOUCH, ASK, ask, ask_size))


def trade(ts: int, taker: int, tick: int, size: float) -> Events:
    return rows(ts, (PRINT, taker, tick, size))


def fold(state: Record, book: Record, events: Events) -> None:
    begins = True
    for row in range(len(events)):
        event = events[row]
        if event["kind"] == PRINT:
            queues.on_print(state, event)
        elif begins:
            queues.on_message(state, book, events, np.uint64(row))
        begins = event["last"] == 1
        apply(book, event)


class Market:
    """A market that begins with an empty book, of which everything is known."""

    def __init__(self) -> None:
        self.state = np.zeros(1, dtype=queues.QUEUES)[0]
        self.book = new_book()
        self.book["tick_size"] = 0.1
        queues.start(self.state)
        self.state["lines"]["measured_ts"] = -S  # the clock of a market is never so near to 0
        self.hear(full(1))

    def hear(self, *messages: Events) -> None:
        fold(self.state, self.book[0], np.concatenate(messages))

    def line(self, side: int = BID, tick: int = TICK) -> tuple[float, list[float]]:
        """What stands in front, and the known orders."""
        row = self.state["lines"]["rows"][arrivals.place_of(self.state["lines"], side, tick)]
        return float(row["before"]), row["sizes"][: row["count"]].tolist()

    def followed(self, side: int = BID, tick: int = TICK) -> bool:
        return arrivals.place_of(self.state["lines"], side, tick) != arrivals.NONE

    @property
    def odds(self) -> Record:
        return self.state["odds"]

    @property
    def seen(self) -> list[float]:
        """Shares ahead that were seen, to the bin."""
        return [float(odds.SHARES[place]) for place in np.flatnonzero(self.odds["seen"])]

    def estimate(self) -> Record:
        out = np.zeros(1, dtype=record_dtype(Estimate))[0]
        queues.write(self.state, out)
        return out
