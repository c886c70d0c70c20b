"""What an action asks of the paper exchange: commands for the log, and what they are called. Pure but for the ids."""

import re
import time
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec

from papertrader.services.gateway.exchange.texts import (
    BAD_TRIGGER,
    CANNOT_MODIFY,
    NO_FAST_CANCEL,
    NO_MODIFY_OF_CHILDREN,
    NO_PRIORITY,
    NOT_ALWAYS,
    NOT_ALWAYS_IOC,
    NOT_GROUPED,
    UNKNOWN_ASSET,
    UNKNOWN_ORDER,
)
from papertrader.services.gateway.exchange.waiting import Answering, Status, Waiting, bbo_of, error
from papertrader.services.gateway.exchange.wire import BodyError, ModifyWire, OrderAction, OrderWire, Priority
from papertrader.services.gateway.ledger.accounts import PaperAccount
from papertrader.services.gateway.ledger.markets import Markets, MarketView
from papertrader.services.gateway.ledger.orders import Order
from papertrader.services.gateway.ledger.statuses import REJECTIONS
from papertrader.shared.log.subjects import Market
from papertrader.shared.market.blocks import rules_of
from papertrader.shared.messages import Cancel, Command, Modify, Place, TimeInForce, Trigger
from papertrader.shared.messages.actions import NamedOrder

TIME_IN_FORCE: Final[dict[str, TimeInForce]] = {
    "Alo": "post_only",
    "Gtc": "gtc",
    "Ioc": "ioc",
    "FrontendMarket": "ioc",
}
GROUPS: Final = ("normalTpsl", "positionTpsl")
CLOID: Final = re.compile(r"0x[0-9a-fA-F]{32}")


class Asked(NamedTuple):
    """One element of a batch: a refusal at once, or a command with the answer that is to come; `then` what follows."""

    refusal: Status | None = None
    market: Market | None = None
    command: Command | None = None
    named: NamedOrder | None = None
    answer: Answering | None = None
    may_take: bool = False
    then: "Callable[[], Asked] | None" = None


