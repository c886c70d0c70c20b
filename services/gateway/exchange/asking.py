"""What an action asks of the paper exchange: commands for the log, and what they are called. Pure but for the ids."""

import re
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from papertrader.services.gateway.exchange.texts import (
    CANNOT_MODIFY,
    NO_TRIGGERS,
    ONLY_PRICE_AND_SIZE,
    UNKNOWN_ASSET,
    UNKNOWN_ORDER,
)
from papertrader.services.gateway.exchange.waiting import Answering, Status, Waiting, bbo_of, error
from papertrader.services.gateway.exchange.wire import BodyError, ModifyWire, OrderWire
from papertrader.services.gateway.ledger.accounts import PaperAccount
from papertrader.services.gateway.ledger.markets import Markets, MarketView
from papertrader.services.gateway.ledger.orders import Order
from papertrader.services.gateway.ledger.statuses import REJECTIONS
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Cancel, Command, Modify, Place, TimeInForce
from papertrader.shared.messages.actions import NamedOrder

TIME_IN_FORCE: Final[dict[str, TimeInForce]] = {
    "Alo": "post_only",
    "Gtc": "gtc",
    "Ioc": "ioc",
    "FrontendMarket": "ioc",
}
CLOID: Final = re.compile(r"0x[0-9a-fA-F]{32}")


class Asked(NamedTuple):
    """One element of a batch: a refusal at once, or a command and the answer that is to come."""

    refusal: Status | None = None
    market: Market | None = None
    command: Command | None = None
    named: NamedOrder | None = None
    answer: Answering | None = None


