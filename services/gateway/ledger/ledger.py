"""The log, as the gateway hears it: into orders, accounts and markets, and on to those who listen."""

import time
from collections import Counter, deque
from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

from papertrader.services.gateway.ledger.accounts import Funding, PaperAccount, Trade
from papertrader.services.gateway.ledger.markets import Markets, MarketView
from papertrader.services.gateway.ledger.orders import NS_PER_MS, Order
from papertrader.services.gateway.ledger.statuses import ended_status
from papertrader.shared.log.kinds import MARKET_TOKEN, decode
from papertrader.shared.log.subjects import address
from papertrader.shared.messages import (
    Account,
    Ack,
    Bbo,
    Book,
    Cancel,
    Context,
    Depth,
    Fill,
    Instrument,
    Message,
    Modify,
    Place,
    RoundEnd,
    Trades,
    Trigger,
)
from papertrader.shared.messages.accounts import Terms
from papertrader.shared.messages.actions import NamedOrder, SignedAction

SCHEDULED_CANCEL: Final = "scheduledCancel"
"""The action that the gateway itself notes when a clock that a program had set has run out; the cancels follow."""


class Listener(Protocol):
    """Who wants to know what the log says."""

    def opened(self, account: PaperAccount, terms: Terms) -> None:
        """An account has been opened, or has other terms."""

    def signed(self, account: PaperAccount, action: SignedAction) -> None:
        """A request of a program outside was accepted."""

    def order_changed(self, account: PaperAccount, order: Order) -> None:
        """An order has another status or size."""

    def refused(self, account: PaperAccount, order_id: int, named: NamedOrder | None, ack: Ack | None) -> None:
        """A cancel (without a name) or a modify found no order that could obey it, or was not allowed."""

    def traded(self, account: PaperAccount, trade: Trade) -> None:
        """A fill."""

    def paid(self, account: PaperAccount, funding: Funding) -> None:
        """Funding was paid or received."""

    def market_heard(self, view: MarketView, message: Message) -> None:
        """Market data; a round's end among it."""


class _UnderWay(NamedTuple):
    """A cancel or, with a name, a modify that is not answered yet."""

    named: NamedOrder | None
    modifies: bool


