"""Money by the venues' rules, in decimal arithmetic: what an account is worth after a session that is written down.

Written from the venues' documents (contract specifications, funding, margin tiers, liquidation), not from the paper
exchange: it reads what the market said and which fills there were, sorts them by time, and adds up exactly.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from itertools import pairwise

from papertrader.shared import messages as m

PRECISION = 60
ZERO = Decimal(0)


def exact(value: float) -> Decimal:
    """The decimal that a float on the wire stands for."""
    return Decimal(repr(float(value)))


@dataclass
class Terms:
    """What the account pays."""

    instrument: m.Instrument
    initial_cash: float
    maker_bps: float
    taker_bps: float
    liquidation_bps: float
    leverage: float


@dataclass
class Money:
    """The account at the end, in the settlement currency."""

    position: Decimal = ZERO
    cost: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    turnover: Decimal = ZERO
    realised: Decimal = ZERO
    entry: Decimal = ZERO
    spread: Decimal = ZERO
    total: Decimal = ZERO
    liquidations: list[tuple[int, Decimal, Decimal]] = field(default_factory=list)
    """When, at what price and for what fee."""


def value_of_contracts(terms: Terms, size: Decimal, price: Decimal) -> Decimal:
    """Settlement currency that `size` is worth at a price: base · price, or contracts · their size / price."""
    if terms.instrument.kind == "inverse":
        return size * exact(terms.instrument.contract_size) / price
    return size * price


def profit(terms: Terms, size: Decimal, entry: Decimal, exit_: Decimal) -> Decimal:
    """What a signed size earned from entry to exit: contract specifications of linear and coin-margined futures."""
    if terms.instrument.kind == "inverse":
        return size * exact(terms.instrument.contract_size) * (1 / entry - 1 / exit_)
    return size * (exit_ - entry)


def maintenance(terms: Terms, size: Decimal, mark: Decimal) -> Decimal:
    """Maintenance margin: notional · rate − deduction, in quote currency, brought into the settlement currency."""
    if terms.instrument.kind == "spot" or size == 0:
        return ZERO
    inverse = terms.instrument.kind == "inverse"
    notional = abs(size) * (exact(terms.instrument.contract_size) if inverse else mark)
    tiers = [tier for tier in terms.instrument.margin_tiers if exact(tier.notional_floor) <= notional]
    if tiers:
        rate, deduction = exact(tiers[-1].maintenance_rate), exact(tiers[-1].maintenance_deduction)
    else:
        rate = Decimal("0.5") / exact(terms.instrument.maximum_leverage or terms.leverage)
        deduction = ZERO
    margin = max(notional * rate - deduction, ZERO)
    return margin / mark if inverse else margin


def match_of(event: m.Message) -> tuple[int, int] | None:
    """What a fill is part of: a print, or an order that takes. The margin is checked when all of it is booked."""
    if not isinstance(event, m.Fill):
        return None
    return event.ts, event.trade_id if event.maker else -event.order_id


class Reference:
    """One account over one session."""

    def __init__(self, terms: Terms) -> None:
        self.terms, self.money = terms, Money()
        self._mark = self._oracle = self._rate = ZERO
        self._period_s, self._next_ts, self._named = 3600, 0, False
        self._mids: list[tuple[int, Decimal]] = []

    def run(self, market: Iterable[m.Message], fills: Iterable[m.Fill], end_ts: int) -> Money:
        """The money after everything that the market said and every fill of the account's own orders."""
        with localcontext() as context:
            context.prec = PRECISION
            events: list[tuple[int, int, m.Message]] = [(item.ts, 0, item) for item in market]
            events += [(fill.ts, 1, fill) for fill in fills]
            events.sort(key=lambda event: event[:2])
            end: tuple[int, int, m.Message] = (end_ts + 1, 2, m.Message(ts=end_ts + 1))
            for (ts, _, event), (following_ts, _, following) in pairwise([*events, end]):
                self._until(ts - 1)
                self._hear(event)
                if isinstance(event, m.Context) or (
                    isinstance(event, m.Fill) and match_of(event) != match_of(following)
                ):
                    self._check(ts)
                self._until(min(ts, following_ts - 1))
            self._until(end_ts)
            self.money.total = self._equity(self._mids[-1][1]) - exact(self.terms.initial_cash)
        return self.money

    def _hear(self, event: m.Message) -> None:
        if isinstance(event, m.Book):
            self._mids.append((event.ts, (exact(event.bid_prices[0]) + exact(event.ask_prices[0])) / 2))
        elif isinstance(event, m.Context):
            self._on_context(event)
        elif isinstance(event, m.Fill):
            self._on_fill(event)

    def _on_context(self, context: m.Context) -> None:
        self._mark = exact(context.mark_price or 0) or self._mark
        self._oracle = exact(context.oracle_price or 0) or self._oracle
        if self._named and self._next_ts == context.ts != context.next_funding_ts:
            self._settle()
        if context.next_funding_ts >= context.ts:
            self._named, self._next_ts = True, context.next_funding_ts
        if context.funding_rate is not None:
            self._rate, self._period_s = exact(context.funding_rate), context.funding_period_s

    def _interval_s(self) -> int:
        told = self.terms.instrument.funding_interval_s
        return self._period_s if self._named or not told else told

    def _until(self, ts: int) -> None:
        """Settle what is due up to and at `ts`."""
        step = self._interval_s() * 10**9
        if not self._next_ts:
            self._next_ts = ts // step * step + step
        while self._next_ts <= ts:
            due = self._next_ts
            self._settle()
            self._check(due)

    def _settle(self) -> None:
        instrument = self.terms.instrument
        if instrument.kind != "spot":
            price = self._oracle if instrument.funding_price == "oracle" and self._oracle else self._mark
            share = Decimal(self._interval_s()) / Decimal(self._period_s)
            paid = value_of_contracts(self.terms, self.money.position, price) * self._rate * share
            self.money.funding -= paid
        self._next_ts += self._interval_s() * 10**9

    def _mid_at(self, fill: m.Fill) -> Decimal:
        before = [mid for ts, mid in self._mids if ts < fill.ts or not fill.maker]
        return before[-1]

    def _on_fill(self, fill: m.Fill) -> None:
        if fill.order_id >= 2**62:
            return  # of the exchange itself: reckoned by `_check`
        rate = exact(self.terms.maker_bps if fill.maker else self.terms.taker_bps) / 10_000
        size = exact(fill.size)
        fee = value_of_contracts(self.terms, size, exact(fill.price)) * rate
        self._book(size if fill.side == "buy" else -size, exact(fill.price), fee, self._mid_at(fill))

    def _book(self, size: Decimal, price: Decimal, fee: Decimal, mid: Decimal) -> None:
        money, terms = self.money, self.terms
        money.spread += profit(terms, size, price, mid)
        money.fees += fee
        money.turnover += value_of_contracts(terms, abs(size), price)
        held = money.position
        if held * size < 0:
            closed = min(abs(held), abs(size)).copy_sign(held)
            money.realised += profit(terms, closed, money.entry, price)
        elif held == 0:
            money.entry = price
        elif terms.instrument.kind == "inverse":
            money.entry = (abs(held) + abs(size)) / (abs(held) / money.entry + abs(size) / price)
        else:
            money.entry = (abs(held) * money.entry + abs(size) * price) / (abs(held) + abs(size))
        money.position += size
        if money.position == 0:
            money.entry = ZERO
        elif money.position * held < 0:
            money.entry = price

    def _equity(self, price: Decimal) -> Decimal:
        money = self.money
        unrealised = profit(self.terms, money.position, money.entry, price) if money.position else ZERO
        return exact(self.terms.initial_cash) + money.realised + unrealised - money.fees + money.funding

    def _check(self, ts: int) -> None:
        money, terms = self.money, self.terms
        if not money.position or terms.instrument.kind == "spot":
            return
        equity = self._equity(self._mark)
        if equity >= maintenance(terms, money.position, self._mark):
            return
        price, fee = self._mark, ZERO
        if equity >= 0:
            rate = (exact(terms.taker_bps) + exact(terms.liquidation_bps)) / 10_000
            fee = min(value_of_contracts(terms, abs(money.position), price) * rate, equity)
        else:
            price = self._bankruptcy_price(equity)
        money.liquidations.append((ts, price, fee))
        self._book(-money.position, price, fee, self._mids[-1][1])

    def _bankruptcy_price(self, equity: Decimal) -> Decimal:
        """The price where nothing is left: what is owed at the mark is made good by each contract alike."""
        per_unit = -equity / self.money.position
        if self.terms.instrument.kind == "inverse":
            return 1 / (1 / self._mark - per_unit / exact(self.terms.instrument.contract_size))
        return self._mark + per_unit
