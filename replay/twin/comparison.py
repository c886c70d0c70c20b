"""Live and paper, order by order: filled or not, when, at what worth, and why they differ."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from papertrader.replay.twin.mids import NS_PER_S, MidPath
from papertrader.replay.twin.record import LiveFill, LiveOrder
from papertrader.replay.twin.stage import PaperOrder
from papertrader.services.monitor.report.statistics import Interval, block_bootstrap_mean
from papertrader.shared.messages import Fill

BLOCK_NS: Final = 60_000_000_000
"""Orders that were placed within the same minute are resampled together: they share their market."""

Cause: TypeAlias = Literal["", "latency", "queue", "crossing", "missing_data", "rules"]
CAUSES: Final[dict[Cause, str]] = {
    "latency": "it came too late on paper, or would have crossed the book by then",
    "queue": "its place in the queue was another",
    "crossing": "a print or a book beyond its price filled it on paper",
    "missing_data": "no print reached its price in the data, or data were missing while it stood",
    "rules": "the paper exchange turned it down",
}
OF_REASON: Final[dict[str, Cause]] = {
    "touched_before_live": "latency",
    "post_only_would_cross": "latency",
    "queue_not_reached": "queue",
    "coin": "queue",
    "not_through": "queue",
    "never_touched": "missing_data",
}


class Compared(NamedTuple):
    """One order, live and on paper. `p_fill` is the paper's probability of a fill; times are ns, 0 for never."""

    order: LiveOrder
    paper: PaperOrder
    p_fill: float
    live_filled: bool
    paper_filled: bool
    live_first_fill_ts: int
    paper_first_fill_ts: int
    live_markout_bps: float
    paper_markout_bps: float
    live_pnl: float
    paper_pnl: float
    cause: Cause


def compare(
    orders: Sequence[LiveOrder], papers: Sequence[PaperOrder], mids: MidPath, p_fill: Callable[[PaperOrder], float]
) -> list[Compared]:
    """Every order whose end both sides know. PnL is marked at the mid 5 s after each fill, fees paid."""
    return [
        _compared(order, paper, mids, p_fill(paper))
        for order, paper in zip(orders, papers, strict=True)
        if paper.ack is not None and order.status != "rejected"
    ]


def _compared(order: LiveOrder, paper: PaperOrder, mids: MidPath, p_fill: float) -> Compared:
    side = 1 if order.side == "buy" else -1
    live_filled, paper_filled = bool(order.fills), bool(paper.fills)
    live_bps, live_pnl = _worth(side, order.fills, mids)
    paper_bps, paper_pnl = _worth(side, paper.fills, mids)
    return Compared(
        order=order,
        paper=paper,
        p_fill=p_fill,
        live_filled=live_filled,
        paper_filled=paper_filled,
        live_first_fill_ts=order.first_fill_ts,
        paper_first_fill_ts=paper.fills[0].ts if paper_filled else 0,
        live_markout_bps=live_bps,
        paper_markout_bps=paper_bps,
        live_pnl=live_pnl,
        paper_pnl=paper_pnl,
        cause=_cause(order, paper, mids) if live_filled != paper_filled else "",
    )


def _worth(side: int, fills: Sequence[LiveFill] | Sequence[Fill], mids: MidPath) -> tuple[float, float]:
    """Mean markout of the fills by size, bps, and what they earned after fees; NaN and 0 without any."""
    size = sum(fill.size for fill in fills)
    if not size:
        return np.nan, 0.0
    markouts = [(fill, mids.markout_bps(side, fill.price, fill.ts)) for fill in fills]
    known = [(fill, bps) for fill, bps in markouts if np.isfinite(bps)]
    if not known:
        return np.nan, 0.0
    earned = sum(bps * 1e-4 * fill.price * fill.size - fill.fee for fill, bps in known)
    return sum(bps * fill.size for fill, bps in known) / sum(fill.size for fill, _ in known), earned


def _cause(order: LiveOrder, paper: PaperOrder, mids: MidPath) -> Cause:
    ack = paper.ack
    assert ack is not None
    if mids.has_gap(order.placed_ts, max(order.lived_to_ts, ack.ts)):
        return "missing_data"
    if paper.fills:
        return "crossing" if paper.fills[0].through else "queue"
    return OF_REASON.get(ack.reason, "rules")


