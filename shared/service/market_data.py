"""A fold's view of the market: its book, and a round's market data as events on the instrument's price grid."""

from papertrader.shared.market.book import new_book
from papertrader.shared.market.event_rows import market_events
from papertrader.shared.market.events import Events, Grid, empty_events
from papertrader.shared.market.regrid import grid_of, regrid
from papertrader.shared.messages import Instrument
from papertrader.shared.service.fold import Round, instrument_of


class MarketData:
    """The book that a fold keeps and the price grid that goes with it.

    The grid is derived from the book's tick size, so that restoring the book restores the grid. Market data that comes
    before the instrument is known yields no events. An instrument is in force for the whole round that it stands in; a
    new tick size puts the book on another grid.
    """

    def __init__(self) -> None:
        self.book = new_book()
        self._tick_size = self.book["tick_size"]
        self._grid: Grid | None = None

    def learn(self, instrument: Instrument | None) -> Grid | None:
        """Take over the instrument's grid if it is another one: returns the grid that was left, None without one."""
        if instrument is None or instrument.tick_size == self._tick_size[0]:
            return None
        left = grid_of(self.book[0]) if self._tick_size[0] > 0 else None
        regrid(self.book, Grid(instrument))
        return left

    def events(self, round_: Round) -> Events:
        """The market data of a round as an event array."""
        self.learn(instrument_of(round_))
        if round_.events is not None:
            return round_.events
        grid = self._current_grid()
        return empty_events() if grid is None else market_events(round_.market_data, grid)

    def _current_grid(self) -> Grid | None:
        tick_size = float(self._tick_size[0])
        if tick_size == 0:
            return None
        if self._grid is None or self._grid.tick_size != tick_size:
            self._grid = grid_of(self.book[0])
        return self._grid
