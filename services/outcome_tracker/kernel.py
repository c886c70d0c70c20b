"""Markouts: what the mid did after each fill, at fixed horizons of event time.

A fill is heard a round after it happened, so the last mids are kept. Nothing is answered before the clock has passed
the horizon: then the mid at exactly that time is known for good, and late or early rounds cannot change it.
"""

from typing import Final

import numpy as np

from papertrader.services.outcome_tracker.history import GAPS, MIDS, crosses_gap, mid_at, push_gap, push_mid
from papertrader.shared.kernels import njit
from papertrader.shared.market import book as books
from papertrader.shared.market import seconds as grid
from papertrader.shared.market.events import GAP
from papertrader.shared.market.hashing import is_sampled
from papertrader.shared.market.mathematics import halved
from papertrader.shared.market.records import Record, Records, code
from papertrader.shared.messages import FEATURES, HORIZONS_S, LABEL_HORIZON_S, AckStatus

CAPACITY: Final = 4096
"""Fills and quotes of one account that can wait at the same time."""
HORIZONS: Final = len(HORIZONS_S)
HORIZONS_NS: Final = np.array([round(1e9 * horizon) for horizon in HORIZONS_S])
LABEL: Final = HORIZONS_S.index(LABEL_HORIZON_S)
BUCKETS_BPS: Final = np.array([-20.0, -10, -5, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 5, 10, 20])
CANCELLED: Final = code(AckStatus, "cancelled")
EXPIRED: Final = code(AckStatus, "expired")

MARKET_STATE: Final = np.dtype([("mids", MIDS), ("gaps", GAPS), ("second", grid.SECOND), ("mid", "f8")], align=True)
PENDING: Final = np.dtype(
    [
        ("fill_id", "i8"),
        ("order_id", "i8"),
        ("ts", "i8"),
        ("horizon", "i8"),  # index of the next one
        ("price", "f8"),
        ("size", "f8"),
        ("mid_at_fill", "f8"),
        ("sigma_bps", "f8"),
        ("toxicity", "f8"),
        ("features", "f8", (FEATURES,)),
        ("filled", "i1"),
        ("side", "i1"),
    ],
    align=True,
)
TRACKER: Final = np.dtype(
    [
        ("waiting", "i8"),  # rows of `pending` in use
        ("due_ts", "i8"),  # the earliest horizon among them
        ("fills", "i8"),
        ("quotes", "i8"),  # unfilled quotes followed
        ("quotes_dropped", "i8"),
        ("fills_waiting", "i8"),  # fills whose label is still to come
        ("labels", "i8"),
        ("resolved", "i8"),  # labels with numbers
        ("unresolved", "i8"),
        ("adverse", "i8"),
        ("adverse_volatility_scaled", "i8"),
        ("overflow", "i8"),  # fills that found no room: answered at once, unresolved
        ("without_mid", "i8"),  # horizons whose mid was not known
        ("variance", "f8"),  # weighted sum of squared one-second returns
        ("weight", "f8"),
        ("markout_count", "i8", (HORIZONS,)),
        ("markout_sum_bps", "f8", (HORIZONS,)),
        ("markout_histogram", "i8", (HORIZONS, len(BUCKETS_BPS) + 1)),
        ("quote_markout_count", "i8", (HORIZONS,)),
        ("quote_markout_sum_bps", "f8", (HORIZONS,)),
        ("pending", PENDING, (CAPACITY,)),
    ],
    align=True,
)


@njit(cache=True)
def markout_bps(side: int, mid: float, price: float) -> float:
    """side·(mid(t+h) − price)/price in bp: positive is good for us."""
    return side * (mid - price) / price * 1e4


@njit(cache=True)
def adverse_selection_bps(side: int, mid: float, mid_at_fill: float) -> float:
    """−side·(mid(t+h) − mid(t))/mid(t) in bp: positive says that the mid moved against us."""
    return -side * (mid - mid_at_fill) / mid_at_fill * 1e4


@njit(cache=True)
def on_second(tracker: Record, settings: Record, second: Record) -> None:
    """Fold closed seconds into the exponentially weighted variance of one-second returns."""
    if not np.isfinite(second.log_return):
        return
    decay = halved(1.0 / settings.volatility_half_life_s)
    tracker.variance = tracker.variance * decay + second.log_return**2
    tracker.weight = tracker.weight * decay + 1.0
    quiet = halved((second.seconds - 1) / settings.volatility_half_life_s)
    tracker.variance *= quiet
    tracker.weight = tracker.weight * quiet + (1.0 - quiet) / (1.0 - decay)


@njit(cache=True)
def sigma_bps(tracker: Record) -> float:
    """Volatility in bp per √s, 0 before the first return."""
    return np.sqrt(tracker.variance / tracker.weight) * 1e4 if tracker.weight > 0 else 0.0


