"""The fold: what it says and when, that it survives a checkpoint, that it stays small; its metrics and its summary."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.liveness import FEED, ServiceHealth
from papertrader.services.monitor.kernel import CHECKS
from papertrader.services.monitor.metrics import METRICS, NOTICES, samples
from papertrader.services.monitor.report.summary import summary
from papertrader.services.monitor.service import BLOB_BYTES, Monitor
from papertrader.shared.messages import Checklist
from papertrader.shared.service.fold import Output
from tests.messages import place
from tests.unit.monitoring import ACCOUNT, MARKET, START, S, Session

TWO = {ACCOUNT: MonitorConfig(), "other": MonitorConfig()}


def folded(monitor: Monitor, session: Session, seconds: float) -> list[Output]:
    return [output for round_ in session.rounds(seconds) for output in monitor.fold(round_)]


def test_unchanged_checklist_is_said_every_five_seconds_and_a_change_within_one() -> None:
    said = folded(Monitor(MARKET, {ACCOUNT: MonitorConfig()}), Session(), 200)
    times = [output.message.ts for output in said]
    states = [
        {name: check.state for name, check in output.message.checks.items()}
        for output in said
        if isinstance(output.message, Checklist)
    ]
    steps = np.diff(times) / S
    changed = [before != after for before, after in pairwise(states)]
    assert {output.kind for output in said} == {"checks"}
    assert all(step == 5 for step, change in zip(steps, changed, strict=True) if not change)
    assert all(1 <= step <= 5 for step in steps)
    assert any(changed)


def test_last_round_says_the_checklist_whatever_the_time() -> None:
    monitor, session = Monitor(MARKET, {ACCOUNT: MonitorConfig()}), Session()
    folded(monitor, session, 60.25)
    assert len(monitor.fold(session.round()._replace(final=True))) == 1
    assert summary([monitor])["markets"][0]["final"]


def test_what_is_said_does_not_depend_on_liveness() -> None:
    seen, blind = Monitor(MARKET, {ACCOUNT: MonitorConfig()}), Monitor(MARKET, {ACCOUNT: MonitorConfig()})
    seen.liveness = {FEED: ServiceHealth(heartbeat_age_s=99.0)}
    assert folded(seen, Session(), 30) == folded(blind, Session(), 30)
    assert seen.checklist(ACCOUNT) != blind.checklist(ACCOUNT)


@pytest.mark.parametrize("seconds", [0.25, 40.0, 90.5])
def test_restored_fold_goes_on_like_the_undisturbed_one(seconds: float) -> None:
    undisturbed, first, second = (Monitor(MARKET, TWO) for _ in range(3))
    session, same = Session(), Session()
    folded(undisturbed, session, seconds)
    folded(first, same, seconds)
    saved = {name: array.copy() for name, array in first.state().items()}
    for name, array in second.state().items():
        array[...] = saved[name]
    rest = list(session.rounds(60))
    expected = [undisturbed.fold(round_) for round_ in rest]
    assert [second.fold(round_) for round_ in rest] == expected
    assert [first.fold(round_) for round_ in rest] == expected  # a checkpoint disturbs nothing
    assert summary([second]) == summary([undisturbed])
    for name, array in undisturbed.state().items():
        assert array.tobytes() == second.state()[name].tobytes(), name


def scraped(monitor: Monitor) -> int:
    """What somebody who asks for metrics, and so another thread, sees of the fills."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: list(samples(MARKET, monitor))).result()
        return pool.submit(lambda: monitor.facts.accounts[ACCOUNT].fills.now).result()


def test_metrics_that_are_asked_for_while_a_checkpoint_is_restored_lose_nothing() -> None:
    first, second = Monitor(MARKET, TWO), Monitor(MARKET, TWO)
    folded(first, Session(), 40.0)
    assert (fills := first.facts.accounts[ACCOUNT].fills.now) > 0
    saved = {name: array.copy() for name, array in first.state().items()}
    arrays = second.state()
    assert scraped(second) == 0
    for name, array in arrays.items():
        array[...] = saved[name]
    assert scraped(second) == 0
    assert second.facts.accounts[ACCOUNT].fills.now == fills
    assert scraped(second) == fills


def test_metrics_that_are_asked_for_after_a_checkpoint_do_not_take_back_what_is_folded() -> None:
    monitor, session = Monitor(MARKET, TWO), Session()
    folded(monitor, session, 40.0)
    monitor.state()
    fills = monitor.facts.accounts[ACCOUNT].fills.now
    monitor.state()
    before = monitor._facts
    assert scraped(monitor) == fills
    assert monitor._facts is before


