"""The estimator's fold: market events, own fills, acks and labels into what is known of the market and of own fills.

Events only touch what all accounts share. Once per second of event time each account's estimators are fed; the
estimate is written at most once per publishing interval, and after a fill or a label.
"""

from typing import Final

import numpy as np

from papertrader.services.estimator import classifier as prefill
from papertrader.services.estimator import kappa as intensity
from papertrader.services.estimator import queues, shadows, sweeps, touch_fills
from papertrader.services.estimator import regime as regimes
from papertrader.services.estimator import sigma as volatility
from papertrader.services.estimator.parts import (
    compute_kappa,
    forecast_toxicity,
    write_fill_forecast,
    write_kappa,
    write_regime,
    write_sigma,
    write_toxicity,
)
from papertrader.services.estimator.time_passing import close_seconds, on_gap
from papertrader.shared.kernels import njit
from papertrader.shared.market import book as books
from papertrader.shared.market import features as market_features
from papertrader.shared.market import seconds as grid
from papertrader.shared.market.events import GAP, PRINT, TOUCH
from papertrader.shared.market.frozen import first_print
from papertrader.shared.market.moments import is_new
from papertrader.shared.market.records import Record, Records
from papertrader.shared.messages import FEATURES

MARKET_STATE: Final = np.dtype(
    [
        ("second", grid.SECOND),
        ("mid", "f8"),  # the newest mid, 0 before the first
        ("sweeps", sweeps.SWEEPS),
        ("touch_fills", touch_fills.TOUCH_FILLS),
        ("forecaster", shadows.FORECASTER),
        ("queues", queues.QUEUES),
        ("features", "f8", (FEATURES,)),  # room for the computation
    ],
    align=True,
)
ESTIMATOR: Final = np.dtype(
    [
        ("kappa", intensity.KAPPA),
        ("sigma", volatility.SIGMA),
        ("regime", regimes.REGIME),
        ("classifier", prefill.CLASSIFIER),
        ("shadows", shadows.SHADOWS),  # own orders, as if they had been left alone
        ("version", "i8"),
        ("said_ts", "i8"),
        ("due", "i1"),  # says its estimate in this round
        ("news", "i1"),  # a fill or a label came since the last estimate
        ("trusted", "i1"),  # toxicity has shown skill out of sample
        ("toxicity_bid", "f8"),
        ("toxicity_ask", "f8"),
    ],
    align=True,
)


@njit(cache=True)
def start(market: Records, estimators: Records, settings: Records) -> None:
    """Give the market's and every account's estimators their priors; `market` has shape (1,)."""
    touch_fills.start(market[0].touch_fills)
    shadows.start_forecaster(market[0].forecaster)
    queues.start(market[0].queues)
    for account in range(estimators.shape[0]):
        estimator = estimators[account]
        regimes.start(estimator.regime)
        prefill.start(estimator.classifier)
        shadows.start(estimator.shadows)
        compute_kappa(estimator, settings[account], 0)
        estimator.toxicity_bid = estimator.toxicity_ask = 0.5


@njit(cache=True)
def hear(
    book: Records,
    market: Records,
    estimators: Records,
    account: int,
    acks: Records,
    fills: Records,
    labels: Records,
) -> None:
    """Hear what was said to one account in the last round."""
    estimator = estimators[account]
    for index in range(acks.shape[0]):
        on_ack(book[0], estimator, acks[index])
    for index in range(fills.shape[0]):
        on_fill(estimator, fills[index])
    for index in range(labels.shape[0]):
        on_markout(market[0], estimator, labels[index])


@njit(cache=True)
def on_fill(estimator: Record, fill: Record) -> None:
    """Hear one own fill."""
    kappa, mid = estimator.kappa, fill.mid_at_placement
    intensity.on_own_fill(kappa, fill.side, fill.price, fill.size, mid, fill.maker, fill.ts, fill.order_id)
    shadows.on_own_fill(estimator.shadows, fill.order_id, fill.ts)
    estimator.news = 1


@njit(cache=True)
def on_ack(book: Record, estimator: Record, ack: Record) -> None:
    """Hear what became of an order."""
    shadows.on_ack(estimator.shadows, book, ack)
    intensity.on_ack(estimator.kappa, ack)


@njit(cache=True)
def on_markout(market: Record, estimator: Record, markout: Record) -> None:
    """Learn from a fill's label, if it was resolved: once for each moment."""
    if not (markout.label and markout.resolved and markout.filled):
        return
    estimator.news = 1
    estimator.classifier.heard += 1
    if is_new(estimator.classifier.moments, markout.fill_ts, markout.side):
        model = market.touch_fills.model_5s
        prefill.record_outcome(estimator.classifier, model, markout.side, markout.features, markout.adverse)


@njit(cache=True)
def fold_round(
    book: Records,
    features: Records,
    seconds: Records,
    market: Records,
    estimators: Records,
    settings: Records,
    events: Records,
    previous_ts: int,
    clock: int,
    out: Records,
) -> int:
    """Fold a round that lasts from `previous_ts` to `clock`, after everything said in the last one was heard.

    What all accounts share has shape (1,), what each has and `out` shape (accounts,). The accounts that say their
    estimate have `due` set; returns how many.
    """
    for account in range(estimators.shape[0]):
        begin_round(estimators[account], previous_ts)
    touch_fills.begin_round(market[0].touch_fills)
    touch_fills.meet_prints(market[0].touch_fills, features[0], book[0], events, first_print(events, np.uint64(0)))
    fold_events(book[0], features[0], seconds[0], market[0], estimators, settings, events)
    return end_round(book[0], features[0], seconds[0], market[0], estimators, settings, clock, out)


