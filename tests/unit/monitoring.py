"""A small paper-trading session for the monitor's tests: every service plays its part, and any wire can be cut.

Each actor hears what was said in the last round and speaks in this one, as on the log. `cut` names what is broken: a
service ("estimator") says nothing, a wire ("fills>estimator") carries nothing, or a defect ("margin") is played.
"""

import math
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import (
    HORIZONS_S,
    Ack,
    Book,
    Cancel,
    Fill,
    Instrument,
    Markout,
    Message,
    Place,
    Trades,
)
from papertrader.shared.service.fold import Output, Received, Round, canonical
from tests.messages import calibration, estimate, place
from tests.unit.actors import Exchange, Tracker

MARKET = Market("test", "BTC")
ACCOUNT = "main"
S = 1_000_000_000
START = 1_700_000_000 * S
ROUND = S // 4
TICK = 0.01


class Session:
    """The whole system for one account; `rounds()` yields what the monitor hears."""

    def __init__(self, cut: Collection[str] = (), cut_after_s: float = 0.0, seed: int = 1) -> None:
        self.cut: set[str] = set()
        self.cuts, self.cut_after_ns = set(cut), int(cut_after_s * S)
        self.random = np.random.Generator(np.random.PCG64(seed))
        self.ts, self.number, self.sequence = START, 0, 0
        self.mid = 100.0
        self.said: list[Output] = []
        self.exchange = Exchange(self.cut)
        self.tracker = Tracker()
        self.working: dict[int, Place] = {}
        self.next_order = 1
        self.own_fills = self.samples = self.version = 0
        self.controller_fills = self.controller_outcomes = 0
        self.confidence = 0.0
        self.regime_changes = 0
        self.market_open = True

    def rounds(self, seconds: float) -> Iterator[Round]:
        """Rounds for so many seconds of event time."""
        for _ in range(int(seconds * S / ROUND)):
            yield self.round()

    def skip(self, seconds: int) -> None:
        """Let the clock jump, as over a gap in the data."""
        self.ts += seconds * S

    def round(self) -> Round:
        previous = self.ts if self.number else 0
        self.ts += ROUND
        self.number += 1
        if self.ts - START > self.cut_after_ns:
            self.cut |= self.cuts
        heard, self.said = self.said, []
        market_data = self.market_data()
        for name, play in (
            ("fill-sim", self.play_exchange),
            ("quoter", self.play_quoter),
            ("outcome-tracker", self.play_tracker),
            ("estimator", self.play_estimator),
            ("calibration", self.play_calibration),
        ):
            if name not in self.cut:
                play([output.message for output in heard], market_data)
        received = []
        for output in heard:
            self.sequence += 1
            received.append(Received(output.kind, output.account, output.message, self.sequence))
        return Round(
            number=self.number,
            ts=self.ts,
            previous_ts=previous,
            heard=canonical(received),
            market_data=tuple(market_data),
        )

    def say(self, kind: str, message: Message) -> None:
        self.said.append(Output(kind, ACCOUNT, message))

    def market_data(self) -> list[Message]:
        self.mid *= 1 + float(self.random.normal(0, 0.6e-4))
        bid = round(self.mid - TICK / 2, 2)
        messages: list[Message] = [] if self.number > 1 else [instrument()]
        messages.append(book(self.ts, bid, round(bid + TICK, 2)))
        if self.market_open:
            buys = self.random.random() < 0.5
            reach = float(self.random.exponential(4e-4)) * self.mid
            price = round(bid + TICK + reach, 2) if buys else round(bid - reach, 2)
            messages.append(trades(self.ts, price, "buy" if buys else "sell"))
        return messages

    def play_exchange(self, heard: list[Message], market_data: list[Message]) -> None:
        exchange = self.exchange
        exchange.on_mid(self.mid)
        said = [answer for message in heard for answer in exchange.hear(message, self.ts)]
        for message in market_data:
            if isinstance(message, Trades) and "prints>fill-sim" not in self.cut:
                said += exchange.on_print(message.ts, message.prices[0], message.aggressors[0])
        for message in said:
            self.say("fills" if isinstance(message, Fill) else "acks", message)
        filled = any(isinstance(message, Fill) for message in said)
        if "account" not in self.cut and (filled or self.ts % S == 0):
            self.say("account", exchange.account(self.ts))

    def play_quoter(self, heard: list[Message], market_data: list[Message]) -> None:
        for message in heard:
            if isinstance(message, Ack) and message.status in ("filled", "cancelled"):
                self.working.pop(message.order_id, None)
        if self.ts % (3 * S):
            return
        for order_id in list(self.working):
            self.say("orders", Cancel(ts=self.ts, order_id=order_id))
        distance = 200e-4 if "far" in self.cut else 6e-4
        position = self.exchange.position
        for side, sign in (("buy", 1), ("sell", -1)):
            if position * sign < 3:
                price = round(self.mid * (1 - sign * distance), 2)
                order = place(self.ts, order_id=self.next_order, side=side, price=price, mid=self.mid)
                self.working[self.next_order] = order
                self.next_order += 1
                self.say("orders", order)

    def play_tracker(self, heard: list[Message], market_data: list[Message]) -> None:
        if "fills>outcome-tracker" not in self.cut:
            fills = [message for message in heard if isinstance(message, Fill)]
            self.tracker.pending += [(message, horizon) for message in fills for horizon in HORIZONS_S]
        for message in self.tracker.step(self.ts, self.mid):
            self.say("markouts", message)

    def play_estimator(self, heard: list[Message], market_data: list[Message]) -> None:
        if "fills>estimator" not in self.cut:
            self.own_fills += sum(isinstance(message, Fill) for message in heard)
        if "markouts>estimator" not in self.cut:
            self.samples += sum(is_label(message) for message in heard)
        if self.ts % S:
            return
        self.version += 1
        elapsed_s = (self.ts - START) / S
        self.regime_changes = 0 if "regime" in self.cut else int(elapsed_s // 120)
        skill = -0.01 if "skill" in self.cut else 0.1
        ready = self.samples >= 30 and skill > 0
        lean = 0.0 if "toxicity" in self.cut or not ready else 0.1 * math.sin(elapsed_s / 40)
        self.confidence = self.own_fills / (self.own_fills + 10)
        self.say(
            "estimate",
            estimate(
                self.ts,
                version=self.version,
                kappa=2500 + 400 * self.confidence,
                kappa_sd=1100 * (1 - 0.8 * self.confidence),
                own_fills=self.own_fills,
                moments=self.own_fills,
                kappa_confidence=self.confidence,
                regime=("quiet", "normal", "volatile", "extreme")[self.regime_changes % 4],
                regime_seconds=(elapsed_s / 2, elapsed_s / 4, elapsed_s / 4, 0.0),
                regime_changes=self.regime_changes,
                regime_unchanged_s=elapsed_s if "regime" in self.cut else elapsed_s % 120,
                regime_sigma_ratio=4.0,
                toxicity_bid=0.35 + lean,
                toxicity_ask=0.35 - lean,
                adverse_base_rate=0.35,
                classifier_ready=ready,
                classifier_samples=self.samples,
                classifier_moments=self.samples,
                toxicity_moments=40 * self.samples,
                toxicity_skill=skill,
                toxicity_skill_low=skill - 0.05,
                toxicity_skill_high=skill + 0.05,
                toxicity_auc=0.5 + skill,
                toxicity_auc_low=0.45 + skill,
                toxicity_auc_high=0.55 + skill,
            ),
        )

    def play_calibration(self, heard: list[Message], market_data: list[Message]) -> None:
        if "fills>calibration" not in self.cut:
            self.controller_fills += sum(isinstance(message, Fill) for message in heard)
        if "markouts>calibration" not in self.cut:
            self.controller_outcomes += sum(is_label(message) for message in heard)
        if self.ts % S:
            return
        confidence = 0.0 if "estimate>calibration" in self.cut else self.confidence
        outcome, kappa = min(1.0, self.controller_outcomes / 20), min(1.0, confidence / 0.5)
        progress = 0.0 if "progress" in self.cut else (outcome + kappa) / 2
        self.say(
            "calibration",
            calibration(
                self.ts,
                cal_progress=progress,
                cal_gamma=0.3 + 0.7 * progress,
                as_progress=outcome,
                kappa_progress=kappa,
                fills=self.controller_fills,
                outcomes_resolved=self.controller_outcomes,
            ),
        )


def is_label(message: Message) -> bool:
    return isinstance(message, Markout) and message.label and message.resolved and message.filled


def instrument() -> Instrument:
    return Instrument(ts=START, tick_size=TICK, lot_size=0.001)


def book(ts: int, bid: float, ask: float, levels: int = 12) -> Book:
    steps = range(levels)
    return Book(
        ts=ts,
        recv_ts=ts,
        bid_prices=[round(bid - step * TICK, 2) for step in steps],
        bid_sizes=[1.0 + 0.7 * step for step in steps],
        ask_prices=[round(ask + step * TICK, 2) for step in steps],
        ask_sizes=[1.2 + 0.6 * step for step in steps],
    )


def trades(ts: int, price: float, aggressor: Any, size: float = 1.0) -> Trades:
    return Trades(ts=ts, recv_ts=ts, times=[ts], prices=[price], sizes=[size], aggressors=[aggressor], trade_ids=[ts])