class Ledger:
    """Everything that the log says of the accounts that programs outside may trade. `speed` is that of event time."""

    def __init__(self, accounts: Iterable[str], speed: float = 1.0) -> None:
        self.accounts = {name: PaperAccount(name) for name in accounts}
        self.markets = Markets(speed)
        self.listeners: list[Listener] = []
        self.malformed: Counter[str] = Counter()
        self._under_way: dict[tuple[str, int], deque[_UnderWay]] = {}

    def hear(self, sequence: int, name: str, payload: bytes) -> None:
        """Take a message of the log."""
        try:
            where = address(name)
            message = decode(where.kind, payload)
        except ValueError:
            self.malformed[name.split(".", 1)[0]] += 1
            return
        if isinstance(message, Instrument):
            self.markets.on_instrument(where.market, message)
        if isinstance(message, Terms):
            self.open(where.account, message)
            return
        account = self.accounts.get(where.account)
        if account is not None and isinstance(message, SignedAction):
            self._on_signed(account, message)
            return
        view = self.markets.of(where.market)
        if view is None:
            return
        if not where.account:
            self._on_market_data(view, message, sequence)
        elif account is not None:
            self._on_said(account, view, message, sequence)

    def open(self, name: str, terms: Terms) -> PaperAccount:
        """Open an account, or take the newest terms of one."""
        account = self.accounts.setdefault(name, PaperAccount(name))
        account.terms = terms
        account.begin([view.coin for view in self.markets.all], terms.balance)
        for listener in self.listeners:
            listener.opened(account, terms)
        return account

    def _on_signed(self, account: PaperAccount, action: SignedAction) -> None:
        account.requests += action.weight
        account.mode = action.mode or account.mode
        for named in action.orders:
            account.orders.name(named)
        if action.cancel_at_ms is not None:
            account.cancel_at_ms = action.cancel_at_ms
        if action.action == SCHEDULED_CANCEL:
            for order in account.orders.open():
                order.scheduled = True
        if action.leverage is not None:
            held = account.holding(action.asset)
            held.leverage, held.is_cross = action.leverage, action.is_cross
        for listener in self.listeners:
            listener.signed(account, action)

    def _on_market_data(self, view: MarketView, message: Message, sequence: int) -> None:
        if isinstance(message, RoundEnd):
            if not message.discard:
                view.clock_ts, view.round, view.ended = message.ts, message.round, message.final
                view.round_at_s = time.monotonic()
        elif isinstance(message, Book):
            view.on_book(message)
        elif isinstance(message, Bbo):
            view.on_bbo(message)
        elif isinstance(message, Depth):
            view.on_depth(message)
        elif isinstance(message, Trades):
            view.on_trades(message, sequence)
        elif isinstance(message, Context):
            view.context = message
        for listener in self.listeners:
            listener.market_heard(view, message)

    def _on_said(self, account: PaperAccount, view: MarketView, message: Message, sequence: int) -> None:
        if isinstance(message, Place | Trigger):
            account.orders.place(view.coin, message)
        elif isinstance(message, Cancel):
            self._send(account, message.order_id, _UnderWay(None, False))
        elif isinstance(message, Modify):
            self._send(account, message.order_id, _UnderWay(account.orders.named(message.order_id), True))
        elif isinstance(message, Ack):
            self._on_ack(account, message)
        elif isinstance(message, Fill):
            self._on_fill(account, view, message, sequence)
        elif isinstance(message, Account):
            paid = account.on_money(view.coin, message, view.context.funding_rate or 0.0)
            if paid is not None:
                for listener in self.listeners:
                    listener.paid(account, paid)

    def _send(self, account: PaperAccount, order_id: int, command: _UnderWay) -> None:
        self._under_way.setdefault((account.name, order_id), deque()).append(command)

    def _answered(self, account: PaperAccount, order_id: int) -> _UnderWay | None:
        waiting = self._under_way.get((account.name, order_id))
        if not waiting:
            return None
        first = waiting.popleft()
        if not waiting:
            del self._under_way[account.name, order_id]
        return first

    def _on_ack(self, account: PaperAccount, ack: Ack) -> None:
        order = account.orders.current(ack.order_id)
        if ack.status == "refused":
            self._refuse(account, ack, self._answered(account, ack.order_id))
        elif order is None:
            return
        elif ack.status == "accepted":
            order.size, order.price = ack.size, ack.price
            self._change(account, order, "open", ack.ts)
        elif ack.status == "modified":
            self._on_modified(account, order, ack)
        elif ack.status == "waiting":
            self._change(account, order, "waiting" if ack.reason == "waits_for_parent" else "open", ack.ts)
        elif ack.status == "triggered":
            order.triggered, order.size = True, ack.size
            self._change(account, order, "triggered", ack.ts)
        else:
            order.ended = ack
            self._end(account, order)

    def _refuse(self, account: PaperAccount, ack: Ack, command: _UnderWay | None) -> None:
        named = command.named if command else None
        for listener in self.listeners:
            listener.refused(account, ack.order_id, named, ack)

    def _on_modified(self, account: PaperAccount, order: Order, ack: Ack) -> None:
        command = None if ack.reason == "reduce_only" else self._answered(account, ack.order_id)
        if command is None or command.named is None:
            order.size, order.price = ack.size - order.filled_before, ack.price
            self._change(account, order, "open", ack.ts)
            return
        changed = account.orders.replace(order, command.named, ack)
        self._change(account, changed, "open", ack.ts)
        self._tell(account, order)

    def _on_fill(self, account: PaperAccount, view: MarketView, fill: Fill, sequence: int) -> None:
        trade = account.on_fill(view.coin, fill, sequence)
        for listener in self.listeners:
            listener.traded(account, trade)
        order = trade.order
        if order is None:
            return
        if order.ended is not None:
            self._end(account, order)
        elif order.left > 0:
            self._change(account, order, order.status, fill.ts)

    def _end(self, account: PaperAccount, order: Order) -> None:
        """End an order once every fill that its last ack speaks of has been heard."""
        ack = order.ended
        assert ack is not None
        if order.filled_before + order.filled < ack.filled_size * (1 - 1e-6):
            return
        account.orders.end(order, ended_status(ack), ack.ts)
        self._tell(account, order)
        while (command := self._answered(account, order.order_id)) is not None:
            if command.modifies:
                self._refuse(account, ack, command)

    def _change(self, account: PaperAccount, order: Order, status: str, ts: int) -> None:
        order.status, order.status_ms = status, ts // NS_PER_MS
        self._tell(account, order)

    def _tell(self, account: PaperAccount, order: Order) -> None:
        for listener in self.listeners:
            listener.order_changed(account, order)


def is_market_data(name: str) -> bool:
    """Whether a subject is one of market data."""
    return name.startswith(f"{MARKET_TOKEN}.")
