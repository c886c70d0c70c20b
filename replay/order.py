"""What would have happened to orders of one's own in a recorded market: the services' own folds over its rounds."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from papertrader.replay.composition import Composition, Spoken
from papertrader.services.feed.market_source import MarketSource
from papertrader.services.feed.session_rounds import marker_of
from papertrader.services.fill_sim.said import what_kept_it
from papertrader.services.fill_sim.service import FillSim
from papertrader.services.fill_sim.state import NEVER, REASONS
from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.data import DataQuality, doubts
from papertrader.services.monitor.facts.facts import MarketFacts
from papertrader.services.monitor.facts.market import hear_market, read
from papertrader.shared.messages import (
    Account,
    Ack,
    Command,
    Fill,
    Instrument,
    Markout,
    Message,
    Place,
    RoundEnd,
    Trigger,
)
from papertrader.shared.service.config import DEFAULT_ACCOUNT, Settings
from papertrader.shared.service.fold import Received, Round
from papertrader.shared.service.market_data import MarketData

SERVICES: Final = ("fill-sim", "outcome-tracker")
SETTLE_NS: Final = 60_000_000_000
"""How long after the data's end what is still under way may take effect."""
ENDED: Final = ("rejected", "cancelled", "expired", "filled")


class OrderError(ValueError):
    """Orders that cannot be answered; the text says why."""


class Answer(msgspec.Struct, frozen=True):
    """What the exchange said of an order: when, what, and why."""

    ts: int
    status: str
    reason: str


class Queue(msgspec.Struct, frozen=True):
    """The external size ahead of an order from `ts` on; `None` while it is not known."""

    ts: int
    ahead: float | None


class OwnFill(msgspec.Struct):
    """A fill; `markouts_bps` by horizon in s, positive is good for us, `None` where the data ended or broke before."""

    fill_id: int
    ts: int
    price: float
    size: float
    fee: float
    maker: bool
    through: bool
    mid: float
    position_after: float
    markouts_bps: dict[str, float | None] = {}


class Life(msgspec.Struct):
    """An order from its placement to its end, or to the end of the data.

    `status` is the last word about it: `under_way` before there was one, `accepted` while it rests. `reason` says why
    it was rejected or what has kept it from filling. `queue_ahead` is the external size ahead when it joined its level.
    What its bid cost, the size that it passed by it, and by how much a fast cancel won are as in its acks.
    """

    order_id: int
    side: str
    price: float
    size: float
    time_in_force: str
    placed_ts: int
    status: str = "under_way"
    reason: str = "none"
    live_ts: int | None = None
    ended_ts: int | None = None
    queue_ahead: float | None = None
    p_fill: float | None = None
    filled_size: float = 0.0
    average_price: float | None = None
    priority_fee: float | None = None
    queue_passed: float | None = None
    won_by_ms: float | None = None
    answers: list[Answer] = []
    queue: list[Queue] = []
    fills: list[OwnFill] = []


class Answered(msgspec.Struct):
    """Everything that is known after the session."""

    venue: str
    asset: str
    instrument: Instrument
    data: dict[str, Any]
    orders: list[Life]
    account: Account


