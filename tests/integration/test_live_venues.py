"""The live adapters against a server that speaks the venues' protocols."""

import asyncio
import gzip
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import aiohttp
import msgspec
import pytest

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.session import live_session
from papertrader.services.feed.sources import sources
from papertrader.services.feed.venues.config import LiveConfig
from papertrader.services.feed.venues.live import LiveError
from papertrader.services.feed.venues.registry import live_venue
from papertrader.shared.log.kinds import KIND_OF
from papertrader.shared.market.tape import DISCONNECTED, read_tape
from papertrader.shared.messages import Bbo, Book, Context, Depth, Gap, Instrument, Message, RoundEnd, Trades
from tests.integration.venues import QUICK, following
from tests.integration.wire import become, bounded
from tools.venue_server.faults import KINDS, Fault, Kind
from tools.venue_server.frames import COINS, Programme, of_synthetic, of_tapes
from tools.venue_server.hyperliquid import Hyperliquid
from tools.venue_server.protocols import PROTOCOLS
from tools.venue_server.server import Client, VenueServer

PATIENT = LiveConfig(deep_book=False, backlog_rounds=100_000, receive_timeout_s=10.0)
STREAMS = {"hyperliquid": 4, "binance": 4}


def excerpt(tape_dir: Path, tmp_path: Path, name: str, frames: int) -> Path:
    """The beginning of a recorded tape."""
    path = tmp_path / f"{name}.gz"
    kept = (
        b"%d %s" % line for line, _ in zip(read_tape(tape_dir / f"{name}.gz", Counter()), range(frames), strict=False)
    )
    path.write_bytes(gzip.compress(b"".join(kept), 1))
    return path


def encoded(messages: Iterable[Message], structs: tuple[type[Message], ...], recv_ts: bool) -> list[bytes]:
    """Messages of some kinds as the bytes that go on the log; without `recv_ts` as if all were received at 0."""
    chosen = [message for message in messages if isinstance(message, structs)]
    if not recv_ts:
        chosen = [msgspec.structs.replace(message, recv_ts=0) for message in chosen]
    return [KIND_OF[type(message)].encode() + b" " + msgspec.json.encode(message) for message in chosen]


def of_tape(path: Path) -> list[Message]:
    """All messages of a tape of one market."""
    (source,) = sources(FeedConfig(source="tape", tapes=(path,)))
    return [message for round_ in source.rounds() for message in round_.messages]


def gap_span(messages: list[Message]) -> tuple[int, int] | None:
    """From when to when the gaps last, which must follow each other without a break."""
    gaps = [message for message in messages if isinstance(message, Gap)]
    assert all(one.to_ts == other.from_ts for one, other in itertools.pairwise(gaps))
    return (gaps[0].from_ts, gaps[-1].to_ts) if gaps else None


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("hyperliquid-20250904-BTC", 6_000),
        ("hyperliquid-20250904-WLFI", 6_000),
        ("hyperliquid-20250126-BTC-raw", 1_000),
        ("binance-usdm-20240808-BTCUSDT", 12_000),
    ],
)
def test_tape_served_and_followed_live_gives_the_events_of_the_tape(
    tape_dir: Path, tmp_path: Path, name: str, frames: int
) -> None:
    """Byte for byte but for the time of receipt, in order within what one socket carries."""
    path = excerpt(tape_dir, tmp_path, name, frames)
    expected = of_tape(path)
    programme = of_tapes([path])
    (asset,) = programme.instruments

    async def follow() -> None:
        served = {"speed": 0.0, "restamp": False, "wait_for": STREAMS[programme.venue]}
        async with following(programme, PATIENT, gap_after_ms=3_600_000, **served) as found:
            market = found.session.markets[asset]
            await asyncio.wait_for(found.server.ended.wait(), 40)
            await asyncio.sleep(0.3)
            heard = found.heard(asset)
            assert not market.bad
        for structs in ((Book, Depth, Bbo), (Trades, Context)):
            wanted = encoded(expected, structs, recv_ts=False)
            assert encoded(heard, structs, recv_ts=False) == wanted[: len(encoded(heard, structs, recv_ts=False))]
            assert len(encoded(heard, structs, recv_ts=False)) >= len(wanted) - 30  # the open round is not closed yet
        assert gap_span(heard) == gap_span(expected)
        first, other = (next(m for m in found_ if isinstance(m, Instrument)) for found_ in (heard, expected))
        assert (first.tick_size, first.lot_size) == (other.tick_size, other.lot_size)

    bounded(follow())