@njit(cache=True)
def fold_round(
    book: Records, seconds: Records, market: Records, trackers: Records, settings: Records, events: Records, clock: int
) -> int:
    """Fold a round's market data up to `clock`; what all accounts share has shape (1,).

    Returns how many accounts have horizons to be answered by `settle`.
    """
    fold_events(book[0], seconds[0], market[0], trackers, settings, events)
    return end_round(book[0], seconds[0], market[0], trackers, settings, clock)


@njit(cache=True)
def fold_events(
    book: Record, seconds: Record, market: Record, trackers: Records, settings: Records, events: Records
) -> None:
    """Fold a round's market data."""
    for index in range(events.shape[0]):
        event = events[index]
        before_event(book, seconds, market, trackers, settings, event)
        if books.apply(book, event):
            on_top(book, seconds, market)


@njit(cache=True)
def before_event(
    book: Record, seconds: Record, market: Record, trackers: Records, settings: Records, event: Record
) -> None:
    """What an event changes before the book: the clock, and a gap ends what was under way."""
    if event.kind == GAP:
        grid.on_gap(seconds)
        push_gap(market.gaps, event.id, event.ts, book.ts)
    if event.ts > seconds.boundary:
        close_seconds(seconds, market, trackers, settings, event.ts)


@njit(cache=True)
def on_top(book: Record, seconds: Record, market: Record) -> None:
    """Remember the mid of a completed book message if it changed."""
    mid = books.mid_of(book)
    if mid > 0 and (mid != market.mid or seconds.mid == 0):
        market.mid = mid
        push_mid(market.mids, book.ts, mid)
        grid.on_mid(seconds, mid, 0.0)


@njit(cache=True)
def end_round(book: Record, seconds: Record, market: Record, trackers: Records, settings: Records, clock: int) -> int:
    """End a round at `clock`; returns how many accounts have horizons to be answered by `settle`."""
    book.ts = max(book.ts, clock)
    close_seconds(seconds, market, trackers, settings, clock)
    due = 0
    for account in range(trackers.shape[0]):
        due += is_due(trackers[account], clock)
    return due


@njit(cache=True)
def close_seconds(seconds: Record, market: Record, trackers: Records, settings: Records, ts: int) -> None:
    """Fold the seconds that ended before `ts` into every account's variance."""
    if grid.close(seconds, ts, market.second):
        for account in range(trackers.shape[0]):
            on_second(trackers[account], settings[account], market.second)


@njit(cache=True)
def _pending_row(tracker: Record, ts: int) -> Record:
    row = tracker.pending[tracker.waiting]
    tracker.due_ts = min(tracker.due_ts, ts + HORIZONS_NS[0]) if tracker.waiting else ts + HORIZONS_NS[0]
    tracker.waiting += 1
    row.ts = ts
    row.horizon = 0
    row.sigma_bps = sigma_bps(tracker)
    return row


@njit(cache=True)
def on_fill(tracker: Record, fill: Record, out: Records, written: int) -> int:
    """Queue a fill for its markouts.

    A fill that finds no room is answered at once, unresolved at every horizon: `out` must have room for six more.
    Returns the number of markouts in `out`.
    """
    tracker.fills += 1
    tracker.fills_waiting += 1
    if tracker.waiting < CAPACITY:
        _copy_fill(_pending_row(tracker, fill.ts), fill)
        return written
    tracker.overflow += 1
    for horizon in range(HORIZONS):
        _copy_fill_to_markout(out[written], fill)
        _finish(tracker, out[written], horizon, np.nan, 0.0)
        written += 1
    return written


@njit(cache=True)
def _copy_fill(row: Record, fill: Record) -> None:
    row.fill_id, row.order_id, row.filled, row.side = fill.fill_id, fill.order_id, 1, fill.side
    row.price, row.size, row.mid_at_fill, row.toxicity = fill.price, fill.size, fill.mid_at_fill, fill.toxicity
    row.features[:] = fill.features[:]


@njit(cache=True)
def _copy_fill_to_markout(out: Record, fill: Record) -> None:
    out.fill_id, out.order_id, out.filled, out.side = fill.fill_id, fill.order_id, True, fill.side
    out.price, out.size, out.mid_at_fill, out.toxicity = fill.price, fill.size, fill.mid_at_fill, fill.toxicity
    out.fill_ts = fill.ts
    out.ts = fill.ts
    out.features[:] = fill.features[:]


