"""The estimator's fold: market events, own fills, acks and labels into what is known of the market and of own fills.

Events only touch what all accounts share. Once per second of event time each account's estimators are fed; the
estimate is written at most once per publishing interval, and after a fill or a label.
"""

from typing import Final

import numpy as np

from papertrader.services.estimator import classifier as prefill
from papertrader.services.estimator import kappa as intensity
from papertrader.services.estimator import regime as regimes
from papertrader.services.estimator import sigma as volatility
from papertrader.services.estimator import sweeps
from papertrader.shared.kernels import njit
from papertrader.shared.market import book as books
from papertrader.shared.market import features as market_features
from papertrader.shared.market import seconds as grid
from papertrader.shared.market.events import GAP, PRINT
from papertrader.shared.market.mathematics import exp
from papertrader.shared.market.moments import is_new
from papertrader.shared.market.records import Record, Records
from papertrader.shared.messages import FEATURES

LONGEST_SILENCE_S: Final = 3600
"""Seconds of silence that are folded one by one; more of them change nothing any more."""

MARKET_STATE: Final = np.dtype(
    [
        ("second", grid.SECOND),
        ("mid", "f8"),  # the newest mid, 0 before the first
        ("sweeps", sweeps.SWEEPS),
        ("features", "f8", (FEATURES,)),
    ],
    align=True,
)
ESTIMATOR: Final = np.dtype(
    [
        ("kappa", intensity.KAPPA),
        ("sigma", volatility.SIGMA),
        ("regime", regimes.REGIME),
        ("classifier", prefill.CLASSIFIER),
        ("version", "i8"),
        ("said_ts", "i8"),
        ("due", "i1"),  # says its estimate in this round
        ("news", "i1"),  # a fill or a label came since the last estimate
        ("toxicity_bid", "f8"),
        ("toxicity_ask", "f8"),
    ],
    align=True,
)


@njit(cache=True)
def start(estimators: Records, settings: Records) -> None:
    """Give every account's estimators their priors."""
    for account in range(estimators.shape[0]):
        estimator = estimators[account]
        regimes.start(estimator.regime)
        prefill.start(estimator.classifier.bid, settings[account].classifier_prior_sd)
        prefill.start(estimator.classifier.ask, settings[account].classifier_prior_sd)
        _compute_kappa(estimator, settings[account], 0)
        estimator.toxicity_bid = estimator.toxicity_ask = prefill.base_rate(estimator.classifier)


@njit(cache=True)
def hear(estimators: Records, settings: Records, account: int, acks: Records, fills: Records, labels: Records) -> None:
    """Hear what was said to one account in the last round."""
    estimator = estimators[account]
    for index in range(acks.shape[0]):
        on_ack(estimator, acks[index])
    for index in range(fills.shape[0]):
        on_fill(estimator, fills[index])
    for index in range(labels.shape[0]):
        on_markout(estimator, settings[account], labels[index])


@njit(cache=True)
def on_fill(estimator: Record, fill: Record) -> None:
    """Hear one own fill."""
    kappa, mid = estimator.kappa, fill.mid_at_placement
    intensity.on_own_fill(kappa, fill.side, fill.price, fill.size, mid, fill.maker, fill.ts, fill.order_id)
    estimator.news = 1


@njit(cache=True)
def on_ack(estimator: Record, ack: Record) -> None:
    """Hear what became of an order."""
    intensity.on_ack(estimator.kappa, ack)


