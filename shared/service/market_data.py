"""A fold's view of the market: its book, and a round's market data as events on the instrument's price grid."""

from papertrader.shared.market.book import new_book
from papertrader.shared.market.event_rows import market_events
from papertrader.shared.market.events import Events, Grid, empty_events
from papertrader.shared.messages import Instrument
from papertrader.shared.service.fold import Round, instrument_of


class MarketData:
    """The book that a fold keeps and the price grid that goes with it.

    The grid is derived from the book's tick size, so that restoring the book restores the grid. Market data that comes
    before the instrument is known yields no events. A new tick size empties the book: its ticks mean something else.
    """

    def __init__(self) -> None:
        self.book = new_book()
        self._tick_size = self.book["tick_size"]
        self._grid: Grid | None = None

    def events(self, round_: Round) -> Events:
        """The market data of a round as an event array."""
        instrument = instrument_of(round_)
        if instrument is not None and instrument.tick_size != self._tick_size[0]:
            self._start(Grid(instrument))
        if round_.events is not None:
            return round_.events
        grid = self._current_grid()
        return empty_events() if grid is None else market_events(round_.market_data, grid)

    def _start(self, grid: Grid) -> None:
        clock = self.book["ts"][0]
        self.book[:] = new_book()
        self.book["ts"] = clock
        self.book["tick_size"] = grid.tick_size
        self.book["ticks_per_unit"] = grid.ticks_per_unit

    def _current_grid(self) -> Grid | None:
        tick_size = float(self._tick_size[0])
        if tick_size == 0:
            return None
        if self._grid is None or self._grid.tick_size != tick_size:
            self._grid = Grid(Instrument(ts=0, tick_size=tick_size, lot_size=0.0))
        return self._grid