@njit(cache=True)
def on_ack(market: Record, tracker: Record, settings: Record, ack: Record) -> None:
    """Follow a quote that ended unfilled, as if it had been filled when it ended.

    * it was live, and was cancelled or expired without a fill
    * the hash of its id is in the sample
    * the mid at its end is known, and at most half of the table is in use: quotes never crowd out fills
    """
    if ack.status not in (CANCELLED, EXPIRED) or ack.filled_size > 0 or ack.live_ts == 0:
        return
    if not is_sampled(ack.order_id, settings.unfilled_sample_one_in):
        return
    mid = mid_at(market.mids, ack.ts)
    if not mid > 0 or tracker.waiting >= CAPACITY // 2:
        tracker.quotes_dropped += 1
        return
    tracker.quotes += 1
    row = _pending_row(tracker, ack.ts)
    row.fill_id, row.order_id, row.filled, row.side = 0, ack.order_id, 0, ack.side
    row.price, row.size, row.mid_at_fill, row.toxicity = ack.price, ack.size, mid, ack.p_adverse
    row.features[:] = 0.0


@njit(cache=True)
def is_due(tracker: Record, clock: int) -> bool:
    """Whether the clock has passed a horizon."""
    return tracker.waiting > 0 and clock > tracker.due_ts


@njit(cache=True)
def settle(market: Record, tracker: Record, settings: Record, clock: int, out: Records) -> int:
    """Answer every horizon that the clock has passed, oldest row first; returns the number of markouts written.

    If `out` is full the rest is answered by the next call.
    """
    if not is_due(tracker, clock):
        return 0
    written, kept, due_ts = 0, 0, np.iinfo(np.int64).max
    for index in range(tracker.waiting):
        row = tracker.pending[index]
        while row.horizon < HORIZONS and clock > row.ts + HORIZONS_NS[row.horizon] and written < out.shape[0]:
            _settle_horizon(market, tracker, settings, row, out[written])
            row.horizon += 1
            written += 1
        if row.horizon < HORIZONS:
            due_ts = min(due_ts, row.ts + HORIZONS_NS[row.horizon])
            if kept != index:
                tracker.pending[kept] = row
            kept += 1
    tracker.waiting, tracker.due_ts = kept, due_ts
    return written


@njit(cache=True)
def _settle_horizon(market: Record, tracker: Record, settings: Record, row: Record, out: Record) -> None:
    due_ts = row.ts + HORIZONS_NS[row.horizon]
    mid = mid_at(market.mids, due_ts)
    if not (mid > 0 and row.mid_at_fill > 0):
        tracker.without_mid += 1
        mid = np.nan
    if crosses_gap(market.gaps, row.ts, due_ts):
        mid = np.nan
    out.ts, out.fill_id, out.order_id, out.filled = due_ts, row.fill_id, row.order_id, row.filled == 1
    out.side, out.fill_ts, out.price, out.size = row.side, row.ts, row.price, row.size
    out.mid_at_fill, out.toxicity = row.mid_at_fill, row.toxicity
    out.features[:] = row.features[:]
    _finish(tracker, out, row.horizon, mid, settings.adverse_threshold_bps)
    if out.label and out.resolved:
        scaled_bps = settings.volatility_threshold * row.sigma_bps * np.sqrt(LABEL_HORIZON_S)
        threshold_bps = max(settings.adverse_threshold_bps, scaled_bps)
        out.adverse_volatility_scaled = out.adverse_selection_bps > threshold_bps
        tracker.adverse_volatility_scaled += out.adverse_volatility_scaled


@njit(cache=True)
def _finish(tracker: Record, out: Record, horizon: int, mid: float, threshold_bps: float) -> None:
    """The numbers of one markout, none of them if the mid is NaN, and their counters."""
    resolved = not np.isnan(mid)
    out.horizon_s = HORIZONS_S[horizon]
    out.resolved = resolved
    out.mid = mid
    out.markout_bps = markout_bps(out.side, mid, out.price) if resolved else np.nan
    out.adverse_selection_bps = adverse_selection_bps(out.side, mid, out.mid_at_fill) if resolved else np.nan
    out.label = horizon == LABEL and out.filled
    out.adverse = out.label and resolved and out.adverse_selection_bps > threshold_bps
    out.adverse_volatility_scaled = False
    if out.label:
        _count_label(tracker, resolved, out.adverse)
    if resolved:
        _count_markout(tracker, horizon, out.filled, out.markout_bps)


@njit(cache=True)
def _count_label(tracker: Record, resolved: bool, adverse: bool) -> None:
    tracker.fills_waiting -= 1
    tracker.labels += 1
    tracker.adverse += adverse
    if resolved:
        tracker.resolved += 1
    else:
        tracker.unresolved += 1


@njit(cache=True)
def _count_markout(tracker: Record, horizon: int, filled: bool, bps: float) -> None:
    if filled:
        tracker.markout_count[horizon] += 1
        tracker.markout_sum_bps[horizon] += bps
        tracker.markout_histogram[horizon, np.searchsorted(BUCKETS_BPS, bps)] += 1
    else:
        tracker.quote_markout_count[horizon] += 1
        tracker.quote_markout_sum_bps[horizon] += bps
