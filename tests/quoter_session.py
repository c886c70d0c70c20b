"""Rounds for tests of the quoter, and a small exchange that answers it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from papertrader.services.quoter.config import QuoterConfig
from papertrader.services.quoter.service import Quoter
from papertrader.shared.log.kinds import KIND_OF
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.records import record_dtype
from papertrader.shared.messages import (
    Account,
    Ack,
    Bbo,
    Calibration,
    Cancel,
    Control,
    Estimate,
    Fill,
    Instrument,
    Message,
    Place,
    Trades,
)
from papertrader.shared.service.fold import Output, Received, Round, canonical

MARKET = Market("test", "COIN")
MS = 1_000_000
START = 1_000 * 1_000_000_000


def instrument(**changes: Any) -> Instrument:
    """A tick of 0.01 and a lot of 0.001."""
    return Instrument(**{"ts": START, "tick_size": 0.01, "lot_size": 0.001, "min_notional": 10.0, **changes})


def touch(bid: float | None, ask: float | None, ts: int = START) -> Bbo:
    """A best bid and ask of size 1."""
    return Bbo(ts=ts, recv_ts=ts, bid_price=bid, bid_size=1.0, ask_price=ask, ask_size=1.0)


def zeros(struct: type[Message], **values: Any) -> Any:
    """A message whose fields are zero but for those given."""
    fields: dict[str, Any] = {}
    for name in struct.__struct_fields__:
        shape = record_dtype(struct)[name].shape
        fields[name] = tuple(np.zeros(shape)) if shape else 0
    return struct(**{**fields, **values})


def estimate(**changes: Any) -> Estimate:
    """An estimate at the quoter's priors, version 1."""
    values = {
        "ts": START,
        "version": 1,
        "kappa": 2500.0,
        "intensity": 0.1,
        "sigma_bps": 1.0,
        "regime": "normal",
        "toxicity_bid": 0.3,
        "toxicity_ask": 0.3,
        "adverse_base_rate": 0.3,
        "classifier_ready": False,
    }
    result: Estimate = zeros(Estimate, **{**values, **changes})
    return result


def calibration(cal_gamma: float) -> Calibration:
    """A calibration of which only cal_gamma matters."""
    result: Calibration = zeros(Calibration, ts=START, cal_gamma=cal_gamma)
    return result


def account(**changes: Any) -> Account:
    """A flat account of 10 000."""
    values = {"ts": START, "equity": 10_000.0, "margin_available": 10_000.0, "maker_fee_bps": 1.5}
    result: Account = zeros(Account, **{**values, **changes})
    return result


def control(action: Any) -> Control:
    """An operator's command."""
    return Control(ts=START, action=action)


def ack(order: Place, status: Any, **changes: Any) -> Ack:
    """The exchange's word on an order."""
    values = {
        "ts": order.ts,
        "order_id": order.order_id,
        "status": status,
        "reason": "none",
        "side": order.side,
        "price": order.price,
        "size": order.size,
    }
    result: Ack = zeros(Ack, **{**values, **changes})
    return result


def fill(order: Place, size: float, position_after: float) -> Fill:
    """A fill of an order."""
    result: Fill = zeros(
        Fill,
        ts=order.ts,
        order_id=order.order_id,
        side=order.side,
        price=order.price,
        size=size,
        maker=True,
        through=True,
        position_after=position_after,
    )
    return result


@dataclass
class Session:
    """A quoter and its rounds, one every 50 ms unless said otherwise."""

    config: QuoterConfig = field(default_factory=QuoterConfig)
    name: str = "main"

    def __post_init__(self) -> None:
        self.quoter = Quoter(MARKET, {self.name: self.config})
        self.ts = START
        self.number = 0

    def round(
        self, *market_data: Message, said: Iterable[Message] = (), after_ms: float = 50
    ) -> list[Place | Cancel | Any]:
        """Fold one round and return the commands."""
        heard = canonical(Received(KIND_OF[type(item)], self.name, item, index) for index, item in enumerate(said))
        previous_ts, self.ts = self.ts, self.ts + int(after_ms * MS)
        self.number += 1
        outputs: list[Output] = self.quoter.fold(Round(self.number, self.ts, previous_ts, heard, market_data))
        assert all(output.kind == "orders" and output.account == self.name for output in outputs)
        return [output.message for output in outputs]

    def quoted(self, *market_data: Message) -> list[Place]:
        """Start at 999.90 / 1000.10 and return the first orders, accepted."""
        orders = self.round(instrument(), touch(999.9, 1000.1), *market_data)
        assert self.round(said=[ack(order, "accepted") for order in orders]) == []
        return orders

    @property
    def state(self) -> Any:
        """The account's state record."""
        return self.quoter.quoter(self.name)


class Exchange:
    """Accepts what rests, fills what is traded through, cancels on request; every word is heard one round later."""

    def __init__(self) -> None:
        self.orders: dict[int, Place] = {}
        self.left: dict[int, float] = {}
        self.position = 0.0
        self.fills = 0
        self.bid: float | None = None
        self.ask: float | None = None

    def fold(self, commands: Iterable[Message], market_data: Iterable[Message]) -> list[Message]:
        """Take the last round's commands, then this round's market data; returns what there is to say."""
        said: list[Message] = [word for command in commands for word in self._obey(command)]
        for message in market_data:
            if isinstance(message, Bbo):
                self.bid, self.ask = message.bid_price, message.ask_price
            elif isinstance(message, Trades):
                for price, aggressor in zip(message.prices, message.aggressors, strict=True):
                    said += self._trade(price, 1 if aggressor == "buy" else -1)
        return said

    def _obey(self, command: Any) -> list[Message]:
        if isinstance(command, Place):
            assert command.order_id not in self.orders
            self.orders[command.order_id], self.left[command.order_id] = command, command.size
            return [ack(command, "accepted")]
        order = self.orders[command.order_id]
        if self.left.pop(command.order_id, None) is None:
            return [ack(order, "refused", reason="unknown_order")]
        return [ack(order, "cancelled")]

    def _trade(self, price: float, aggressor: int) -> list[Message]:
        said: list[Message] = []
        for order_id in list(self.left):
            order = self.orders[order_id]
            side = 1 if order.side == "buy" else -1
            if side == -aggressor and side * (order.price - price) > 0:
                size = self.left.pop(order_id)
                self.position += side * size
                self.fills += 1
                said += [fill(order, size, self.position), ack(order, "filled", filled_size=size)]
        if said:
            said.append(account(position=self.position))
        return said