class Trial:
    """A session into which commands are put: order N of them is the N-th of them that is new."""

    def __init__(self, source: MarketSource, settings: Settings, commands: Sequence[Command]) -> None:
        self._source = source
        self._settings = settings
        self._composition = Composition(settings, source.market, SERVICES)
        self._commands = sorted(commands, key=lambda command: command.ts)
        self._sent = 0
        self._facts = MarketFacts()
        self._market_data = MarketData()
        self.lives = {command.order_id: _life(command) for command in commands if isinstance(command, Place | Trigger)}

    def run(self) -> Answered:
        """Fold the session; raises OrderError for a command that its time does not reach."""
        end: RoundEnd | None = None
        for round_ in self._source.rounds():
            *market_data, marker = round_.messages
            started, end = end is not None, marker_of(marker)
            self._fold(market_data, end, self._due(end.ts) if started else [])
        if end is None:
            raise OrderError(f"{self._source.market}: the tape holds no market data")
        if self._sent < len(self._commands):
            late = self._commands[self._sent]
            raise OrderError(f"{late.ts // 1_000_000} ms is after the tape's end at {end.ts // 1_000_000} ms")
        self._settle(end)
        return self._answered()

    def _due(self, ts: int) -> list[Command]:
        first = self._sent
        while self._sent < len(self._commands) and self._commands[self._sent].ts <= ts:
            self._sent += 1
        return self._commands[first : self._sent]

    def _fold(self, market_data: Sequence[Message], end: RoundEnd, commands: Iterable[Command]) -> None:
        said = [Received("orders", DEFAULT_ACCOUNT, command, command.order_id) for command in commands]
        self._hear(self._composition.fold(market_data, end, said))
        round_ = Round(end.round, end.ts, 0, (), tuple(market_data), end.final)
        hear_market(self._facts, round_, read(self._market_data, round_))
        self._follow_queues(end.ts)

    def _settle(self, end: RoundEnd) -> None:
        """Let what is under way take effect after the data's end; markouts are not waited for."""
        exchange = self._exchange
        self._composition.folds = {"fill-sim": exchange}
        step_ns = self._source.round_ns
        for step in range(1, SETTLE_NS // step_ns):
            account = exchange.account_states[0]
            if account["commands_count"] == 0 and account["next_ts"] == NEVER:
                break
            later = msgspec.structs.replace(end, round=end.round + step, ts=end.ts + step * step_ns)
            self._hear(self._composition.fold((), later))

    @property
    def _exchange(self) -> FillSim:
        exchange = self._composition.folds["fill-sim"]
        assert isinstance(exchange, FillSim)
        return exchange

    def _hear(self, spoken: Iterable[Spoken]) -> None:
        for message in (item.output.message for item in spoken):
            if isinstance(message, (Ack, Fill, Markout)) and message.order_id in self.lives:
                _HEAR[type(message)](self.lives[message.order_id], message)

    def _follow_queues(self, ts: int) -> None:
        for order in self._orders():
            ahead = None if np.isnan(order["ahead"]) else float(order["ahead"])
            queue = self.lives[int(order["order_id"])].queue
            if queue[-1].ahead != ahead:
                queue.append(Queue(ts, ahead))

    def _orders(self) -> Any:
        account = self._exchange.account_states[0]
        return account["orders"][: account["orders_count"]]

    def _answered(self) -> Answered:
        exchange = self._exchange
        for order in self._orders():
            _still_rests(self.lives[int(order["order_id"])], order, exchange.settings[0])
        for life in self.lives.values():
            _conclude(life)
        return Answered(
            venue=self._source.market.venue,
            asset=self._source.market.asset,
            instrument=self._facts.instrument or self._source.instrument,
            data=self._data(),
            orders=list(self.lives.values()),
            account=exchange.account_message(0),
        )

    def _data(self) -> dict[str, Any]:
        facts = self._facts
        joined = [was_known(life) for life in self.lives.values() if life.queue]
        seen = DataQuality(facts, self._source.bad, len(joined), joined.count(False))
        limits = self._settings.section("monitor", MonitorConfig)
        return {
            "duration_s": (facts.ts - facts.first_ts) * 1e-9,
            "from_ts": facts.first_ts,
            "to_ts": facts.ts,
            "books": facts.books,
            "prints": facts.prints,
            "gaps": facts.gaps,
            "locked_share": seen.locked_share,
            "crossed_share": seen.crossed_share,
            "unknown_queue_share": seen.unknown_queue_share,
            "refused": dict(self._source.bad),
            "refused_share": seen.refused_share,
            "doubts": {doubt.name: doubt.seen for doubt in doubts(seen, limits)},
        }


def _life(place: Place | Trigger) -> Life:
    return Life(
        order_id=place.order_id,
        side=place.side,
        price=place.price,
        size=place.size,
        time_in_force=place.time_in_force,
        placed_ts=place.ts,
        p_fill=place.p_fill if isinstance(place, Place) else None,
    )


def _still_rests(life: Life, order: Any, settings: Any) -> None:
    """What still rests has been kept from filling by something, too, and has a chance of its own by now."""
    if order["filled"] == 0:
        life.reason = REASONS[what_kept_it(settings, order)]
    if order["row"] >= 0:
        life.p_fill = float(order["reached"])


def _conclude(life: Life) -> None:
    """What took all of its size was certain to fill; a queue that nothing told before the market came is unknown."""
    if life.status == "filled" and not any(fill.maker for fill in life.fills):
        life.p_fill = 1.0
    if life.queue and not was_known(life):
        life.queue_ahead = None


def was_known(life: Life) -> bool:
    """Whether it was ever known how much stood ahead of an order, before the market reached it."""
    reached_ts = min((fill.ts for fill in life.fills), default=NEVER)
    seen = life.queue[:1] + [queue for queue in life.queue if queue.ts < reached_ts]
    return any(queue.ahead is not None for queue in seen)


def _on_ack(life: Life, ack: Ack) -> None:
    life.answers.append(Answer(ack.ts, ack.status, ack.reason))
    if ack.status == "refused":  # a cancel that came too late says nothing of the order
        return
    life.status, life.reason = ack.status, ack.reason
    life.live_ts = ack.live_ts or life.live_ts
    life.filled_size = ack.filled_size
    life.queue_ahead = ack.queue_ahead
    life.priority_fee, life.queue_passed, life.won_by_ms = ack.priority_fee, ack.queue_passed, ack.won_by_ms
    life.p_fill = ack.p_fill if ack.fill_probability is None else ack.fill_probability
    if ack.status in ("accepted", "modified") and life.time_in_force != "ioc":
        life.queue.append(Queue(ack.ts, ack.queue_ahead))
    if ack.status in ENDED:
        life.ended_ts = ack.ts


def _on_fill(life: Life, fill: Fill) -> None:
    life.fills.append(
        OwnFill(
            fill_id=fill.fill_id,
            ts=fill.ts,
            price=fill.price,
            size=fill.size,
            fee=fill.fee,
            maker=fill.maker,
            through=fill.through,
            mid=fill.mid_at_fill,
            position_after=fill.position_after,
        )
    )
    life.filled_size = sum(item.size for item in life.fills)
    life.average_price = sum(item.size * item.price for item in life.fills) / life.filled_size


def _on_markout(life: Life, markout: Markout) -> None:
    for fill in life.fills:
        if markout.filled and fill.fill_id == markout.fill_id:
            fill.markouts_bps = {**fill.markouts_bps, f"{markout.horizon_s:g}": markout.markout_bps}


_HEAR: Final[dict[type[Message], Any]] = {Ack: _on_ack, Fill: _on_fill, Markout: _on_markout}
