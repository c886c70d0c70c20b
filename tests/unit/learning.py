"""Rounds and messages for the tests of the learning services, with every field that does not matter filled in."""

from collections.abc import Iterable
from typing import Any

from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Ack, Bbo, Fill, Gap, Instrument, Markout, Message, Trades
from papertrader.shared.service.fold import Output, Received, Round, canonical
from tests import messages

MARKET = Market("test", "BTC")
ACCOUNT = "main"
S = 1_000_000_000
MS = 1_000_000


class Log:
    """Makes the rounds that a fold would get: round windows of `round_ms`, what was said heard one round later."""

    def __init__(self, start_ts: int = 1_000 * S, tick_size: float = 0.01, round_ms: int = 50) -> None:
        self.ts = start_ts
        self.number = 0
        self.sequence = 0
        self.round_ns = round_ms * MS
        self.first: tuple[Message, ...] = (Instrument(ts=start_ts, tick_size=tick_size, lot_size=0.001),)

    def round(self, said: Iterable[Output] = (), market_data: Iterable[Message] = (), until: int = 0) -> Round:
        """The next round; it ends with its window or at `until`."""
        previous = self.ts if self.number else 0
        self.ts = until or self.ts + self.round_ns
        self.number += 1
        received = []
        for output in said:
            self.sequence += 1
            received.append(Received(output.kind, output.account, output.message, self.sequence))
        data = (*self.first, *market_data)
        self.first = ()
        return Round(number=self.number, ts=self.ts, previous_ts=previous, heard=canonical(received), market_data=data)


def touch(ts: int, mid: float, half_spread: float = 0.01) -> Bbo:
    """A book with this mid."""
    return Bbo(ts=ts, recv_ts=ts, bid_price=mid - half_spread, bid_size=1.0, ask_price=mid + half_spread, ask_size=1.0)


def gap(from_ts: int, to_ts: int) -> Gap:
    return Gap(ts=to_ts, recv_ts=to_ts, from_ts=from_ts, to_ts=to_ts, reason="silence")


def trade(ts: int, price: float, aggressor: Any = "buy", size: float = 1.0) -> Trades:
    return Trades(ts=ts, recv_ts=ts, times=[ts], prices=[price], sizes=[size], aggressors=[aggressor], trade_ids=[ts])


def fill(ts: int, **fields: Any) -> Fill:
    """A maker buy of 1 at 99.99 with the mid at 100, without forecasts."""
    made = {"price": 99.99, "fee": 0.0, "half_spread_bps": 1.0, "live_ts": ts - S, "p_fill": None, "p_adverse": None}
    return messages.fill(ts, **(made | {"queue_ahead_at_join": None} | fields))


def ack(ts: int, status: Any, **fields: Any) -> Ack:
    """An ack of a buy of 1 at 99.99, live since one second, never filled, without forecasts."""
    made = {"price": 99.99, "queue_ahead": None, "p_fill": None, "p_adverse": None}
    live_ts = ts if status == "accepted" else ts - S
    return messages.ack(None, ts, **(made | {"status": status, "live_ts": live_ts} | fields))


def markout(ts: int, **fields: Any) -> Markout:
    """A resolved label of a buy at 99.99, not adverse."""
    return messages.markout(ts, **({"price": 99.99, "markout_bps": 1.0} | fields))


def said(kind: str, *messages: Message, account: str = ACCOUNT) -> list[Output]:
    return [Output(kind, account, message) for message in messages]


def restore(target: Any, source: Any) -> None:
    """Write the state of one fold into another one, as a checkpoint does."""
    for name, array in source.state().items():
        target.state()[name][...] = array
