"""Small order-by-order markets, written by hand, for the tests of the judge."""

import numpy as np

from papertrader.replay.judge.feeds import Market, market_of
from papertrader.replay.judge.orders import ADD, EXECUTE, MODIFY, PRINT, REDUCE, STANDING, order_data

SECOND_NS = 1_000_000_000
Row = tuple[float, int, float, int, int, int]


def add(s: float, order: int, size: float, tick: int, side: int = 1) -> Row:
    """An order arrives at `s` seconds."""
    return (s, order, size, tick, ADD, side)


def stands(order: int, size: float, tick: int, side: int = 1) -> Row:
    """An order that was there before."""
    return (0.0, order, size, tick, STANDING, side)


def cancel(s: float, order: int, size: float, tick: int, side: int = 1) -> Row:
    """An order loses size."""
    return (s, order, size, tick, REDUCE, side)


def trade(s: float, order: int, size: float, tick: int, side: int = 1) -> list[Row]:
    """A taker meets an order: the print and the execution."""
    return [(s, order, size, tick, PRINT, -side), (s, order, size, tick, EXECUTE, side)]


def modify(s: float, order: int, size: float, tick: int, side: int = 1) -> Row:
    """An order changes."""
    return (s, order, size, tick, MODIFY, side)


def market(*rows: Row | list[Row], horizon_s: float = 30.0) -> Market:
    """The derived feeds and shadows of the rows, with quotes at 90 and 110 that stand far off."""
    flat = [stands(9000, 1.0, 90), stands(9001, 1.0, 110, -1)]
    for row in rows:
        flat += row if isinstance(row, list) else [row]
    names = ("ts", "order", "size", "tick", "action", "side")
    columns = {name: np.array([row[place] for row in flat]) for place, name in enumerate(names)}
    columns["ts"] = np.rint(columns["ts"] * SECOND_NS)
    return market_of(order_data(columns, 0.1, "by hand"), round(horizon_s * SECOND_NS))


def fates(market_: Market) -> list[float | None]:
    """When each shadow was filled, s; None if not."""
    ts = market_.shadows["filled_ts"].tolist()
    return [time / SECOND_NS if time < 2**62 else None for time in ts]
