"""Money over generated instruments and order flows equals the reference in decimal arithmetic to 1e-12 relative."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from papertrader.shared import messages as m
from tests.money_reference import Reference, Terms
from tests.unit.fill_sim_session import ORIGIN_MS, Session, book, context, ns, place, prints

RELATIVE = 1e-12
ROUND_MS = 900_000
"""Between market data, so that a session spans settlements."""
CASH_LOTS = 60
"""What the account begins with: orders are for up to 400 lots, so that many go too far."""
TIERED = (
    m.MarginTier(notional_floor=0.0, initial_rate=0.02, maintenance_rate=0.01),
    m.MarginTier(notional_floor=50_000.0, initial_rate=0.05, maintenance_rate=0.025, maintenance_deduction=750.0),
    m.MarginTier(notional_floor=200_000.0, initial_rate=0.2, maintenance_rate=0.1, maintenance_deduction=15_750.0),
)
INSTRUMENT = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["perpetual", "inverse", "spot"]),
        "tick": st.sampled_from([1e-12, 1e-8, 1e-5, 0.01, 0.1, 0.5, 5.0, 1000.0]),
        "lot": st.sampled_from([1e-5, 0.001, 0.1, 1.0, 10.0]),
        "contract_size": st.sampled_from([1.0, 10.0, 100.0]),
        "funding_interval_s": st.sampled_from([0, 3600, 4 * 3600, 8 * 3600]),
        "funding_price": st.sampled_from(["mark", "oracle"]),
        "tiers": st.sampled_from([(), TIERED]),
        "maximum_leverage": st.sampled_from([0.0, 20.0]),
    }
)
FEES = st.fixed_dictionaries(
    {
        "maker_fee_bps": st.sampled_from([-1.0, -0.3, 0.0, 1.5, 3.7]),
        "taker_fee_bps": st.sampled_from([0.0, 1.7, 4.5]),
        "liquidation_fee_bps": st.sampled_from([0.0, 125.0]),
        "leverage": st.sampled_from([1.0, 3.0, 10.0, 40.0]),
    }
)


class Flow:
    """A market that is made up as it goes, and an account that trades in it."""

    def __init__(self, shape: dict[str, Any], fees: dict[str, Any], seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.tick, self.lot, self.middle = shape["tick"], shape["lot"], int(self.random.integers(2_000, 20_000))
        kind = shape["kind"]
        self.instrument = m.Instrument(
            ts=ns(0),
            tick_size=self.tick,
            lot_size=self.lot,
            kind=kind,
            contract_size=shape["contract_size"] if kind == "inverse" else 1.0,
            funding_interval_s=shape["funding_interval_s"],
            funding_price=shape["funding_price"],
            margin_tiers=shape["tiers"],
            maximum_leverage=shape["maximum_leverage"],
        )
        unit = self.price(self.middle)
        worth = shape["contract_size"] / unit if kind == "inverse" else unit
        self.session = Session(self.instrument, initial_cash=CASH_LOTS * self.lot * worth, **fees)
        self.terms = Terms(
            self.instrument,
            self.session.config.initial_cash,
            fees["maker_fee_bps"],
            fees["taker_fee_bps"],
            fees["liquidation_fee_bps"],
            fees["leverage"],
        )
        self.named = bool(self.random.integers(2))
        self.market: list[m.Message] = []
        self.reducing: set[int] = set()
        self.ms, self.orders, self.trades = 0, 0, 0

    def price(self, tick: int) -> float:
        """The price of a tick, the nearest float to its decimal."""
        return float(tick / round(1 / self.tick)) if self.tick < 1 else tick * self.tick

    def size(self, lots: int) -> float:
        """So many lots."""
        return float(lots / round(1 / self.lot)) if self.lot < 1 else lots * self.lot

    def book(self) -> m.Book:
        """Three levels a side around the middle."""
        sizes = [self.size(int(lots)) for lots in self.random.integers(5, 60, 6)]
        bids = [(self.price(self.middle - 1 - n), sizes[n]) for n in range(3)]
        asks = [(self.price(self.middle + 1 + n), sizes[3 + n]) for n in range(3)]
        return book(self.ms, bids, asks)

    def context(self) -> m.Context:
        """The mark a little off, a rate that is large enough to matter."""
        mark = self.price(self.middle + int(self.random.integers(-3, 4)))
        oracle = self.price(self.middle + int(self.random.integers(-30, 31)))
        rate = float(np.round(self.random.normal() * 2e-3, 7))
        if not self.named:
            return context(self.ms, mark, rate, oracle_price=oracle)
        four_hours = 4 * 3_600_000
        next_ms = (ORIGIN_MS + self.ms) // four_hours * four_hours + four_hours - ORIGIN_MS
        return context(self.ms, mark, rate, oracle_price=oracle, funding_period_s=4 * 3600, next_funding_ts=ns(next_ms))

    def order(self) -> m.Place:
        """An order near the middle; some take, some only reduce."""
        self.orders += 1
        side = "buy" if self.random.random() < 0.5 else "sell"
        away = int(self.random.integers(1, 4))
        takes = self.random.random() < 0.4
        tick = self.middle + (away if (side == "buy") == takes else -away)
        reduces = bool(self.random.random() < 0.3)
        if reduces:
            self.reducing.add(self.orders)
        return place(
            self.ms + 13,
            self.orders,
            side,
            self.price(tick),
            self.size(int(self.random.integers(1, 400 if self.random.random() < 0.3 else 40))),
            time_in_force="ioc" if takes else "gtc",
            reduce_only=reduces,
        )

    def prints(self) -> m.Trades:
        """A taker through some levels."""
        side: m.Side = "buy" if self.random.random() < 0.5 else "sell"
        away = int(self.random.integers(0, 4)) * (1 if side == "buy" else -1)
        self.trades += 1
        traded = (self.price(self.middle + away), self.size(int(self.random.integers(1, 200))))
        return prints(self.ms, side, traded, first_id=self.trades)

    def run(self, rounds: int) -> int:
        """So many rounds; returns the last end."""
        for number in range(rounds):
            said = tuple(self.order() for _ in range(int(self.random.integers(0, 4)))) if number else ()
            self.ms = 1000 + number * ROUND_MS
            if number:
                jump = 0.08 if self.random.random() < 0.2 else 0.002
                self.middle = max(int(self.middle * (1 + self.random.normal() * jump)), 100)
            data: list[m.Message] = [self.book()]
            if number == 0 or self.random.random() < 0.6:
                self.ms += 10
                data.append(self.context())
            if number and self.random.random() < 0.7:
                self.ms += 10
                data.append(self.prints())
            self.market += data
            self.session.round(self.ms + 10, *data, said=said)
        self.ms += 5 * ROUND_MS
        self.session.round(self.ms)
        return ns(self.ms)


def close(found: float, right: Any, scale: Any) -> bool:
    """Whether two amounts are the same to 1e-12 of a scale."""
    return abs(found - float(right)) <= RELATIVE * float(scale)


@settings(max_examples=150, deadline=None)
@given(INSTRUMENT, FEES, st.integers(0, 2**32))
def test_money_is_what_the_venues_rules_say(shape: dict[str, Any], fees: dict[str, Any], seed: int) -> None:
    flow = Flow(shape, fees, seed)
    end_ts = flow.run(60)
    session = flow.session
    own = [fill for fill in session.fills if fill.order_id < 2**62]
    right = Reference(flow.terms).run(flow.market, own, end_ts)
    account = session.account
    liquidations = [fill for fill in session.fills if fill.order_id >= 2**62]
    assert [fill.ts for fill in liquidations] == [ts for ts, _, _ in right.liquidations]
    for fill, (_, price, fee) in zip(liquidations, right.liquidations, strict=True):
        assert close(fill.price, price, fill.price)
        assert close(fill.fee, fee, float(right.turnover))
    scale = max(float(right.turnover), flow.terms.initial_cash)
    assert close(account.position, right.position, max(abs(account.position), flow.lot))
    assert close(account.turnover, right.turnover, right.turnover)
    assert close(account.average_entry_price, right.entry, right.entry)
    for found, wanted in (
        (account.fees, right.fees),
        (account.funding, right.funding),
        (account.realised, right.realised),
        (account.spread, right.spread),
        (account.total, right.total),
        (account.equity, float(right.total) + flow.terms.initial_cash),
        (account.inventory, right.total - right.spread + right.fees - right.funding),
        (account.residual, 0.0),
    ):
        assert close(found, wanted, scale), (found, wanted)
    assert account.liquidations == len(liquidations)


@settings(max_examples=60, deadline=None)
@given(INSTRUMENT, FEES, st.integers(0, 2**32))
def test_nobody_spends_what_he_has_not_and_reducing_orders_reduce(
    shape: dict[str, Any], fees: dict[str, Any], seed: int
) -> None:
    flow = Flow(shape, fees, seed)
    flow.run(60)
    held = 0.0
    for fill in flow.session.fills:
        if fill.order_id in flow.reducing or fill.order_id >= 2**62:
            assert abs(fill.position_after) < abs(held)
            assert fill.position_after * held >= 0
        if shape["kind"] == "spot":
            assert fill.position_after >= 0
        if fill.order_id >= 2**62:
            assert fill.position_after == 0
        held = fill.position_after
    if shape["kind"] == "spot":
        assert all(account.cash >= -1e-9 * flow.terms.initial_cash for account in flow.session.of("account"))
        assert flow.session.account.liquidations == 0
    for account in flow.session.of("account"):
        if account.liquidations:
            break
        assert account.maintenance_margin <= account.margin_used * (1 + 1e-9)
