"""Live venues whose connection or frames break: data comes again, and what was missed is a gap."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable

import pytest

from papertrader.shared.messages import Bbo, Gap, Message, RoundEnd, Trades
from tests.integration.venues import following
from tests.integration.wire import become, bounded
from tools.venue_server.faults import KINDS, Fault, Kind
from tools.venue_server.frames import of_synthetic
from tools.venue_server.hyperliquid import Hyperliquid
from tools.venue_server.protocols import PROTOCOLS
from tools.venue_server.server import Client


def recovers(kind: Kind, venue: str, duration_s: float, check: Callable[[list[Message], Counter[str]], None]) -> None:
    """Play a second, strike, and see good data come again; no task, connection or client may be left over."""
    programme = of_synthetic(venue, 600.0, seed=3)
    asset = next(iter(programme.instruments))

    async def follow() -> None:
        before = len(asyncio.all_tasks())
        async with following(programme, speed=5.0, delay_s=600.0) as found:
            market = found.session.markets[asset]
            await become(lambda: market.messages["bbo"] > 5 and market.messages["book"], "data")
            found.server.faults.start(Fault(0.0, kind, duration_s), found.server.now_s())
            await asyncio.sleep(duration_s)
            struck = market.messages["bbo"]
            await become(lambda: market.messages["bbo"] > struck + 12, "data after the fault")
            assert len(found.server.clients) <= 2
            bad = Counter(market.bad) + found.session.bad
            check(found.heard(asset), bad)
            ends = [message for message in found.heard(asset) if isinstance(message, RoundEnd)]
            assert all(one.round < other.round and one.ts < other.ts for one, other in itertools.pairwise(ends))
        await asyncio.sleep(0.1)
        assert len(asyncio.all_tasks()) == before

    bounded(follow())


def gaps_of(messages: list[Message]) -> Counter[str]:
    return Counter(message.reason for message in messages if isinstance(message, Gap))


LASTING: list[tuple[Kind, float, str]] = [
    ("drop", 0.5, "disconnected"),
    ("close_1006", 0.0, "disconnected"),
    ("dead", 1.0, "disconnected"),
    ("silence", 1.0, "silence"),
    ("stall", 1.0, "silence"),
    ("slow_start", 0.5, ""),
]


@pytest.mark.parametrize("venue", ["hyperliquid", "binance"])
@pytest.mark.parametrize(("kind", "duration_s", "reason"), LASTING)
def test_fault_of_the_connection_recovers_and_is_a_gap(kind: Kind, duration_s: float, reason: str, venue: str) -> None:
    def check(messages: list[Message], _bad: Counter[str]) -> None:
        gaps = gaps_of(messages)
        assert gaps[reason] > 0 if reason else not gaps

    recovers(kind, venue, duration_s, check)


FRAME_FAULTS: dict[Kind, frozenset[str]] = {
    "half_frame": frozenset({"undecodable"}),
    "garbage": frozenset(
        {"undecodable", "unknown_message", "malformed_message", "unknown_asset", "price_off", "crossed_book"}
    ),
    "crossed_book": frozenset({"crossed_book"}),
    "clock_jump": frozenset({"time_jumped"}),
    "duplicate": frozenset(),
    "reorder": frozenset({"time_went_back"}),
    "sequence_gap": frozenset(),
}


@pytest.mark.parametrize("venue", ["hyperliquid", "binance"])
@pytest.mark.parametrize("kind", sorted(FRAME_FAULTS))
def test_fault_of_frames_is_counted_and_the_book_is_never_crossed(kind: Kind, venue: str) -> None:
    def check(messages: list[Message], bad: Counter[str]) -> None:
        assert set(bad) <= FRAME_FAULTS[kind] | {"price_off"}
        if kind in ("half_frame", "crossed_book"):
            assert bad
        for message in messages:
            if isinstance(message, Bbo) and message.bid_price and message.ask_price:
                assert message.bid_price < message.ask_price
        prints = [trade_id for message in messages if isinstance(message, Trades) for trade_id in message.trade_ids]
        assert len(prints) == len(set(prints))

    recovers(kind, venue, 0.0 if kind == "clock_jump" else 0.4, check)


class DeafToFast(Hyperliquid):
    """Cuts whoever asks for a fast channel, and sends the slow book all the time."""

    SLOW_BOOK_S = 0.0
    deaf = False

    async def _answer(self, client: Client, text: str) -> None:
        if self.deaf and '"bbo"' in text:
            client.cut()
        else:
            await super()._answer(client, text)


def test_deep_book_alone_does_not_end_the_gap_of_the_fast_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Prints are still missed, so nobody may believe that the market is back."""
    monkeypatch.setitem(PROTOCOLS, "hyperliquid", DeafToFast)

    async def follow() -> None:
        async with following(of_synthetic("hyperliquid", 600.0), speed=5.0, delay_s=600.0) as found:
            market = found.session.markets["BTC"]
            await become(lambda: market.messages["bbo"] > 5 and len(found.server.clients) == 2, "both sockets")
            monkeypatch.setattr(DeafToFast, "deaf", True)
            next(client for client in found.server.clients if "bbo BTC" in client.streams).cut()
            await become(lambda: market.gaps["disconnected"], "the gap")
            books = market.messages["book"]
            await asyncio.sleep(1.0)
            assert any("l2Book BTC" in client.streams for client in found.server.clients)
            assert market.messages["book"] <= books + 1
            monkeypatch.setattr(DeafToFast, "deaf", False)
            touches = market.messages["bbo"]
            await become(lambda: market.messages["bbo"] > touches + 5, "touches again")
            assert market.gaps == {"disconnected": 1}

    bounded(follow())


def test_socket_that_answers_pings_but_brings_no_data_is_opened_anew_though_the_other_does() -> None:
    """What Binance does to a stream that is asked for on the wrong path: the trades would be missed in silence."""

    async def follow() -> None:
        async with following(of_synthetic("binance", 600.0), speed=5.0, delay_s=600.0) as found:
            (connection,) = found.session.connections
            market = found.session.markets["BTCUSDT"]
            await become(lambda: market.messages["trades"] and market.messages["depth"], "data of both sockets")
            for client in found.server.clients:
                client.streams = {
                    stream for stream in client.streams if "aggTrade" not in stream and "mark" not in stream
                }
            await become(lambda: connection.breaks["no_data"], "the end of the connection")
            trades = market.messages["trades"]
            await become(lambda: market.messages["trades"] > trades, "trades again")
            assert market.gaps["disconnected"] == 1

    bounded(follow())


def test_every_fault_is_tested() -> None:
    assert {kind for kind, _, _ in LASTING} | set(FRAME_FAULTS) == set(KINDS)