def test_state_stays_under_twenty_megabytes_and_the_blob_has_room_for_full_tables() -> None:
    monitor = Monitor(MARKET, TWO)
    session = Session()
    for order_id in range(1, 1000):
        session.say("orders", place(START, order_id=2**62 - order_id, price=60123.123456789, size=0.123456789))
    monitor.fold(session.round())
    monitor.fold(session.round())
    state = monitor.state()
    assert sum(array.nbytes for array in state.values()) < 20e6
    assert state["facts_size"][0] < BLOB_BYTES
    assert monitor.facts.accounts[ACCOUNT].working_overflow > 0


def test_message_of_an_unknown_account_is_not_heard() -> None:
    monitor, session = Monitor(MARKET, {"other": MonitorConfig()}), Session()
    folded(monitor, session, 30)
    assert monitor.facts.accounts["other"].orders_placed == 0
    assert monitor.facts.market.prints > 0


# --- metrics


def test_every_metric_has_samples_before_the_first_message() -> None:
    found = list(samples(MARKET, Monitor(MARKET, TWO)))
    assert {sample.metric for sample in found} == set(METRICS) - {NOTICES}  # which has one for each address told
    assert all(len(sample.labels) == len(sample.metric.labels) for sample in found)
    assert len({(sample.metric.name, sample.labels) for sample in found}) == len(found)


def test_check_metric_is_one_for_its_state_and_zero_for_the_others() -> None:
    monitor = Monitor(MARKET, {ACCOUNT: MonitorConfig()})
    folded(monitor, Session(["estimator"]), 60)
    found = [sample for sample in samples(MARKET, monitor) if sample.metric.name == "paper_check"]
    values = {sample.labels[3:]: sample.value for sample in found}
    assert [values["kappa", state] for state in ("pass", "waiting", "fail")] == [0.0, 0.0, 1.0]
    assert [values["margin", state] for state in ("pass", "waiting", "fail")] == [1.0, 0.0, 0.0]
    assert sum(value for value in values.values() if isinstance(value, float)) == len(CHECKS)


def test_counts_and_adverse_rate_are_exported() -> None:
    monitor = Monitor(MARKET, {ACCOUNT: MonitorConfig()})
    folded(monitor, Session(), 100)
    facts = monitor.facts.accounts[ACCOUNT]
    values = {(sample.metric.name, *sample.labels[3:]): sample.value for sample in samples(MARKET, monitor)}
    assert values["paper_count", "fills"] == facts.fills.now
    assert values["paper_counts_equal",] == 1.0
    assert values["paper_adverse_rate",] == facts.adverse / facts.resolved.now
    assert values["paper_monitor_event_clock_seconds",] == START / S + 100


# --- summary


def test_summary_of_a_session_adds_up() -> None:
    monitor, session = Monitor(MARKET, {ACCOUNT: MonitorConfig()}), Session()
    folded(monitor, session, 120)
    monitor.liveness = {
        "quoter": ServiceHealth(heartbeat_age_s=0.1, checkpoints=2, bad_messages={"malformed_acks": 1}),
        "estimator": ServiceHealth(heartbeat_age_s=0.1, checkpoints=3, bad_messages={"malformed_acks": 4, "other": 1}),
    }
    entry = summary([monitor])["markets"][0]
    assert (entry["venue"], entry["asset"], entry["account"]) == (*MARKET, ACCOUNT)
    assert entry["fills"] == entry["counts"]["fills"] > 20
    assert entry["orders"] == session.next_order - 1 - sum(output.kind == "orders" for output in session.said)
    pnl = entry["pnl"]
    assert pnl["total"] == pytest.approx(pnl["spread"] + pnl["inventory"] - pnl["fees"] + pnl["funding"])
    assert pnl["total"] == pytest.approx(pnl["realised"] + pnl["unrealised"] - pnl["fees"])
    assert (entry["kappa_confidence_start"], entry["cal_gamma_start"]) == (0.0, 0.3)
    assert entry["kappa_confidence_end"] == pytest.approx(entry["own_fills"] / (entry["own_fills"] + 10))
    assert (entry["checkpoints"], entry["bad_messages"]) == (5, {"malformed_acks": 5, "other": 1})
    assert set(entry["checks"]) == set(CHECKS)
    assert set(entry["regimes"]) == {"quiet", "normal", "volatile", "extreme"}


def test_summary_before_anything_was_heard_knows_nothing_and_says_so() -> None:
    entry = summary([Monitor(MARKET, {ACCOUNT: MonitorConfig()})])["markets"][0]
    assert entry["fills"] == entry["orders"] == entry["checkpoints"] == 0
    assert entry["kappa_start"] is entry["cal_gamma_end"] is entry["toxicity"]["bid"] is None
    assert entry["pnl"]["total"] == 0.0
