"""Requests that wait for the paper exchange: each is answered by what the log says next of its orders."""

import asyncio
from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec

from papertrader.services.gateway.exchange.texts import CANNOT_MODIFY, PARENT_NOT_FILLED, UNKNOWN_ORDER
from papertrader.services.gateway.kernel import decimal
from papertrader.services.gateway.ledger.accounts import PaperAccount
from papertrader.services.gateway.ledger.markets import MarketView
from papertrader.services.gateway.ledger.orders import Order
from papertrader.services.gateway.ledger.statuses import rejection_text
from papertrader.shared.messages import Ack
from papertrader.shared.messages.actions import NamedOrder

Status: TypeAlias = dict[str, Any] | str
"""One element of `statuses`: resting, filled, error or success."""
Answering: TypeAlias = asyncio.Future[Status]


class Placing(msgspec.Struct):
    """An order that waits for its answer.

    Of one that may take at once, fills are waited for until the round's end; of one that may not rest, until its end.
    """

    view: MarketView
    answer: Answering
    may_take: bool
    may_rest: bool
    accepted_in: int = -1
    order: Order | None = None


class Modifying(msgspec.Struct):
    """A modify that waits for its answer."""

    view: MarketView
    answer: Answering


class Waiting:
    """Everything that waits, by the account and the order's id (of a modify: its new oid)."""

    def __init__(self) -> None:
        self._placing: dict[tuple[str, int], Placing] = {}
        self._modifying: dict[tuple[str, int], Modifying] = {}
        self._cancelling: dict[tuple[str, int], list[tuple[Answering, int]]] = {}
        self._accepted: dict[int, list[Placing]] = {}

    def place(self, account: str, order_id: int, view: MarketView, may_take: bool, may_rest: bool) -> Answering:
        """Wait for what becomes of a new order."""
        answer: Answering = asyncio.get_running_loop().create_future()
        self._placing[account, order_id] = Placing(view, answer, may_take, may_rest)
        return answer

    def modify(self, account: str, oid: int, view: MarketView) -> Answering:
        """Wait for the order of a new oid."""
        answer: Answering = asyncio.get_running_loop().create_future()
        self._modifying[account, oid] = Modifying(view, answer)
        return answer

    def cancel(self, account: str, order_id: int, asset: int) -> Answering:
        """Wait for an order's end."""
        answer: Answering = asyncio.get_running_loop().create_future()
        self._cancelling.setdefault((account, order_id), []).append((answer, asset))
        return answer

    def order_changed(self, account: PaperAccount, order: Order) -> None:
        """Answer what waited for this."""
        placing = self._placing.get((account.name, order.order_id))
        if placing is not None:
            self._on_placed(account, order, placing)
        modifying = self._modifying.pop((account.name, order.oid), None)
        if modifying is not None:
            _answer(modifying.answer, placed(order))
        if not order.open and account.orders.current(order.order_id) is None:
            success = order.status != "filled"
            for answer, asset in self._cancelling.pop((account.name, order.order_id), ()):
                _answer(answer, "success" if success else error(UNKNOWN_ORDER.format(asset=asset)))

    def _on_placed(self, account: PaperAccount, order: Order, placing: Placing) -> None:
        if order.status in ("open", "waiting") and placing.may_take:
            if placing.order is None and placing.may_rest:
                placing.order, placing.accepted_in = order, placing.view.round
                self._accepted.setdefault(id(placing.view), []).append(placing)
            return
        del self._placing[account.name, order.order_id]
        ack = order.ended
        if ack is not None and ack.status in ("rejected", "expired") and order.filled == 0:
            _answer(placing.answer, error(rejection_text(ack, placing.view.asset, bbo_of(placing.view))))
        elif ack is not None and order.waits:
            _answer(placing.answer, error(PARENT_NOT_FILLED.format(asset=placing.view.asset)))
        else:
            _answer(placing.answer, placed(order))

    def refused(self, account: PaperAccount, order_id: int, named: NamedOrder | None, ack: Ack | None) -> None:
        """Answer a cancel or modify that was refused."""
        if named is None:
            for answer, asset in self._cancelling.pop((account.name, order_id), ()):
                _answer(answer, error(UNKNOWN_ORDER.format(asset=asset)))
            return
        modifying = self._modifying.pop((account.name, named.oid), None)
        if modifying is not None:
            known = ack is not None and ack.status == "refused" and ack.reason != "unknown_order"
            text = rejection_text(ack, modifying.view.asset, bbo_of(modifying.view)) if known and ack else CANNOT_MODIFY
            _answer(modifying.answer, error(text))

    def round_ended(self, view: MarketView) -> None:
        """Answer the orders that rest since an earlier round: what they took has been heard."""
        waiting = self._accepted.pop(id(view), None)
        if not waiting:
            return
        still = [placing for placing in waiting if placing.accepted_in >= view.round]
        if still:
            self._accepted[id(view)] = still
        for placing in waiting:
            if placing.accepted_in < view.round and placing.order is not None:
                _answer(placing.answer, placed(placing.order))
        done = {id(placing.answer) for placing in waiting if placing.answer.done()}
        self._placing = {key: item for key, item in self._placing.items() if id(item.answer) not in done}

    def forget(self, answers: Iterable[Answering]) -> None:
        """Stop waiting for these."""
        gone = {id(answer) for answer in answers}
        self._placing = {key: item for key, item in self._placing.items() if id(item.answer) not in gone}
        self._modifying = {key: item for key, item in self._modifying.items() if id(item.answer) not in gone}
        self._cancelling = {
            key: kept
            for key, items in self._cancelling.items()
            if (kept := [item for item in items if id(item[0]) not in gone])
        }


def _answer(answer: Answering, status: Status) -> None:
    if not answer.done():
        answer.set_result(status)


def error(text: str) -> dict[str, Any]:
    """A refusal."""
    return {"error": text}


def placed(order: Order) -> Status:
    """What a taken order is answered: filled as far as it was, resting, or in a group what it waits for."""
    if order.waits and (order.group or order.whole_position):
        return "waitingForFill" if order.status == "waiting" else "waitingForTrigger"
    cloid = {"cloid": order.cloid} if order.cloid else {}
    if order.filled > 0:
        filled = {"totalSz": decimal(order.filled), "avgPx": decimal(order.mean_price), "oid": order.oid}
        return {"filled": {**filled, **cloid}}
    return {"resting": {"oid": order.oid, **cloid}}


def bbo_of(view: MarketView) -> str:
    """The touch as refusals tell it: 80639.5@80640.5."""
    bid, ask = view.touch()
    return f"{f'{bid.price:.10g}' if bid else ''}@{f'{ask.price:.10g}' if ask else ''}"
