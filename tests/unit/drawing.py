"""Orders whose queue is drawn, as kernels see them: few draws, sizes of halves and whole numbers."""

import numpy as np

from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.settings import settings_of
from papertrader.services.fill_sim.state import LINES, ORDER
from papertrader.shared.market.events import EVENT, LEVEL
from papertrader.shared.market.records import Record, Records

UNKNOWN = float("nan")
IN_FORCE = {"cancel_odds": FillSimConfig().cancel_odds, "join_share": FillSimConfig().join_share}
REACHED = -1.0


def order_with(**fields: float) -> Record:
    """A bid at tick 50 that stands in its line, with these fields."""
    order = np.zeros(1, dtype=ORDER)[0]
    for name, value in {"side": 1, "tick": 50, "order_id": 7, "stream": 12345, **IN_FORCE, **fields}.items():
        order[name] = value
    order["behind"]["single"] = UNKNOWN
    return order


def draws_of(*ahead: float, taken: float = 0.0) -> Records:
    """Draws with so much ahead, the rest of them reached; `taken` was taken off each by the last shrink."""
    draws = np.zeros((2, LINES))
    draws[0] = REACHED
    draws[0, : len(ahead)], draws[1] = ahead, taken
    return draws


def ahead(draws: Records, count: int) -> list[float]:
    """The size ahead in the first draws."""
    return [float(size) for size in draws[0, :count]]


def settings_with(**values: object) -> Record:
    """Settings of an account."""
    return settings_of([FillSimConfig(**values)])[0]  # type: ignore[arg-type]


def message(ts: int, kind: int = LEVEL) -> Record:
    """The last row of a message."""
    event = np.zeros(1, dtype=EVENT)[0]
    event["ts"], event["kind"] = ts, kind
    return event
