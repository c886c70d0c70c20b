"""Calibration: how far the estimates may be trusted, and how bold quotes are until then."""

from typing import Final

import numpy as np

from papertrader.services.calibration import forecasts as fills
from papertrader.services.calibration import scores as scoring
from papertrader.shared.kernels import njit
from papertrader.shared.market.moments import MOMENTS, is_new
from papertrader.shared.market.records import Record, Records
from papertrader.shared.messages import RELIABILITY_BINS

FILLS_KEPT: Final = 1024

CONTROLLER: Final = np.dtype(
    [
        ("fills", "i8"),
        ("moments", MOMENTS),
        ("window_start", "i8"),  # the moments in the look-back are the numbers window_start to their count − 1
        ("window_overflow", "i8"),  # moments that left the look-back early because there are too many
        ("fill_ts", "i8", (FILLS_KEPT,)),  # of moments, without the gaps before them
        ("gaps_ns", "i8"),  # how much of the time was without data
        ("gap_end_ts", "i8"),
        ("outcomes", MOMENTS),
        ("resolved", "i8"),
        ("adverse", "i8"),
        ("kappa_confidence", "f8"),
        ("as_progress", "f8"),
        ("kappa_progress", "f8"),
        ("fill_rate_progress", "f8"),
        ("cal_progress", "f8"),
        ("cal_gamma", "f8"),
        ("version", "i8"),
        ("said_ts", "i8"),
        ("news", "i1"),  # a fill or a label: say it now
        ("changed", "i1"),  # anything else: say it when the interval is over
        ("due", "i1"),  # says its calibration in this round
        ("same_until_ts", "i8"),  # before this nothing changes if nothing is heard
        ("fill_forecasts", fills.FORECASTS),
        ("toxicity_forecasts", scoring.SCORES),
    ],
    align=True,
)


@njit(cache=True)
def start(controllers: Records, settings: Records) -> None:
    """Progress 0 and the fill-hungry multiplier."""
    for account in range(controllers.shape[0]):
        controllers[account].cal_gamma = settings[account].min_multiplier


@njit(cache=True)
def hear(
    controllers: Records,
    account: int,
    acks: Records,
    said_fills: Records,
    labels: Records,
    kappa_confidence: float,
) -> None:
    """Hear what was said to one account in the last round; `kappa_confidence` is NaN if no estimate came."""
    controller = controllers[account]
    for index in range(acks.shape[0]):
        on_ack(controller, acks[index])
    for index in range(said_fills.shape[0]):
        on_fill(controller, said_fills[index])
    for index in range(labels.shape[0]):
        on_label(controller, labels[index])
    if not np.isnan(kappa_confidence):
        on_estimate(controller, kappa_confidence)


@njit(cache=True)
def on_ack(controller: Record, ack: Record) -> None:
    """Follow the forecast of an order."""
    controller.same_until_ts = 0
    controller.changed |= fills.on_ack(controller.fill_forecasts, ack)


@njit(cache=True)
def on_estimate(controller: Record, kappa_confidence: float) -> None:
    """Take over how sure κ is."""
    controller.same_until_ts = 0
    controller.kappa_confidence = kappa_confidence


@njit(cache=True)
def on_fill(controller: Record, fill: Record) -> None:
    """Remember when a fill happened and settle its order's forecast."""
    controller.same_until_ts = 0
    controller.fills += 1
    if is_new(controller.moments, fill.ts, fill.side if fill.maker else 2 * fill.side):
        _on_moment(controller, fill.ts)
    fills.on_fill(controller.fill_forecasts, fill)
    controller.news = 1


@njit(cache=True)
def _on_moment(controller: Record, ts: int) -> None:
    controller.fill_ts[(controller.moments.count - 1) % FILLS_KEPT] = ts - controller.gaps_ns
    if controller.moments.count - controller.window_start > FILLS_KEPT:
        controller.window_start += 1
        controller.window_overflow += 1


@njit(cache=True)
def on_gap(controllers: Records, from_ts: int, to_ts: int) -> None:
    """Time without data is none in which an order could have filled: the look-back reaches beyond it."""
    for account in range(controllers.shape[0]):
        controller = controllers[account]
        controller.gaps_ns += max(to_ts - max(from_ts, controller.gap_end_ts), 0)
        controller.gap_end_ts = max(to_ts, controller.gap_end_ts)
        controller.same_until_ts = 0
        fills.on_gap(controller.fill_forecasts)


@njit(cache=True)
def on_label(controller: Record, markout: Record) -> None:
    """Count a fill's label if it was resolved, and judge the toxicity that was forecast for it, once a moment."""
    if not (markout.label and markout.resolved and markout.filled):
        return
    controller.resolved += 1
    controller.adverse += markout.adverse
    new = is_new(controller.outcomes, markout.fill_ts, markout.side)
    if new and 0.0 <= markout.toxicity <= 1.0:
        scoring.score(controller.toxicity_forecasts, markout.toxicity, markout.adverse)
    controller.news, controller.same_until_ts = 1, 0


@njit(cache=True)
def fold_round(controllers: Records, settings: Records, previous_ts: int, clock: int, out: Records) -> int:
    """Close a round after everything said in the last one was heard; shapes (accounts,).

    The accounts that say their calibration have `due` set; returns how many.
    """
    said = 0
    for account in range(controllers.shape[0]):
        said += end_round(controllers[account], settings[account], previous_ts, clock, out[account])
    return said