@pytest.mark.parametrize("venue", ["hyperliquid", "binance"])
def test_recording_gives_the_very_events_that_were_followed(tmp_path: Path, venue: str) -> None:
    """Byte for byte with the time of receipt, through garbage, repeats and a broken connection."""
    programme = of_synthetic(venue, 600.0, assets=None)
    asset = next(iter(programme.instruments))
    lines: list[bytes] = []

    def tap(name: str, recv_ns: int, frame: bytes) -> None:
        if name == asset:
            lines.append(b"%d %s\n" % (recv_ns, frame))

    def lost(_assets: frozenset[str], now_ns: int) -> None:
        lines.append(b"%d %s\n" % (now_ns, DISCONNECTED))

    async def follow() -> list[Message]:
        script = [
            Fault(0.6, "duplicate"),
            Fault(0.9, "close_1006"),
            Fault(1.6, "half_frame"),
            Fault(1.9, "reorder", 0.2),
        ]
        async with following(programme, tap=tap, lost=lost, script=script, speed=5.0, delay_s=60.0) as found:
            await asyncio.sleep(3.0)
            return found.data(asset)

    heard: list[Message] = []

    async def keep() -> None:
        heard.extend(await follow())

    bounded(keep())
    path = tmp_path / "tape"
    path.write_bytes(b"".join(lines))
    read = [message for message in of_tape(path) if not isinstance(message, (Instrument, Gap, RoundEnd))]
    everything = (Book, Depth, Bbo, Trades, Context)
    assert len(heard) > 100
    assert encoded(read, everything, recv_ts=True)[: len(heard)] == encoded(heard, everything, recv_ts=True)
    assert len(read) - len(heard) < 30


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


def test_funding_per_hour_is_by_each_symbols_interval() -> None:
    async def follow() -> None:
        async with following(of_synthetic("binance", 600.0), speed=5.0, delay_s=600.0) as found:
            for asset, rate in (("BTCUSDT", 0.0001 / 8), ("ETHUSDT", 0.0001 / 4)):
                market = found.session.markets[asset]
                await become(lambda market=market: market.messages["ctx"], "a context")
                contexts = [message for message in found.heard(asset) if isinstance(message, Context)]
                assert {context.funding_rate for context in contexts} == {rate}

    bounded(follow())


def test_every_fault_is_tested() -> None:
    assert {kind for kind, _, _ in LASTING} | set(FRAME_FAULTS) == set(KINDS)


def test_unknown_coin_is_refused_with_the_closest_name_and_never_asked_for() -> None:
    async def follow() -> None:
        server = VenueServer(of_synthetic("hyperliquid", 60.0), PROTOCOLS["hyperliquid"])
        await server.start()
        try:
            for asset, hint in (
                ("btc", "did you mean 'BTC'"),
                ("xyz:NONE", "does not trade"),
                ("NONE/USDC", "does not"),
            ):
                config = FeedConfig(source="hyperliquid", assets=(asset,), venue_url=server.url)
                with pytest.raises(LiveError, match=hint):
                    async with live_session(config, live_venue(config)):
                        pass
            assert not server.clients
        finally:
            await server.stop()

    bounded(follow())


def test_coins_of_other_exchanges_and_spot_have_their_own_rules() -> None:
    names = ("BTC", "xyz:SP500", "PURR/USDC")
    assets = [msgspec.structs.replace(asset, name=name) for asset, name in zip(COINS, names, strict=True)]

    async def follow() -> None:
        async with following(of_synthetic("hyperliquid", 60.0, assets=assets)) as found:
            for name in names:
                await become(lambda name=name: found.session.markets[name].messages["bbo"] > 2, f"data of {name}")
            assert [market.market.asset for market in found.session.markets.values()] == [
                "BTC",
                "xyz:SP500",
                "PURR/USDC",
            ]
            assert [market.instrument.tick_size for market in found.session.markets.values()] == [1.0, 0.1, 0.01]

    bounded(follow())


def test_control_endpoint_starts_faults_and_refuses_unknown_ones() -> None:
    async def ask() -> None:
        async with following(of_synthetic("hyperliquid", 60.0)) as found, aiohttp.ClientSession() as http:
            url = f"{found.server.url}/control"
            async with http.post(url, json={"fault": "silence", "duration_s": 0.1}) as response:
                assert (await response.json())["faults"] == {"silence": 1}
            async with http.post(url, json={"fault": "earthquake"}) as response:
                assert response.status == 400
                assert "sequence_gap" in await response.text()

    bounded(ask())


def test_venue_that_is_down_at_the_start_is_asked_until_it_answers() -> None:
    async def follow() -> None:
        programme = of_synthetic("hyperliquid", 60.0)
        server = VenueServer(programme, PROTOCOLS["hyperliquid"])
        await server.start()
        port = server.port
        await server.stop()
        config = FeedConfig(source="hyperliquid", assets=("BTC",), venue_url=f"http://127.0.0.1:{port}", live=QUICK)
        late = VenueServer(programme, PROTOCOLS["hyperliquid"])
        asyncio.get_running_loop().call_later(0.5, lambda: asyncio.ensure_future(late.start(port)))
        started = time.monotonic()
        async with live_session(config, live_venue(config)) as session:
            assert list(session.markets) == ["BTC"]
            assert time.monotonic() - started >= 0.4
        await late.stop()

    bounded(follow())


def test_programme_of_several_tapes_is_merged_by_time(tape_dir: Path, tmp_path: Path) -> None:
    names = ("hyperliquid-20250904-BTC", "hyperliquid-20250904-ETH")
    programme: Programme = of_tapes([excerpt(tape_dir, tmp_path, name, 500) for name in names])
    frames = list(programme.frames())
    assert sorted(programme.instruments) == ["BTC", "ETH"]
    assert [frame.due_ns for frame in frames] == sorted(frame.due_ns for frame in frames)
    assert {frame.asset for frame in frames} == {"BTC", "ETH"}
