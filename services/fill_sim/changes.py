"""What joins a level and what leaves it, in the draws of an order's line; the rules are those of `draws`.

Where the venue tells how many orders stand at a level (`n` of Hyperliquid's), and nothing was printed there between
two messages, the difference says of what a change consists:

* one order less and a shrink of s: an order of size s left as a whole. It was not ahead in a draw that has less than s
  ahead, not behind in one that has less than s behind, and sizes tell whose it was;
* any other shrink leaves as a whole, as where nobody tells, but its size tells nothing: several left, or one became
  smaller, or another joined;
* k orders more and growth: k joined. Around the own join each stood ahead or not, as a whole.
"""

from typing import Final

import numpy as np

from papertrader.services.fill_sim import behind
from papertrader.services.fill_sim.state import LINES
from papertrader.shared.kernels import njit
from papertrader.shared.market.hashing import splitmix64
from papertrader.shared.market.orders_told import UNTOLD, more_orders
from papertrader.shared.market.records import Record, Records

AHEAD: Final = 0
TAKEN: Final = 1
MOST_DRAWN: Final = 7
"""Of more that joined so many are drawn."""
SAME: Final = 1e-9


@njit(cache=True)
def more_in(order: Record) -> int:
    """How many orders more the message that waits tells of the level than the one before, UNTOLD where that is open."""
    if order.traded > 0:
        return UNTOLD
    return int(more_orders(order.orders, order.displayed, order.pending_orders, order.pending))


@njit(cache=True, forceinline=True)
def unit(stream: int, number: int, draw: int) -> float:
    """A number in [0, 1) for a draw at the order's change of this number."""
    bits = splitmix64(int(stream + (number << 8) + draw))
    return np.float64(bits >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def join_around(order: Record, draws: Records, joined: float, more: int) -> None:
    """Let a share of what joined between the messages around the join stand ahead: of orders that are counted each."""
    bend = 6 * (0.5 - order.join_share)
    orders = min(more, MOST_DRAWN) if more != UNTOLD else 0
    order.changes += 1
    for draw in range(LINES):
        if draws[AHEAD, draw] >= 0:
            u = unit(order.stream, order.changes, draw)
            share = u * (1 - bend * (1 - u))
            if orders > 0:
                share = share_of(order, draw, share, orders)
            draws[AHEAD, draw] += joined * share


@njit(cache=True)
def share_of(order: Record, draw: int, chance: float, orders: int) -> float:
    """The share of so many orders that a draw finds ahead, each with this chance."""
    count = 0
    for number in range(1, orders + 1):
        count += unit(order.stream, order.changes, draw + LINES * number) < chance
    return count / orders


@njit(cache=True)
def odds_ahead(cancel_odds: float, unseen_s: float, interval_s: float) -> float:
    """How likely a cancel is ahead over how likely it is behind, where it is seen after an interval."""
    return (cancel_odds * unseen_s + interval_s) / (unseen_s + interval_s)


@njit(cache=True)
def lose(order: Record, draws: Records, odds: float, cancelled: float, before: float, size: float, more: int) -> None:
    """Let a net cancel leave the level, in each draw as a whole from ahead or from behind."""
    order.changes += 1
    order.credit, order.credit_ts = cancelled, order.seen_ts
    if_ahead, if_behind = 1.0, 1.0
    if more == UNTOLD or more == -1:
        if_ahead, if_behind = behind.likelihoods(order.behind, cancelled)
    odds *= if_ahead
    for draw in range(LINES):
        ahead = draws[AHEAD, draw]
        if not ahead >= 0:
            continue
        f = min(ahead / before, 1.0)
        u = unit(order.stream, order.changes, draw)
        was_ahead = ahead > 0 and u * (odds * f + if_behind * (1 - f)) < odds * f
        if more == -1:
            was_ahead = fits(was_ahead, cancelled, ahead, before)
        left = min(ahead - (min(cancelled, ahead) if was_ahead else 0.0), size)
        draws[AHEAD, draw], draws[TAKEN, draw] = left, ahead - left


@njit(cache=True)
def fits(was_ahead: bool, size: float, ahead: float, held: float) -> bool:
    """Whether a single order that left was ahead, when it can only have been where so much is."""
    could_be_ahead, could_be_behind = size <= ahead + SAME, size <= held - ahead + SAME
    return could_be_ahead if could_be_ahead != could_be_behind else was_ahead
