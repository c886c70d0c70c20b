"""Properties of the paper exchange over generated markets and commands."""

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from papertrader.shared import messages as m
from tests.unit.fill_sim_session import Session, bbo, book, cancel, gap, modify, ns, place, prints

STEP_MS = 40
START_MS = 1000
LATENCY_MS = 100.0
bounded = settings(max_examples=60, deadline=None, derandomize=True)


class Step(NamedTuple):
    """One step of a generated market: what happens, and four small numbers that say how."""

    what: str
    move: int
    size: int
    other: int
    late: int


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(("book", "book", "bbo", "sell", "sell", "sell", "buy", "gap")),
        st.integers(-1, 1),
        st.integers(1, 30),
        st.integers(0, 40),
        st.integers(0, 3),
    ),
    min_size=8,
    max_size=40,
)
on_time = steps.map(lambda made: [step._replace(late=0) for step in made])
quotes = st.lists(
    st.tuples(st.sampled_from(("buy", "sell")), st.integers(-1, 6), st.integers(1, 20)), min_size=1, max_size=5
)


def market(made: list[Step]) -> list[tuple[float, m.Message]]:
    """The market data of the steps, one message every 40 ms, with the time at which it is delivered."""
    best, data = 1000, []
    for number, step in enumerate(made):
        ms = START_MS + STEP_MS * (number + 1)
        if step.what in ("book", "bbo"):
            best += step.move
        sizes = [step.other, step.size, 1 + step.size * step.other % 17, 1 + step.size]
        bids = [((best - level) / 10, float(sizes[level])) for level in range(4) if sizes[level]]
        asks = [((best + 2 + level) / 10, float(sizes[3 - level])) for level in range(4) if sizes[3 - level]]
        message: m.Message
        if step.what == "book":
            message = book(ms, bids, asks)
        elif step.what == "bbo":
            message = bbo(ms, (best / 10, float(step.size)), ((best + 2) / 10, float(step.other + 1)))
        elif step.what == "gap":
            message = gap(ms - STEP_MS, ms)
        else:
            tick = best - step.move if step.what == "sell" else best + 2 + step.move
            message = prints(ms - 50 * step.late, step.what, (tick / 10, step.size / 2), first_id=number)  # type: ignore[arg-type]
        data.append((ms, message))
    return data


def orders(made: list[tuple[str, int, int]]) -> tuple[m.Place, ...]:
    """Quotes decided at the start, outside the mid by so many ticks."""
    return tuple(
        place(START_MS, number, side, (1000 - depth if side == "buy" else 1002 + depth) / 10, size / 4)
        for number, (side, depth, size) in enumerate(made, start=1)
    )


def started(**config: Any) -> Session:
    """A session with a book and no orders."""
    session = Session(**config)
    bids = [((1000 - level) / 10, 8.0) for level in range(4)]
    session.round(START_MS, book(START_MS, bids, [((1002 + level) / 10, 8.0) for level in range(4)]))
    return session


def run(made: list[Step], placed: tuple[m.Message, ...], **config: Any) -> tuple[Session, list[dict[int, float]]]:
    """Fold a market with orders placed at the start; also the filled size of every order after each step."""
    session = started(**config)
    filled: dict[int, float] = defaultdict(float)
    history = []
    for number, (ms, message) in enumerate(market(made)):
        for output in session.round(ms, message, said=placed if number == 0 else ()):
            if isinstance(output.message, m.Fill):
                filled[output.message.order_id] += output.message.size
        history.append(dict(filled))
    return session, history


def commands(made: list[Step], number: int, ms: float) -> tuple[m.Message, ...]:
    """Commands that a step makes, good and bad: a new order, and a cancel or modify of an older one."""
    step = made[number]
    side = "buy" if step.other % 2 else "sell"
    price = (1000 - step.other % 5 if side == "buy" else 1002 + step.other % 5) / 10
    kind: Any = ("post_only", "gtc", "ioc")[step.size % 3]
    made_now: list[m.Message] = [place(ms, number + 1, side, price, step.size / 3, time_in_force=kind)]
    if step.late:
        made_now.append(cancel(ms, number - step.late))
    elif step.move:
        made_now.append(modify(ms, number - 2, price, step.size / 4))
    return tuple(made_now)


