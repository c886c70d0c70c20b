"""Markouts by hand: signs, the exact horizon, gaps, late hearing, overflow, unfilled quotes."""

import numpy as np
import pytest

from papertrader.services.outcome_tracker import kernel
from papertrader.services.outcome_tracker.config import OutcomeTrackerConfig
from papertrader.services.outcome_tracker.history import GAPS, MIDS, MIDS_KEPT, crosses_gap, mid_at, push_gap, push_mid
from papertrader.services.outcome_tracker.metrics import METRICS, samples
from papertrader.services.outcome_tracker.service import OutcomeTracker
from papertrader.shared.market.hashing import is_sampled
from papertrader.shared.messages import HORIZONS_S, Markout
from tests.unit.learning import ACCOUNT, MARKET, MS, Log, S, ack, fill, gap, restore, said, touch

T = 1_000 * S


def tracker(**settings):
    return OutcomeTracker(MARKET, {ACCOUNT: OutcomeTrackerConfig(**settings)})


def markouts_of(outputs):
    assert all(output.kind == "markouts" and output.account == ACCOUNT for output in outputs)
    return [output.message for output in outputs]


def outcomes(mids, fills, until, gaps=(), acks=(), fold=None):
    """Run a fold over mids {ts: mid}, everything heard in the round that begins at T + 100 ms."""
    fold, log = fold or tracker(), Log(T)
    outputs = list(fold.fold(log.round(market_data=[touch(ts, mid) for ts, mid in mids.items() if ts <= T + 100 * MS])))
    later = [touch(ts, mid) for ts, mid in mids.items() if ts > T + 100 * MS]
    outputs += fold.fold(log.round(said("fills", *fills) + said("acks", *acks), [*gaps, *later], until=T + 200 * MS))
    outputs += fold.fold(log.round(until=until))
    return markouts_of(outputs)


@pytest.mark.parametrize(("side", "expected"), [(1, 5.0), (-1, -5.0)])
def test_markout_bps_of_a_rising_mid_is_good_for_a_buy(side, expected):
    assert kernel.markout_bps(side, 100.05, 100.0) == pytest.approx(expected)


@pytest.mark.parametrize(("side", "expected"), [(1, 5.0), (-1, -5.0)])
def test_adverse_selection_of_a_falling_mid_is_positive_for_a_buy(side, expected):
    assert kernel.adverse_selection_bps(side, 99.95, 100.0) == pytest.approx(expected)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_markout_is_captured_edge_minus_adverse_selection(side):
    sign = 1 if side == "buy" else -1
    price = 100 - sign * 0.02
    got = outcomes({T: 100.0, T + 2 * S: 100.07}, [fill(T, side=side, price=price)], T + 7 * S)
    label = next(m for m in got if m.label)
    edge_bps = sign * (100.0 - price) / price * 1e4
    assert label.markout_bps == pytest.approx(edge_bps - label.adverse_selection_bps * 100 / price, abs=1e-9)
    assert label.adverse == (side == "sell")


def test_label_by_hand():
    (label,) = [m for m in outcomes({T: 100.0, T + 4 * S: 99.97}, [fill(T)], T + 6 * S) if m.label]
    assert label.resolved
    assert label.mid == pytest.approx(99.97)
    assert label.markout_bps == pytest.approx((99.97 - 99.99) / 99.99 * 1e4)
    assert label.adverse_selection_bps == pytest.approx(3.0)
    assert label.adverse
    assert (label.fill_ts, label.ts, label.horizon_s) == (T, T + 5 * S, 5.0)


@pytest.mark.parametrize(("mid", "adverse"), [(99.99, False), (99.98, True)])
def test_label_is_adverse_only_beyond_one_basis_point(mid, adverse):
    # 99.99 is 1 bp below 100 up to rounding, so the fill's mid is put a hair lower
    (label,) = [m for m in outcomes({T: 100.0, T + S: mid}, [fill(T, mid_at_fill=99.99999)], T + 6 * S) if m.label]
    assert label.adverse is adverse


def test_volatility_scaled_label_needs_a_larger_move_in_a_volatile_market():
    fold = tracker(volatility_half_life_s=1000.0)
    fold.trackers["variance"], fold.trackers["weight"] = (10e-4) ** 2, 1.0  # 10 bp per √s: threshold 11.2 bp
    mids = {T: 100.0, T + 4 * S: 99.95}
    (label,) = [m for m in outcomes(mids, [fill(T)], T + 6 * S, fold=fold) if m.label]
    assert label.adverse
    assert not label.adverse_volatility_scaled


def test_volatility_scaled_label_never_uses_less_than_one_basis_point():
    (label,) = [m for m in outcomes({T: 100.0, T + 4 * S: 99.97}, [fill(T)], T + 6 * S) if m.label]
    assert label.adverse_volatility_scaled


