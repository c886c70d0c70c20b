"""The live adapters against a server that speaks the venues' protocols."""

import asyncio
import gzip
import itertools
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import aiohttp
import msgspec
import numpy as np
import pytest

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.live.session import live_session
from papertrader.services.feed.sources import sources
from papertrader.services.feed.venues.config import LiveConfig
from papertrader.services.feed.venues.live import LiveError
from papertrader.services.feed.venues.registry import live_venue
from papertrader.services.monitor.facts.market import COUNTED, known_readings, readings_of
from papertrader.shared.log.kinds import KIND_OF
from papertrader.shared.market.book import new_book
from papertrader.shared.market.event_rows import market_events
from papertrader.shared.market.events import Grid
from papertrader.shared.market.tape import DISCONNECTED, read_tape
from papertrader.shared.messages import Bbo, Book, Context, Depth, Gap, Instrument, Message, RoundEnd, Trades
from tests.integration.venues import QUICK, following
from tests.integration.wire import become, bounded
from tools.venue_server.faults import Fault
from tools.venue_server.frames import COINS, Programme, of_synthetic, of_tapes
from tools.venue_server.protocols import PROTOCOLS
from tools.venue_server.server import VenueServer

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


@pytest.mark.parametrize("venue", ["hyperliquid", "binance"])
def test_no_book_is_crossed_where_the_venues_is_not(venue: str) -> None:
    """Differences between the books of a fast market, and the touches that come before them."""

    async def follow() -> list[Message]:
        async with following(of_synthetic(venue, 600.0), speed=10.0, delay_s=60.0) as found:
            asset = next(iter(found.session.markets))
            await become(lambda: sum(found.session.markets[asset].messages.values()) > 3_000, "messages")
            return found.heard(asset)

    heard: list[Message] = []

    async def keep() -> None:
        heard.extend(await follow())

    bounded(keep())
    instrument = next(message for message in heard if isinstance(message, Instrument))
    grid = Grid(instrument)
    book = new_book()
    book["tick_size"], book["ticks_per_unit"] = grid.tick_size, grid.ticks_per_unit
    events = market_events(heard, grid)
    (reading,) = known_readings(readings_of(book, events, np.array([len(events)])))
    counts = dict(zip(COUNTED, reading.counts, strict=True))
    assert counts["books"] > 500
    assert not counts["locked_books"] + counts["crossed_books"], counts


def test_funding_is_for_each_symbols_interval() -> None:
    async def follow() -> None:
        async with following(of_synthetic("binance", 600.0), speed=5.0, delay_s=600.0) as found:
            for asset, hours in (("BTCUSDT", 8), ("ETHUSDT", 4)):
                market = found.session.markets[asset]
                await become(lambda market=market: market.messages["ctx"], "a context")
                contexts = [message for message in found.heard(asset) if isinstance(message, Context)]
                assert {(context.funding_rate, context.funding_period_s) for context in contexts} == {
                    (0.0001, hours * 3600)
                }

    bounded(follow())


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