@njit(cache=True)
def begin_round(estimator: Record, previous_ts: int) -> None:
    """Begin a round at `previous_ts`, after everything said to the account in the last one was heard."""
    intensity.on_round(estimator.kappa, previous_ts)


@njit(cache=True)
def fold_events(
    book: Record,
    features: Record,
    seconds: Record,
    market: Record,
    estimators: Records,
    settings: Records,
    events: Records,
) -> None:
    """Fold a round's market data."""
    begins = True
    for index in range(events.shape[0]):
        event = events[index]
        before_event(book, features, seconds, market, estimators, settings, event)
        if event.kind <= TOUCH:
            if begins:
                queues.on_message(market.queues, book, events, np.uint64(index))
            begins = event.last == 1
        if market_features.follow(features, book, event):
            on_top(book, seconds, market, estimators)
        elif event.kind == PRINT:
            on_print(book, seconds, market, estimators, event)


@njit(cache=True)
def before_event(
    book: Record,
    features: Record,
    seconds: Record,
    market: Record,
    estimators: Records,
    settings: Records,
    event: Record,
) -> None:
    """What an event changes before the book: the clock, and a gap ends what was under way."""
    if event.kind == GAP:
        on_gap(book, features, seconds, market, estimators, settings, event)
    elif event.ts > seconds.boundary:
        close_seconds(book, features, seconds, market, estimators, settings, event.ts)


@njit(cache=True)
def on_print(book: Record, seconds: Record, market: Record, estimators: Records, event: Record) -> None:
    """Fold a public print."""
    if shadows.reaches(market.forecaster.shadows, event.tick):
        shadows.on_print(market.forecaster.shadows, book, event)
    for account in range(estimators.shape[0]):
        if shadows.reaches(estimators[account].shadows, event.tick):
            shadows.on_print(estimators[account].shadows, book, event)
    touch_fills.on_print(market.touch_fills, event, book.tick_size)
    queues.on_print(market.queues, event)
    grid.on_print(seconds)
    if not sweeps.belongs(market.sweeps, event.ts, event.side):
        sweeps.begin(market.sweeps, event.ts, event.side, books.mid_of(book))
    sweeps.on_print(market.sweeps, event.side, books.price_of(book, event.tick))


@njit(cache=True)
def on_top(book: Record, seconds: Record, market: Record, estimators: Records) -> None:
    """Fold a completed book message."""
    mid = books.mid_of(book)
    if not mid > 0:
        return
    if mid != market.mid:
        touch_fills.settle(market.touch_fills, book.ts, market.mid)
        shadows.on_top(market.forecaster.shadows, book, book.ts)
        for account in range(estimators.shape[0]):
            shadows.on_top(estimators[account].shadows, book, book.ts)
    market.mid = mid
    spread = books.price_of(book, book.best_ask) - books.price_of(book, book.best_bid)
    grid.on_mid(seconds, mid, spread / mid * 1e4)


@njit(cache=True)
def end_round(
    book: Record,
    features: Record,
    seconds: Record,
    market: Record,
    estimators: Records,
    settings: Records,
    clock: int,
    out: Records,
) -> int:
    """End a round at `clock` and write the estimates that are due; returns how many."""
    book.ts = max(book.ts, clock)
    close_seconds(book, features, seconds, market, estimators, settings, clock)
    touch_fills.end_round(market.touch_fills)
    touch_fills.settle(market.touch_fills, clock, market.mid)
    said = 0
    for account in range(estimators.shape[0]):
        said += end_round_of(book, features, market, estimators[account], settings[account], clock, out[account])
    return said


@njit(cache=True)
def end_round_of(
    book: Record, features: Record, market: Record, estimator: Record, settings: Record, clock: int, out: Record
) -> bool:
    """Write one account's estimate if it is due; whether it was."""
    estimator.due = is_due(market, estimator, settings, clock)
    if estimator.due:
        say(book, features, market, estimator, settings, clock, out)
    return estimator.due == 1


@njit(cache=True)
def is_due(market: Record, estimator: Record, settings: Record, clock: int) -> bool:
    """Whether there is a market, and news or an interval gone by."""
    waited_ns = clock - estimator.said_ts
    return market.mid > 0 and (estimator.news == 1 or waited_ns >= settings.publish_interval_s * 1e9)


@njit(cache=True)
def say(
    book: Record, features: Record, market: Record, estimator: Record, settings: Record, clock: int, out: Record
) -> None:
    """Write the estimate into `out`."""
    kappa = estimator.kappa
    if kappa.stale == 1 or clock - kappa.computed_ts >= settings.kappa_update_s * 1e9:
        compute_kappa(estimator, settings, clock)
    forecast_toxicity(book, features, market, estimator, settings)
    estimator.news = 0
    estimator.said_ts = clock
    estimator.version += 1
    out.ts = clock
    out.version = estimator.version
    write_kappa(kappa, settings, out)
    write_sigma(estimator.sigma, out)
    write_regime(estimator.regime, out)
    write_toxicity(market.touch_fills, estimator, out)
    write_fill_forecast(market.forecaster, estimator.shadows, out)
    queues.write(market.queues, out)