class Ids:
    """Ids of orders, rising, below 2**53, which is what JavaScript can count to: microseconds of wall time."""

    def __init__(self, highest: Callable[[], int]) -> None:
        self._highest = highest
        self._last = 0

    def next(self) -> int:
        """A new id, larger than any that the log holds."""
        self._last = max(self._last + 1, time.time_ns() // 1_000, self._highest() + 1)
        return self._last


class Asking:
    """Turns the orders, cancels and modifies of one account into commands."""

    def __init__(self, markets: Markets, waiting: Waiting, ids: Ids) -> None:
        self._markets = markets
        self._waiting = waiting
        self._ids = ids

    def forget(self, answers: Iterable[Answering]) -> None:
        """Wait no longer for these."""
        self._waiting.forget(answers)

    def orders(self, account: PaperAccount, wires: Iterable[OrderWire]) -> list[Asked]:
        """Place orders."""
        return [self._order(account, wire) for wire in wires]

    def _order(self, account: PaperAccount, wire: OrderWire) -> Asked:
        view = self._markets.asset(wire.asset)
        refusal, price, size = _checked(view, wire)
        if refusal is not None or view is None or wire.kind.limit is None:
            return Asked(refusal=refusal)
        tif = TIME_IN_FORCE[wire.kind.limit.tif]
        number, side = self._ids.next(), 1 if wire.is_buy else -1
        command = Place(
            ts=view.clock_ts,
            order_id=number,
            side="buy" if wire.is_buy else "sell",
            price=price,
            size=size,
            time_in_force=tif,
            reduce_only=wire.reduce_only,
        )
        named = NamedOrder(
            order_id=number, oid=number, cloid=(wire.cloid or "").lower(), time_in_force=wire.kind.limit.tif
        )
        may_take = tif != "post_only" and (tif == "ioc" or view.crosses(side, price))
        return Asked(
            market=view.market,
            command=command,
            named=named,
            answer=self._waiting.place(account.name, number, view, may_take, may_rest=tif != "ioc"),
        )

    def cancels(self, account: PaperAccount, keys: Iterable[tuple[int, int | str]]) -> list[Asked]:
        """Cancel orders by asset and oid or cloid."""
        return [self._cancel(account, asset, key) for asset, key in keys]

    def _cancel(self, account: PaperAccount, asset: int, key: int | str) -> Asked:
        view, order = self._markets.asset(asset), account.orders.find(key)
        if view is None or order is None or order.coin != view.coin or not _alive(account, order):
            return Asked(refusal=error(UNKNOWN_ORDER.format(asset=asset)))
        return Asked(
            market=view.market,
            command=Cancel(ts=view.clock_ts, order_id=order.order_id),
            answer=self._waiting.cancel(account.name, order.order_id, asset),
        )

    def all_cancels(self, account: PaperAccount) -> list[Asked]:
        """Cancel everything."""
        found = [(order, self._markets.coin(order.coin)) for order in account.orders.open()]
        return [
            Asked(market=view.market, command=Cancel(ts=view.clock_ts, order_id=order.order_id))
            for order, view in found
            if view is not None
        ]

    def modifies(self, account: PaperAccount, wires: Iterable[ModifyWire]) -> list[Asked]:
        """Modify orders."""
        return [self._modify(account, wire) for wire in wires]

    def _modify(self, account: PaperAccount, wire: ModifyWire) -> Asked:
        view = self._markets.asset(wire.order.asset)
        order = account.orders.find(wire.oid)
        if order is None or not _alive(account, order) or (view is not None and view.coin != order.coin):
            return Asked(refusal=error(CANNOT_MODIFY))
        refusal, price, size = _checked(view, wire.order)
        if refusal is not None or view is None or wire.order.kind.limit is None:
            return Asked(refusal=refusal)
        if refusal := _unchangeable(view, order, wire.order, price):
            return Asked(refusal=refusal)
        named = NamedOrder(
            order_id=order.order_id,
            oid=self._ids.next(),
            cloid=(wire.order.cloid or order.cloid).lower(),
            time_in_force=wire.order.kind.limit.tif,
        )
        whole = order.filled_before + order.filled + size
        return Asked(
            market=view.market,
            command=Modify(ts=view.clock_ts, order_id=order.order_id, price=price, size=whole),
            named=named,
            answer=self._waiting.modify(account.name, named.oid, view),
        )


def _alive(account: PaperAccount, order: Order) -> bool:
    return account.orders.current(order.order_id) is order and order.status in ("open", "pending")


def _checked(view: MarketView | None, wire: OrderWire) -> tuple[dict[str, Any] | None, float, float]:
    """Why an order cannot even be sent to the paper exchange, or None with its price and size; raises BodyError."""
    if wire.cloid is not None and not CLOID.fullmatch(wire.cloid):
        raise BodyError("cloid")
    if view is None:
        return error(UNKNOWN_ASSET.format(asset=wire.asset)), 0.0, 0.0
    if wire.kind.limit is None:
        return error(NO_TRIGGERS.format(asset=wire.asset)), 0.0, 0.0
    if wire.kind.limit.tif not in TIME_IN_FORCE:
        raise BodyError("tif")
    price, size = number(wire.price), number(wire.size)
    if not 0 < price < 1e15:
        return error("Order has invalid price."), 0.0, 0.0
    if not 0 < size < 1e15:
        return error("Order has zero size." if size == 0 else "Order has invalid size."), 0.0, 0.0
    return None, price, size


def _unchangeable(view: MarketView, order: Order, wire: OrderWire, price: float) -> dict[str, Any] | None:
    """Why an order cannot become this one: on paper it keeps its side and kind, and what crosses is not placed."""
    assert wire.kind.limit is not None
    same = (order.side > 0) == wire.is_buy and order.reduce_only == wire.reduce_only
    if not same or TIME_IN_FORCE[wire.kind.limit.tif] == "ioc":
        return error(ONLY_PRICE_AND_SIZE.format(asset=view.asset))
    if view.crosses(order.side, price):
        text = REJECTIONS["post_only_would_cross"][1].format(bbo=bbo_of(view))
        return error(f"{text} asset={view.asset}")
    return None


def number(text: str) -> float:
    """A number as clients write it; raises BodyError for a text that is none."""
    try:
        found = float(text)
    except ValueError:
        raise BodyError("number") from None
    if found != found:
        raise BodyError("number")
    return found