MODELS = pytest.mark.parametrize("model", ["draws", "fifo", "flat", "through"])


@MODELS
@bounded
@given(made=steps, late_print_ms=st.sampled_from((0.0, 150.0)))
def test_any_session_keeps_the_books(model: str, made: list[Step], late_print_ms: float) -> None:
    """Fills within a print's size and an order's life and size; position, money and identity add up."""
    rules = m.Instrument(ts=0, tick_size=0.1, lot_size=0.0)
    session = Session(rules, fill_model=model, late_print_ms=late_print_ms, maker_fee_bps=1.5, fill_prob_base=1.0)
    volume, cancelled = {}, {}
    session.round(START_MS, book(START_MS, [(100.0, 8.0)], [(100.2, 8.0)]))
    for number, (ms, message) in enumerate(market(made)):
        said = commands(made, number, session.clock_ms)
        for command in said:
            if isinstance(command, m.Cancel):
                cancelled.setdefault(command.order_id, command.ts + ns(50) - ns(0))
        session.round(ms, message, said=said)
        if isinstance(message, m.Trades):
            volume[message.trade_ids[0]] = message.sizes[0]
        assert abs(session.account.residual) < 1e-8
    makers = [fill for fill in session.fills if fill.maker]
    for trade_id in {fill.trade_id for fill in makers if fill.trade_id or fill.fill_probability is None}:
        assert sum(fill.size for fill in makers if fill.trade_id == trade_id) <= volume[trade_id] * (1 + 1e-9)
    for fill in makers:
        assert fill.live_ts <= fill.ts
        effect = cancelled.get(fill.order_id, 2**62)
        assert fill.ts < effect or effect < fill.live_ts
    signed = sum(fill.size if fill.side == "buy" else -fill.size for fill in session.fills)
    account = session.account
    assert account.position == pytest.approx(signed, abs=1e-9)
    assert account.realised + account.unrealised - account.fees + account.funding == pytest.approx(
        account.total, abs=1e-8
    )
    for ack in session.acks:
        assert ack.filled_size <= ack.size or ack.filled_size == 0


@bounded
@given(made=steps, quoted=quotes, cancels=st.sampled_from(("power", "ahead", "behind", "pro_rata")))
def test_queue_ahead_never_grows_but_on_joining_and_gaps(
    made: list[Step], quoted: list[tuple[str, int, int]], cancels: str
) -> None:
    session = started(cancels=cancels)
    for number, (ms, message) in enumerate(market(made)):
        before = {row["order_id"]: row for row in session.orders.copy()}
        session.round(ms, message, said=orders(quoted) if number == 0 else ())
        for row in session.orders:
            assert np.isnan(row["ahead"]) or row["ahead"] >= 0
            known = before.get(row["order_id"])
            if known is not None and not known["joining"] and not isinstance(message, m.Gap):
                assert row["ahead"] <= known["ahead"] + 1e-9


@bounded
@given(made=steps, quoted=quotes)
def test_through_fills_are_among_the_queue_fills(made: list[Step], quoted: list[tuple[str, int, int]]) -> None:
    _, through = run(made, orders(quoted), fill_model="through")
    _, queue = run(made, orders(quoted), fill_model="fifo")
    for lower, upper in zip(through, queue, strict=True):
        assert all(size <= upper.get(order_id, 0) + 1e-9 for order_id, size in lower.items())


@bounded
@given(made=steps, side=st.sampled_from(("buy", "sell")), depth=st.integers(-1, 4), size=st.integers(1, 40))
def test_pessimistic_fills_at_most_central_fills_at_most_optimistic(
    made: list[Step], side: str, depth: int, size: int
) -> None:
    """The bounds hold at every moment of a static order's life, on the same market."""
    order = orders([(side, depth, size)])
    histories = [run(made, order, cancels=cancels)[1] for cancels in ("behind", "power", "ahead")]
    for behind, power, ahead in zip(*histories, strict=True):
        assert behind.get(1, 0) <= power.get(1, 0) + 1e-9
        assert power.get(1, 0) <= ahead.get(1, 0) + 1e-9


