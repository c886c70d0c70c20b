"""The estimator as a fold: when it speaks, what it hears, and that it survives a checkpoint."""

from itertools import pairwise

import msgspec
import numpy as np
import pytest

from papertrader.services.estimator.config import EstimatorConfig
from papertrader.services.estimator.metrics import METRICS, samples
from papertrader.services.estimator.service import Estimator
from tests.unit.learning import ACCOUNT, MARKET, MS, Log, S, ack, fill, gap, markout, restore, said, touch, trade

T = 1_000 * S


def estimator(**settings):
    return Estimator(MARKET, {ACCOUNT: EstimatorConfig(**settings)})


def estimates(outputs):
    assert all(output.kind == "estimate" and output.account == ACCOUNT for output in outputs)
    return [output.message for output in outputs]


def started():
    fold, log = estimator(), Log(T)
    fold.fold(log.round(market_data=[touch(T + MS, 100.0)]))
    return fold, log


def test_says_nothing_before_there_is_a_market():
    fold, log = estimator(), Log(T)
    assert fold.fold(log.round()) == []
    assert fold.fold(log.round(said("fills", fill(T)))) == []


def test_first_estimate_is_the_prior():
    fold, log = estimator(), Log(T)
    (first,) = estimates(fold.fold(log.round(market_data=[touch(T + MS, 100.0)])))
    assert (first.version, first.own_fills, first.kappa_confidence) == (1, 0, 0.0)
    assert first.kappa == pytest.approx(2500, rel=0.01)
    assert first.market_kappa == pytest.approx(2500)
    assert (first.toxicity_bid, first.toxicity_ask, first.classifier_ready) == (0.5, 0.5, False)
    assert (first.regime, first.sigma_bps, first.jump_ratio) == ("normal", 0.0, 1.0)


def test_speaks_at_most_once_per_second_without_news():
    fold, log = started()
    said_at = [output.message.ts for _ in range(100) for output in fold.fold(log.round())]
    assert len(said_at) == 5
    assert all(later - earlier >= S for earlier, later in pairwise(said_at))


@pytest.mark.parametrize(
    "news",
    [said("fills", fill(T)), said("markouts", markout(T))],
)
def test_speaks_at_once_after_a_fill_or_a_label(news):
    fold, log = started()
    (estimate,) = estimates(fold.fold(log.round(news)))
    assert estimate.version == 2
    assert estimate.own_fills + estimate.classifier_samples == 1


def test_versions_rise_by_one():
    fold, log = started()
    versions = [o.message.version for i in range(60) for o in fold.fold(log.round(said("fills", fill(log.ts))))]
    assert versions == list(range(2, 62))


def test_each_moment_is_one_kappa_observation_and_each_fill_is_counted():
    """Two partial fills of one order by one sweep, seven times."""
    fold, log = started()
    for index in range(7):
        outputs = fold.fold(log.round(said("fills", fill(log.ts, fill_id=2 * index), fill(log.ts))))
    (estimate,) = estimates(outputs)
    assert (estimate.own_fills, estimate.moments) == (14, 7)
    assert estimate.kappa_confidence == pytest.approx(7 / 17)
    assert fold.estimators["kappa"]["fills"][0] == pytest.approx(7, rel=1e-3)


def test_a_sweep_through_several_orders_is_one_moment_on_each_side():
    fold, log = started()
    bids = [fill(T, order_id=order_id, price=100 - 0.01 * order_id) for order_id in (1, 2, 3)]
    asks = [fill(T, order_id=order_id, side="sell", price=100.0 + 0.01 * order_id) for order_id in (4, 5)]
    (estimate,) = estimates(fold.fold(log.round(said("fills", bids[0], asks[0], bids[1], asks[1], bids[2]))))
    assert (estimate.own_fills, estimate.moments) == (5, 2)
    kappa = fold.estimators["kappa"][0]
    assert (kappa["fills"], kappa["evidence"]) == (5.0, 2.0)


def test_partial_fills_of_one_order_by_different_sweeps_are_different_moments():
    fold, log = started()
    (estimate,) = estimates(fold.fold(log.round(said("fills", fill(T, size=0.5), fill(T + MS, size=0.5)))))
    assert (estimate.own_fills, estimate.moments) == (2, 2)


def test_taker_fills_are_no_evidence_of_kappa():
    fold, log = started()
    (estimate,) = estimates(fold.fold(log.round(said("fills", fill(T, maker=False)))))
    assert (estimate.own_fills, estimate.moments, estimate.kappa_confidence) == (1, 0, 0.0)


