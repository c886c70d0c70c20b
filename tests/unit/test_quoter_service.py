"""The quoter as a fold: it goes on from its arrays, whatever the order of what it hears, and shows its numbers."""

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.kernel import NO_QUOTE_REASONS
from papertrader.services.quoter.metrics import METRICS, samples
from papertrader.services.quoter.service import Quoter
from papertrader.shared.log.kinds import KIND_OF
from papertrader.shared.messages import Message, Place
from papertrader.shared.service.fold import Output, Received, Round, canonical
from papertrader.shared.service.metrics import FoldCollector
from tests.quoter_session import (
    MARKET,
    MS,
    START,
    Exchange,
    Session,
    account,
    calibration,
    control,
    estimate,
    instrument,
    touch,
)

CONFIGS = {
    "main": QuoterConfig(),
    "fixed": QuoterConfig(strategy="docs.examples.fixed_spread:FixedSpread"),
}


def said_to_all(messages: Iterable[Message]) -> tuple[Received, ...]:
    return canonical(
        Received(KIND_OF[type(item)], name, item, index) for index, item in enumerate(messages) for name in CONFIGS
    )


def rounds(count: int) -> list[Round]:
    """A wandering market in which parameters change and operators act."""
    generator = np.random.default_rng(3)
    mid, result = 1000.0, []
    for number in range(count):
        ts = START + number * 50 * MS
        mid *= 1 + generator.normal(0, 1e-4)
        market: list[Message] = [touch(round(mid - 0.1, 2), round(mid + 0.1, 2), ts)]
        said: list[Message] = []
        if number == 0:
            market.insert(0, instrument())
        if number % 20 == 5:
            said += [estimate(version=number, toxicity_bid=generator.uniform()), calibration(generator.uniform())]
        if number % 30 == 7:
            said.append(account(position=generator.normal(), equity=10_000 + generator.normal()))
        if number % 100 in (60, 75):
            said.append(control("pause" if number % 100 == 60 else "resume"))
        result.append(Round(number, ts, ts - 50 * MS, said_to_all(said), tuple(market)))
    return result


def answered(quoter: Quoter, count: int) -> Iterator[tuple[Round, list[Output]]]:
    """The rounds with an exchange's answers to every account, and what the quoter said in each."""
    exchanges = {name: Exchange() for name in CONFIGS}
    words: list[Received] = []
    outputs: list[Output] = []
    for round_ in rounds(count):
        heard, words = canonical([*round_.heard, *words]), []
        for name, exchange in exchanges.items():
            commands = [output.message for output in outputs if output.account == name]
            answers = exchange.fold(commands, round_.market_data)
            words += [Received(KIND_OF[type(item)], name, item, index) for index, item in enumerate(answers)]
        complete = round_._replace(heard=heard)
        outputs = quoter.fold(complete)
        yield complete, outputs


def test_quoter_restored_from_its_arrays_goes_on_as_the_undisturbed_one() -> None:
    undisturbed, restored = Quoter(MARKET, CONFIGS), Quoter(MARKET, CONFIGS)
    commands = 0
    for round_, outputs in answered(undisturbed, 600):
        if round_.ts > START + 210 * 50 * MS:
            assert restored.fold(round_) == outputs
            commands += len(outputs)
        else:
            for name, array in restored.state().items():
                array[...] = undisturbed.state()[name]
    assert commands > 30
    assert {name: array.tobytes() for name, array in undisturbed.state().items()} == {
        name: array.tobytes() for name, array in restored.state().items()
    }


def test_quoter_folds_the_same_session_to_the_same_commands() -> None:
    first, second = Quoter(MARKET, CONFIGS), Quoter(MARKET, CONFIGS)
    assert [first.fold(round_) for round_ in rounds(200)] == [second.fold(round_) for round_ in rounds(200)]


def test_kinds_within_a_round_are_heard_in_one_order_whatever_their_sequence() -> None:
    messages = [control("resume"), calibration(0.9), estimate(version=3), account(position=1.0, equity=9_000.0)]
    states = []
    for order in (messages, messages[::-1]):
        quoter = Quoter(MARKET, CONFIGS)
        unsorted = tuple(Received(KIND_OF[type(item)], "main", item, 1) for item in order)
        quoter.fold(Round(1, START, 0, unsorted, (instrument(), touch(999.9, 1000.1))))
        states.append(quoter.state()["quoters"].tobytes())
    assert states[0] == states[1]


