"""A book on another price grid: every level keeps its price and what is known of it, and gets another tick."""

import math

import numpy as np
import numpy.typing as npt

from papertrader.shared.market.book_record import MASK, NO_ASK, NO_BID, WINDOW, new_book
from papertrader.shared.market.events import TICKS, Grid
from papertrader.shared.market.far_levels import keep_far
from papertrader.shared.market.records import Record, Records

ON_GRID = 1e-6
"""How far from a tick, in ticks, a price may be that is on it."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def grid_of(book: Record) -> Grid:
    """The price grid that a book is on."""
    grid = Grid.__new__(Grid)
    grid.tick_size, grid.ticks_per_unit = float(book["tick_size"]), float(book["ticks_per_unit"])
    return grid


def ticks_of(grid: Grid, prices: Floats) -> Floats:
    """Where prices lie, in ticks; not whole where they lie between."""
    return prices * grid.ticks_per_unit if grid.ticks_per_unit else prices / grid.tick_size


def prices_of(grid: Grid, ticks: npt.NDArray[np.generic]) -> Floats:
    """The prices of ticks."""
    numbers = ticks.astype(np.float64)
    return numbers / grid.ticks_per_unit if grid.ticks_per_unit else numbers * grid.tick_size


def inner_tick(grid: Grid, price: float, side: int) -> int:
    """The tick of a price, or the next one that is worse for its side (+1 bids, −1 asks) where it lies between."""
    where = float(ticks_of(grid, np.array([price]))[0])
    nearest = round(where)
    if abs(where - nearest) <= ON_GRID * max(1.0, where * 1e-6):
        return min(nearest, TICKS - 1)
    return min(math.floor(where) if side > 0 else math.ceil(where), TICKS - 1)


def regrid(book: Records, grid: Grid) -> None:
    """Put the book, shape (1,), on another grid. A level that lies between its ticks is lost, and counted."""
    old, new = book.copy(), new_book()
    for name in ("ts", "gaps", "outside", "in_snapshot", "bid_told", "ask_told"):
        new[name] = old[name]
    new["tick_size"], new["ticks_per_unit"] = grid.tick_size, grid.ticks_per_unit
    if old["tick_size"][0] > 0:
        _move(old[0], new, grid)
    book[:] = new


def _move(old: Record, new: Records, grid: Grid) -> None:
    before = grid_of(old)
    sides = [_side(old, before, grid, row) for row in (0, 1)]
    best = [_best(*side, row) for row, side in enumerate(sides)]
    new["best_bid"], new["best_ask"] = best
    for name, side in (("bid_floor", -1), ("bid_high", -1), ("ask_ceiling", 1), ("ask_low", 1)):
        new[name] = _limit(int(old[name]), before, grid, side)
    new["bid_high"] = max(int(new["bid_high"][0]), best[0])
    new["ask_low"] = min(int(new["ask_low"][0]), best[1])
    middle = best[0] if best[0] != NO_BID else best[1]
    if old["low"] > 0 and middle not in (NO_BID, NO_ASK):
        new["low"] = max(middle - WINDOW // 2, 1)
    for row, (ticks, sizes) in enumerate(sides):
        new["outside"] += _write(old, before, new, grid, row, ticks, sizes)


def _side(old: Record, before: Grid, grid: Grid, row: int) -> tuple[Integers, Floats]:
    """The ticks, not yet rounded, and sizes of everything that is kept of a side."""
    window = np.arange(int(old["low"]), int(old["low"]) + WINDOW)
    near = old["bid" if row == 0 else "ask"][window & MASK]
    told = np.abs(near) > 0
    limit = int(old["bid_floor"]) if row == 0 else int(old["ask_ceiling"])
    told |= (near == 0) & ((window < limit) if row == 0 else (window > limit))
    far = np.flatnonzero(old["far_ticks"][row])
    ticks = np.concatenate([window[told], old["far_ticks"][row][far].astype(np.int64)])
    sizes = np.concatenate([near[told], old["far_sizes"][row][far]])
    where = ticks_of(grid, prices_of(before, ticks))
    rounded = np.rint(where)
    on_grid = (np.abs(where - rounded) <= ON_GRID * np.maximum(1.0, where * 1e-6)) & (rounded > 0) & (rounded < TICKS)
    return np.where(on_grid, rounded, 0).astype(np.int64), sizes


def _best(ticks: Integers, sizes: Floats, row: int) -> int:
    held = ticks[(np.abs(sizes) > 0) & (ticks > 0)]
    if row == 0:
        return int(held.max()) if len(held) else NO_BID
    return int(held.min()) if len(held) else NO_ASK


def _limit(tick: int, before: Grid, grid: Grid, side: int) -> int:
    if tick in (0, NO_ASK):
        return tick
    return inner_tick(grid, float(prices_of(before, np.array([tick]))[0]), side)


def _write(old: Record, before: Grid, new: Records, grid: Grid, row: int, ticks: Integers, sizes: Floats) -> int:
    """Write a side; returns how many levels lie between the ticks."""
    low = int(new["low"][0])
    window = np.arange(low, low + WINDOW)
    limit, inner = (("bid_floor", "bid_high"), ("ask_ceiling", "ask_low"))[row]
    covered = window >= new[limit][0] if row == 0 else window <= new[limit][0]
    if 0 < new[inner][0] < NO_ASK:
        covered |= window > new[inner][0] if row == 0 else window < new[inner][0]
    known = np.where(covered & ~_unknown(old, before, grid, window, row), 0.0, np.nan)
    within = (ticks >= low) & (ticks < low + WINDOW) & (low > 0)
    name = "bid" if row == 0 else "ask"
    new[name][0][window & MASK] = known
    new[name][0][ticks[within] & MASK] = sizes[within]
    for tick, size in zip(ticks[~within & (ticks > 0)].tolist(), sizes[~within & (ticks > 0)].tolist(), strict=True):
        keep_far(new[0], 1 if row == 0 else -1, tick, size)
    return int(np.count_nonzero(ticks == 0))


def _unknown(old: Record, before: Grid, grid: Grid, window: Integers, row: int) -> npt.NDArray[np.bool_]:
    """Whether nothing was known of the old tick next to each of these."""
    nearest = np.rint(ticks_of(before, prices_of(grid, window))).astype(np.int64)
    low = int(old["low"])
    inside = (nearest >= low) & (nearest < low + WINDOW)
    sizes = old["bid" if row == 0 else "ask"][nearest & MASK]
    return np.asarray(inside & np.isnan(sizes))
