"""The controller by hand, and calibration as a fold."""

import msgspec
import numpy as np
import pytest

from papertrader.services.calibration import kernel
from papertrader.services.calibration.config import CalibrationConfig
from papertrader.services.calibration.metrics import METRICS, samples
from papertrader.services.calibration.service import Calibration
from papertrader.services.estimator.config import EstimatorConfig
from papertrader.services.estimator.service import Estimator
from papertrader.shared.market.records import settings_records
from papertrader.shared.messages import Estimate
from tests.unit.learning import ACCOUNT, MARKET, MS, Log, S, ack, fill, gap, markout, restore, said, touch

T = 1_000 * S


def calibration():
    return Calibration(MARKET, {ACCOUNT: CalibrationConfig()})


def estimate(ts, kappa_confidence):
    log = Log(ts)
    first = Estimator(MARKET, {ACCOUNT: EstimatorConfig()}).fold(log.round(market_data=[touch(ts, 100.0)]))
    assert isinstance(first[0].message, Estimate)
    return msgspec.structs.replace(first[0].message, kappa_confidence=kappa_confidence)


def controller_after(fills=(), resolved=0, confidence=0.0, clock=T):
    controllers = np.zeros(1, dtype=kernel.CONTROLLER)
    settings = settings_records([CalibrationConfig()])
    kernel.start(controllers, settings)
    controller = controllers[0]
    for ts in fills:
        controller["fill_ts"][controller["moments"]["count"] % kernel.FILLS_KEPT] = ts
        controller["moments"]["count"] += 1
    controller["outcomes"]["count"] = resolved
    controller["kappa_confidence"] = confidence
    kernel.update(controller, settings[0], clock)
    return controller


def test_first_word_is_exactly_the_fill_hungry_start():
    fold, log = calibration(), Log(T)
    (first,) = [output.message for output in fold.fold(log.round())]
    assert (first.cal_progress, first.cal_gamma, first.version) == (0.0, 0.3, 1)
    assert first.fill_brier is None
    assert first.toxicity_skill is None
    assert first.fill_bin_count == (0.0,) * 10


@pytest.mark.parametrize(
    ("fills", "resolved", "confidence", "progress", "gamma"),
    [
        (0, 0, 0.0, 0.0, 0.3),
        (0, 10, 0.0, 0.25, 0.3 + 0.7 * 0.25),
        (0, 10, 0.25, 0.5, 0.3 + 0.7 * 0.5),
        (4, 0, 0.0, 0.0, 0.3),  # 4/15 is below the floor
        (9, 0, 0.0, 0.0, 0.6),
        (9, 20, 0.25, 0.75, 0.6 + 0.4 * 0.75),
        (30, 0, 0.0, 0.0, 1.0),
        (0, 20, 0.4499, 0.9499, 0.3 + 0.7 * 0.9499),
        (0, 20, 0.4501, 0.9501, 1.0),
        (0, 99, 0.99, 1.0, 1.0),
    ],
)
def test_progress_and_multiplier_by_hand(fills, resolved, confidence, progress, gamma):
    controller = controller_after([T] * fills, resolved, confidence)
    assert controller["cal_progress"] == pytest.approx(progress)
    assert controller["cal_gamma"] == pytest.approx(gamma)


def test_fills_leave_the_look_back_after_900_seconds():
    times = [T - 900 * S, T - 900 * S + 1, T - S] + [T] * 4
    assert controller_after(times)["fill_rate_progress"] == pytest.approx(6 / 15)


def test_look_back_reaches_beyond_gaps_of_the_data_and_counts_overlapping_ones_once():
    fold, log = calibration(), Log(T)
    fold.fold(log.round())
    fold.fold(log.round(said("fills", fill(T))))
    fold.fold(log.round(market_data=[gap(T + S, T + 601 * S), gap(T + 400 * S, T + 701 * S)], until=T + 701 * S))
    for seconds, rate in ((1_599, 1 / 15), (1_601, 0.0)):
        fold.fold(log.round(until=T + seconds * S))
        assert fold.controllers["fill_rate_progress"][0] == pytest.approx(rate)