@njit(cache=True)
def end_round(controller: Record, settings: Record, previous_ts: int, clock: int, out: Record) -> bool:
    """`fold_round` for one account; whether it says its calibration."""
    if clock >= controller.same_until_ts:
        controller.changed |= fills.on_round(controller.fill_forecasts, previous_ts)
        controller.changed |= update(controller, settings, clock)
        controller.same_until_ts = next_change_ts(controller, settings)
    controller.due = is_due(controller, settings, clock)
    if controller.due:
        say(controller, clock, out)
    return controller.due == 1


@njit(cache=True)
def next_change_ts(controller: Record, settings: Record) -> int:
    """When a fill leaves the look-back or a forecast is settled, the first of them, if nothing is heard before."""
    ts = fills.next_settled_ts(controller.fill_forecasts)
    if controller.window_start < controller.moments.count:
        oldest_ts = controller.fill_ts[controller.window_start % FILLS_KEPT]
        ts = min(ts, oldest_ts + controller.gaps_ns + int(settings.lookback_s * 1e9))
    return ts


@njit(cache=True)
def is_due(controller: Record, settings: Record, clock: int) -> bool:
    """At once after a fill or a label and in the first round; otherwise a change waits for the interval to end."""
    if controller.news == 1 or controller.version == 0:
        return True
    return controller.changed == 1 and clock - controller.said_ts >= settings.publish_interval_s * 1e9


@njit(cache=True)
def update(controller: Record, settings: Record, clock: int) -> bool:
    """Progress and multiplier as of `clock`; True if they changed.

    * as_progress = min(1, moments with an outcome/20), kappa_progress = min(1, kappa_confidence/0.5), cal_progress is
      their mean
    * m = moments in the look-back over the fills expected there, within [0.3, 1]; the look-back is time with data
    * cal_gamma = m + (1 − m)·cal_progress, exactly 1 once cal_progress is 0.95
    """
    observed, lookback_ns = clock - controller.gaps_ns, settings.lookback_s * 1e9
    while (
        controller.window_start < controller.moments.count
        and observed - controller.fill_ts[controller.window_start % FILLS_KEPT] >= lookback_ns
    ):
        controller.window_start += 1
    expected = settings.target_fills_per_hour * settings.lookback_s / 3600.0
    rate_progress = min((controller.moments.count - controller.window_start) / expected, 1.0)
    controller.as_progress = min(controller.outcomes.count / settings.outcomes_needed, 1.0)
    controller.kappa_progress = min(controller.kappa_confidence / settings.kappa_confidence_needed, 1.0)
    progress = (controller.as_progress + controller.kappa_progress) / 2
    multiplier = max(rate_progress, settings.min_multiplier)
    gamma = multiplier + (1.0 - multiplier) * progress
    if progress >= settings.calibrated_progress:
        gamma = 1.0
    changed = gamma != controller.cal_gamma or progress != controller.cal_progress
    controller.fill_rate_progress = rate_progress
    controller.cal_progress = progress
    controller.cal_gamma = gamma
    return changed


@njit(cache=True)
def say(controller: Record, clock: int, out: Record) -> None:
    """Write the calibration into `out`."""
    controller.news = 0
    controller.changed = 0
    controller.said_ts = clock
    controller.version += 1
    out.ts, out.version = clock, controller.version
    out.cal_progress, out.cal_gamma = controller.cal_progress, controller.cal_gamma
    out.as_progress, out.kappa_progress = controller.as_progress, controller.kappa_progress
    out.fill_rate_progress = controller.fill_rate_progress
    out.fills, out.moments, out.outcome_moments = controller.fills, controller.moments.count, controller.outcomes.count
    out.outcomes_resolved, out.outcomes_adverse = controller.resolved, controller.adverse
    _write_fill_scores(controller.fill_forecasts.scores, out)
    _write_toxicity_scores(controller.toxicity_forecasts, out)


@njit(cache=True)
def _write_fill_scores(scores: Record, out: Record) -> None:
    out.fill_forecasts = scores.count
    out.fill_brier, out.fill_skill = scoring.brier(scores), scoring.skill(scores)
    out.fill_log_loss, out.fill_ece = scoring.log_loss(scores), scoring.expected_calibration_error(scores)
    for place in range(RELIABILITY_BINS):
        count = max(scores.bin_count[place], 1.0)
        out.fill_bin_count[place] = scores.bin_count[place]
        out.fill_bin_forecast[place] = scores.bin_forecast[place] / count
        out.fill_bin_observed[place] = scores.bin_happened[place] / count


@njit(cache=True)
def _write_toxicity_scores(scores: Record, out: Record) -> None:
    out.toxicity_forecasts = scores.count
    out.toxicity_brier, out.toxicity_skill = scoring.brier(scores), scoring.skill(scores)
    out.toxicity_log_loss, out.toxicity_ece = scoring.log_loss(scores), scoring.expected_calibration_error(scores)
    for place in range(RELIABILITY_BINS):
        count = max(scores.bin_count[place], 1.0)
        out.toxicity_bin_count[place] = scores.bin_count[place]
        out.toxicity_bin_forecast[place] = scores.bin_forecast[place] / count
        out.toxicity_bin_observed[place] = scores.bin_happened[place] / count
