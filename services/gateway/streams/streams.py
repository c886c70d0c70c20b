"""Everything that is pushed: order updates, fills, money and market data, to whoever subscribed to it."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from papertrader.services.gateway.havoc import Havoc
from papertrader.services.gateway.info import shapes, universe
from papertrader.services.gateway.info.info import Info
from papertrader.services.gateway.ledger.accounts import Funding, PaperAccount, Trade
from papertrader.services.gateway.ledger.candles import interval_ms
from papertrader.services.gateway.ledger.ledger import Ledger
from papertrader.services.gateway.ledger.markets import LEVELS, MarketView
from papertrader.services.gateway.ledger.orders import Order
from papertrader.services.gateway.streams.connection import Connection
from papertrader.services.gateway.streams.subscription import OF_ALL_MARKETS, OF_STATE, Subscription
from papertrader.shared.messages import Ack, Message, RoundEnd, Trades
from papertrader.shared.messages.accounts import Terms
from papertrader.shared.messages.actions import NamedOrder, SignedAction

MOST_SUBSCRIPTIONS: Final = 1_000
CHANNELS: Final = {"userEvents": "user"}
FAST_LEVELS: Final = 5

Frame = Callable[[Subscription], dict[str, Any]]


class Streams:
    """All connections and what they want to hear."""

    def __init__(self, ledger: Ledger, info: Info, havoc: Havoc) -> None:
        self._havoc = havoc
        self._ledger = ledger
        self._info = info
        self.connections: set[Connection] = set()
        self.pushed: Counter[str] = Counter()
        self._held: dict[tuple[str, int], list[tuple[str, str, Frame]]] = {}
        self._holding: Counter[tuple[str, int]] = Counter()
        self._wanting: dict[tuple[str, str], dict[tuple[Any, ...], tuple[Connection, Subscription]]] = {}
        self._touched: dict[str, int] = {}
        self._changed: set[str] = set()

    def subscribe(self, connection: Connection, wanted: Subscription) -> None:
        """Subscribe: the answer, then what there is already."""
        if wanted.coin and self._ledger.markets.coin(wanted.coin) is None:
            raise ValueError(wanted.coin)
        if len(connection.subscriptions) >= MOST_SUBSCRIPTIONS:
            raise ValueError("too many subscriptions")
        connection.subscriptions[wanted.key] = wanted
        self._wanting.setdefault((wanted.kind, wanted.coin), {})[id(connection), *wanted.key] = connection, wanted
        connection.send(_acknowledged("subscribe", wanted.said))
        for frame in self._snapshot(wanted):
            connection.send(frame)

    def unsubscribe(self, connection: Connection, wanted: Subscription) -> None:
        """Hear no more of it."""
        connection.subscriptions.pop(wanted.key, None)
        self._forget(connection, wanted)
        connection.send(_acknowledged("unsubscribe", wanted.said))

    def leave(self, connection: Connection) -> None:
        """A client has gone."""
        self.connections.discard(connection)
        for wanted in connection.subscriptions.values():
            self._forget(connection, wanted)

    def _forget(self, connection: Connection, wanted: Subscription) -> None:
        place = wanted.kind, wanted.coin
        found = self._wanting.get(place, {})
        found.pop((id(connection), *wanted.key), None)
        if not found:
            self._wanting.pop(place, None)

    def _snapshot(self, wanted: Subscription) -> Iterator[dict[str, Any]]:
        if wanted.kind == "userFills":
            fills = self._info.fills(self._account(wanted))
            yield _frame("userFills", {"isSnapshot": True, "user": wanted.user, "fills": fills})
        elif wanted.kind == "userFundings":
            paid = self._info.fundings(self._account(wanted))
            yield _frame("userFundings", {"isSnapshot": True, "user": wanted.user, "fundings": paid})
        elif wanted.kind == "userNonFundingLedgerUpdates":
            yield _frame(wanted.kind, {"isSnapshot": True, "user": wanted.user, "nonFundingLedgerUpdates": []})
        elif wanted.kind in OF_ALL_MARKETS:
            yield self._all_markets(wanted.kind)
        elif wanted.kind in OF_STATE:
            yield self._state(wanted)
        elif wanted.coin:
            yield from self._of_market(wanted)

    def _of_market(self, wanted: Subscription) -> Iterator[dict[str, Any]]:
        view = self._ledger.markets.coin(wanted.coin)
        if view is None:
            return
        if wanted.kind == "l2Book":
            yield self._book(view, wanted)
        elif wanted.kind == "bbo":
            yield _frame("bbo", shapes.bbo(view))
        elif wanted.kind == "trades":
            yield _frame(
                "trades", [item for trades, _ in list(view.prints)[-10:] for item in shapes.prints(view, trades)]
            )
        elif wanted.kind == "activeAssetCtx":
            yield _context(view)
        elif wanted.kind == "candle" and (frame := _candle(view, wanted)) is not None:
            yield frame

    def _book(self, view: MarketView, wanted: Subscription) -> dict[str, Any]:
        shape = shapes.told_book(view, FAST_LEVELS if wanted.fast else LEVELS, wanted.figures)
        return _frame("l2Book", {**shape, "fast": True} if wanted.fast else shape)

    def _all_markets(self, kind: str) -> dict[str, Any]:
        markets = self._ledger.markets
        shapes_of: dict[str, Callable[[], Any]] = {
            "allMids": lambda: {"mids": universe.mids(markets)},
            "assetCtxs": lambda: {"dex": "", "ctxs": universe.contexts(markets)},
            "spotAssetCtxs": lambda: universe.spot_contexts(markets),
            "allDexsAssetCtxs": lambda: {"ctxs": [["", universe.contexts(markets)]]},
        }
        return _frame(kind, shapes_of[kind]())

    def _state(self, wanted: Subscription) -> dict[str, Any]:
        account, user = self._account(wanted), {"user": wanted.user}
        shape: dict[str, Any]
        if wanted.kind == "clearinghouseState":
            shape = {"dex": "", **user, "clearinghouseState": self._info.clearinghouse(account)}
        elif wanted.kind == "allDexsClearinghouseState":
            shape = {**user, "clearinghouseStates": [["", self._info.clearinghouse(account)]]}
        elif wanted.kind == "openOrders":
            shape = {"dex": "", **user, "orders": [shapes.front_order(order) for order in self._info.open_orders(user)]}
        elif wanted.kind == "webData2":
            shape = self._info.web_data(user)
        elif wanted.kind == "webData3":
            shape = self._info.web_data_3(user)
        elif wanted.kind == "spotState":
            shape = {**user, "spotState": self._info.spot(account)}
        else:
            shape = self._info.active_asset({**user, "coin": wanted.coin})
        return _frame(wanted.kind, shape)

    def _account(self, wanted: Subscription) -> PaperAccount | None:
        return self._info.account({"user": wanted.user})

    # what is heard

    def opened(self, account: PaperAccount, terms: Terms) -> None:
        """Its first money will be pushed."""

    def signed(self, account: PaperAccount, action: SignedAction) -> None:
        """Nothing is pushed of a request itself."""

    def refused(self, account: PaperAccount, order_id: int, named: NamedOrder | None, ack: Ack | None) -> None:
        """Nothing is pushed of a refused cancel or modify."""

    def order_changed(self, account: PaperAccount, order: Order) -> None:
        """Push an order's news; one that waits for its parent is told with it."""
        if order.status == "waiting":
            return
        update = [shapes.order_update(order)]
        self._push(account, order.order_id, "orderUpdates", lambda _: _frame("orderUpdates", update))
        self._changed.add(account.name)

    def traded(self, account: PaperAccount, trade: Trade) -> None:
        """Push a fill."""
        for _ in range(2 if self._havoc.strikes("double") else 1):
            self._push_fill(account, trade)
        self._changed.add(account.name)

    def _push_fill(self, account: PaperAccount, trade: Trade) -> None:
        fills, number = [shapes.fill(trade)], trade.fill.order_id
        self._push(
            account, number, "userFills", lambda wanted: _frame("userFills", {"user": wanted.user, "fills": fills})
        )
        for kind in ("userEvents", "user"):
            self._push(account, number, kind, lambda _: _frame("user", {"fills": fills}))

    def paid(self, account: PaperAccount, funding: Funding) -> None:
        """Push a payment of funding."""
        shape = shapes.funding(funding)
        self._push(
            account,
            0,
            "userFundings",
            lambda wanted: _frame("userFundings", {"user": wanted.user, "fundings": [shape]}),
        )
        for kind in ("userEvents", "user"):
            self._push(account, 0, kind, lambda _: _frame("user", {"funding": shape}))

    def market_heard(self, view: MarketView, message: Message) -> None:
        """Push prints at once, the touch at the end of a round that changed it."""
        if isinstance(message, Trades):
            self._tell_market("trades", view, lambda _: _frame("trades", shapes.prints(view, message)))
        elif isinstance(message, RoundEnd) and self._touched.get(view.coin) != view.book_changes:
            self._touched[view.coin] = view.book_changes
            self._tell_market("bbo", view, lambda _: _frame("bbo", shapes.bbo(view)))

    # answer first, push after

    def hold(self, account: str, orders: Sequence[int]) -> None:
        """Keep what is to be pushed of these orders until `release`: their request has not been answered yet."""
        for order_id in orders:
            self._holding[account, order_id] += 1
            self._held.setdefault((account, order_id), [])

    def release(self, account: str, orders: Sequence[int]) -> None:
        """Push what was kept, in its order; what another request still holds is kept from here on."""
        for order_id in orders:
            key = account, order_id
            self._holding[key] -= 1
            kept = self._held.pop(key, [])
            if self._holding[key] > 0:
                self._held[key] = []
            else:
                del self._holding[key]
            for name, kind, make in kept:
                self._deliver(name, kind, make)

    def _push(self, account: PaperAccount, order_id: int, kind: str, make: Frame) -> None:
        held = self._held.get((account.name, order_id))
        if held is None:
            self._deliver(account.name, kind, make)
        else:
            held.append((account.name, kind, make))

    def _deliver(self, account: str, kind: str, make: Frame) -> None:
        for connection, wanted in self._wanted(kind):
            found = self._account(wanted)
            if found is not None and found.name == account:
                self._send(connection, make(wanted))

    def _tell_market(self, kind: str, view: MarketView, make: Frame) -> None:
        for connection, wanted in self._wanting.get((kind, view.coin), {}).values():
            self._send(connection, make(wanted))

    def _wanted(self, kind: str) -> Iterator[tuple[Connection, Subscription]]:
        for (wanted_kind, _), found in self._wanting.items():
            if wanted_kind == kind:
                yield from found.values()

    def _send(self, connection: Connection, frame: dict[str, Any]) -> None:
        self.pushed[frame["channel"]] += 1
        connection.send(frame)

    # what comes again and again

    def push_books(self, fast: bool) -> None:
        """Push every book that somebody follows."""
        for connection, wanted in self._wanted("l2Book"):
            view = self._ledger.markets.coin(wanted.coin)
            if view is not None and wanted.fast == fast:
                self._send(connection, self._book(view, wanted))

    def push_candles(self) -> None:
        """Push the candle of the last print."""
        for connection, wanted in self._wanted("candle"):
            view = self._ledger.markets.coin(wanted.coin)
            if view is not None and (frame := _candle(view, wanted)) is not None:
                self._send(connection, frame)

    def push_contexts(self) -> None:
        """Push the slow state of every market that somebody follows."""
        for connection, wanted in self._wanted("activeAssetCtx"):
            view = self._ledger.markets.coin(wanted.coin)
            if view is not None:
                self._send(connection, _context(view))

    def push_all_markets(self) -> None:
        """Push what is of all markets at once: mids and slow states."""
        for kind in OF_ALL_MARKETS:
            frame = self._all_markets(kind)
            for connection, _ in self._wanted(kind):
                self._send(connection, frame)

    def push_states(self, changed_only: bool) -> None:
        """Push the money and open orders of accounts: of those that changed, or of all."""
        for kind in OF_STATE:
            for connection, wanted in self._wanted(kind):
                account = self._account(wanted)
                if not changed_only or (account is not None and account.name in self._changed):
                    self._send(connection, self._state(wanted))
        self._changed.clear()


def _frame(kind: str, data: Any) -> dict[str, Any]:
    return {"channel": CHANNELS.get(kind, kind), "data": data}


def _acknowledged(method: str, said: dict[str, Any]) -> dict[str, Any]:
    return _frame("subscriptionResponse", {"method": method, "subscription": said})


def _context(view: MarketView) -> dict[str, Any]:
    channel = "activeSpotAssetCtx" if view.is_spot else "activeAssetCtx"
    return _frame(channel, {"coin": view.coin, "ctx": shapes.context(view)})


def _candle(view: MarketView, wanted: Subscription) -> dict[str, Any] | None:
    found = view.candles.newest(wanted.interval)
    if found is None:
        return None
    return _frame("candle", shapes.candle(view, wanted.interval, interval_ms(wanted.interval), found))