def test_eight_labels_of_one_sweep_teach_once_and_are_all_counted():
    fold, log = started()
    labels = [markout(T + 5 * S, fill_ts=T, fill_id=fill_id, adverse=True) for fill_id in range(8)]
    (estimate,) = estimates(fold.fold(log.round(said("markouts", *labels))))
    assert (estimate.classifier_samples, estimate.classifier_moments) == (8, 1)
    assert estimate.adverse_base_rate == pytest.approx((2 + 1) / (4 + 1))
    assert fold.estimators["classifier"]["own"]["outcomes"][0] == 1


@pytest.mark.parametrize("hole_s", [10, 243, 100_000])
def test_time_without_data_is_no_exposure_and_nothing_is_forgotten_in_it(hole_s):
    """The same two minutes with and without a hole in their middle end in the same κ."""
    states = []
    for skipped in (0, hole_s):
        fold, log = started()
        orders = [ack(log.ts, "accepted", order_id=order_id, price=100 - 0.01 * order_id) for order_id in range(1, 5)]
        fold.fold(log.round(said("acks", *orders)))
        fold.fold(log.round(said("fills", fill(log.ts))))
        for index in range(1200):
            fold.fold(log.round(market_data=[touch(log.ts + MS, 100 + 0.01 * (index % 2))]))
        if skipped:
            back = log.ts + skipped * S
            fold.fold(log.round(market_data=[gap(log.ts, back), touch(back, 100.0)], until=back + 50 * MS))
        for index in range(1200):
            fold.fold(log.round(market_data=[touch(log.ts + MS, 100 + 0.01 * (index % 2))]))
        states.append(fold.estimators["kappa"][0])
    whole, holed = states
    assert holed["exposure_s"].sum() == pytest.approx(whole["exposure_s"].sum(), abs=0.25)
    assert holed["evidence"] == pytest.approx(whole["evidence"], rel=1e-3)
    assert holed["fills"] == pytest.approx(whole["fills"], rel=1e-3)


def test_order_that_went_live_and_ended_within_a_hole_was_not_exposed():
    fold, log = started()
    back = log.ts + 100 * S
    start = log.ts
    fold.fold(log.round(market_data=[gap(start, back), touch(back, 100.0)], until=back + 50 * MS))
    within = [ack(start + 5 * S, "accepted"), ack(start + 9 * S, "accepted", order_id=2)]
    fold.fold(log.round(said("acks", *within, ack(start + 30 * S, "cancelled", order_id=2))))
    assert fold.estimators["kappa"]["exposure_s"][0].sum() == pytest.approx(0.05)


@pytest.mark.parametrize("change", [{"label": False, "horizon_s": 1.0}, {"resolved": False}])
def test_markout_that_is_no_resolved_label_teaches_nothing(change):
    fold, log = started()
    fold.fold(log.round(said("markouts", markout(T, **change))))
    assert fold.estimators["classifier"]["own"]["outcomes"][0] == 0


def test_labels_of_both_sides_teach_and_move_the_forecast():
    fold, log = started()
    fold.fold(log.round(said("markouts", markout(T, side="sell", adverse=True), markout(T, adverse=False))))
    learned = fold.estimators["classifier"][0]["own"]
    assert (learned["outcomes"], learned["happened"]) == (2, 1)
    assert learned["weights"].tolist() != [0.0, 1.0]


def test_exposure_counts_until_the_end_of_the_last_round():
    fold, log = started()
    live = log.ts
    fold.fold(log.round(said("acks", ack(live, "accepted"))))
    for _ in range(20):
        fold.fold(log.round())
    assert fold.estimators["kappa"]["exposure_s"][0].sum() == pytest.approx(1.0, rel=1e-3)


def test_order_cancelled_in_the_last_round_is_exposed_to_its_end_only():
    fold, log = started()
    fold.fold(log.round(said("acks", ack(log.ts, "accepted"))))
    ended = log.ts - 20 * MS
    fold.fold(log.round(said("acks", ack(ended, "cancelled"))))
    assert fold.estimators["kappa"]["exposure_s"][0].sum() == pytest.approx(0.030)


