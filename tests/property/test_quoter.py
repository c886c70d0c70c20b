"""What holds for every market and answer: no crossing, the cap, the grid, unique ids, requotes not too often."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.kernel import QUOTER
from papertrader.shared.messages import Cancel, Gap, Message, Place
from tests.quoter_session import MS, Session, account, ack, calibration, estimate, fill, instrument, touch

TICK = 0.01
LOT = 0.001
UNIT = st.floats(0, 1)
ROUND = st.fixed_dictionaries(
    {
        "move_bps": st.floats(-15, 15),
        "spread_ticks": st.integers(1, 60),
        "after_ms": st.sampled_from([50, 100, 250, 1_000, 6_000]),
        "answers": st.lists(st.sampled_from(["wait", "accept", "fill", "half", "reject"]), min_size=8, max_size=8),
        "kappa": st.floats(300, 20_000),
        "sigma_bps": st.floats(0.05, 20),
        "toxicity": UNIT,
        "trusted": st.booleans(),
        "bid_size": st.sampled_from([0.3, 1.0, 3.0]),
        "cal_gamma": st.floats(0.3, 1),
    }
)
CONFIG = st.builds(
    QuoterConfig,
    levels=st.integers(1, 4),
    level_spacing=st.floats(0, 2),
    quote_notional=st.floats(5, 1_000),
    max_position_notional=st.floats(100, 3_000),
    inventory_skew_bps=st.floats(0, 30),
    max_toxicity=st.sampled_from([0.0, 0.3, 1.0]),
    stale_after_ms=st.just(60_000.0),
    answer_timeout_s=st.just(3_600.0),  # an order that was given up no longer counts against the cap
    max_loss=st.just(1.0),
    max_drawdown=st.just(1.0),
)


class Venue:
    """Open orders as the exchange knows them, and what it says of them."""

    def __init__(self, maker_fee_bps: float = 1.5) -> None:
        self.maker_fee_bps = maker_fee_bps
        self.pending: dict[int, Place] = {}
        self.live: dict[int, Place] = {}
        self.left: dict[int, float] = {}
        self.position = 0.0

    def account(self) -> Message:
        return account(position=self.position, maker_fee_bps=self.maker_fee_bps)

    def open_size(self, side: str) -> float:
        orders = {**self.pending, **self.live}
        return sum(self.left[number] for number, order in orders.items() if order.side == side)

    def send(self, commands: list[Any]) -> list[Message]:
        said: list[Message] = []
        for command in commands:
            if isinstance(command, Place):
                self.pending[command.order_id] = command
                self.left[command.order_id] = command.size
            elif self.live.get(command.order_id) is not None:
                said.append(ack(self.live.pop(command.order_id), "cancelled"))
        return said

    def answer(self, answers: list[str]) -> list[Message]:
        said: list[Message] = []
        for order, answer in zip([*self.pending.values(), *self.live.values()], answers, strict=False):
            said += self._answer(order, answer)
        return said

    def _answer(self, order: Place, answer: str) -> list[Message]:
        number = order.order_id
        if number in self.pending and answer == "reject":
            del self.pending[number]
            return [ack(order, "rejected", reason="post_only_would_cross")]
        if number in self.pending and answer == "accept":
            self.live[number] = self.pending.pop(number)
            return [ack(order, "accepted")]
        if number not in self.live or answer not in ("fill", "half"):
            return []
        size = self.left[number] * (1 if answer == "fill" else 0.5)
        self.left[number] -= size
        self.position += size if order.side == "buy" else -size
        words: list[Message] = [fill(order, size, self.position), self.account()]
        if answer == "fill":
            words.append(ack(self.live.pop(number), "filled"))
        return words


def on_grid(value: float, unit: float) -> bool:
    return abs(value / unit - round(value / unit)) < 1e-6


def has_five_figures(price: float) -> bool:
    return price == round(price) or len(f"{price:.2f}".replace(".", "").strip("0")) <= 5


def check(order: Place, config: QuoterConfig, venue: Venue, bid: float, ask: float) -> None:
    """What every single order must obey when it is sent."""
    assert order.mid is not None
    assert order.p_fill is not None
    assert order.p_adverse is not None
    assert order.price < ask - TICK / 2 if order.side == "buy" else order.price > bid + TICK / 2
    assert on_grid(order.price, TICK)
    assert has_five_figures(order.price)
    assert on_grid(order.size, LOT)
    assert order.size * order.price >= 10 - 1e-9
    assert 0 <= order.p_fill <= 1
    assert 0 <= order.p_adverse <= 1
    position = venue.position if order.side == "buy" else -venue.position
    assert position + venue.open_size(order.side) <= config.max_position_notional / order.mid + 1e-9


@settings(max_examples=60, deadline=None)
@given(CONFIG, st.floats(-1, 5), st.lists(ROUND, min_size=1, max_size=25))
def test_orders_never_cross_exceed_the_cap_or_leave_the_grid(
    config: QuoterConfig, maker_fee_bps: float, script: list[dict[str, Any]]
) -> None:
    session, venue = Session(config), Venue(maker_fee_bps)
    mid, seen, last_ts = 1000.0, set[int](), 0
    session.round(instrument(significant_figures=5))
    said: list[Message] = [venue.account()]
    for number, step in enumerate(script):
        mid *= 1 + step["move_bps"] / 1e4
        bid = round(mid, 2)
        ask = round(bid + step["spread_ticks"] * TICK, 2)
        parameters: list[Message] = [
            estimate(version=number, kappa=step["kappa"], sigma_bps=step["sigma_bps"], toxicity_bid=step["toxicity"]),
            calibration(step["cal_gamma"]),
        ]
        commands = session.round(touch(bid, ask, session.ts), said=[*parameters, *said], after_ms=step["after_ms"])
        if commands:
            assert session.ts - last_ts >= 250 * MS
            last_ts = session.ts
        ids = [command.order_id for command in commands]
        assert len(ids) == len(set(ids))
        for cancel in (command for command in commands if isinstance(command, Cancel)):
            assert cancel.order_id in seen
        said = venue.send(commands)
        for order in (command for command in commands if isinstance(command, Place)):
            assert order.order_id not in seen
            assert order.ts == session.ts
            seen.add(order.order_id)
            check(order, config, venue, bid, ask)
        said += venue.answer(step["answers"])


HEARD_OF_THE_MARKET = st.sampled_from(["same", "same", "moved", "nothing", "gap"])
SETTLED = [name for name in QUOTER.names or () if name.startswith("settled")]
"""What only says when to skip."""
IMPATIENT = st.fixed_dictionaries(
    {
        "stale_after_ms": st.sampled_from([150.0, 1_000.0, 60_000.0]),
        "answer_timeout_s": st.sampled_from([0.15, 1.0, 3_600.0]),
        "gap_pause_s": st.sampled_from([0.0, 0.2]),
        "requote_interval_ms": st.sampled_from([0.0, 250.0]),
    }
)


def news(kind: str, bid: float, ts: int, bid_size: float) -> list[Message]:
    if kind == "nothing":
        return []
    if kind == "gap":
        return [Gap(ts=ts, recv_ts=ts, from_ts=ts - MS, to_ts=ts, reason="silence")]
    return [msgspec.structs.replace(touch(bid, round(bid + 5 * TICK, 2), ts), bid_size=bid_size)]


@settings(max_examples=100, deadline=None)
@given(CONFIG, IMPATIENT, st.lists(st.tuples(ROUND, HEARD_OF_THE_MARKET, st.booleans()), min_size=1, max_size=40))
def test_a_decision_that_is_skipped_would_have_changed_nothing(
    config: QuoterConfig, changes: dict[str, float], script: list[tuple[dict[str, Any], str, bool]]
) -> None:
    config = msgspec.structs.replace(config, **changes)
    skipping, deciding = Session(config), Session(config)
    for session in (skipping, deciding):
        session.round(instrument(significant_figures=5))
    venue, mid, said = Venue(), 1000.0, list[Message]()
    for step, kind, is_told in script:
        mid *= 1 + (kind == "moved") * step["move_bps"] / 1e4
        if is_told:
            learned = {"kappa": step["kappa"], "sigma_bps": step["sigma_bps"], "classifier_ready": step["trusted"]}
            weights = (-1.0, 4.0, *(0.0,) * 4, 0.5, 0.0, 0.0)  # the touch's imbalance, and σ, which fades all the time
            said += [estimate(**learned, toxicity_weights=weights), calibration(step["cal_gamma"])]
        deciding.quoter.state()["quoters"]["settled"] = 0
        market = news(kind, round(mid, 2), skipping.ts, step["bid_size"])
        commands = skipping.round(*market, said=said, after_ms=step["after_ms"])
        assert commands == deciding.round(*market, said=said, after_ms=step["after_ms"])
        said = venue.send(commands) + venue.answer(step["answers"])
    ends = []
    for session in (skipping, deciding):
        for name in SETTLED:
            session.quoter.state()["quoters"][name] = 0
        ends.append({name: array.tobytes() for name, array in session.quoter.state().items()})
    assert ends[0] == ends[1]
