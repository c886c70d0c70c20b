"""The exchange and the outcome tracker as the monitor's tests play them."""

from collections.abc import Collection

from msgspec.structs import replace

from papertrader.shared.messages import (
    LABEL_HORIZON_S,
    Account,
    Ack,
    Cancel,
    Estimate,
    Fill,
    Markout,
    Message,
    Place,
)
from tests.messages import S, ack, fill, markout

LEVERAGE = 10.0


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
            return [replace(order, ts=ts, status="cancelled", reason="never_touched")]
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
                said += [self.fill(order, ts), replace(order, ts=ts, status="filled", filled_size=order.size)]
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