class Tie(NamedTuple):
    """What binds the orders of a batch: `own` says that they are a group, of the `whole` position or of a parent.

    `bid_bps` is bid for their places in the block, and `sold` whether such orders can have any.
    """

    own: bool = False
    whole: bool = False
    group: int = 0
    parent: int = 0
    asset: int = 0
    may_take: bool = False
    bid_bps: float = 0.0
    sold: bool = True


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

    def orders(self, account: PaperAccount, action: OrderAction) -> list[Asked]:
        """Place orders. In a group the first is the parent, if it has no trigger, and nothing goes without it."""
        asked: list[Asked] = []
        tie = Tie(own=action.grouping in GROUPS, whole=action.grouping == "positionTpsl")
        if isinstance(action.grouping, Priority) and action.grouping.rate > 0:
            tie = Tie(bid_bps=action.grouping.rate / 1e4, sold=_sold(action))
        for wire in action.orders:
            first = asked[0] if asked else None
            if first is not None and tie.own and first.refusal is not None:
                asked.append(Asked(refusal=first.refusal))
                continue
            asked.append(self._order(account, wire, tie))
            if first is None and tie.own and isinstance(command := asked[0].command, Place | Trigger):
                parent = command.order_id if isinstance(command, Place) else 0
                tie = tie._replace(group=command.order_id, parent=parent, asset=wire.asset, may_take=asked[0].may_take)
        return asked

    def _order(self, account: PaperAccount, wire: OrderWire, tie: Tie) -> Asked:
        view = self._markets.asset(wire.asset)
        grouped = tie.group != 0 or tie.whole
        if grouped and (wire.kind.trigger is None or (tie.group != 0 and wire.asset != tie.asset)):
            return Asked(refusal=error(NOT_GROUPED.format(asset=wire.asset)))
        refusal, price, size = _checked(view, wire, tie.whole)
        if refusal is not None or view is None:
            return Asked(refusal=refusal)
        if not tie.sold:
            return Asked(refusal=error(NO_PRIORITY.format(asset=wire.asset)))
        number = self._ids.next()
        if wire.kind.trigger is not None:
            group = (tie.group or number) if tie.own else 0
            made = _trigger(view, wire, number)
            trigger = msgspec.structs.replace(made, parent=tie.parent, group=group, whole_position=tie.whole)
            return self._asked(account, view, wire, trigger, tie.may_take)
        assert wire.kind.limit is not None
        tif = TIME_IN_FORCE[wire.kind.limit.tif]
        command = Place(
            ts=view.now_ts,
            order_id=number,
            side="buy" if wire.is_buy else "sell",
            price=price,
            size=size,
            time_in_force=tif,
            reduce_only=wire.reduce_only,
            priority_bps=tie.bid_bps if rules_of(view.market.venue).block_ms else 0.0,
        )
        crosses = view.crosses(1 if wire.is_buy else -1, price)
        return self._asked(account, view, wire, command, tif == "ioc" or (tif == "gtc" and crosses))

    def _asked(
        self, account: PaperAccount, view: MarketView, wire: OrderWire, command: Place | Trigger, may_take: bool
    ) -> Asked:
        """A new order and the answer that is to come; `may_take`: it, or its parent, may trade at once."""
        number, limit = command.order_id, wire.kind.limit
        rests = isinstance(command, Trigger) or command.time_in_force != "ioc"
        return Asked(
            market=view.market,
            command=command,
            named=NamedOrder(
                order_id=number,
                oid=number,
                cloid=(wire.cloid or "").lower(),
                time_in_force=limit.tif if limit else "",
            ),
            answer=self._waiting.place(account.name, number, view, may_take, may_rest=rests),
            may_take=may_take,
        )

    def cancels(self, account: PaperAccount, keys: Iterable[tuple[int, int | str]], fast: bool) -> list[Asked]:
        """Cancel orders by asset and oid or cloid; a fast one is not for orders that wait for the mark."""
        return [self._cancel(account, asset, key, fast) for asset, key in keys]

    def _cancel(self, account: PaperAccount, asset: int, key: int | str, fast: bool) -> Asked:
        view, order = self._markets.asset(asset), account.orders.find(key)
        if view is None or order is None or order.coin != view.coin or not _alive(account, order):
            return Asked(refusal=error(UNKNOWN_ORDER.format(asset=asset)))
        if fast and order.waits:
            return Asked(refusal=error(NO_FAST_CANCEL.format(asset=asset)))
        return Asked(
            market=view.market,
            command=Cancel(ts=view.now_ts, order_id=order.order_id, fast=fast),
            answer=self._waiting.cancel(account.name, order.order_id, asset),
        )

    def all_cancels(self, account: PaperAccount) -> list[Asked]:
        """Cancel everything."""
        found = [(order, self._markets.coin(order.coin)) for order in account.orders.open()]
        return [
            Asked(market=view.market, command=Cancel(ts=view.now_ts, order_id=order.order_id))
            for order, view in found
            if view is not None
        ]

    def modifies(self, account: PaperAccount, wires: Iterable[ModifyWire], always: bool) -> list[Asked]:
        """Modify orders; `always` places what would take at once, too."""
        return [self._modify(account, wire, always or bool(wire.always)) for wire in wires]

    def _modify(self, account: PaperAccount, wire: ModifyWire, always: bool) -> Asked:
        view = self._markets.asset(wire.order.asset)
        order = account.orders.find(wire.oid)
        if order is None or not _alive(account, order) or (view is not None and view.coin != order.coin):
            return Asked(refusal=error(CANNOT_MODIFY))
        refusal, price, size = _checked(view, wire.order, order.whole_position)
        if refusal is not None or view is None:
            return Asked(refusal=refusal)
        if refusal := _not_allowed(view, order, wire.order, price, always):
            return Asked(refusal=refusal)
        if order.waits and wire.order.kind.trigger is not None:
            return self._replace(account, view, order, wire.order)
        if _is_another(order, wire.order):
            return self._instead(account, view, order, wire.order)
        assert wire.order.kind.limit is not None
        named = NamedOrder(
            order_id=order.order_id,
            oid=self._ids.next(),
            cloid=(wire.order.cloid or order.cloid).lower(),
            time_in_force=wire.order.kind.limit.tif,
        )
        whole = order.filled_before + order.filled + size
        return Asked(
            market=view.market,
            command=Modify(ts=view.now_ts, order_id=order.order_id, price=price, size=whole),
            named=named,
            answer=self._waiting.modify(account.name, named.oid, view),
        )

    def _instead(self, account: PaperAccount, view: MarketView, order: Order, wire: OrderWire) -> Asked:
        """Cancel an order, and if that was not too late place the one that it becomes: each takes its way."""
        same = msgspec.structs.replace(wire, cloid=wire.cloid or order.cloid or None)
        return Asked(
            market=view.market,
            command=Cancel(ts=view.now_ts, order_id=order.order_id),
            answer=self._waiting.cancel(account.name, order.order_id, view.asset),
            then=lambda: self._order(account, same, Tie()),
        )

    def _replace(self, account: PaperAccount, view: MarketView, order: Order, wire: OrderWire) -> Asked:
        """Another order that waits for the mark in the place of one."""
        command = msgspec.structs.replace(
            _trigger(view, wire, self._ids.next()),
            replaces=order.order_id,
            group=order.group,
            whole_position=order.whole_position,
        )
        same = msgspec.structs.replace(wire, cloid=wire.cloid or order.cloid or None)
        return self._asked(account, view, same, command, may_take=False)


