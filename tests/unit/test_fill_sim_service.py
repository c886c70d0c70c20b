"""The fold as a whole: several accounts, checkpoints, an outbox that overflows, metrics."""

from typing import Any

import msgspec
import numpy as np
import pytest

from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.metrics import METRICS, samples
from papertrader.services.fill_sim.service import FillSim
from papertrader.shared import messages as m
from papertrader.shared.service.fold import Output, Received, Round, canonical
from papertrader.shared.service.metrics import Sample
from tests.unit.fill_sim_session import ASKS, BIDS, MARKET, book, cancel, ns, place, prints, quoted

ACCOUNTS = {
    "central": FillSimConfig(),
    "pessimistic": FillSimConfig(cancels="behind", placement_latency_ms=200.0),
    "lucky": FillSimConfig(fill_model="flat", fill_prob_base=0.5),
}


def rounds(count: int, seed: int) -> list[Round]:
    """Rounds of 50 ms of a walking market, with orders and cancels of every account."""
    chance = np.random.default_rng(seed)
    made, best, order_id = [], 999, 0
    for number in range(count):
        start, end = 1000 + 50 * number, 1050 + 50 * number
        best += int(chance.integers(-1, 2))
        bids = [((best - level) / 10, float(chance.integers(1, 9))) for level in range(5)]
        asks = [((best + 2 + level) / 10, float(chance.integers(1, 9))) for level in range(5)]
        side = "buy" if chance.random() < 0.5 else "sell"
        price = (best - int(chance.integers(0, 2))) / 10 if side == "sell" else (best + 2) / 10
        trade = prints(start + 25, side, (price, float(chance.integers(1, 12))), first_id=number)  # type: ignore[arg-type]
        said: list[Received] = []
        for account in ACCOUNTS:
            order_id += 1
            ours = "buy" if chance.random() < 0.5 else "sell"
            tick = best - int(chance.integers(0, 3)) if ours == "buy" else best + 2 + int(chance.integers(0, 3))
            commands: list[m.Message] = [place(start, order_id, ours, tick / 10, 0.5)]
            if order_id > 30:
                commands.append(cancel(start, order_id - 30))
            said += [Received("orders", account, command, order_id) for command in commands]
        instrument = (m.Instrument(ts=ns(0), tick_size=0.1, lot_size=0.001),) if number == 0 else ()
        made.append(
            Round(
                number=number,
                ts=ns(end),
                previous_ts=ns(start) if number else 0,
                heard=canonical(said) if number else (),
                market_data=(*instrument, book(start + 10, bids, asks), trade),
            )
        )
    return made


def test_fold_restored_from_its_state_goes_on_exactly() -> None:
    session = rounds(200, seed=1)
    undisturbed = FillSim(MARKET, ACCOUNTS)
    for round_ in session[:120]:
        undisturbed.fold(round_)
    restored = FillSim(MARKET, ACCOUNTS)
    for name, array in restored.state().items():
        array[...] = undisturbed.state()[name]
    for round_ in session[120:]:
        assert restored.fold(round_) == undisturbed.fold(round_)
    for name, array in restored.state().items():
        assert array.tobytes() == undisturbed.state()[name].tobytes()
    assert undisturbed.account_states["fills"].min() > 0, "otherwise nothing was tested"


def test_accounts_do_not_disturb_each_other() -> None:
    session = rounds(150, seed=2)
    together = FillSim(MARKET, ACCOUNTS)
    outputs = [output for round_ in session for output in together.fold(round_)]
    for name, config in ACCOUNTS.items():
        alone = FillSim(MARKET, {name: config})
        assert [output for round_ in session for output in alone.fold(round_)] == [
            output for output in outputs if output.account == name
        ]


def test_every_accepted_order_ends_once_and_rejected_ones_never_live() -> None:
    session = rounds(300, seed=3)
    fold = FillSim(MARKET, ACCOUNTS)
    outputs = [output for round_ in session for output in fold.fold(round_)]
    for index, account in enumerate(fold.accounts):
        statuses = lives(outputs, account)
        ended = [life for life in statuses.values() if len(life) == 2]
        assert {tuple(life) for life in ended} <= {("accepted", "filled"), ("accepted", "cancelled")}
        live = [life for life in statuses.values() if life == ["accepted"]]
        assert len(live) == fold.account_states["orders_count"][index]
        rest = [life for life in statuses.values() if len(life) == 1 and life != ["accepted"]]
        assert all(life == ["rejected"] for life in rest)
        assert len(ended) > 100


