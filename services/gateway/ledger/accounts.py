"""Accounts as the log tells them: orders, fills, money and funding of each, in all markets."""

import math
from collections import deque
from collections.abc import Iterable
from typing import Final

import msgspec

from papertrader.services.gateway.kernel import closed_profit, direction, entry_after
from papertrader.services.gateway.ledger.orders import NS_PER_MS, Order, Orders
from papertrader.shared.messages import Account, Fill
from papertrader.shared.messages.accounts import Terms

KEPT: Final = 2_000
"""Fills and funding payments that are remembered for each account."""


OPTIONAL: Final = ("maker_fee_bps", "taker_fee_bps")


class Trade(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A fill as the venue tells it; `number` is its place on the log."""

    coin: str
    order: Order | None
    oid: int
    cloid: str
    fill: Fill
    start_position: float
    direction: str
    closed_profit: float
    number: int

    @property
    def time_ms(self) -> int:
        """When, event time."""
        return self.fill.ts // NS_PER_MS


class Funding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One payment of funding: positive was received."""

    coin: str
    time_ms: int
    amount: float
    position: float
    rate: float


class Holding(msgspec.Struct, kw_only=True):
    """What an account has in one market, by its fills and by its newest money message."""

    position: float = 0.0
    entry_price: float = 0.0
    money: Account | None = None
    funding_at_open: float = 0.0
    leverage: float = 0.0
    is_cross: bool = True


def untouched(balance: float) -> Account:
    """The money of an account that has never traded."""
    nothing = dict.fromkeys((name for name in Account.__struct_fields__ if name not in OPTIONAL), 0)
    return msgspec.convert({**nothing, **dict.fromkeys(("cash", "equity", "margin_available"), balance)}, Account)


class PaperAccount:
    """One paper account."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.orders = Orders()
        self.trades: deque[Trade] = deque(maxlen=KEPT)
        self.fundings: deque[Funding] = deque(maxlen=KEPT)
        self.holdings: dict[str, Holding] = {}
        self.terms: Terms | None = None
        """Its newest terms, None while they are those of the settings."""
        self.requests = 0
        self.agents: dict[str, str] = {}
        self.mode = "default"
        """How it is kept: `unifiedAccount` shows the money of the perpetuals among the spot balances."""
        self.cancel_at_ms = 0
        self.beyond_at_s = -math.inf
        """When it last had a request beyond its limit, monotonic time."""

    def holding(self, coin: str) -> Holding:
        """What it has in a market."""
        return self.holdings.setdefault(coin, Holding())

    def begin(self, coins: Iterable[str], balance: float) -> None:
        """Have the money that an account begins with where none has been told yet."""
        for coin in coins:
            held = self.holding(coin)
            held.money = held.money or untouched(balance)

    def on_fill(self, coin: str, fill: Fill, number: int) -> Trade:
        """Take a fill."""
        held, side = self.holding(coin), 1 if fill.side == "buy" else -1
        order = self.orders.current(fill.order_id)
        start = fill.position_after - side * fill.size
        start = 0.0 if abs(start) < 1e-9 * fill.size else start
        profit = closed_profit(start, held.entry_price, side, fill.price, fill.size)
        trade = Trade(
            coin=coin,
            order=order,
            oid=order.oid if order else fill.order_id,
            cloid=order.cloid if order else "",
            fill=fill,
            start_position=start,
            direction=direction(start, side, fill.size),
            closed_profit=profit,
            number=number,
        )
        if start == 0 and held.money is not None:
            held.funding_at_open = held.money.funding
        held.entry_price = entry_after(start, held.entry_price, side, fill.price, fill.size)
        held.position = fill.position_after
        if order is not None:
            order.filled += fill.size
            order.value += fill.size * fill.price
        self.trades.append(trade)
        return trade

    def on_money(self, coin: str, money: Account, rate: float) -> Funding | None:
        """Take a money message; the funding that was paid since the last one, if any was."""
        held = self.holding(coin)
        before, held.money = held.money, money
        if before is None or money.funding == before.funding:
            return None
        paid = Funding(
            coin=coin,
            time_ms=money.ts // NS_PER_MS,
            amount=money.funding - before.funding,
            position=money.position,
            rate=rate,
        )
        self.fundings.append(paid)
        return paid

    @property
    def turnover(self) -> float:
        """What it has traded, quote currency."""
        return sum(held.money.turnover for held in self.holdings.values() if held.money)
