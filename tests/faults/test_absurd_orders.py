"""One valid order with absurd values, in every field over its whole range: no fold dies, every order is answered."""

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from papertrader.replay.composition import Composition
from papertrader.shared.log.heard import heartbeat_of
from papertrader.shared.log.kinds import KINDS, decode
from papertrader.shared.log.subjects import Market
from papertrader.shared.messages import Ack, Bbo, Book, Command, Instrument, Message, RoundEnd, Trades
from papertrader.shared.service import epoch
from papertrader.shared.service.config import Settings
from papertrader.shared.service.edge import admitted
from papertrader.shared.service.fold import Received

SECOND = 1_000_000_000
LARGEST = 1.7976931348623157e308
FLOATS = (0.0, -0.0, 5e-324, -1.0, 1e-300, 1e9, 1e15, 1e18, 9.3e18, 1e19, 1e100, 1e300, LARGEST, -1e18, -LARGEST)
INTEGERS = (0, 1, -1, 2**31, 2**53, 2**62 - 1, 2**62, 2**63 - 1, -(2**63))
PLACE: dict[str, Any] = {"type": "place", "ts": 9 * SECOND, "order_id": 77, "side": "buy", "price": 99.8, "size": 1.0}


def orders() -> Iterator[dict[str, Any]]:
    """A valid order with one field absurd at a time, and all prices and sizes at once."""
    for name in ("price", "size", "mid"):
        yield from (PLACE | {name: value} for value in FLOATS)
    for price in (1e300, LARGEST, 5e-324):
        yield from (PLACE | {"price": price, "size": size, "mid": -LARGEST} for size in (1e300, LARGEST, 5e-324))
    for name in ("ts", "order_id", "params_version"):
        yield from (PLACE | {name: value} for value in INTEGERS if name != "order_id" or 0 < value < 2**62)
    for kind in ("gtc", "ioc"):
        yield from (
            PLACE | {"time_in_force": kind, "price": price, "size": size} for price in FLOATS for size in FLOATS
        )
    modify = {"type": "modify", "ts": 9 * SECOND, "order_id": 5, "price": 99.8, "size": 1.0}
    for name in ("price", "size"):
        yield from (modify | {name: value} for value in FLOATS)
    yield from (modify | {"order_id": value} for value in INTEGERS)
    yield from ({"type": "cancel", "ts": ts, "order_id": value} for ts in INTEGERS for value in INTEGERS)


def market_data(second: int) -> list[Message]:
    ts = second * SECOND
    sizes = [5.0, 5.0]
    book = Book(ts=ts, recv_ts=ts, bid_prices=[99.9, 99.8], bid_sizes=sizes, ask_prices=[100.1, 100.2], ask_sizes=sizes)
    touch = Bbo(ts=ts, recv_ts=ts, bid_price=99.9, bid_size=5.0, ask_price=100.1, ask_size=5.0)
    prints = Trades(ts=ts, recv_ts=ts, times=[ts], prices=[99.9], sizes=[0.1], aggressors=["sell"], trade_ids=[second])
    return [book, touch, prints]


@pytest.mark.parametrize("tick_size", [1e-8, 0.1])
def test_absurd_orders_kill_no_fold_and_are_answered(tick_size: float) -> None:
    market = Market("test", "COIN")
    made = Composition(Settings({}), market)
    answered: set[int] = set()
    asked: set[int] = set()
    rules = Instrument(ts=SECOND, tick_size=tick_size, lot_size=1e-8)
    asked_for = [PLACE | {"order_id": 5}, *orders()]
    for second, fields in enumerate(asked_for, start=1):
        number = fields["order_id"] if fields["type"] != "place" or fields["order_id"] != 77 else 1_000 + second
        payload = msgspec.json.encode(fields | {"order_id": number})
        command = admitted(decode("orders", payload))
        assert isinstance(command, Command)
        asked.add(command.order_id)
        ts = second * SECOND
        data = [rules, *market_data(second)] if second == 1 else market_data(second)
        end = RoundEnd(ts=ts + SECOND - 1, recv_ts=ts, round=second, frame=second, session="s", messages=len(data))
        for spoken in made.fold(data, end, [Received("orders", "main", command, second)]):
            message = spoken.output.message
            if isinstance(message, Ack):
                answered.add(message.order_id)
            for value in msgspec.json.decode(msgspec.json.encode(message)).values():
                assert not isinstance(value, float) or math.isfinite(value)
    for later in (1, 2):
        second = len(asked_for) + later
        end = RoundEnd(ts=(second + 1) * SECOND, recv_ts=0, round=second, frame=second, session="s", messages=3)
        for spoken in made.fold(market_data(second), end):
            if isinstance(spoken.output.message, Ack):
                answered.add(spoken.output.message.order_id)
    assert not sorted(asked - answered)[:5]


DEEP = b'{"a":' * 9_000


@pytest.mark.parametrize("kind", KINDS)
def test_message_that_is_nested_deeply_is_refused_as_any_other_that_cannot_be_read(kind: str) -> None:
    with pytest.raises(ValueError, match=r"nested too deeply|unknown field"):
        decode(kind, DEEP)


def test_what_is_nested_deeply_is_no_heartbeat_and_no_epoch() -> None:
    assert heartbeat_of("health.quoter.w1", DEEP) is None
    with pytest.raises(ValueError, match="nested too deeply"):
        epoch.decode(DEEP)