def test_reach_of_an_aggressive_order_is_its_farthest_print_beyond_the_mid_before_it():
    fold, log = started()
    prints = [trade(T + 60 * MS, 100.01), trade(T + 60 * MS, 100.05), trade(T + 70 * MS, 99.98, "sell")]
    fold.fold(log.round(market_data=[prints[0], touch(T + 60 * MS, 100.04), *prints[1:]]))
    fold.fold(log.round(until=T + 2 * S))
    kappa = fold.estimators["kappa"][0]
    assert (kappa["market_prints"], kappa["market_sweeps"]) == (3, 2)
    # the buy reached 5 bp beyond 100; the sell 6/100.04 below the mid that the first print left behind
    assert kappa["market_reach"] == pytest.approx(5e-4 + 0.06 / 100.04)


def test_gap_drops_the_straddling_return():
    fold, log = started()
    fold.fold(log.round(until=T + 3 * S))
    data = [gap(T + 3 * S, T + 8 * S), touch(T + 8 * S + MS, 200.0)]
    fold.fold(log.round(market_data=data, until=T + 12 * S))
    assert fold.estimators["sigma"]["realised"][0] == 0
    assert fold.seconds["dropped"][0] == 1


def test_long_silence_is_folded_as_seconds_without_return():
    fold, log = started()
    fold.fold(log.round(market_data=[touch(T + 100 * MS, 100.0)], until=T + 2 * S))
    fold.fold(log.round(until=T + 102 * S))
    assert fold.estimators["sigma"]["returns"][0] == 100
    assert fold.estimators["regime"]["observed"][0] == 0  # nothing moved: it says nothing about what is normal


def test_estimate_holds_only_finite_numbers():
    fold, log = started()
    for index in range(100):
        outputs = fold.fold(log.round(said("fills", fill(log.ts)), [touch(log.ts + MS, 100 + 0.01 * (index % 3))]))
        (estimate,) = estimates(outputs)
        told = [
            value for value in msgspec.structs.astuple(estimate) if value is not None and not isinstance(value, str)
        ]
        numbers = np.hstack(told)
        assert np.all(np.isfinite(numbers.astype(float)))


def test_accounts_learn_apart():
    fold = Estimator(MARKET, {"one": EstimatorConfig(), "two": EstimatorConfig(kappa_prior_mean=5000.0)})
    log = Log(T)
    first = fold.fold(log.round(market_data=[touch(T + MS, 100.0)]))
    assert [output.account for output in first] == ["one", "two"]
    second = fold.fold(log.round(said("fills", fill(T), account="two")))
    assert [output.account for output in second] == ["two"]
    assert list(fold.estimators["kappa"]["own_fills"]) == [0, 1]


def session():
    random, log = np.random.Generator(np.random.PCG64(9)), Log(T)
    mid = 100.0
    for index in range(3000):
        mid += 0.01 * int(random.integers(-2, 3))
        data = [touch(log.ts + 10 * MS, mid), trade(log.ts + 20 * MS, mid + 0.01)]
        heard = []
        if index % 10 == 1:
            heard += said("acks", ack(log.ts - MS, "accepted", order_id=index, mid_at_placement=mid))
        if index % 10 == 6:
            heard += said("acks", ack(log.ts - MS, "cancelled", order_id=index - 5))
        if index % 17 == 1:
            features = tuple(random.normal(size=8))
            heard += said("fills", fill(log.ts - 2 * MS, features=features))
            heard += said("markouts", markout(log.ts - MS, features=features, adverse=bool(features[0] > 0)))
        yield log.round(heard, data, until=log.ts + int(random.choice([50, 100, 1100])) * MS)


def test_restored_estimator_goes_on_like_the_undisturbed_one():
    rounds = list(session())
    one, other = estimator(), estimator()
    for round_ in rounds[:1500]:
        one.fold(round_)
    restore(other, one)
    expected = [one.fold(round_) for round_ in rounds[1500:]]
    assert [other.fold(round_) for round_ in rounds[1500:]] == expected
    assert sum(map(len, expected)) > 500
    assert expected[-1] == [] or expected[-1][0].message.toxicity_moments > 200
    assert all(array.tobytes() == other.state()[name].tobytes() for name, array in one.state().items())


def test_metrics_have_samples_from_the_start():
    seen = list(samples(MARKET, estimator()))
    assert {sample.metric for sample in seen} == set(METRICS)
    assert all(len(sample.labels) == len(sample.metric.labels) for sample in seen)


@pytest.mark.parametrize(
    "wrong", [{"kappa_prior_mean": 0.0}, {"regime_stay": 1.0}, {"sigma_half_life_s": 0.0}, {"unknown": 1}]
)
def test_absurd_settings_are_refused(wrong):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(wrong, EstimatorConfig)
