"""Whatever the bytes: adapters never raise, and what they let through is sound."""

import itertools
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from papertrader.services.feed.adapter import Adapter
from papertrader.services.feed.kernel import RoundBuilder
from papertrader.services.feed.venues.binance.frames import BinanceAdapter
from papertrader.services.feed.venues.ccxt.frames import CcxtAdapter
from papertrader.services.feed.venues.hyperliquid.frames import HyperliquidAdapter
from papertrader.shared.market.tape import TapeError, read_tape
from papertrader.shared.messages import Bbo, Book, Context, Depth, Instrument, Message, Trades

ADAPTERS: list[Callable[[], Adapter]] = [HyperliquidAdapter, BinanceAdapter, CcxtAdapter]
RECV = 1_757_015_216_400_000_000
HYPERLIQUID = [
    b'{"channel":"l2Book","data":{"coin":"BTC","time":1757015216000,"levels":'
    b'[[{"px":"99.0","sz":"1.5","n":1}],[{"px":"101.0","sz":"3.0","n":1}]]}}',
    b'{"channel":"bbo","data":{"coin":"BTC","time":1757015216050,"bbo":[{"px":"99.0","sz":"1","n":1},null]}}',
    b'{"channel":"trades","data":[{"coin":"BTC","side":"A","px":"99.0","sz":"0.2","time":1757015216060,"hash":"0x0",'
    b'"tid":1095884267920331,"users":["0x0","0x0"]}]}',
    b'{"channel":"activeAssetCtx","data":{"coin":"BTC","ctx":{"funding":"0.0000125","markPx":"100.0","premium":null}}}',
]
BINANCE = [
    b'{"stream":"x","data":{"e":"bookTicker","u":5,"s":"BTCUSDT","b":"99.0","B":"1","a":"101.0","A":"2",'
    b'"T":1757015216000,"E":1757015216000}}',
    b'{"stream":"x","data":{"e":"depthUpdate","E":1757015216001,"T":1757015216001,"s":"BTCUSDT","U":6,"u":9,"pu":5,'
    b'"b":[["98.0","1.0"]],"a":[["102.0","0"]]}}',
    b'{"lastUpdateId":7,"E":1757015216002,"T":1757015216002,"bids":[["99.0","1"]],"asks":[["101.0","1"]]}',
    b'{"stream":"x","data":{"e":"trade","E":1757015216003,"T":1757015216003,"s":"BTCUSDT","t":7,"p":"99.0","q":"0.1",'
    b'"X":"MARKET","m":true}}',
    b'{"stream":"x","data":{"e":"markPriceUpdate","E":1757015216004,"s":"BTCUSDT","p":"100","i":"100","r":"0.0001"}}',
]
CCXT = [
    b'{"kind":"book","asset":"BTC","time":1757015216000,"bids":[[99.0,1.0]],"asks":[[101.0,2.0]]}',
    b'{"kind":"trades","asset":"BTC","prints":[{"id":"7","time":1757015216003,"price":99.0,"size":0.1,"side":"buy"}]}',
    b'{"kind":"funding","asset":"BTC","rate":0.00001,"mark_price":100.0,"index_price":null}',
]
FRAMES = HYPERLIQUID + BINANCE + CCXT
SPLICES = st.sampled_from(
    [
        b"",
        b"0",
        b"-1",
        b"9" * 40,
        b'"',
        b"null",
        b"[]",
        b"{}",
        b"nan",
        b"1e308",
        b"\xff",
        b"\x00",
        b"true",
        b'"inf"',
        b",",
    ]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    frame = draw(st.sampled_from(FRAMES))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(frame)))
        end = min(len(frame), start + draw(st.integers(0, 12)))
        frame = frame[:start] + draw(SPLICES | st.binary(max_size=4)) + frame[end:]
    return frame


