"""The best bid and ask at the end of every round in which they changed, from a recorded log or a replayed session."""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import polars as pl

from papertrader.replay.columns import DERIVED, TIME
from papertrader.replay.rounds import read_session
from papertrader.replay.session import Session
from papertrader.services.monitor.facts.market import readings_of
from papertrader.shared.log.kinds import MARKET_TOKEN, Kind
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.events import ROUND
from papertrader.shared.market.records import Integers, Records
from papertrader.shared.messages import Message, RoundEnd
from papertrader.shared.service.fold import RoundBuffer
from papertrader.shared.service.market_data import MarketData

INPUTS: Final = (MARKET_TOKEN,)
READ: Final = {"bid_price": "bid", "bid_size": "bid_size", "ask_price": "ask", "ask_size": "ask_size", "mid": "mid"}
"""The columns of a touch, and the fields of a reading that they are of; NaN where a side is empty."""


class Touches:
    """The touches of one market, round by round."""

    def __init__(self) -> None:
        self._times, self._touches = [np.zeros(0, dtype=np.int64)], [np.zeros((len(READ), 0))]
        self._last = np.full((len(READ), 1), np.nan)

    def end_rounds(self, times: Integers, readings: Records) -> None:
        """Keep the touches of rounds that end at these times, where it is another one than before."""
        touches = np.array([readings[name] for name in READ.values()])
        before = np.concatenate([self._last, touches[:, :-1]], axis=1)
        same = (touches == before) | (np.isnan(touches) & np.isnan(before))
        changed = ~same.all(axis=0)
        if changed.any():
            self._times.append(times[changed])
            self._touches.append(touches[:, changed])
        self._last = touches[:, -1:]

    def frame(self, market: Market) -> pl.DataFrame:
        """All of them."""
        found = dict(zip(READ, np.concatenate(self._touches, axis=1), strict=True))
        made = pl.DataFrame({"ts": np.concatenate(self._times), **found})
        known = made.with_columns(pl.col("ts").cast(TIME), pl.col(*READ).fill_nan(None))
        return known.with_columns(market=pl.lit(str(market))).select(*DERIVED["touches"])


class LoggedTouches:
    """The touches of one market that a log tells of."""

    def __init__(self) -> None:
        self.touches = Touches()
        self._buffer, self._market_data = RoundBuffer(INPUTS), MarketData()

    def hear(self, kind: Kind, message: Message, sequence: int) -> None:
        """Take a message of the market data."""
        if not isinstance(message, RoundEnd):
            self._buffer.hear(kind, "", message, sequence)
        elif self._buffer.is_new(message) and self._buffer.is_whole(message):
            round_ = self._buffer.close(message)
            events = self._market_data.events(round_)
            reading = readings_of(self._market_data.book, events, np.array([len(events)]))
            self.touches.end_rounds(np.array([round_.ts]), reading)
        else:
            self._buffer.drop()


def session_touches(session: Session) -> pl.DataFrame:
    """The touches of a session that was replayed."""
    touches = Touches()
    touches.end_rounds(session.events["ts"][session.events["kind"] == ROUND], read_session(session, MarketData()))
    return touches.frame(session.market)


def all_touches(found: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The touches of several markets, one after the other."""
    return pl.concat([pl.DataFrame(schema=dict(DERIVED["touches"])), *found])


def logged_touches(markets: dict[Market, LoggedTouches]) -> Iterator[pl.DataFrame]:
    """The frame of every market, by name."""
    return (markets[market].touches.frame(market) for market in sorted(markets))
