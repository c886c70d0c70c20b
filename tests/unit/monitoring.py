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
    LABEL_HORIZON_S,
    Account,
    Ack,
    Book,
    Calibration,
    Cancel,
    Command,
    Estimate,
    Fill,
    Instrument,
    Markout,
    Message,
    Place,
    Trades,
)
from papertrader.shared.service.fold import Output, Received, Round, canonical

MARKET = Market("test", "BTC")
ACCOUNT = "main"
S = 1_000_000_000
START = 1_700_000_000 * S
ROUND = S // 4
TICK = 0.01
LEVERAGE = 10.0
FEATURES = (0.0,) * 7
BINS = (0.0,) * 10


class Exchange:
    """Fill-sim's part: every print at or through a live order fills it."""

    def __init__(self, cut: Collection[str]) -> None:
        self.cut = cut
        self.orders: dict[int, Ack] = {}
        self.position = self.average = self.realised = self.fees = self.turnover = self.cash = 0.0
        self.spread = self.inventory = 0.0
        self.fills = 0
        self.mid = 0.0
        self.toxicity: dict[str, float | None] = {"buy": None, "sell": None}

    def hear(self, message: Message, ts: int) -> list[Message]:
        if isinstance(message, Estimate) and "estimate>fill-sim" not in self.cut:
            self.toxicity = {"buy": message.toxicity_bid, "sell": message.toxicity_ask}
        if isinstance(message, Place):
            self.orders[message.order_id] = accepted = ack(message, ts)
            return [accepted]
        if isinstance(message, Cancel):
            order = self.orders.pop(message.order_id, None)
            if order is None:
                return [ack(None, ts, order_id=message.order_id, status="refused", reason="unknown_order")]
            return [change(order, ts=ts, status="cancelled", reason="never_touched")]
        return []

    def on_mid(self, mid: float) -> None:
        self.inventory += self.position * (mid - self.mid) if self.mid else 0.0
        self.mid = mid

    def on_print(self, ts: int, price: float, aggressor: str) -> list[Message]:
        said: list[Message] = []
        for order in list(self.orders.values()):
            reached = price <= order.price if order.side == "buy" else price >= order.price
            if reached and (aggressor == "sell") == (order.side == "buy"):
                del self.orders[order.order_id]
                said += [self.fill(order, ts), change(order, ts=ts, status="filled", filled_size=order.size)]
        return said

    def fill(self, order: Ack, ts: int) -> Fill:
        sign = 1 if order.side == "buy" else -1
        fee = order.price * order.size * 1.5e-4
        closed = min(order.size, abs(self.position)) if self.position * sign < 0 else 0.0
        self.realised -= sign * closed * (order.price - self.average)
        opened = order.size - closed
        after = self.position + sign * order.size
        if opened:
            held = abs(self.position) if self.position * sign > 0 else 0.0
            self.average = (held * self.average + opened * order.price) / (held + opened)
        self.position = after
        self.cash -= sign * order.price * order.size + fee
        self.fees += fee
        self.spread += sign * (self.mid - order.price) * order.size
        self.turnover += order.price * order.size
        self.fills += 1
        return fill(
            ts,
            fill_id=self.fills,
            order_id=order.order_id,
            side=order.side,
            price=order.price,
            size=order.size,
            fee=fee,
            mid_at_fill=self.mid,
            toxicity=self.toxicity[order.side],
            position_after=after,
        )

    def account(self, ts: int) -> Account:
        unrealised = self.position * (self.mid - self.average) if self.position else 0.0
        total = self.cash + self.position * self.mid
        margin = 0.0 if "margin" in self.cut else abs(self.position) * self.mid / LEVERAGE
        residual = total - (self.spread + self.inventory - self.fees)
        return Account(
            ts=ts,
            position=self.position,
            average_entry_price=self.average,
            mark_price=self.mid,
            cash=self.cash,
            equity=10_000.0 + total,
            margin_used=margin,
            margin_available=10_000.0 + total - margin,
            realised=0.0 if "realised" in self.cut else self.realised,
            unrealised=unrealised,
            spread=self.spread,
            inventory=self.inventory,
            fees=self.fees,
            funding=0.0,
            total=total,
            residual=1.0 if "residual" in self.cut else residual,
            turnover=self.turnover,
            fills=self.fills,
            orders_live=len(self.orders),
        )


class Tracker:
    """The outcome-tracker's part: one markout per fill and horizon."""

    def __init__(self) -> None:
        self.pending: list[tuple[Fill, float]] = []

    def step(self, ts: int, mid: float) -> list[Message]:
        due = [(fill_, horizon) for fill_, horizon in self.pending if fill_.ts + horizon * S <= ts]
        self.pending = [item for item in self.pending if item not in due]
        return [self.markout(fill_, horizon, ts, mid) for fill_, horizon in due]

    def markout(self, fill_: Fill, horizon: float, ts: int, mid: float) -> Markout:
        sign = 1 if fill_.side == "buy" else -1
        against = -sign * (mid - fill_.mid_at_fill) / fill_.mid_at_fill * 1e4
        return markout(
            ts,
            fill_id=fill_.fill_id,
            order_id=fill_.order_id,
            side=fill_.side,
            fill_ts=fill_.ts,
            price=fill_.price,
            size=fill_.size,
            mid_at_fill=fill_.mid_at_fill,
            horizon_s=horizon,
            mid=mid,
            markout_bps=sign * (mid - fill_.price) / fill_.price * 1e4,
            adverse_selection_bps=against,
            label=horizon == LABEL_HORIZON_S,
            adverse=horizon == LABEL_HORIZON_S and against > 1,
            toxicity=fill_.toxicity,
        )


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
        ready = self.samples >= 30
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
                kappa_confidence=self.confidence,
                regime=("quiet", "normal", "volatile", "extreme")[self.regime_changes % 4],
                regime_seconds=(elapsed_s / 2, elapsed_s / 4, elapsed_s / 4, 0.0),
                regime_changes=self.regime_changes,
                toxicity_bid=0.35 + lean,
                toxicity_ask=0.35 - lean,
                adverse_base_rate=0.35,
                classifier_ready=ready,
                classifier_samples=self.samples,
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