def assert_sound(message: Message) -> None:
    assert 0 < message.ts < 2**63
    if isinstance(message, (Book, Depth)):
        assert len(message.bid_prices) == len(message.bid_sizes)
        assert len(message.ask_prices) == len(message.ask_sizes)
        sizes = message.bid_sizes + message.ask_sizes
        assert all(0 < price < math.inf for price in message.bid_prices + message.ask_prices)
        assert all((size > 0 if isinstance(message, Book) else size >= 0) and size < math.inf for size in sizes)
        if isinstance(message, Book) and message.bid_prices and message.ask_prices:
            assert message.bid_prices[0] < message.ask_prices[0]
    elif isinstance(message, Bbo):
        if message.bid_price is not None and message.ask_price is not None:
            assert 0 < message.bid_price < message.ask_price < math.inf
    elif isinstance(message, Trades):
        assert all(0 < price < math.inf for price in message.prices)
        assert all(0 < size < math.inf for size in message.sizes)
        assert all(0 <= trade_id < 2**63 for trade_id in message.trade_ids)
    elif isinstance(message, Context):
        values = (message.funding_rate, message.oracle_price, message.mark_price, message.open_interest)
        assert all(value is None or math.isfinite(value) for value in values)


@pytest.mark.parametrize("adapter_type", ADAPTERS)
@settings(max_examples=150, deadline=None)
@given(frames=st.lists(st.binary(max_size=60), max_size=5))
def test_arbitrary_bytes_never_raise(adapter_type: Callable[[], Adapter], frames: list[bytes]) -> None:
    adapter = adapter_type()
    for frame in frames:
        assert adapter.frame(RECV, frame) == []
    counted = [*adapter.bad.values(), *adapter.ignored.values()]
    assert sum(sum(counts.values()) for counts in counted) == len(frames)


@pytest.mark.parametrize("adapter_type", ADAPTERS)
@settings(max_examples=200, deadline=None)
@given(frames=st.lists(mutated(), min_size=1, max_size=12))
def test_mutated_frames_never_raise_and_what_passes_is_sound(
    adapter_type: Callable[[], Adapter], frames: list[bytes]
) -> None:
    adapter = adapter_type()
    for frame in frames:
        for _, message in adapter.frame(RECV, frame):
            assert_sound(message)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200))
def test_any_file_is_a_tape_or_a_tape_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tape"
    path.write_bytes(content)
    try:
        frames = list(read_tape(path, Counter()))
    except TapeError:
        return
    assert frames


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 400), st.lists(st.integers(-1_500, 400), max_size=3)), min_size=1, max_size=40
    )
)
def test_rounds_hold_every_message_once_in_order_and_never_end_early(steps: list[tuple[int, list[int]]]) -> None:
    builder = RoundBuilder(Instrument(ts=0, tick_size=1.0, lot_size=1.0), "s", 50_000_000, 10**15)
    recv_ns, given_messages, rounds = RECV, [], []
    for number, (wait_ms, offsets_ms) in enumerate(steps, start=1):
        recv_ns += wait_ms * 1_000_000
        messages: list[Message] = [Context(ts=recv_ns + ms * 1_000_000, recv_ts=recv_ns) for ms in offsets_ms]
        given_messages += messages
        rounds += builder.add(recv_ns, number, messages)
    rounds += builder.end()
    assert [m for round_ in rounds for m in round_.messages if isinstance(m, Context)] == given_messages
    if not given_messages:
        assert rounds == []
        return
    numbers = [round_.end.round for round_ in rounds]
    assert numbers == sorted(set(numbers))
    assert [round_.end.final for round_ in rounds] == [False] * (len(rounds) - 1) + [True]
    for round_ in rounds:
        assert round_.end.ts == (round_.end.round + 1) * 50_000_000 - 1
        assert all(message.ts <= round_.end.ts for message in round_.messages)
    for earlier, later in itertools.pairwise(rounds[1:]):
        assert max(message.ts for message in later.messages[:-1]) > earlier.end.ts