def test_forecast_of_an_order_that_met_a_gap_is_not_judged():
    fold, log = calibration(), Log(T)
    fold.fold(log.round(said("acks", ack(T, "accepted", p_fill=0.4))))
    fold.fold(log.round(market_data=[gap(T + S, T + 30 * S)], until=T + 30 * S))
    fold.fold(log.round(until=T + 60 * S))
    scores = fold.controllers["fill_forecasts"]
    assert (scores["scores"]["count"][0], scores["dropped"][0]) == (0, 1)


def test_kappa_confidence_alone_does_not_complete_progress():
    assert controller_after(confidence=0.9)["cal_progress"] == 0.5


def test_fill_and_label_are_said_at_once():
    fold, log = calibration(), Log(T)
    fold.fold(log.round())
    (after_fill,) = fold.fold(log.round(said("fills", fill(T))))
    (after_label,) = fold.fold(log.round(said("markouts", markout(T, adverse=True, toxicity=0.7))))
    assert after_fill.message.fills == 1
    assert (after_label.message.outcomes_resolved, after_label.message.outcomes_adverse) == (1, 1)
    assert after_label.message.toxicity_brier == pytest.approx(0.09)
    assert (after_fill.message.version, after_label.message.version) == (2, 3)
    assert fold.fold(log.round()) == []


def test_eight_partial_fills_of_one_sweep_are_one_step_of_progress():
    fold, log = calibration(), Log(T)
    fold.fold(log.round())
    (message,) = [o.message for o in fold.fold(log.round(said("fills", *(fill(T, fill_id=i) for i in range(8)))))]
    assert (message.fills, message.moments) == (8, 1)
    assert message.fill_rate_progress == pytest.approx(1 / 15)
    labels = [markout(T + 5 * S, fill_ts=T, fill_id=i, adverse=True, toxicity=0.7) for i in range(8)]
    (message,) = [o.message for o in fold.fold(log.round(said("markouts", *labels)))]
    assert (message.outcomes_resolved, message.outcome_moments, message.toxicity_forecasts) == (8, 1, 1)
    assert message.as_progress == pytest.approx(1 / 20)


def test_sweeps_of_both_sides_at_one_time_are_two_moments():
    fold, log = calibration(), Log(T)
    mixed = [fill(T, fill_id=i, side=side) for i, side in enumerate(("buy", "sell", "buy", "sell"))]
    (message,) = [o.message for o in fold.fold(log.round(said("fills", *mixed)))]
    assert (message.fills, message.moments) == (4, 2)


def test_estimate_is_said_when_the_second_is_over():
    fold, log = calibration(), Log(T)
    fold.fold(log.round())
    assert fold.fold(log.round(said("estimate", estimate(T, 0.25)))) == []
    later = [output.message for _ in range(40) for output in fold.fold(log.round())]
    assert [message.kappa_progress for message in later] == [0.5]
    assert later[0].ts - T - 50 * MS == S


def test_unfilled_order_is_scored_and_said_at_the_next_interval():
    fold, log = calibration(), Log(T)
    fold.fold(log.round())
    fold.fold(log.round(said("acks", ack(T, "accepted", p_fill=0.4))))
    assert fold.fold(log.round(said("acks", ack(T + 100 * MS, "cancelled", live_ts=T)))) == []
    (message,) = [output.message for _ in range(30) for output in fold.fold(log.round())]
    assert message.fill_forecasts == 1
    assert message.fill_bin_forecast[0] == pytest.approx(1 - 0.6**0.01)
    assert message.fill_bin_observed[0] == 0


@pytest.mark.parametrize(
    "change", [{"label": False, "horizon_s": 1.0}, {"resolved": False}, {"filled": False, "label": False}]
)
def test_markout_that_is_no_resolved_label_counts_for_nothing(change):
    fold, log = calibration(), Log(T)
    fold.fold(log.round(said("markouts", markout(T, **change))))
    assert fold.controllers["resolved"][0] == 0


