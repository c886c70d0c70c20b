"""What the market tells of its queues, event by event: the odds of cancels and the share of joins, for the draws."""

from typing import Final

import numpy as np

from papertrader.services.estimator import arrivals, joins
from papertrader.services.estimator import odds as cancel_odds
from papertrader.shared.kernels import njit
from papertrader.shared.market.events import SNAPSHOT, TOUCH
from papertrader.shared.market.records import Record, Records

NORMAL: Final = 1.96

QUEUES: Final = np.dtype(
    [
        ("lines", arrivals.LINES),
        ("odds", cancel_odds.ODDS),
        ("joins", joins.JOINS),
        ("behind", "i1"),  # messages were not looked at: the lines are not as they were
    ],
    align=True,
)


@njit(cache=True)
def start(queues: Record) -> None:
    """The priors, and no line followed."""
    arrivals.forget(queues.lines)
    cancel_odds.compute(queues.odds)


@njit(cache=True, forceinline=True)
def on_message(queues: Record, book: Record, events: Records, row: np.uint64) -> None:
    """Fold a book message that begins at `row`, before the book does."""
    event = events[row]
    if event.kind == SNAPSHOT or (event.kind == TOUCH and joins.is_following(queues.joins)):
        joins.on_message(queues.joins, events, row)
    if event.kind != TOUCH and is_watched(queues, event.ts):
        arrivals.on_message(queues.lines, queues.odds, book, events, row)


@njit(cache=True, forceinline=True)
def is_watched(queues: Record, ts: int) -> bool:
    """Whether the lines are followed at `ts`; they begin anew after a rest."""
    if cancel_odds.rests(queues.odds, ts):
        queues.behind = 1
        return False
    if queues.behind == 1:
        arrivals.forget(queues.lines)
        queues.behind = 0
    return True


@njit(cache=True)
def on_print(queues: Record, event: Record) -> None:
    """Fold a print."""
    joins.on_print(queues.joins, event)
    if is_watched(queues, event.ts):
        arrivals.on_print(queues.lines, event)


@njit(cache=True)
def forget(queues: Record) -> None:
    """Market data was missed, or ticks are others: no line is known."""
    arrivals.forget(queues.lines)
    joins.forget(queues.joins)


@njit(cache=True)
def write(queues: Record, out: Record) -> None:
    """Write what is known into an estimate."""
    odds = queues.odds
    share, sd = joins.posterior(queues.joins)
    out.cancel_odds, out.cancel_odds_low, out.cancel_odds_high = odds.mean, odds.low, odds.high
    out.cancel_odds_known, out.cancels_seen = odds.known == 1, odds.cancels
    out.cancels_single_share, out.cancels_by_chance = cancel_odds.single_share(odds), cancel_odds.by_chance(odds)
    out.join_share, out.join_share_low, out.join_share_high = share, share - NORMAL * sd, share + NORMAL * sd
    out.join_share_known, out.joins_seen = joins.is_known(queues.joins), queues.joins.joins