def place(ts: int, **fields: Any) -> Place:
    defaults: dict[str, Any] = {"order_id": 1, "side": "buy", "price": 99.97, "size": 1.0, "p_fill": 0.2}
    return Place(ts=ts, **(defaults | fields))


def change(original: Any, **fields: Any) -> Any:
    return type(original)(**({name: getattr(original, name) for name in original.__struct_fields__} | fields))


def ack(command: Command | None, ts: int, **fields: Any) -> Ack:
    """An accepted ack of a placed order."""
    defaults: dict[str, Any] = {
        "order_id": 1,
        "status": "accepted",
        "reason": "none",
        "side": "buy",
        "price": 99.97,
        "size": 1.0,
        "filled_size": 0.0,
        "live_ts": ts,
        "first_fill_ts": 0,
        "mid_at_placement": 100.0,
        "queue_ahead": 0.0,
        "p_fill": 0.2,
        "p_adverse": 0.3,
    }
    if isinstance(command, Place):
        defaults |= {name: getattr(command, name) for name in ("order_id", "side", "price", "size")}
    return Ack(ts=ts, **(defaults | fields))


def fill(ts: int, **fields: Any) -> Fill:
    defaults: dict[str, Any] = {
        "fill_id": 1,
        "order_id": 1,
        "trade_id": 1,
        "side": "buy",
        "price": 99.97,
        "size": 1.0,
        "maker": True,
        "fee": 0.015,
        "mid_at_placement": 100.0,
        "mid_at_fill": 100.0,
        "half_spread_bps": 3.0,
        "through": False,
        "queue_ahead_at_join": 0.0,
        "live_ts": ts,
        "toxicity": None,
        "p_fill": 0.2,
        "p_adverse": 0.3,
        "features": FEATURES,
        "position_after": 1.0,
    }
    return Fill(ts=ts, **(defaults | fields))


def markout(ts: int, **fields: Any) -> Markout:
    defaults: dict[str, Any] = {
        "fill_id": 1,
        "order_id": 1,
        "filled": True,
        "side": "buy",
        "fill_ts": ts - 5 * S,
        "price": 99.97,
        "size": 1.0,
        "mid_at_fill": 100.0,
        "horizon_s": LABEL_HORIZON_S,
        "resolved": True,
        "mid": 100.0,
        "markout_bps": 3.0,
        "adverse_selection_bps": 0.0,
        "label": True,
        "adverse": False,
        "adverse_volatility_scaled": False,
        "toxicity": None,
        "features": FEATURES,
    }
    return Markout(ts=ts, **(defaults | fields))


def estimate(ts: int, **fields: Any) -> Estimate:
    defaults: dict[str, Any] = {
        "version": 1,
        "kappa": 2500.0,
        "kappa_sd": 1100.0,
        "intensity": 0.1,
        "own_fills": 0,
        "kappa_confidence": 0.0,
        "exposure_s": 10.0,
        "market_kappa": 2600.0,
        "market_prints": 100,
        "sigma_bps": 1.0,
        "sigma_bipower_bps": 0.9,
        "jump_ratio": 1.1,
        "sigma_p10_bps": 0.5,
        "sigma_p90_bps": 2.0,
        "regime": "normal",
        "regime_probabilities": (0.1, 0.7, 0.2, 0.0),
        "regime_seconds": (10.0, 20.0, 5.0, 0.0),
        "regime_changes": 0,
        "toxicity_bid": 0.35,
        "toxicity_ask": 0.35,
        "adverse_base_rate": 0.35,
        "classifier_ready": False,
        "classifier_samples": 0,
        "dropped": 0,
    }
    return Estimate(ts=ts, **(defaults | fields))


def calibration(ts: int, **fields: Any) -> Calibration:
    forecast = tuple((index + 0.5) / 10 for index in range(10))
    count = (12.0, 30.0, 25.0, 14.0, 6.0, 3.0, 0.0, 0.0, 0.0, 0.0)
    observed = (0.02, 0.17, 0.24, 0.5, 0.4, 0.67, 0.0, 0.0, 0.0, 0.0)
    defaults: dict[str, Any] = {
        "version": 1,
        "cal_progress": 0.0,
        "cal_gamma": 0.3,
        "as_progress": 0.0,
        "kappa_progress": 0.0,
        "fill_rate_progress": 0.3,
        "fills": 0,
        "outcomes_resolved": 0,
        "outcomes_adverse": 0,
        "fill_forecasts": 90,
        "fill_brier": 0.18,
        "fill_skill": 0.05,
        "fill_log_loss": 0.5,
        "fill_ece": 0.03,
        "fill_bin_count": count,
        "fill_bin_forecast": forecast,
        "fill_bin_observed": observed,
        "toxicity_forecasts": 0,
        "toxicity_brier": None,
        "toxicity_skill": None,
        "toxicity_log_loss": None,
        "toxicity_ece": None,
        "toxicity_bin_count": BINS,
        "toxicity_bin_forecast": BINS,
        "toxicity_bin_observed": BINS,
    }
    return Calibration(ts=ts, **(defaults | fields))


def account(ts: int, **fields: float) -> Account:
    numbers: dict[str, Any] = {name: 0.0 for name in Account.__struct_fields__ if name not in ("ts", "fills")}
    return Account(ts=ts, **(numbers | {"fills": 0, "orders_live": 0} | fields))