def lives(outputs: list[Output], account: str) -> dict[int, list[str]]:
    """The statuses of every order of an account, refusals of commands left out."""
    found: dict[int, list[str]] = {}
    for output in outputs:
        if output.account == account and isinstance(output.message, m.Ack) and output.message.status != "refused":
            found.setdefault(output.message.order_id, []).append(output.message.status)
    return found


def test_round_with_more_to_say_than_the_outbox_holds_says_it_all() -> None:
    """64 orders, each filled by 20 prints of a 20th of it: 1280 fills in one round."""
    session = quoted(*(place(1000, number, "buy", 99.9 - 0.1 * (number % 2), 1) for number in range(1, 65)))
    trades = [prints(1210 + number, "sell", (99.7, 3.2), first_id=number) for number in range(40)]
    session.round(1300, *trades)
    assert sum(fill.size for fill in session.fills) == pytest.approx(64)
    assert session.account.position == pytest.approx(64)
    assert [fill.fill_id for fill in session.fills] == list(range(1, len(session.fills) + 1))
    many = quoted(*(place(1000, number, "buy", 99.9, 0.5) for number in range(1, 65)))
    many.round(1300, *(prints(1210 + number / 10, "sell", (99.8, 0.1), first_id=number) for number in range(500)))
    assert len(many.fills) >= 320
    assert sum(fill.size for fill in many.fills) == pytest.approx(32)


def test_market_data_before_the_instrument_is_left_alone() -> None:
    fold = FillSim(MARKET, {"main": FillSimConfig()})
    early = Round(number=0, ts=ns(50), previous_ts=0, heard=(), market_data=(book(10, BIDS, ASKS),))
    assert fold.fold(early) == []


def test_messages_said_survive_the_wire() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1), place(1000, 2, "buy", float("nan"), 1))
    session.round(1300, prints(1250, "sell", (99.8, 1)))
    for output in session.outputs:
        wire = msgspec.json.encode(output.message)
        assert msgspec.json.decode(wire, type=type(output.message)) == output.message


def sampled(fold: FillSim) -> dict[tuple[str, ...], float]:
    """Every sample by metric name and labels."""
    found: list[Sample] = list(samples(MARKET, fold))
    keys = [(sample.metric.name, *sample.labels) for sample in found]
    assert len(set(keys)) == len(keys), "no series twice"
    return {key: sample.value for key, sample in zip(keys, found, strict=True)}  # type: ignore[misc]


def test_every_metric_has_samples_from_the_start() -> None:
    values = sampled(FillSim(MARKET, {"main": FillSimConfig()}))
    assert {key[0] for key in values} == {metric.name for metric in METRICS}
    assert values["paper_fills", "test", "ABC", "main", "buy"] == 0
    assert all(np.isfinite(value) for value in values.values())


def test_metrics_count_what_happened() -> None:
    session = quoted(place(1000, 1, "buy", 99.9, 1), place(1000, 2, "sell", 100.1, 1), place(1000, 3, "buy", 99.95, 1))
    session.round(1300, prints(1250, "sell", (99.8, 1)), said=(cancel(1200, 9),))
    values: dict[Any, float] = sampled(session.exchange)
    account = ("test", "ABC", "main")
    assert values["paper_fills", *account, "buy"] == 1
    assert values["paper_fills", *account, "sell"] == 0
    assert values["paper_fills_through", *account] == 1
    assert values["paper_fill_notional", *account] == pytest.approx(99.9)
    assert values["paper_orders_placed", *account] == 3
    assert values["paper_orders_accepted", *account] == 2
    assert values["paper_orders_rejected", *account, "off_tick"] == 1
    assert values["paper_commands_refused", *account, "unknown_order"] == 1
    assert values["paper_orders_live", *account] == 1
    assert values["paper_queue_ahead", *account, "sell"] == 10
    assert values["paper_position", *account] == 1
    assert values["paper_pnl", *account, "spread"] == pytest.approx(0.1)
    assert values["paper_margin_used", *account] == pytest.approx(10)
