"""Every market sweep as a hypothetical fill of the touch: what the pre-fill classifier is trained on.

A taker of a side fills whoever rests at the opposite touch, so each sweep tells whether a fill there would have been
adverse: whether the mid then moved by more than 1 bp against the filled side, within 1 s and within 5 s. The features
are those of the begin of the round, one observation for a side and 50 ms. Own fills are too few to learn this from:
they only recalibrate it (`classifier`).
"""

from typing import Final

import numpy as np

from papertrader.shared.kernels import njit
from papertrader.shared.market import logistic, skill
from papertrader.shared.market.book import NEXT
from papertrader.shared.market.events import Events
from papertrader.shared.market.features import facing, log_distance
from papertrader.shared.market.frozen import FROZEN, first_print, freeze, is_print
from papertrader.shared.market.records import Record
from papertrader.shared.messages import FEATURES

WAITING: Final = 512
"""Hypothetical fills that can wait for their outcomes; of more the oldest are dropped and counted."""
INPUTS: Final = FEATURES + 1
"""The constant comes first."""
ADVERSE_BPS: Final = 1.0
LEAST_REACH_BPS: Final = 0.01
SHORT_NS: Final = 1_000_000_000
LONG_NS: Final = 5_000_000_000
APART_NS: Final = 50_000_000
"""Sweeps of a side that follow sooner are one observation, however short the rounds are."""
NEVER: Final = 2**62
PRIOR_SD: Final = 0.1
DISTANCE_PRIOR_SD: Final = 0.3
CONSTANT_PRIOR_SD: Final = 1.0
MEMORY_OUTCOMES: Final = 10_000.0
"""Outcomes over which the models forget, but never beyond their prior."""
PRIOR_5S: Final = np.array([-0.693, 0.141, 0.231, 0.160, 0.542, -0.024, 0.460, 0.015, 0.5])
PRIOR_1S: Final = np.array([-1.412, 0.418, 0.398, -0.041, 0.681, -0.007, 0.711, 0.071, 0.5])
"""Weights fitted to recorded sessions of Hyperliquid and Binance together (docs/decisions): they carry over between
markets, and each market moves on from them."""

MODEL: Final = logistic.logistic_dtype(INPUTS)
HYPOTHETICAL: Final = np.dtype(
    [
        ("ts", "i8"),
        ("mid", "f8"),
        ("side", "i8"),  # of the order that would have been filled
        ("score_1s", "f8"),
        ("score_5s", "f8"),
        ("judged", "i1"),  # an order at the touch; others only teach
        ("inputs", "f8", (INPUTS,)),
    ],
    align=True,
)
TOUCH_FILLS: Final = np.dtype(
    [
        ("first_1s", "i8"),  # the oldest that waits for its outcome, by number
        ("first_5s", "i8"),
        ("count", "i8"),
        ("due_ts", "i8"),  # up to this none of them is settled
        ("next_ts", "i8", (2,)),  # from when on that taker's side and 1 is observed again
        ("dropped", "i8"),  # outcomes lost to a gap or for lack of room
        ("before", FROZEN),  # the market before the open round's prints
        ("seen", "i8", (2,)),  # the number of this round's observation of that taker's side and 1, 0 before it
        ("reach_bps", "f8", (2,)),  # how far beyond the touch its prints went
        ("model_1s", MODEL),
        ("model_5s", MODEL),
        ("skill_1s", skill.SKILL),
        ("skill_5s", skill.SKILL),
        ("rows", HYPOTHETICAL, (WAITING,)),
    ],
    align=True,
)


@njit(cache=True)
def start(fills: Record) -> None:
    """The priors, and nothing judged."""
    sds = np.full(INPUTS, PRIOR_SD)
    sds[0], sds[INPUTS - 1] = CONSTANT_PRIOR_SD, DISTANCE_PRIOR_SD
    logistic.start(fills.model_1s, PRIOR_1S, sds)
    logistic.start(fills.model_5s, PRIOR_5S, sds)
    skill.start(fills.skill_1s)
    skill.start(fills.skill_5s)
    fills.due_ts = NEVER


@njit(cache=True)
def begin_round(fills: Record) -> None:
    """A sweep of this round is a new observation."""
    fills.seen[0] = fills.seen[1] = 0
    fills.before.fresh = 0


@njit(cache=True)
def meet_prints(fills: Record, features: Record, book: Record, events: Events, row: np.uint64) -> None:
    """Write down the market before a round's prints, the first of them at `row`, if one is to be an observation."""
    while is_print(events, row):
        if book.ts >= fills.next_ts[place_of(events[row].side)]:
            freeze(fills.before, features, book)
            return
        row = first_print(events, row + NEXT)