def test_mid_of_a_horizon_is_the_last_one_at_or_before_it():
    mids = {T: 100.0, T + 500 * MS: 100.1, T + 500 * MS + 1: 100.2, T + 1000 * MS - 1: 100.3, T + 1000 * MS + 1: 100.4}
    half, one = outcomes(mids, [fill(T)], T + 2 * S)
    assert (half.horizon_s, one.horizon_s) == (0.5, 1.0)
    assert half.mid == pytest.approx(100.1)
    assert one.mid == pytest.approx(100.3)


def test_horizon_is_not_answered_before_the_clock_has_passed_it():
    assert outcomes({T: 100.0}, [fill(T)], T + 500 * MS) == []
    assert len(outcomes({T: 100.0}, [fill(T)], T + 500 * MS + 1)) == 1


def test_fill_heard_after_its_horizon_is_looked_up_in_the_past():
    fold, log = tracker(), Log(T)
    mids = {T: 100.0, T + 400 * MS: 100.1, T + 600 * MS: 100.2}
    fold.fold(log.round(market_data=[touch(ts, mid) for ts, mid in mids.items()], until=T + 700 * MS))
    (half,) = markouts_of(fold.fold(log.round(said("fills", fill(T)))))
    assert half.resolved
    assert half.mid == pytest.approx(100.1)


def test_fill_older_than_the_kept_mids_is_unresolved():
    fold, log = tracker(), Log(T)
    quotes = [touch(T + i * MS, 100.0 + (i % 2)) for i in range(MIDS_KEPT + 1001)]
    fold.fold(log.round(market_data=quotes, until=T + 6 * S))
    got = markouts_of(fold.fold(log.round(said("fills", fill(T)))))
    assert [m.resolved for m in got] == [False, False, True]
    assert fold.trackers["without_mid"][0] == 2


def test_gap_inside_the_horizon_leaves_it_unresolved_without_numbers():
    got = outcomes({T: 100.0, T + 4 * S: 99.0}, [fill(T)], T + 70 * S, gaps=[gap(T + 2 * S, T + 3 * S)])
    assert [m.resolved for m in got] == [True, True, False, False, False, False]
    late = [m for m in got if not m.resolved]
    assert {(m.mid, m.markout_bps, m.adverse_selection_bps, m.adverse) for m in late} == {(None, None, None, False)}
    assert sum(m.label for m in got) == 1


@pytest.mark.parametrize(
    ("from_ts", "to_ts", "crosses"),
    [(5, 10, False), (5, 11, True), (20, 25, True), (21, 25, False), (12, 13, True), (0, 99, True)],
)
def test_gap_overlap_is_open_at_the_fill_and_closed_at_the_horizon(from_ts, to_ts, crosses):
    gaps = np.zeros(1, dtype=GAPS)
    push_gap(gaps[0], from_ts, to_ts, to_ts)
    assert crosses_gap(gaps[0], 10, 20) is crosses


def test_more_gaps_than_are_kept_widen_the_newest_instead_of_being_forgotten():
    gaps = np.zeros(1, dtype=GAPS)
    for index in range(80):
        push_gap(gaps[0], index * 10, index * 10 + 1, index * 10 + 1)
    assert crosses_gap(gaps[0], 789, 790)
    assert crosses_gap(gaps[0], -1, 1)


def test_mid_history_keeps_the_last_mid_of_an_instant_and_knows_nothing_before_the_first():
    mids = np.zeros(1, dtype=MIDS)
    for ts, mid in [(10, 1.0), (10, 2.0), (20, 3.0)]:
        push_mid(mids[0], ts, mid)
    assert np.isnan(mid_at(mids[0], 9))
    assert [mid_at(mids[0], ts) for ts in (10, 19, 20, 99)] == [2.0, 2.0, 3.0, 3.0]


def test_one_fill_has_six_markouts_and_one_label():
    got = outcomes({T: 100.0}, [fill(T)], T + 61 * S)
    assert tuple(m.horizon_s for m in got) == HORIZONS_S
    assert [m.label for m in got] == [False, False, True, False, False, False]


def test_fill_that_finds_no_room_is_answered_at_once_and_unresolved():
    fold, log = tracker(), Log(T)
    fold.fold(log.round(market_data=[touch(T, 100.0)]))
    fills = [fill(T + 40 * MS, fill_id=i, order_id=i) for i in range(1, kernel.CAPACITY + 2)]
    got = markouts_of(fold.fold(log.round(said("fills", *fills))))
    assert len(got) == 6
    assert {m.fill_id for m in got} == {kernel.CAPACITY + 1}
    assert not any(m.resolved for m in got)
    rest = markouts_of(fold.fold(log.round(until=T + 62 * S)))
    assert len(rest) == 6 * kernel.CAPACITY
    state = fold.trackers[0]
    assert (state["overflow"], state["labels"], state["resolved"], state["unresolved"]) == (1, 4097, 4096, 1)
    assert state["fills_waiting"] == 0