def test_unknown_kinds_and_accounts_are_ignored() -> None:
    quoter = Quoter(MARKET, {"main": QuoterConfig()})
    said = (Received("account", "other", account(position=9.0), 1), Received("markouts", "main", control("pause"), 2))
    quoter.fold(Round(1, START, 0, said, (instrument(), touch(999.9, 1000.1))))
    assert quoter.quoter("main")["position"] == 0.0
    assert quoter.quoter("main")["paused"] == 0


def values(session: Session) -> dict[tuple[str, ...], float]:
    """Every sample by metric name and the labels beyond the account."""
    return {(item.metric.name, *item.labels[3:]): item.value for item in samples(MARKET, session.quoter)}


def test_metrics_of_a_quoter_that_has_seen_nothing_are_all_there() -> None:
    shown = values(Session())
    assert {name for name, *_ in shown} == {metric.name for metric in METRICS}
    assert set(shown.values()) == {0.0}
    assert {labels[0] for name, *labels in shown if name == "paper_quoter_no_quote_rounds"} == set(NO_QUOTE_REASONS)


def test_metrics_show_the_parts_of_the_half_spread_and_the_quotes() -> None:
    session = Session(QuoterConfig(levels=1))
    said = [estimate(toxicity_bid=0.5), calibration(0.5), account(position=0.5)]
    session.round(instrument(), touch(999.9, 1000.1), said=said)
    shown = values(session)
    part = {key[1:]: value for key, value in shown.items() if key[0] == "paper_quoter_half_spread_bps"}
    assert part["bid", "fee"] == 1.5
    assert part["bid", "glft"] == pytest.approx(4.2944, abs=1e-4)
    assert part["bid", "adverse_selection"] == pytest.approx(0.6)
    assert part["bid", "toxicity"] == pytest.approx(2.0)
    assert part["ask", "toxicity"] == 0.0
    assert part["bid", "floor"] == 2.0
    assert part["bid", "total"] == pytest.approx(1.5 + 0.5 * (4.2944 + 0.6 + 2.0), abs=1e-4)
    assert shown[("paper_quoter_skew_bps",)] == pytest.approx(2.5)
    assert shown[("paper_quoter_reservation_price",)] == pytest.approx(999.75)
    assert shown["paper_quoter_quote_price", "bid"] == 999.25
    assert shown["paper_quoter_open_orders", "ask"] == 1
    assert shown[("paper_quoter_orders_placed",)] == 2


def test_metrics_show_churn_and_the_pause() -> None:
    session = Session(QuoterConfig(levels=1))
    session.quoted()
    session.round(said=[control("pause")])
    shown = values(session)
    assert shown[("paper_quoter_cancels",)] == 2
    assert shown[("paper_quoter_churn_ratio",)] == 1.0
    assert shown["paper_quoter_paused", "paused"] == 1
    assert shown["paper_quoter_paused", "loss_limit"] == 0
    assert shown["paper_quoter_no_quote_rounds", "paused"] == 1


def test_metrics_are_exported_to_prometheus() -> None:
    registry = CollectorRegistry()
    quoter = Session().quoter
    registry.register(FoldCollector(METRICS, samples, lambda: {MARKET: quoter}))
    text = generate_latest(registry).decode()
    assert 'paper_quoter_orders_placed_total{account="main",asset="COIN",venue="test"} 0.0' in text


def test_quoter_and_exchange_agree_on_every_order() -> None:
    quoter = Quoter(MARKET, CONFIGS)
    session = list(answered(quoter, 600))
    for name in CONFIGS:
        places = [
            output.message.order_id
            for _, outputs in session
            for output in outputs
            if output.account == name and isinstance(output.message, Place)
        ]
        assert places == list(range(1, len(places) + 1))
        assert quoter.quoter(name)["placed"] == len(places)
        assert quoter.quoter(name)["unanswered"] == 0