@njit(cache=True)
def on_print(fills: Record, event: Record, tick_size: float) -> None:
    """Let the first print of a side in a round fill the touch that it meets, and note how deep the others go."""
    before, place = fills.before, place_of(event.side)
    if before.fresh == 0 or not before.mid > 0:
        return
    if fills.seen[place] == 0:
        if before.ts < fills.next_ts[place]:
            return
        fills.next_ts[place] = before.ts + APART_NS
        fills.reach_bps[place] = 0.0
        row = new_row(fills, before.ts)
        row.ts, row.mid, row.side, row.judged = before.ts, before.mid, -event.side, 1
        facing(before.vector, row.side, row.inputs)
        forecast(fills, row)
        fills.seen[place] = fills.count
    touch = before.ask if event.side > 0 else before.bid
    beyond_bps = event.side * (event.tick - touch) * tick_size / before.mid * 1e4
    fills.reach_bps[place] = max(fills.reach_bps[place], beyond_bps)


@njit(cache=True)
def place_of(side: int) -> int:
    """Where what is of a taker's side stands."""
    return 0 if side > 0 else 1


@njit(cache=True)
def new_row(fills: Record, ts: int) -> Record:
    """The row of one more observation at `ts`, dropping the oldest if there is no room."""
    fills.due_ts = min(fills.due_ts, ts + SHORT_NS)
    if fills.count - fills.first_5s == WAITING:
        fills.first_1s += fills.first_1s == fills.first_5s
        fills.first_5s += 1
        fills.dropped += 1
    fills.count += 1
    return fills.rows[(fills.count - 1) % WAITING]


@njit(cache=True)
def forecast(fills: Record, row: Record) -> None:
    """Forecast an observation's outcomes before they are known."""
    row.score_1s = logistic.score_of(fills.model_1s.weights, row.inputs)
    row.score_5s = logistic.score_of(fills.model_5s.weights, row.inputs)


@njit(cache=True)
def end_round(fills: Record) -> None:
    """Let each sweep that went beyond the touch also fill an order where it ended: it teaches what distance means."""
    for place in range(2):
        if fills.seen[place] == 0 or not fills.reach_bps[place] > LEAST_REACH_BPS:
            continue
        touch = (fills.seen[place] - 1) % WAITING
        at_touch = fills.rows[touch]
        row = new_row(fills, at_touch.ts)
        row.ts, row.mid, row.side, row.judged = at_touch.ts, at_touch.mid, at_touch.side, 0
        row.inputs[:] = at_touch.inputs[:]
        row.inputs[INPUTS - 1] = log_distance(fills.reach_bps[place])
        forecast(fills, row)


@njit(cache=True)
def settle(fills: Record, ts: int, mid: float) -> None:
    """Judge and learn from every hypothetical fill whose horizon ended before `ts`, while the mid was `mid`."""
    if ts > fills.due_ts:
        settle_due(fills, ts, mid)


@njit(cache=True)
def settle_due(fills: Record, ts: int, mid: float) -> None:
    """As `settle`, where some horizon has ended."""
    fills.due_ts = NEVER
    while fills.first_1s < fills.count:
        row = fills.rows[fills.first_1s % WAITING]
        if row.ts + SHORT_NS >= ts:
            fills.due_ts = row.ts + SHORT_NS
            break
        settle_one(fills.model_1s, fills.skill_1s, row, row.score_1s, mid)
        fills.first_1s += 1
    while fills.first_5s < fills.count:
        row = fills.rows[fills.first_5s % WAITING]
        if row.ts + LONG_NS >= ts:
            fills.due_ts = min(fills.due_ts, row.ts + LONG_NS)
            break
        settle_one(fills.model_5s, fills.skill_5s, row, row.score_5s, mid)
        fills.first_5s += 1


@njit(cache=True)
def settle_one(model: Record, judged: Record, row: Record, score: float, mid: float) -> None:
    """Judge a forecast against what happened, and learn from it."""
    adverse = row.side * (row.mid - mid) / row.mid * 1e4 > ADVERSE_BPS
    if row.judged == 1:
        skill.judge(judged, row.ts, score, logistic.probability(score), adverse)
    logistic.learn(model, row.inputs, adverse, MEMORY_OUTCOMES)


@njit(cache=True)
def on_gap(fills: Record) -> None:
    """What waits for an outcome will never know it."""
    fills.dropped += fills.count - fills.first_5s
    fills.due_ts = NEVER
    fills.first_1s = fills.first_5s = fills.count