def test_unfilled_quote_gets_markouts_from_the_time_it_ended_but_no_label():
    ended = ack(T + 50 * MS, "cancelled", order_id=7, side="sell", price=100.02, p_adverse=0.25)
    got = outcomes({T: 100.0, T + S: 100.1}, [], T + 61 * S, acks=[ended], fold=tracker(unfilled_sample_one_in=1))
    assert len(got) == 6
    assert {(m.fill_id, m.order_id, m.filled, m.label, m.adverse) for m in got} == {(0, 7, False, False, False)}
    assert got[0].markout_bps == pytest.approx((100.02 - 100.0) / 100.02 * 1e4)
    assert got[2].markout_bps == pytest.approx((100.02 - 100.1) / 100.02 * 1e4)
    assert (got[0].fill_ts, got[0].mid_at_fill, got[0].toxicity) == (T + 50 * MS, pytest.approx(100.0), 0.25)


@pytest.mark.parametrize(
    "ended",
    [
        ack(T + 50 * MS, "filled", filled_size=1.0),
        ack(T + 50 * MS, "cancelled", filled_size=0.5),
        ack(T + 50 * MS, "rejected"),
        ack(T + 50 * MS, "cancelled", live_ts=0),
        ack(T + 50 * MS, "accepted"),
    ],
)
def test_quote_that_filled_or_was_never_live_is_not_followed(ended):
    assert outcomes({T: 100.0}, [], T + 61 * S, acks=[ended], fold=tracker(unfilled_sample_one_in=1)) == []


def test_sample_takes_about_one_quote_in_ten():
    assert 850 < sum(is_sampled(order_id, 10) for order_id in range(1, 10_001)) < 1150


def test_counters_add_up():
    fold = tracker()
    outcomes({T: 100.0, T + S: 99.9}, [fill(T), fill(T + S, fill_id=2)], T + 5500 * MS, fold=fold)
    state = fold.trackers[0]
    assert (state["fills"], state["labels"], state["resolved"], state["adverse"]) == (2, 1, 1, 1)
    assert state["fills_waiting"] == 1
    assert state["markout_histogram"].sum() == state["markout_count"].sum()


def test_sigma_is_the_root_mean_square_of_one_second_returns():
    fold, log = tracker(volatility_half_life_s=1e4), Log(T, tick_size=0.001)
    mids = [touch(T + i * S, 100.0 * (1.001 if i % 2 else 1.0)) for i in range(60)]
    fold.fold(log.round(market_data=mids, until=T + 59 * S + 1))
    assert kernel.sigma_bps(fold.trackers[0]) == pytest.approx(np.log(1.001) * 1e4, rel=1e-9)


def test_restored_tracker_goes_on_like_the_undisturbed_one():
    rounds, log = [], Log(T)
    for i in range(400):
        data = [touch(log.ts + 10 * MS, 100.0 + 0.01 * ((i * 7) % 11))]
        fills = [fill(log.ts - 20 * MS, fill_id=i)] if i % 5 == 1 else []
        ends = [ack(log.ts - 20 * MS, "cancelled", order_id=i)] if i % 3 == 1 else []
        rounds.append(log.round(said("fills", *fills) + said("acks", *ends), data))
    one, other = tracker(), tracker()
    for round_ in rounds[:200]:
        one.fold(round_)
    restore(other, one)
    expected = [one.fold(round_) for round_ in rounds[200:]]
    assert [other.fold(round_) for round_ in rounds[200:]] == expected
    assert sum(map(len, expected)) > 100
    assert all(array.tobytes() == other.state()[name].tobytes() for name, array in one.state().items())


def test_metrics_have_samples_from_the_start():
    seen = {sample.metric for sample in samples(MARKET, tracker())}
    assert seen == set(METRICS)
    assert all(len(sample.labels) == len(sample.metric.labels) for sample in samples(MARKET, tracker()))


def test_markout_histogram_is_cumulative_and_counts_every_resolved_fill():
    fold = tracker()
    outcomes({T: 100.0, T + S: 99.9}, [fill(T)], T + 61 * S, fold=fold)
    five = next(s for s in samples(MARKET, fold) if s.metric.name == "paper_markout_bps" and s.labels[-1] == "5s")
    counts = [count for _, count in five.value.buckets]
    assert counts == sorted(counts)
    assert counts[-1] == 1
    assert five.value.sum == pytest.approx((99.9 - 99.99) / 99.99 * 1e4)


def test_market_data_before_the_instrument_changes_nothing():
    fold, log = tracker(), Log(T)
    log.first = ()
    assert fold.fold(log.round(market_data=[touch(T, 100.0)])) == []
    assert fold.state()["market"]["mids"]["count"][0] == 0


def test_every_output_is_a_markout_message():
    assert all(isinstance(m, Markout) for m in outcomes({T: 100.0}, [fill(T)], T + 61 * S))