@njit(cache=True)
def on_markout(estimator: Record, settings: Record, markout: Record) -> None:
    """Learn from a fill's label, if it was resolved: once for each moment."""
    if not (markout.label and markout.resolved and markout.filled):
        return
    estimator.news = 1
    estimator.classifier.heard += 1
    if not is_new(estimator.classifier.moments, markout.fill_ts, markout.side):
        return
    side = estimator.classifier.bid if markout.side > 0 else estimator.classifier.ask
    prefill.record_outcome(
        side,
        markout.features,
        markout.adverse,
        settings.classifier_prior_sd,
        settings.classifier_memory_outcomes,
    )


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
    for index in range(events.shape[0]):
        event = events[index]
        before_event(seconds, market, estimators, settings, event)
        if books.apply(book, event):
            market_features.on_top(features, book)
            on_top(book, seconds, market)
        elif event.kind == PRINT:
            market_features.on_print(features, event.ts, event.size, event.side)
            on_print(book, seconds, market, event)
        elif event.kind == GAP:
            market_features.on_gap(features)


@njit(cache=True)
def before_event(seconds: Record, market: Record, estimators: Records, settings: Records, event: Record) -> None:
    """What an event changes before the book: the clock, and a gap ends what was under way."""
    if event.kind == GAP:
        on_gap(seconds, market, estimators, settings, event)
    elif event.ts > seconds.boundary:
        close_seconds(seconds, market, estimators, settings, event.ts)


@njit(cache=True)
def on_gap(seconds: Record, market: Record, estimators: Records, settings: Records, gap: Record) -> None:
    """Time without data is no exposure, and nothing is forgotten in it: it passes as if it had not been."""
    if gap.id > seconds.boundary:
        close_seconds(seconds, market, estimators, settings, gap.id)
    grid.on_gap(seconds)
    sweeps.on_gap(market.sweeps)
    in_gap = grid.close(seconds, gap.ts, market.second)
    for account in range(estimators.shape[0]):
        estimator = estimators[account]
        intensity.on_gap(estimator.kappa, gap.id, gap.ts)
        volatility.on_gap(estimator.sigma)
        if in_gap:
            prints = market.second.prints
            intensity.on_second(estimator.kappa, 0, 1.0, market.sweeps.count, market.sweeps.reach, prints)
    if in_gap:
        market.sweeps.count = 0
        market.sweeps.reach = 0.0


@njit(cache=True)
def on_print(book: Record, seconds: Record, market: Record, event: Record) -> None:
    """Fold a public print."""
    grid.on_print(seconds)
    if not sweeps.belongs(market.sweeps, event.ts, event.side):
        sweeps.begin(market.sweeps, event.ts, event.side, books.mid_of(book))
    sweeps.on_print(market.sweeps, event.side, books.price_of(book, event.tick))


@njit(cache=True)
def on_top(book: Record, seconds: Record, market: Record) -> None:
    """Fold a completed book message."""
    mid = books.mid_of(book)
    if not mid > 0:
        return
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
    close_seconds(seconds, market, estimators, settings, clock)
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
def close_seconds(seconds: Record, market: Record, estimators: Records, settings: Records, ts: int) -> None:
    """Feed every account's estimators with the seconds that ended before `ts`."""
    second = market.second
    if not grid.close(seconds, ts, second):
        return
    sweeps.finish(market.sweeps)
    for account in range(estimators.shape[0]):
        on_seconds(estimators[account], settings[account], second, market.sweeps.count, market.sweeps.reach)
    market.sweeps.count = 0
    market.sweeps.reach = 0.0


@njit(cache=True)
def on_seconds(estimator: Record, settings: Record, second: Record, orders: int, reach: float) -> None:
    """One second in which something happened, and the silent ones after it."""
    half_life_s = settings.kappa_half_life_s
    intensity.on_second(estimator.kappa, second.seconds, half_life_s, orders, reach, second.prints)
    _on_second(estimator, settings, second.log_return, second.spread_bps, second.prints)
    silent_return = 0.0 if second.spread_bps >= 0 else np.nan
    for _ in range(min(second.seconds - 1, LONGEST_SILENCE_S)):
        _on_second(estimator, settings, silent_return, second.spread_bps, 0)


