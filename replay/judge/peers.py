"""Fill rules of other projects, stated again from their documentation and source for one order behind a level.

* `touch` - any print at the order's price or beyond fills it: Freqtrade, and Nautilus by default.
* `through` - only a print strictly beyond does: Hummingbot; also this product's model of that name.
* hftbacktest 2.4 (`hftbacktest/src/backtest/models/queue.rs`): prints take from the front; of a net decrease the
  share that leaves from behind is `power3`: 1 − (front/total)³, `log`: ln(1+back)/(ln(1+back) + ln(1+front)),
  `risk_averse`: all of it; never more ahead than is shown. A print beyond the price fills, and so does an opposite
  best at it or through it.
* Nautilus `queue_position`: only prints shorten the line, and what is shown does not cap it; a level that vanishes
  leaves nobody ahead. A print beyond the price fills, and so does an opposite best at it or through it.
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market.mathematics import log
from papertrader.shared.market.records import Record

PEER: Final = np.dtype([("front", "f8"), ("shown", "f8"), ("traded", "f8")], align=True)

TOUCH: Final = 10
THROUGH: Final = 11
RISK_AVERSE: Final = 12
POWER3: Final = 13
LOG: Final = 14
QUEUE_POSITION: Final = 15
DUST: Final = 1e-9


@njit(cache=True)
def join(peer: Record, shown: float) -> None:
    """Stand behind all that the level shows."""
    peer.front, peer.shown, peer.traded = shown, shown, 0.0


@njit(cache=True)
def on_level(peer: Record, rule: int, size: float) -> None:
    """The level shows `size` now."""
    before, peer.shown = peer.shown, size
    decrease = before - size - peer.traded
    peer.traded = 0.0
    if rule == QUEUE_POSITION:
        if size <= 0:
            peer.front = 0.0
    elif decrease <= 0 or rule == RISK_AVERSE:
        peer.front = min(peer.front, size)
    else:
        back = before - peer.front
        behind = share_behind(rule, peer.front, back)
        front = peer.front - (1 - behind) * decrease + min(back - behind * decrease, 0.0)
        peer.front = min(front, size)


@njit(cache=True)
def share_behind(rule: int, front: float, back: float) -> float:
    """The share of a net decrease that leaves from behind."""
    front, back = max(front, 0.0), max(back, 0.0)
    if front + back <= 0:
        return 1.0
    if rule == POWER3:
        return 1 - (front / (front + back)) ** 3
    return log(1 + back) / (log(1 + back) + log(1 + front))


@njit(cache=True)
def on_print(peer: Record, rule: int, size: float, beyond: bool, meets: bool) -> bool:
    """Whether a print at the order's price or beyond fills it; `meets`: its taker is of the side that meets it."""
    if beyond or rule == TOUCH:
        return True
    if rule == THROUGH or not meets:
        return False
    peer.front -= size
    peer.traded += size
    return peer.front < -DUST