class Scores(NamedTuple):
    """How well paper foretold live.

    `fills_ratio` is expected fills on paper over real ones, the fill rates and PnL are per order; the PnL gap is
    paper's less live's in bp of the live turnover. Skill = 1 − Brier / Brier of the base rate.
    """

    orders: int
    live_fills: int
    paper_fills: int
    expected_fills: float
    both: int
    only_live: int
    only_paper: int
    neither: int
    fills_ratio: Interval | None
    brier: float
    skill: float | None
    log_loss: float
    fill_time_error_s: float | None
    live_markout_bps: Interval | None
    paper_markout_bps: Interval | None
    live_pnl: float
    paper_pnl: float
    pnl_gap_bps: Interval | None
    causes: dict[str, int]


def score(rows: Sequence[Compared]) -> Scores:
    """The scores of compared orders; raises ValueError without any."""
    if not rows:
        raise ValueError("no live order was within the data long enough to be compared")
    live = np.array([row.live_filled for row in rows], dtype=np.float64)
    paper = np.array([row.paper_filled for row in rows], dtype=np.float64)
    p = np.array([row.p_fill for row in rows])
    brier, base = float(np.mean((p - live) ** 2)), float(live.mean() * (1 - live.mean()))
    turnover = np.array([sum(fill.price * fill.size for fill in row.order.fills) for row in rows])
    gap = np.array([row.paper_pnl - row.live_pnl for row in rows])
    return Scores(
        orders=len(rows),
        live_fills=int(live.sum()),
        paper_fills=int(paper.sum()),
        expected_fills=float(p.sum()),
        both=int((live * paper).sum()),
        only_live=int((live * (1 - paper)).sum()),
        only_paper=int(((1 - live) * paper).sum()),
        neither=int(((1 - live) * (1 - paper)).sum()),
        fills_ratio=ratio(rows, p, live),
        brier=brier,
        skill=1 - brier / base if base > 0 else None,
        log_loss=log_loss(p, live),
        fill_time_error_s=_fill_time_error_s(rows),
        live_markout_bps=_mean(rows, [row.live_markout_bps for row in rows]),
        paper_markout_bps=_mean(rows, [row.paper_markout_bps for row in rows]),
        live_pnl=sum(row.live_pnl for row in rows),
        paper_pnl=sum(row.paper_pnl for row in rows),
        pnl_gap_bps=ratio(rows, gap * 1e4, turnover),
        causes=dict(Counter(row.cause for row in rows if row.cause)),
    )


def log_loss(p: npt.NDArray[np.float64], filled: npt.NDArray[np.float64]) -> float:
    """Mean of −ln of the probability given to what happened; probabilities are kept off 0 and 1 by 0.5 %."""
    kept = np.clip(p, 0.005, 0.995)
    return float(-np.mean(filled * np.log(kept) + (1 - filled) * np.log(1 - kept)))


def ratio(rows: Sequence[Compared], over: npt.NDArray[np.float64], under: npt.NDArray[np.float64]) -> Interval | None:
    """Sum over sum with its 95 % interval, minutes of orders drawn with replacement; `None` over nothing.

    The ratio r is the mean of what a unit of `under` carries, so blocks weigh by theirs.
    """
    if not under.sum() > 0:
        return None
    blocks = np.array([row.order.placed_ts // BLOCK_NS for row in rows])
    _, block = np.unique(blocks, return_inverse=True)
    top, bottom = np.bincount(block, weights=over), np.bincount(block, weights=under)
    value = float(over.sum() / under.sum())
    if len(top) < 5:
        return Interval(value, None, None)
    drawn = np.random.Generator(np.random.PCG64(0)).integers(0, len(top), size=(2_000, len(top)))
    below = bottom[drawn].sum(axis=1)
    ratios = top[drawn].sum(axis=1)[below > 0] / below[below > 0]
    low, high = np.percentile(ratios, [2.5, 97.5])
    return Interval(value, float(low), float(high))


def _mean(rows: Sequence[Compared], values: Sequence[float]) -> Interval | None:
    known = np.isfinite(values)
    blocks = np.array([row.order.placed_ts // BLOCK_NS for row in rows])
    _, block = np.unique(blocks, return_inverse=True)
    sums = np.bincount(block, weights=np.where(known, values, 0.0)).astype(np.float64)
    return block_bootstrap_mean(sums, np.bincount(block, weights=known).astype(np.int64))


def _fill_time_error_s(rows: Sequence[Compared]) -> float | None:
    """The median distance between first fills of the orders that both filled, s."""
    both = [
        abs(row.paper_first_fill_ts - row.live_first_fill_ts) for row in rows if row.live_filled and row.paper_filled
    ]
    return float(np.median(both)) / NS_PER_S if both else None
