"""Which share of what joins a level between two full books was there before a moment in between: `join_share`.

An own order that joins between two full books stands behind what was there at that moment, and nobody shows that. But
the touch is shown in between, and what it is true of is true of the level: with V what it shows and X what was
printed there, the mean over the interval of V + X tells how much of the growth V₁ + X₁ − V₀ was ahead of an order
that joined at any time of it.

* Only of levels that are the best of their side in both books and in all touches between.
* Evidence counts where touches show all: at the end the last touch has to show what the full book does.
* Touches on a grid of their own are late, by half a step at most times; they may be wrong by as much as `LATE_SD`.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.book import NEXT
from papertrader.shared.market.events import SNAPSHOT, TOUCH
from papertrader.shared.market.records import Record, Records

PRIOR: Final = 0.45
PRIOR_SD: Final = 0.08
SAME: Final = 1e-9
LATE_SD: Final = 0.03
LEAST_TESTED: Final = 100
LEAST_SHARE: Final = 0.8
"""Of the touches at the end of an interval that show what the full book does."""
LOWEST: Final = 0.34
HIGHEST: Final = 0.66
"""What the draws can be made with."""

INTERVAL: Final = np.dtype(
    [
        ("tick", "i8"),  # of the level that is followed, 0 for none
        ("since_ts", "i8"),
        ("last_ts", "i8"),
        ("shown", "f8"),  # V₀
        ("printed", "f8"),  # X
        ("value", "f8"),  # V + X since `last_ts`
        ("integral", "f8"),
    ],
    align=True,
)
JOINS: Final = np.dtype(
    [
        ("tested", "i8"),
        ("agreed", "i8"),  # the last touch showed what the full book did
        ("joins", "i8"),
        ("sum", "f8"),
        ("squares", "f8"),
        ("sides", INTERVAL, (2,)),
    ],
    align=True,
)


@njit(cache=True, forceinline=True)
def is_following(joins: Record) -> bool:
    """Whether a level is followed: if none is, a touch tells nothing."""
    return bool(joins.sides[0].tick != 0 or joins.sides[1].tick != 0)


@njit(cache=True)
def on_message(joins: Record, events: Records, row: np.uint64) -> None:
    """Fold a full book or a touch that begins at `row`."""
    full, side = events[row].kind == SNAPSHOT, 0
    while True:
        event = events[row]
        if event.kind == TOUCH:
            on_touch(joins.sides[0 if event.side > 0 else 1], event)
        elif event.kind != SNAPSHOT and event.side != side:
            side = event.side  # the first row of a side is its best level
            on_full(joins, joins.sides[0 if side > 0 else 1], event)
        if event.last == 1:
            break
        row += NEXT
    if full and side == 0:
        forget(joins)


@njit(cache=True)
def on_touch(interval: Record, event: Record) -> None:
    """The touch shows the level that is followed, or another."""
    if event.tick != interval.tick or event.ts < interval.last_ts:
        interval.tick = 0
        return
    interval.integral += interval.value * (event.ts - interval.last_ts)
    interval.value, interval.last_ts = event.size + interval.printed, event.ts


@njit(cache=True)
def on_full(joins: Record, interval: Record, event: Record) -> None:
    """A full book ends the interval, if it shows the same level as the best, and begins the next."""
    end = event.size + interval.printed
    if event.tick == interval.tick and event.ts > interval.since_ts and end - interval.shown > SAME:
        agreed = abs(interval.value - end) < SAME
        joins.tested += 1
        joins.agreed += agreed
        if agreed:
            interval.integral += interval.value * (event.ts - interval.last_ts)
            mean = interval.integral / (event.ts - interval.since_ts)
            share = min(max((mean - interval.shown) / (end - interval.shown), 0.0), 1.0)
            joins.joins += 1
            joins.sum += share
            joins.squares += share**2
    interval.tick, interval.since_ts, interval.last_ts = event.tick, event.ts, event.ts
    interval.shown = interval.value = event.size
    interval.printed = interval.integral = 0.0


@njit(cache=True)
def on_print(joins: Record, event: Record) -> None:
    """A print at the level that is followed."""
    interval = joins.sides[1 if event.side > 0 else 0]
    if event.tick == interval.tick and event.ts > interval.since_ts:
        interval.printed += event.size


@njit(cache=True)
def forget(joins: Record) -> None:
    """No level is followed any more."""
    joins.sides[0].tick = joins.sides[1].tick = 0


@njit(cache=True)
def is_known(joins: Record) -> bool:
    """Whether evidence counts: touches show all that full books do."""
    return joins.tested >= LEAST_TESTED and joins.agreed >= LEAST_SHARE * joins.tested


@njit(cache=True)
def posterior(joins: Record) -> tuple[float, float]:
    """Mean and sd of the mean share ahead: prior and evidence, each with its precision, within what draws can have."""
    prior, evidence, mean = 1.0 / PRIOR_SD**2, 0.0, PRIOR
    if is_known(joins):
        mean = joins.sum / joins.joins
        variance = max(joins.squares / joins.joins - mean**2, 1e-4)
        evidence = 1.0 / (variance / joins.joins + LATE_SD**2)
    both = prior + evidence
    return min(max((prior * PRIOR + evidence * mean) / both, LOWEST), HIGHEST), np.sqrt(1.0 / both)