@njit(cache=True)
def _on_second(estimator: Record, settings: Record, log_return: float, spread_bps: float, prints: int) -> None:
    sigma = estimator.sigma
    volatility.on_return(
        sigma,
        log_return,
        settings.sigma_half_life_s,
        settings.sigma_short_half_life_s,
        settings.sigma_history_half_life_s,
    )
    if sigma.returns > 0:
        short_bps = volatility.short_bps(sigma)
        stay, reference_half_life_s = settings.regime_stay, settings.regime_reference_half_life_s
        regimes.on_second(estimator.regime, short_bps, spread_bps, prints, stay, reference_half_life_s)


@njit(cache=True)
def _compute_kappa(estimator: Record, settings: Record, clock: int) -> None:
    intensity.compute(
        estimator.kappa,
        settings.kappa_prior_mean,
        settings.kappa_prior_strength,
        settings.intensity_prior_per_s,
        settings.intensity_prior_strength,
    )
    estimator.kappa.computed_ts = clock


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
        _compute_kappa(estimator, settings, clock)
    estimator.toxicity_bid = _toxicity(book, features, market, estimator, settings, 1, clock)
    estimator.toxicity_ask = _toxicity(book, features, market, estimator, settings, -1, clock)
    estimator.news = 0
    estimator.said_ts = clock
    estimator.version += 1
    out.ts = clock
    out.version = estimator.version
    _write_kappa(kappa, settings, out)
    _write_sigma(estimator.sigma, out)
    _write_regime(estimator.regime, out)
    out.toxicity_bid, out.toxicity_ask = estimator.toxicity_bid, estimator.toxicity_ask
    out.adverse_base_rate = prefill.base_rate(estimator.classifier)
    out.classifier_samples = estimator.classifier.heard
    out.classifier_moments = prefill.samples(estimator.classifier)
    out.classifier_ready = out.classifier_moments >= settings.classifier_ready_outcomes


@njit(cache=True)
def _toxicity(
    book: Record, features: Record, market: Record, estimator: Record, settings: Record, side: int, clock: int
) -> float:
    """The forecast for a fill of this side now, of an order of the age that its fills had on average."""
    learned = estimator.classifier.bid if side > 0 else estimator.classifier.ask
    age_s = exp(learned.mean[prefill.LOG_AGE]) - 1.0
    market_features.freeze(features, book, clock, age_s, market.features)
    return prefill.toxicity(
        estimator.classifier,
        learned,
        market.features,
        settings.classifier_ready_outcomes,
        settings.classifier_side_outcomes,
    )


@njit(cache=True)
def _write_kappa(kappa: Record, settings: Record, out: Record) -> None:
    out.kappa, out.kappa_sd, out.intensity = kappa.mean, kappa.sd, kappa.intensity
    out.own_fills = kappa.own_fills
    out.moments = kappa.moments.count
    out.kappa_confidence = intensity.confidence(kappa.moments.count)
    out.exposure_s = kappa.exposure_s.sum()
    out.market_kappa = intensity.market_kappa(kappa, settings.kappa_prior_mean, settings.kappa_prior_strength)
    out.market_prints = kappa.market_prints
    out.dropped = kappa.dropped


@njit(cache=True)
def _write_sigma(sigma: Record, out: Record) -> None:
    out.sigma_bps = volatility.realised_bps(sigma)
    out.sigma_bipower_bps = volatility.bipower_bps(sigma)
    out.jump_ratio = volatility.jump_ratio(sigma)
    out.sigma_p10_bps = volatility.percentile_bps(sigma, 0.1)
    out.sigma_p90_bps = volatility.percentile_bps(sigma, 0.9)


@njit(cache=True)
def _write_regime(regime: Record, out: Record) -> None:
    out.regime = regime.state
    out.regime_probabilities[:] = regime.probabilities[:]
    out.regime_seconds[:] = regime.seconds[:]
    out.regime_changes = regime.changes
    out.regime_known = regimes.is_known(regime)
    out.regime_unchanged_s = regime.unchanged
    out.regime_sigma_ratio = regime.sigma_ratio