@bounded
@given(made=on_time, side=st.sampled_from(("buy", "sell")), depth=st.integers(-1, 4), more=st.integers(1, 8))
def test_more_latency_never_fills_a_static_order_earlier(made: list[Step], side: str, depth: int, more: int) -> None:
    """A GTC order behind a market that does not cross it when it goes live, sooner or later."""
    order = orders([(side, depth, 8)])
    soon, _ = run(made, order, placement_latency_ms=60.0)
    late, _ = run(made, order, placement_latency_ms=60.0 + 50.0 * more)
    if soon.acks and soon.acks[0].status == "accepted" and late.fills:
        assert soon.fills
        assert soon.fills[0].ts <= late.fills[0].ts


@MODELS
@bounded
@given(made=steps, cut=st.integers(1, 7))
def test_restored_state_goes_on_identically(model: str, made: list[Step], cut: int) -> None:
    session, restored = (started(late_print_ms=100.0, fill_model=model) for _ in range(2))
    for number, (ms, message) in enumerate(market(made)):
        if number == cut:
            for name, array in restored.exchange.state().items():
                array[...] = session.exchange.state()[name]
        said = commands(made, number, session.clock_ms)
        expected = session.round(ms, message, said=said)
        if number >= cut:
            restored.clock_ms = START_MS + STEP_MS * number
            assert restored.round(ms, message, said=said) == expected


@bounded
@given(made=steps, quoted=quotes)
def test_probability_of_a_fill_only_grows_and_stays_within_0_and_1(
    made: list[Step], quoted: list[tuple[str, int, int]]
) -> None:
    """For every order, but after a gap, which sends it to the back; its ack and fill say the same number."""
    session = started(fill_model="draws")
    before: dict[int, float] = {}
    for number, (ms, message) in enumerate(market(made)):
        outputs = session.round(ms, message, said=orders(quoted) if number == 0 else ())
        for row in session.orders:
            assert 0 <= row["reached"] <= 1
            if not isinstance(message, m.Gap):
                assert row["reached"] >= before.get(row["order_id"], 0.0)
            before[row["order_id"]] = row["reached"]
        for output in outputs:
            if isinstance(output.message, m.Ack | m.Fill):
                probability = output.message.fill_probability
                assert probability is None or 0 <= probability <= 1
            if isinstance(output.message, m.Fill) and output.message.maker:
                assert output.message.fill_probability


def probability(made: list[Step], seed: int, ahead: float = 8.0, latency_ms: float = 60.0) -> float:
    """The share of draws reached at the end, of a bid at 99.9 behind `ahead` that is never decided to be filled."""
    session = Session(fill_model="draws", seed=seed, placement_latency_ms=latency_ms, adverse_fill_ratio=1.0)
    session.round(START_MS, book(START_MS, [(100.0, 5.0), (99.9, ahead)], [(100.2, 8.0)]))
    placed = place(START_MS, 1, "buy", 99.9, 1)
    for number, (ms, message) in enumerate(market(made)):
        if isinstance(message, m.Book):
            message = book(ms, [(100.0, 5.0), (99.9, ahead + message.bid_sizes[0])], [(100.2, 8.0)])
        session.round(ms, message, said=(placed,) if number == 0 else ())
    orders_ = session.orders
    return float(orders_["reached"][0]) if len(orders_) else 1.0


levels = on_time.map(lambda made: [step._replace(what="book" if step.what == "bbo" else step.what) for step in made])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(made=levels.map(lambda made: [step for step in made if step.what != "gap"]))
def test_probability_falls_with_the_size_ahead_and_with_latency(made: list[Step]) -> None:
    """On average over seeds, as far as so many seeds can tell."""
    seeds = range(12)
    base = np.mean([probability(made, seed) for seed in seeds])
    assert np.mean([probability(made, seed, ahead=16.0) for seed in seeds]) <= base + 0.03
    assert np.mean([probability(made, seed, latency_ms=180.0) for seed in seeds]) <= base + 0.03