def test_label_without_a_forecast_counts_but_is_not_scored():
    fold, log = calibration(), Log(T)
    fold.fold(log.round(said("markouts", markout(T))))
    assert (fold.controllers["resolved"][0], fold.controllers["toxicity_forecasts"]["count"][0]) == (1, 0)


def test_more_fills_than_are_kept_are_counted():
    fold, log = calibration(), Log(T)
    fold.fold(log.round(said("fills", *[fill(T - index, fill_id=index) for index in range(1, 1101)])))
    controller = fold.controllers[0]
    assert (controller["fills"], controller["window_overflow"]) == (1100, 76)
    assert controller["fill_rate_progress"] == 1.0


def test_calibration_is_the_same_in_any_order_of_kinds():
    """Accepted, filled and ended within one round: the order is scored once, as filled."""
    heard = (
        said("fills", fill(T - MS))
        + said("acks", ack(T - 2 * MS, "accepted", p_fill=0.4))
        + said("acks", ack(T - MS, "filled", live_ts=T - 2 * MS, first_fill_ts=T - MS, p_fill=0.4))
    )
    outcomes = []
    for kinds in (heard, heard[1:] + heard[:1]):
        fold, log = calibration(), Log(T)
        outcomes.append(fold.fold(log.round(kinds)))
    assert outcomes[0] == outcomes[1]
    assert (outcomes[0][0].message.fill_forecasts, outcomes[0][0].message.fill_bin_observed[4]) == (1, 1.0)


def session():
    random, log = np.random.Generator(np.random.PCG64(4)), Log(T)
    base = estimate(T, 0.0)
    for index in range(1200):
        heard = []
        if index % 3 == 0:
            heard += said("acks", ack(log.ts - MS, "accepted", order_id=index, p_fill=float(random.random())))
        if index % 7 == 3:
            heard += said("acks", ack(log.ts - MS, "cancelled", order_id=index - 3, live_ts=log.ts - S))
        if index % 5 == 4:
            heard += said("fills", fill(log.ts - MS, order_id=index - 1 - index % 3))
            adverse, toxicity = bool(random.random() < 0.3), float(random.random())
            heard += said("markouts", markout(log.ts - MS, adverse=adverse, toxicity=toxicity))
        if index % 20 == 0:
            heard += said("estimate", msgspec.structs.replace(base, kappa_confidence=index / 1200))
        yield log.round(heard, until=log.ts + int(random.choice([50, 200, 3000])) * MS)


def test_restored_calibration_goes_on_like_the_undisturbed_one():
    rounds = list(session())
    one, other = calibration(), calibration()
    for round_ in rounds[:600]:
        one.fold(round_)
    restore(other, one)
    expected = [one.fold(round_) for round_ in rounds[600:]]
    assert [other.fold(round_) for round_ in rounds[600:]] == expected
    assert sum(map(len, expected)) > 150
    assert all(array.tobytes() == other.state()[name].tobytes() for name, array in one.state().items())


def test_reliability_bins_are_consistent_with_the_scores():
    fold = calibration()
    last = [output.message for round_ in session() for output in fold.fold(round_)][-1]
    assert sum(last.fill_bin_count) == last.fill_forecasts
    assert sum(last.toxicity_bin_count) == last.toxicity_forecasts == last.outcomes_resolved
    assert last.outcomes_adverse == pytest.approx(
        sum(n * o for n, o in zip(last.toxicity_bin_count, last.toxicity_bin_observed, strict=True))
    )
    assert 0 < last.fill_ece < 1


def test_metrics_have_samples_from_the_start():
    seen = list(samples(MARKET, calibration()))
    assert {sample.metric for sample in seen} == set(METRICS)
    assert all(len(sample.labels) == len(sample.metric.labels) for sample in seen)
