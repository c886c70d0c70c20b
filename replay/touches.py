"""The best bid and ask at the end of every round in which they changed, from a recorded log or a replayed session."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl

from papertrader.replay.columns import DERIVED, TIME
from papertrader.replay.session import Session
from papertrader.services.monitor.facts.market import apply_all
from papertrader.shared.log.kinds import MARKET_TOKEN, Kind
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.book import NO_ASK, NO_BID, mid_of, new_book, price_of, size_at
from papertrader.shared.market.events import ROUND, RULES, Grid
from papertrader.shared.market.records import Record
from papertrader.shared.market.regrid import regrid
from papertrader.shared.messages import Message, RoundEnd
from papertrader.shared.service.fold import RoundBuffer
from papertrader.shared.service.market_data import MarketData

INPUTS: Final = (MARKET_TOKEN,)


class Touch(NamedTuple):
    """Best prices and their sizes; NaN where a side is empty, and for the mid of a book that is crossed."""

    bid_price: float
    bid_size: float
    ask_price: float
    ask_size: float
    mid: float


NOTHING: Final = Touch(np.nan, np.nan, np.nan, np.nan, np.nan)


def touch_of(book: Record) -> Touch:
    """The touch of a book."""
    bid, ask = int(book["best_bid"]), int(book["best_ask"])
    bids = (price_of(book, bid), size_at(book, 1, bid)) if bid > NO_BID else (np.nan, np.nan)
    asks = (price_of(book, ask), size_at(book, -1, ask)) if ask < NO_ASK else (np.nan, np.nan)
    return Touch(bids[0], bids[1], asks[0], asks[1], mid_of(book))


class Touches:
    """The touches of one market, round by round."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._last = NOTHING

    def end_round(self, ts: int, book: Record) -> None:
        """Keep the touch if it is another one."""
        touch = touch_of(book)
        if not np.array_equal(self._last, touch, equal_nan=True):
            self._rows.append((ts, *touch))
            self._last = touch

    def frame(self, market: Market) -> pl.DataFrame:
        """All of them."""
        types = {**DERIVED["touches"], "ts": pl.Int64()}
        made = pl.DataFrame(self._rows, schema={name: types[name] for name in ("ts", *Touch._fields)}, orient="row")
        known = made.with_columns(pl.col("ts").cast(TIME), pl.col(Touch._fields).fill_nan(None))
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
            apply_all(self._market_data.book, events)
            self.touches.end_round(round_.ts, self._market_data.book[0])
        else:
            self._buffer.drop()


def session_touches(session: Session) -> pl.DataFrame:
    """The touches of a session that was replayed."""
    touches, book = Touches(), new_book()
    regrid(book, Grid(session.instrument))
    start = 0
    for end in np.flatnonzero(np.isin(session.events["kind"], (ROUND, RULES))).tolist():
        apply_all(book, session.events[start:end])
        if session.events["kind"][end] == ROUND:
            touches.end_round(int(session.events["ts"][end]), book[0])
        else:
            regrid(book, Grid(session.changes[int(session.events["id"][end]) - 1]))
        start = end + 1
    return touches.frame(session.market)


def all_touches(found: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The touches of several markets, one after the other."""
    return pl.concat([pl.DataFrame(schema=dict(DERIVED["touches"])), *found])


def logged_touches(markets: dict[Market, LoggedTouches]) -> Iterator[pl.DataFrame]:
    """The frame of every market, by name."""
    return (markets[market].touches.frame(market) for market in sorted(markets))