def _trigger(view: MarketView, wire: OrderWire, number_: int) -> Trigger:
    """The command of an order that waits for the mark."""
    asked = wire.kind.trigger
    assert asked is not None
    return Trigger(
        ts=view.now_ts,
        order_id=number_,
        side="buy" if wire.is_buy else "sell",
        price=number(wire.price),
        size=number(wire.size),
        trigger_price=number(asked.trigger_px),
        trigger="stop" if asked.tpsl == "sl" else "take_profit",
        time_in_force="ioc" if asked.is_market else "gtc",
        reduce_only=wire.reduce_only,
    )


def _sold(action: OrderAction) -> bool:
    """Whether a place can be bought for the orders of an action: all of them IOC, or post-only and not reduce-only."""
    kinds = [(wire.kind.limit.tif if wire.kind.limit else "", wire.reduce_only) for wire in action.orders]
    takes = all(TIME_IN_FORCE.get(tif) == "ioc" for tif, _ in kinds)
    return takes or all(tif == "Alo" and not reduces for tif, reduces in kinds)


def _alive(account: PaperAccount, order: Order) -> bool:
    current = account.orders.current(order.order_id) is order
    return current and order.status in ("open", "pending", "waiting", "triggered")


def _checked(
    view: MarketView | None, wire: OrderWire, whole_position: bool
) -> tuple[dict[str, Any] | None, float, float]:
    """Why an order cannot even be sent to the paper exchange, or None with its price and size; raises BodyError."""
    limit, trigger = wire.kind.limit, wire.kind.trigger
    if wire.cloid is not None and not CLOID.fullmatch(wire.cloid):
        raise BodyError("cloid")
    if (limit is None) == (trigger is None) or (limit is not None and limit.tif not in TIME_IN_FORCE):
        raise BodyError("t")
    if view is None:
        return error(UNKNOWN_ASSET.format(asset=wire.asset)), 0.0, 0.0
    price, size = number(wire.price), number(wire.size)
    if not 0 < price < 1e15:
        return error("Order has invalid price."), 0.0, 0.0
    if trigger is not None and not 0 < number(trigger.trigger_px) < 1e15:
        return error(BAD_TRIGGER.format(asset=wire.asset)), 0.0, 0.0
    if not 0 < size < 1e15 and not (size == 0 and whole_position):
        return error("Order has zero size." if size == 0 else "Order has invalid size."), 0.0, 0.0
    return None, price, size


def following(item: Asked) -> Asked:
    """What is asked for next, once an element has been answered: what takes the place of an order that is gone now."""
    if item.then is None or item.answer is None:
        return item
    return item.then() if item.answer.result() == "success" else Asked(refusal=error(CANNOT_MODIFY))


def _not_allowed(view: MarketView, order: Order, wire: OrderWire, price: float, always: bool) -> dict[str, Any] | None:
    """Why an order may not become this one: without `a` it has to be one that rests, and may not take at once."""
    limit = wire.kind.limit
    if order.status == "waiting":
        return error(NO_MODIFY_OF_CHILDREN.format(asset=view.asset))
    if limit is None:
        return None if always else error(NOT_ALWAYS.format(asset=view.asset))
    tif = TIME_IN_FORCE[limit.tif]
    if tif == "ioc":
        return None if always else error(NOT_ALWAYS_IOC.format(asset=view.asset))
    if view.crosses(1 if wire.is_buy else -1, price) and not (always and tif == "gtc"):
        text = REJECTIONS["post_only_would_cross"][1].format(bbo=bbo_of(view))
        return error(f"{text} asset={view.asset}")
    return None


def _is_another(order: Order, wire: OrderWire) -> bool:
    """Whether it is another order, for not only its price and size change."""
    limit = wire.kind.limit
    same = (order.side > 0) == wire.is_buy and order.reduce_only == wire.reduce_only and not order.waits
    return not same or limit is None or TIME_IN_FORCE[limit.tif] == "ioc"


def number(text: str) -> float:
    """A number as clients write it; raises BodyError for a text that is none."""
    try:
        found = float(text)
    except ValueError:
        raise BodyError("number") from None
    if found != found:
        raise BodyError("number")
    return found
