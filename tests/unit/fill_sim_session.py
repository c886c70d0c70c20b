"""A hand-driven session of the paper exchange: rounds of market data and commands, times in ms after a full hour."""

from typing import Any

from papertrader.services.fill_sim.config import FillSimConfig
from papertrader.services.fill_sim.service import FillSim
from papertrader.shared import messages as m
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.fold import Output, Received, Round, canonical

HOUR_MS = 3_600_000
ORIGIN_MS = 1_700_000_000_000 // HOUR_MS * HOUR_MS
MARKET = Market("test", "ABC")
Levels = list[tuple[float, float]]


def ns(ms: float) -> int:
    """Event time of a session time."""
    return round((ORIGIN_MS + ms) * 1_000_000)


def book(ms: float, bids: Levels, asks: Levels) -> m.Book:
    """A full book: levels best first."""
    return m.Book(
        ts=ns(ms),
        recv_ts=ns(ms),
        bid_prices=[price for price, _ in bids],
        bid_sizes=[size for _, size in bids],
        ask_prices=[price for price, _ in asks],
        ask_sizes=[size for _, size in asks],
    )


def bbo(ms: float, bid: tuple[float, float], ask: tuple[float, float]) -> m.Bbo:
    """The touch."""
    return m.Bbo(ts=ns(ms), recv_ts=ns(ms), bid_price=bid[0], bid_size=bid[1], ask_price=ask[0], ask_size=ask[1])


def prints(ms: float, aggressor: m.Side, *trades: tuple[float, float], first_id: int = 1) -> m.Trades:
    """Prints of one message: (price, size)."""
    return m.Trades(
        ts=ns(ms),
        recv_ts=ns(ms),
        times=[ns(ms)] * len(trades),
        prices=[price for price, _ in trades],
        sizes=[size for _, size in trades],
        aggressors=[aggressor] * len(trades),
        trade_ids=[first_id + index for index in range(len(trades))],
    )


def gap(from_ms: float, to_ms: float) -> m.Gap:
    """Missed market data."""
    return m.Gap(ts=ns(to_ms), recv_ts=ns(to_ms), from_ts=ns(from_ms), to_ts=ns(to_ms), reason="test")


def context(ms: float, mark: float | None = None, funding_rate: float | None = None, **more: Any) -> m.Context:
    """Mark price and funding rate, hourly if nothing else is said."""
    return m.Context(ts=ns(ms), recv_ts=ns(ms), mark_price=mark, funding_rate=funding_rate, **more)


def place(ms: float, order_id: int, side: Any, price: float, size: float, **more: Any) -> m.Place:
    """An order decided at a session time."""
    return m.Place(ts=ns(ms), order_id=order_id, side=side, price=price, size=size, **more)


def cancel(ms: float, order_id: int, **more: Any) -> m.Cancel:
    """A cancel decided at a session time."""
    return m.Cancel(ts=ns(ms), order_id=order_id, **more)


def modify(ms: float, order_id: int, price: float, size: float) -> m.Modify:
    """A modify decided at a session time."""
    return m.Modify(ts=ns(ms), order_id=order_id, price=price, size=size)


class Session:
    """A paper exchange with one account, `main`, and everything it said."""

    def __init__(self, instrument: m.Instrument | None = None, market: Market = MARKET, **settings: Any) -> None:
        defaults: dict[str, Any] = {
            "fill_model": "fifo",
            "late_print_ms": 0.0,
            "maker_fee_bps": 0.0,
            "taker_fee_bps": 0.0,
        }
        self.config = FillSimConfig(**(defaults | settings))
        self.exchange = FillSim(market, {"main": self.config})
        self.outputs: list[Output] = []
        self.clock_ms = 0.0
        self._number = 0
        self._market_data: tuple[m.Message, ...] = (
            instrument or m.Instrument(ts=ns(0), tick_size=0.1, lot_size=0.001),
        )

    def round(self, ms: float, *market_data: m.Message, said: tuple[m.Message, ...] = ()) -> list[Output]:
        """Fold one round that ends at `ms`."""
        outputs = self.exchange.fold(
            Round(
                number=self._number,
                ts=ns(ms),
                previous_ts=ns(self.clock_ms) if self._number else 0,
                heard=canonical(Received(_kind(item), "main", item, index) for index, item in enumerate(said)),
                market_data=self._market_data + market_data,
            )
        )
        self._market_data, self.clock_ms = (), ms
        self._number += 1
        self.outputs += outputs
        return outputs

    def of(self, kind: str) -> list[Any]:
        """Every message of a kind, in order."""
        return [output.message for output in self.outputs if output.kind == kind]

    @property
    def fills(self) -> list[m.Fill]:
        """Every fill."""
        return self.of("fills")

    @property
    def acks(self) -> list[m.Ack]:
        """Every ack."""
        return self.of("acks")

    def statuses(self, order_id: int) -> list[tuple[str, str]]:
        """Status and reason of every ack of an order."""
        return [(ack.status, ack.reason) for ack in self.acks if ack.order_id == order_id]

    @property
    def account(self) -> m.Account:
        """The account as of now."""
        return self.exchange.account_message(0)

    @property
    def orders(self) -> Any:
        """The rows of the orders at the exchange."""
        state = self.exchange.account_states[0]
        return state["orders"][: state["orders_count"]]

    def ahead(self, order_id: int) -> float:
        """The queue ahead of an order at the exchange."""
        orders = self.orders
        return float(orders["ahead"][orders["order_id"] == order_id][0])


def _kind(message: m.Message) -> str:
    if isinstance(message, m.Control):
        return "control"
    return "estimate" if isinstance(message, m.Estimate) else "orders"


BIDS: Levels = [(99.9, 10.0), (99.8, 20.0), (99.7, 30.0)]
ASKS: Levels = [(100.1, 10.0), (100.2, 20.0), (100.3, 30.0)]


def quoted(*orders: m.Message, latency_ms: float = 100.0, **settings: Any) -> Session:
    """A session at 1000 ms, with the standard book, and orders decided at 1000 live (with the book shown again)."""
    session = Session(**settings)
    session.round(1000, book(1000, BIDS, ASKS))
    session.round(1000 + latency_ms, said=orders)
    session.round(1200, book(1200, BIDS, ASKS))
    return session
